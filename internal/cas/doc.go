// Package cas is the server side of Xet: it takes files in whichever way they
// come, cuts them into chunks, keeps each chunk once, and gives the bytes back.
// Xorbs lie in a bucket; what is in them, and how files are put together, lies
// in SQL. It knows nothing of HTTP, git or permissions beyond the one question
// whether a repository holds a file.
//
// # Invariants
//
//   - Nothing is believed that was not computed here: the hashes of chunks,
//     xorbs and files, the SHA-256 of content, and where records lie in a xorb.
//   - Write order: the bytes of a xorb are durable in the bucket before a
//     transaction names it; the transaction that registers a file names every
//     xorb of it. A crash leaves objects that no row names, never the reverse.
//   - Every stored object has a key of its own, which is never used again. The
//     first upload of a xorb to be registered wins; the object of another one is
//     garbage. Offsets come from the index that was made of the same bytes.
//   - Rows of cas_content exist only for bytes that were hashed here.
//   - Whatever a client learns of (a xorb it uploads or is told of, a file) has
//     its touched_at moved, so that a collector can leave it for as long as
//     clients remember it.
//
// # Memory
//
// An upload holds a block that it is reading, the chunk list of its file (about
// 60 bytes per chunk), 40 KiB for the hashes of the chunk under way and nothing
// else while it waits for its client. Xorbs under way are in spool files.
package cas
