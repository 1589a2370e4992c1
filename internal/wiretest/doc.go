// Package wiretest speaks to a hub over HTTP as its clients do, for tests:
// NDJSON commits, Git LFS and Xet uploads, and any single request with its URL
// sent exactly as written. It imports no service: what it learns of a hub is
// what comes over the wire.
//
// Calls return errors and never fail a test, since some tests expect the hub
// to break under them.
package wiretest
