package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// wire is one keep-alive HTTP/1.1 connection of the load generator. It spends
// as little as it can, as client and server share the machine: requests are
// prepared bytes, and large bodies are discarded in the kernel.
type wire struct {
	address string
	conn    net.Conn
	raw     syscall.RawConn
	in      *bufio.Reader
	sink    []byte
}

func dial(ctx context.Context, address string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w := &wire{address: address, conn: conn, in: bufio.NewReader(conn), sink: make([]byte, 256<<10)}
	if w.raw, err = conn.(syscall.Conn).SyscallConn(); err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

func (w *wire) close() { w.conn.Close() }

// request is what to send, and what answer is right.
type request struct {
	method string
	bytes  []byte
	status int
}

// newRequest prepares a request for address. Headers are "Name: value".
func newRequest(method, address string, status int, headers ...string) (request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return request{}, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: identity\r\n", method, u.RequestURI(), u.Host)
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n")
	return request{method, []byte(b.String()), status}, nil
}

// withBody is a POST of a JSON or NDJSON body.
func withBody(address, contentType string, body []byte, headers ...string) (request, error) {
	headers = append(headers, "Content-Type: "+contentType, fmt.Sprintf("Content-Length: %d", len(body)))
	r, err := newRequest(http.MethodPost, address, http.StatusOK, headers...)
	r.bytes = append(r.bytes, body...)
	return r, err
}

// reply is an answer, whose body is gone already.
type reply struct {
	status int
	header http.Header
	bytes  int64
}

// send makes a request and reads its answer to the end.
func (w *wire) send(r request) (reply, error) {
	if _, err := w.conn.Write(r.bytes); err != nil {
		return reply{}, err
	}
	resp, err := http.ReadResponse(w.in, &http.Request{Method: r.method})
	if err != nil {
		return reply{}, err
	}
	n, err := w.skip(resp)
	if err != nil {
		return reply{}, fmt.Errorf("body of %s: %w", resp.Status, err)
	}
	return reply{resp.StatusCode, resp.Header, n}, nil
}

// skip reads a body without keeping it.
func (w *wire) skip(resp *http.Response) (int64, error) {
	if resp.Request.Method == http.MethodHead || resp.ContentLength < 0 {
		return io.Copy(io.Discard, resp.Body)
	}
	// Past the back of resp.Body, which must not be closed: it would wait for
	// bytes that are gone.
	buffered := min(resp.ContentLength, int64(w.in.Buffered()))
	if _, err := w.in.Discard(int(buffered)); err != nil {
		return 0, err
	}
	if err := w.discard(resp.ContentLength - buffered); err != nil {
		return 0, err
	}
	return resp.ContentLength, nil
}

// fetch is send that follows redirects on the same server, as a hub may answer
// a download with one. The time of all of them is the time of the download.
func (w *wire) fetch(r request) (reply, error) {
	for range 4 {
		got, err := w.send(r)
		if err != nil {
			return reply{}, err
		}
		if got.status/100 != 3 {
			if got.status != r.status {
				return reply{}, fmt.Errorf("status %d, want %d, of %.200q", got.status, r.status, r.bytes)
			}
			return got, nil
		}
		if r, err = w.follow(r, got.header.Get("Location")); err != nil {
			return reply{}, err
		}
	}
	return reply{}, fmt.Errorf("more redirects than can be right")
}

func (w *wire) follow(r request, location string) (request, error) {
	target, err := url.Parse(location)
	if err != nil || location == "" {
		return request{}, fmt.Errorf("redirect to %q", location)
	}
	if target.Host != "" && target.Host != w.address {
		return request{}, fmt.Errorf("redirect to another server, %s", location)
	}
	_, rest, ok := strings.Cut(string(r.bytes), "\r\n")
	if !ok {
		return request{}, fmt.Errorf("malformed request %.200q", r.bytes)
	}
	line := fmt.Sprintf("%s %s HTTP/1.1\r\n", r.method, target.RequestURI())
	return request{r.method, []byte(line + rest), r.status}, nil
}
