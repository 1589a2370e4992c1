// Package client downloads from any hub that speaks the protocol of
// huggingface.co, a Pantry among them, into the cache that Python's
// huggingface_hub uses:
//
//	HF_HOME/hub/models--ada--bert/blobs/<etag>                 the bytes
//	                              snapshots/<commit>/<path>     a link to a blob
//	                              refs/<revision>               the commit it was
//	                              trees/<commit>.json           the files of a commit
//	                              .no_exist/<commit>/<path>     known not to be there
//	HF_HOME/hub/.locks/models--ada--bert/<etag>.lock           one writer of a blob
//
// Both clients may use one cache at once: they take the same locks, and what
// one has downloaded the other finds. A blob gets its name only when it is
// whole: its size is right, and its SHA-256 (large files) or git object id
// (small ones), which the hub states as the ETag, has been recomputed. Until
// then it grows as <etag>.incomplete, where a later run goes on.
//
// Settings come from Options and, where those say nothing, from the variables
// of huggingface_hub: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE,
// HF_HUB_OFFLINE. A token is sent to the endpoint and to nobody else, whatever
// a redirect says. Names that a hub sends are checked before they become paths.
//
// Errors are *hub.Error with a message for the person who asked; errors.Is
// with hub.ErrRepoNotFound, hub.ErrGatedRepo, ErrNotCached and so on tells them
// apart. The package knows nothing of a hub's insides.
package client
