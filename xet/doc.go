// Package xet is the Xet storage format: how a file is cut into chunks, how
// chunks, xorbs and files get their hashes, how a xorb and a Xet shard are laid
// out, and which stored bytes rebuild a range of a file. It is a pure codec for
// servers and clients alike: it reads and writes io.Reader, io.Writer and byte
// slices, knows neither HTTP nor disks, and imports only the standard library,
// package hub, BLAKE3, a decoder of LZ4 and what tells the processor's features.
//
// The words, from small to large:
//
//   - A chunk is 1 byte to 128 KiB of a file, cut where the content says so
//     (Chunker), named by the keyed BLAKE3 of its bytes (ChunkHash). A Cutter
//     does both, and the SHA-256 of the file, in one pass.
//   - A xorb is a sequence of chunks, each compressed on its own (Encoder),
//     named by a Merkle tree over its chunks (Aggregator). An Index says where
//     its chunks are.
//   - A term is a run of chunks of one xorb; a list of terms is a file, named by
//     a Merkle tree over its chunks, wherever they are stored.
//   - A shard describes files and xorbs to another machine.
//
// Invariants:
//
//   - Hashes depend on content only, never on compression or on which xorb
//     holds a chunk. Stored sizes and offsets are never taken from a shard: two
//     clients compress one xorb differently.
//   - The same bytes may have several legal file hashes, because two chunking
//     rules are in the wild. Nothing here validates a chunk boundary.
//   - Everything that parses foreign bytes takes limits, allocates in proportion
//     to bytes it has really read, and has a fuzz target.
package xet
