// Package attrs reads .gitattributes and .gitignore files and matches paths
// against them exactly as git does, without git.
//
// The hub asks two questions of a path in a commit: does it belong in large
// file storage (Rules.LFS), and did the uploader want to leave it out
// (Ignore.Match). Both answers follow git's own rules: the last matching
// line wins, "!" re-includes, a slash anchors, "**" crosses folders, an
// ignored folder hides everything below it. The tests ask the real git the
// same questions.
//
// Invariants: parsing never fails (git skips lines that it cannot read, and so
// does this package); time is bounded by pattern length × path length, so a
// hostile file cannot make a match exponential; values are immutable after
// parsing and safe for concurrent use.
//
// The package imports only the standard library and hub.
package attrs
