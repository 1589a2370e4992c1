// Package http1 answers the simplest HTTP/1.1 requests itself, on the
// connections that a net/http server would get, and leaves everything else to
// that server.
//
// It is there for clients that read a large file in small ranges: what net/http
// spends on each request (a goroutine that watches for the client going away,
// several writes of a response) is more than all the rest of a small answer. A
// request is taken if its path is one of those that the Front was made for and
// it has nothing but the request line and plain header fields: GET or HEAD, no
// body, no Expect, no Upgrade, no Connection other than keep-alive. The first
// request of a connection that is not taken moves the connection, with every
// byte that was read, to net/http, where it stays.
//
// # What handlers must know
//
//   - The context of a request does not end, not even when its client goes away;
//     a write fails then.
//   - The request, its URL and the header maps are used again when the handler
//     has returned. The request's header is not to be changed.
//   - A response is not a Flusher or a Hijacker and has no deadlines of its own.
//     Its header goes out with the first bytes of its body.
//   - A response of more than a little that does not state its Content-Length
//     ends the connection. One that does should state its Content-Type too: it is
//     not guessed.
//
// The package knows nothing of the hub and imports nothing else of this module.
package http1
