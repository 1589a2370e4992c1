// Package faults holds tests of what a hub does when the ground moves: its
// process is killed, its database or bucket fails at any step of a write, its
// disk is full, many write at once. What they demand each time:
//
//   - What was acknowledged is there, whole, and has the bytes that were sent.
//   - What was refused changed nothing; the same request succeeds afterwards.
//   - Nothing is half-visible: every ref leads to readable commits, trees,
//     blobs and large files, and git fsck accepts an export.
//   - The client gets an error that it understands, with a request id.
//
// Everything is real: the process, SQLite, PostgreSQL, folders, S3. The package
// has no code but its tests.
package faults
