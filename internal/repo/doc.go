// Package repo is the only mutator of repositories: create, commit, branch,
// tag, move, settings, duplicate, delete. It also answers what is in one:
// revisions, trees, history, differences. Every call names its actor, and the
// right is checked here, not in a transport.
//
// # Write order
//
// 1. Large bytes go to the bucket through the CAS, idempotently.
// 2. One SQL transaction inserts the git objects, moves the ref from the id
// that was seen to the new one, and rewrites the catalog columns.
// 3. The caller is told.
//
// A crash after 1 leaves bytes that nothing names; a crash before the end of 2
// leaves nothing. Two writers on one branch: the ref moves only from the id
// that a writer saw. Who loses and named a parent commit gets hub.ErrStale;
// who did not is applied again on top of the winner.
package repo
