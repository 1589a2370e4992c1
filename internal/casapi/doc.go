// Package casapi serves the CAS over HTTP as Xet clients expect it: the
// Rust client in its versions since 2025, the JavaScript client and git-xet. It
// decodes, calls package cas, and encodes. Who may read or write which
// repository was decided when the token was minted; here it is only checked.
//
// Fetch URLs need no token: what they open is signed into them, one range of one
// stored xorb for a limited time.
package casapi
