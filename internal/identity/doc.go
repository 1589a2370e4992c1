// Package identity answers who is asking: accounts and organizations,
// passwords, browser sessions, access tokens, the OAuth device flow, and the
// links that work once. Whether the one who asks may do a thing is the matter
// of package authz.
//
// # Secrets
//
// Passwords are kept as argon2id hashes whose parameters travel in the hash,
// so that they can grow: a sign-in with an old hash writes a new one. At most
// a few hashes are computed at a time, because each needs 19 MiB. Everything
// that the hub itself makes up (access tokens, session cookies, device codes,
// one-time links) is random beyond guessing, so its SHA-256 is kept and looked
// up by index; the secret itself is shown once and never stored.
//
// # Guessing
//
// A wrong name and a wrong password have the same answer and cost the same
// work. Attempts are slowed down per account, per address, and per pair of
// both, in the memory of this process.
//
// # Reads do not write
//
// Authenticate and SessionActor are one indexed query each. When a credential
// was used is noted in memory and written by Run, to the nearest five minutes.
//
// It imports hub, internal/store and internal/ratelimit, and knows no HTTP
// beyond the grammar of the Authorization header.
package identity
