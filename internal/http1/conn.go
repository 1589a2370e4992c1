package http1

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"time"
)

// headBytes bounds the head of a request that is answered here.
const headBytes = 4 << 10

// conn is a connection that is served here.
type conn struct {
	front  *Front
	tcp    *net.TCPConn
	sock   *socket // the same
	in     *bufio.Reader
	remote string
	until  time.Time // the read deadline

	request request // these are reused
	out     response
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
		if !c.request.parse(head) || !c.front.cfg.Takes(c.request.target) {
			return handedOn
		}
		r, ok := c.request.build(c.remote)
		if !ok {
			return handedOn
		}
		if _, err := c.in.Discard(len(head)); err != nil {
			return finished
		}
		c.out.reset(c, r.Method == http.MethodHead)
		if !c.front.answer(&c.out, r) || c.front.closing.Load() {
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
		if now := time.Now(); c.until.Sub(now) < c.front.cfg.IdleTimeout/2 && !c.setDeadline(now.Add(c.patience())) {
			return nil, false
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

// patience is how long the next request may take to begin. A new connection has
// a request to send.
func (c *conn) patience() time.Duration {
	if c.until.IsZero() {
		return c.front.cfg.HeaderTimeout
	}
	return c.front.cfg.IdleTimeout
}

func (c *conn) setDeadline(t time.Time) bool {
	c.until = t
	return c.tcp.SetReadDeadline(t) == nil
}
