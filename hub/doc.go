// Package hub is the vocabulary of a model hub: repositories and their ids,
// revisions, object ids, paths, accounts and the errors that every layer
// speaks in. It does no I/O and imports nothing but the standard library, so
// that formats, mechanisms, services and transports can all depend on it.
//
// Values are parsed once, at the edge (ParseRepoID, ParsePath, ParseOID …);
// past the edge a value of one of these types is valid. Zero values are
// invalid and print as such.
package hub
