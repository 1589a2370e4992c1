// Package authapi is the transport of identity: it finds out who sent a
// request (Authenticator), and serves whoami, the OAuth device flow and
// avatars. Pages for people are in internal/web.
//
// A request is authenticated by its Authorization header if it has one, and a
// bad one is always an error. Otherwise the session cookie counts, for
// requests that change something only if they come from the hub's own pages.
//
// It decodes, calls internal/identity and encodes; it never touches the store.
package authapi
