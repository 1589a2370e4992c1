// Package content knows where the bytes of a path live: in the repository as a
// git blob, or in the CAS behind an LFS pointer. It decides which of the two a
// new file becomes (Policy), and opens either the same way (Open). It knows no
// permissions; callers have asked.
package content
