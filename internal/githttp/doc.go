// Package githttp is the transport below /{id}.git: the Git LFS batch API and
// its transfers. The git protocol itself is not built yet and says so. A
// handler decodes, asks the repo or lfs service, encodes.
package githttp
