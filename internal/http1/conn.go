package http1

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"time"
)

// headBytes bounds the head of a request that is answered here.
const headBytes = 4 << 10

// conn is a connection that is served here.
type conn struct {
	front  *Front
	tcp    *net.TCPConn
	in     *bufio.Reader
	remote string
	until  time.Time // the read deadline
	out    response  // reused
}

// outcome is why a connection is not served any more.
type outcome uint8

const (
	finished outcome = iota // close it
	handedOn                // its next request is for net/http
)

func (c *conn) run() outcome {
	for {
		head, ok := c.head()
		if !ok {
			return finished
		}
		target, ok := plain(head)
		if !ok || !c.front.cfg.Takes(target) {
			return handedOn
		}
		r, err := http.ReadRequest(c.in)
		if err != nil {
			_, _ = c.tcp.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"))
			return finished
		}
		r.RemoteAddr = c.remote
		c.out.reset(c, r.Method == http.MethodHead)
		if !c.front.answer(&c.out, r.WithContext(c.front.ctx)) || c.front.closing.Load() {
			return finished
		}
	}
}

// head waits for a request and returns its head: through the empty line, or as
// much as is looked at. It reports false if there is no further request.
func (c *conn) head() ([]byte, bool) {
	began := c.in.Buffered() > 0
	if !began {
		// Setting a deadline costs more than looking at the clock.
		if now := time.Now(); c.until.Sub(now) < c.front.cfg.IdleTimeout/2 {
			if !c.setDeadline(now.Add(c.front.cfg.IdleTimeout)) {
				return nil, false
			}
		}
		if c.front.closing.Load() { // after the deadline, which Shutdown moves after closing
			return nil, false
		}
	}
	for want := 1; ; {
		_, err := c.in.Peek(want)
		head, _ := c.in.Peek(c.in.Buffered())
		if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
			return head[:end+4], true
		}
		if len(head) == headBytes {
			return head, true
		}
		if err != nil {
			return nil, false
		}
		if want == 1 && !c.setDeadline(time.Now().Add(c.front.cfg.HeaderTimeout)) {
			return nil, false
		}
		want = len(head) + 1
	}
}

func (c *conn) setDeadline(t time.Time) bool {
	c.until = t
	return c.tcp.SetReadDeadline(t) == nil
}

// plain reports whether a head is one of the simplest requests, and its target.
// Whatever may be wrong or special with a request is net/http's to judge.
func plain(head []byte) (target string, ok bool) {
	lines, ok := bytes.CutSuffix(head, []byte("\r\n\r\n"))
	if !ok {
		return "", false
	}
	line, fields, _ := bytes.Cut(lines, []byte("\r\n"))
	method, rest, _ := bytes.Cut(line, []byte(" "))
	raw, version, _ := bytes.Cut(rest, []byte(" "))
	if m := string(method); m != http.MethodGet && m != http.MethodHead || string(version) != "HTTP/1.1" {
		return "", false
	}
	if len(raw) == 0 || raw[0] != '/' || !visible(raw) {
		return "", false
	}
	hosts := 0
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, ok := bytes.Cut(field, []byte(":"))
		if !ok || !token(name) || !text(value) {
			return "", false
		}
		switch {
		case named(name, "Host"):
			if hosts++; !hostname(bytes.TrimSpace(value)) {
				return "", false
			}
		case named(name, "Connection"):
			if !strings.EqualFold(string(bytes.TrimSpace(value)), "keep-alive") {
				return "", false
			}
		case named(name, "Content-Length"), named(name, "Transfer-Encoding"), named(name, "Expect"),
			named(name, "Upgrade"), named(name, "Trailer"), named(name, "TE"):
			return "", false
		}
	}
	return string(raw), hosts == 1
}

// named compares a field name.
func named(b []byte, name string) bool {
	return len(b) == len(name) && strings.EqualFold(string(b), name)
}

func every(b []byte, ok func(byte) bool) bool {
	for _, c := range b {
		if !ok(c) {
			return false
		}
	}
	return len(b) > 0
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// token is a field name of the characters that are in use.
func token(b []byte) bool {
	return every(b, func(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' })
}

// hostname is a name or address, perhaps with a port.
func hostname(b []byte) bool {
	return every(b, func(c byte) bool {
		return alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == ':' || c == '[' || c == ']'
	})
}

func visible(b []byte) bool { return every(b, func(c byte) bool { return 0x21 <= c && c <= 0x7e }) }

// text is a field value without control characters; it may be empty.
func text(b []byte) bool {
	return len(b) == 0 || every(b, func(c byte) bool { return 0x20 <= c && c <= 0x7e || c == '\t' })
}
