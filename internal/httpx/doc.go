// Package httpx is what every transport shares: handlers that return an
// error, one function that writes errors, request ids, access log, metrics,
// JSON and paging helpers. It keeps io.ReaderFrom visible through its response
// writer, so that files can hand their memory to the connection. It knows the error table of hub/api
// and no service.
package httpx
