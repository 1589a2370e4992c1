package http1

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// response is the answer to a request. It is an http.ResponseWriter.
type response struct {
	conn   *conn
	isHead bool // the request is a HEAD
	header http.Header
	fields []string // more of them, as they travel

	status int    // 0 before WriteHeader
	head   []byte // status line and header fields, until they are sent
	length int64  // of the body, as the handler stated it; -1 if it did not
	bare   bool   // the status allows no body

	held    []byte // a short body of unstated length
	holding bool   // it may still grow
	sent    int64  // bytes of the body
	over    bool   // there was more of it than stated
	last    bool   // the connection ends with this response
	err     error  // of the connection

	gathered [][]byte    // scratch for the head and pieces
	writing  net.Buffers // what is left of it
}

// heldBytes is how long a body of unstated length may be to be measured.
const heldBytes = 16 << 10

func (w *response) reset(c *conn, isHead bool) {
	header := w.header // which belongs to the handler until it returns
	if header == nil {
		header = make(http.Header, 8)
	}
	clear(header)
	*w = response{conn: c, isHead: isHead, header: header, fields: w.fields[:0], head: w.head[:0], held: w.held[:0], gathered: w.gathered[:0]}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// AddFields takes header fields that are ready to be sent: lines with their ends.
// Nothing is looked for in them, so that they must not be what has a meaning
// here: Connection, Content-Length, Date.
func (w *response) AddFields(text string) { w.fields = append(w.fields, text) }

// WriteHeader implements http.ResponseWriter. Informational responses are not
// sent.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.bare = status == http.StatusNoContent || status == http.StatusNotModified
	w.length = -1
	if text := first(w.header["Content-Length"]); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			n = -1
			w.header.Del("Content-Length")
		}
		w.length = n
	}
	w.holding = w.length < 0 && !w.bare
	w.last = w.conn.front.closing.Load() || strings.EqualFold(first(w.header["Connection"]), "close")
	if !w.holding {
		w.format()
	}
}

// first is the first value of a header field, "" if it has none.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// format writes the head.
func (w *response) format() {
	b := append(w.head[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(w.status)...)
	b = append(b, "\r\n"...)
	for _, text := range w.fields {
		b = append(b, text...)
	}
	for name, values := range w.header {
		if name == "Connection" {
			continue
		}
		for _, v := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = appendValue(b, v)
			b = append(b, "\r\n"...)
		}
	}
	if w.header["Date"] == nil {
		b = append(b, "Date: "...)
		b = append(b, date()...)
		b = append(b, "\r\n"...)
	}
	if w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	w.head = append(b, "\r\n"...)
}

// appendValue appends a field value; it can never begin another field.
func appendValue(b []byte, v string) []byte {
	start := len(b)
	b = append(b, v...)
	for _, c := range [...]byte{'\r', '\n', 0} {
		for at := bytes.IndexByte(b[start:], c); at >= 0; at = bytes.IndexByte(b[start:], c) {
			b[start+at] = ' '
		}
	}
	return b
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.holding {
		if len(w.held)+len(p) <= heldBytes {
			w.held = append(w.held, p...)
			return len(p), nil
		}
		w.unmeasured()
	}
	n, err := w.WriteBuffers(net.Buffers{p})
	return int(n), err
}

// unmeasured gives up measuring the body: its end is that of the connection.
func (w *response) unmeasured() {
	w.holding, w.last = false, true
	w.format()
	if len(w.held) > 0 {
		_, _ = w.WriteBuffers(net.Buffers{w.held}) // the error stays in w.err
	}
}

// WriteBuffers writes pieces of the body, without looking at their bytes, in as
// few system calls as it can. It changes pieces.
func (w *response) WriteBuffers(pieces net.Buffers) (int64, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.holding {
		w.unmeasured()
	}
	n := int64(0)
	for _, p := range pieces {
		n += int64(len(p))
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case w.bare:
		return 0, http.ErrBodyNotAllowed
	case w.over || w.length >= 0 && w.sent+n > w.length:
		w.over = true
		return 0, http.ErrContentLength
	case w.isHead:
		w.sent += n
		return n, nil
	}
	return w.send(pieces)
}

// send writes the head, if it has not been, and pieces of the body.
func (w *response) send(pieces net.Buffers) (int64, error) {
	head := int64(len(w.head))
	w.gathered = append(append(w.gathered[:0], w.head), pieces...)
	w.writing = w.gathered
	w.head = w.head[:0]
	n, err := w.conn.sock.writeBuffers(&w.writing)
	w.err = err
	n = max(n-head, 0)
	w.sent += n
	return n, err
}

// finish sends what the handler left, and reports whether the connection can
// take another request.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.holding {
		w.holding = false
		w.measure()
	}
	if len(w.head) > 0 {
		_, _ = w.send(nil) // the error stays in w.err
	}
	short := !w.isHead && !w.bare && w.length >= 0 && w.sent < w.length
	return w.err == nil && !w.last && !w.over && !short
}

// measure sends a short body with its length. An answer to HEAD without a body
// says nothing of the length that the one to GET would have.
func (w *response) measure() {
	if len(w.held) > 0 && w.header["Content-Type"] == nil {
		w.header.Set("Content-Type", http.DetectContentType(w.held))
	}
	if !w.isHead || len(w.held) > 0 {
		w.length = int64(len(w.held))
		w.header.Set("Content-Length", strconv.Itoa(len(w.held)))
	}
	w.format()
	if !w.isHead && len(w.held) > 0 {
		_, _ = w.send(net.Buffers{w.held}) // the error stays in w.err
	}
}

// stamp is the Date of a second.
type stamp struct {
	second int64
	text   string
}

var now atomic.Pointer[stamp]

// date is the value of a Date field.
func date() string {
	t := time.Now()
	s := now.Load()
	if s == nil || s.second != t.Unix() {
		s = &stamp{t.Unix(), t.UTC().Format(http.TimeFormat)}
		now.Store(s)
	}
	return s.text
}
