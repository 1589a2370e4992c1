package http1

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Front is made of.
type Config struct {
	Handler http.Handler

	// Takes reports whether a request for this target (path and query, as they
	// came) may be answered by the Front.
	Takes func(target string) bool

	HeaderTimeout time.Duration // to send a request once it has begun
	IdleTimeout   time.Duration // between requests
	Log           *slog.Logger  // for panics that the handler lets through
}

// Front is a net.Listener whose connections are those that it does not serve
// itself.
type Front struct {
	net.Listener
	cfg  Config
	rest chan net.Conn // for net/http

	closing atomic.Bool
	closed  chan struct{} // when no connection will be handed on any more
	once    sync.Once

	mu    sync.Mutex
	conns map[*net.TCPConn]bool // those served here
	wg    sync.WaitGroup        // of the same
}

// New makes a Front of a listener and begins to accept.
func New(l net.Listener, cfg Config) *Front {
	return &Front{
		Listener: l, cfg: cfg, rest: make(chan net.Conn), closed: make(chan struct{}),
		conns: make(map[*net.TCPConn]bool),
	}
}

// Accept implements net.Listener: it returns the next connection that is for
// net/http, and serves the others meanwhile.
func (f *Front) Accept() (net.Conn, error) {
	f.once.Do(func() { go f.accept() })
	select {
	case c := <-f.rest:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// accept takes connections until the listener is closed. Errors that pass, such
// as too many open files, are waited out.
func (f *Front) accept() {
	defer close(f.closed)
	for pause := time.Duration(0); ; {
		c, err := f.Listener.Accept()
		if f.closing.Load() || errors.Is(err, net.ErrClosed) {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil {
			f.cfg.Log.Warn("accept failed", "err", err)
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			f.handOn(c)
			continue
		}
		if f.track(tcp) {
			go f.serve(tcp)
		}
	}
}

// handOn gives a connection to net/http.
func (f *Front) handOn(c net.Conn) {
	select {
	case f.rest <- c:
	case <-f.closed:
		c.Close()
	}
}

// track notes a connection, or closes it if the Front is closing.
func (f *Front) track(c *net.TCPConn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing.Load() {
		c.Close()
		return false
	}
	f.conns[c] = true
	f.wg.Add(1)
	return true
}

func (f *Front) forget(c *net.TCPConn) {
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
	f.wg.Done()
}

// serve answers the requests of a connection, until one comes that is for
// net/http.
func (f *Front) serve(c *net.TCPConn) {
	defer f.forget(c)
	sock, err := newSocket(c)
	if err != nil { // it is closed
		c.Close()
		return
	}
	conn := &conn{front: f, tcp: c, sock: sock, in: bufio.NewReaderSize(sock, headBytes), remote: c.RemoteAddr().String()}
	switch conn.run() {
	case finished:
		c.Close()
	case handedOn:
		rest, _ := conn.in.Peek(conn.in.Buffered())
		_ = c.SetReadDeadline(time.Time{}) // a closed connection says so when it is read
		f.handOn(&restored{TCPConn: c, rest: rest})
	}
}

// restored is a connection of which something has been read already.
type restored struct {
	*net.TCPConn
	rest []byte
}

func (r *restored) Read(p []byte) (int, error) {
	if len(r.rest) > 0 {
		n := copy(p, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	return r.TCPConn.Read(p)
}

// Close closes the listener. Connections stay; Shutdown ends them.
func (f *Front) Close() error {
	f.closing.Store(true)
	return f.Listener.Close()
}

// Shutdown closes the listener and the connections that wait for a request, and
// then waits until the requests under way are answered. When the context ends
// it closes their connections too and returns its error.
func (f *Front) Shutdown(ctx context.Context) error {
	f.Close()
	f.each(func(c *net.TCPConn) { _ = c.SetReadDeadline(time.Unix(1, 0)) }) // one that is gone needs no deadline
	done := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		f.each(func(c *net.TCPConn) { c.Close() })
		return ctx.Err()
	}
}

func (f *Front) each(do func(*net.TCPConn)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		do(c)
	}
}

// answer has the handler answer a request. It reports whether the connection can
// take another one.
func (f *Front) answer(w *response, r *http.Request) (again bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		again = false
		if p != http.ErrAbortHandler {
			f.cfg.Log.Error("panic", "path", r.URL.EscapedPath(), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f.cfg.Handler.ServeHTTP(w, r)
	return w.finish()
}
