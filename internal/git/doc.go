// Package git reads and writes git repositories that live in the store:
// objects are rows, refs are rows, and no git program runs.
//
// # Objects
//
// A payload is kept as the zlib stream that a pack entry carries, so that a
// pack is written by copying rows. Ids are SHA-1 over git's loose header and
// the payload. Decoders are strict: what they accept, git fsck --strict
// accepts, apart from its rules for .gitmodules and .gitattributes, which are
// the services' policy. Decoders return errors of ErrCorrupt and use memory in
// proportion to their input.
//
// # Tree metadata
//
// Git keeps neither sizes nor where a large file's bytes are, and listings
// show both. Beside every tree object lies a tree_meta row that holds, for
// each entry in tree order, after one version byte (1):
//
//	size<<1 | large   uvarint; bytes of the content, for a folder of all files below it
//	sha256            32 bytes, if large: the LFS oid
//	pointer size      uvarint, if large
//	xet hash          32 bytes, if large, in memory order
//
// A file is large when its blob is an LFS pointer. The metadata follows from
// the tree's id and the contents of its blobs, so it is immutable as well and
// is written in the transaction that writes the tree.
//
// # Reading and editing
//
// Reader is a cheap value over queries and a shared Cache of parsed trees and
// commits; a *Tree that it returns is shared and must not be modified. Editor
// collects changes to a tree and rewrites the folders they touch, nothing else.
// The zero OID stands for the empty tree everywhere.
//
// The cache may outlive a transaction that rolled back. This is harmless, as
// names (refs) are never cached and an object's id says what it holds, but the
// cache must not be asked whether an object is stored.
//
// This package knows nothing of permissions, HTTP or the CAS.
package git
