package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// WriteRange writes n bytes of the file from off on. To an HTTP response over
// plain TCP, bytes that lie uncompressed in a local file go by sendfile.
func (r *Reader) WriteRange(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off+n > r.Size() {
		return 0, fmt.Errorf("cas: range [%d, %d) of a file of %d bytes", off, off+n, r.Size())
	}
	return io.Copy(w, &section{r: r, pos: off, left: n})
}

// section is a range of a file on its way to a writer.
type section struct {
	r    *Reader
	pos  int64
	left int64
}

// Read implements io.Reader.
func (s *section) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.ReadAt(p[:min(int64(len(p)), s.left)], s.pos)
	s.advance(int64(n))
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (s *section) advance(n int64) { s.pos, s.left = s.pos+n, s.left-n }

// WriteTo implements io.WriterTo. An HTTP response is an io.ReaderFrom; it sends
// its header and then has the TCP connection read from the section, which comes
// back here with a writer that wraps the connection.
func (s *section) WriteTo(w io.Writer) (int64, error) {
	if conn, ok := asConn(w); ok {
		return s.pump(&connSink{w: w, conn: conn})
	}
	if rf, ok := w.(io.ReaderFrom); ok {
		return readFrom(rf, s, s.left)
	}
	return s.pump(plainSink{w})
}

// flushFrom is the size from which a body is sent apart from its header. A
// response that has not sent its header yet copies the beginning of the body, to
// guess its type, which then costs more than what one write less saves.
const flushFrom = 8 << 10

// readFrom has a writer read n bytes of src.
func readFrom(w io.ReaderFrom, src io.Reader, n int64) (int64, error) {
	if f, ok := w.(interface{ Flush() }); ok && n >= flushFrom {
		f.Flush()
	}
	return w.ReadFrom(src)
}

// asConn finds the connection behind a writer that is a TCP connection, or wraps
// one in order to hide its ReadFrom, as package net does.
func asConn(w io.Writer) (syscall.RawConn, bool) {
	c, ok := w.(interface {
		syscall.Conn
		net.Conn
	})
	if !ok {
		return nil, false
	}
	raw, err := c.SyscallConn()
	return raw, err == nil
}

// sink takes the spans of a section in order.
type sink interface {
	// direct sends a span straight from its object; done is false if it cannot,
	// and then nothing was sent.
	direct(o *object, sp span) (n int64, done bool, err error)

	// write writes bytes that were read.
	io.Writer
}

// plainSink writes to any writer.
type plainSink struct{ io.Writer }

func (plainSink) direct(*object, span) (int64, bool, error) { return 0, false, nil }

// connSink writes to a connection.
type connSink struct {
	w    io.Writer
	conn syscall.RawConn
}

func (c *connSink) Write(p []byte) (int, error) { return c.w.Write(p) }

// direct sends the pieces of a span by sendfile, one call each: the connection
// stays ours between them, so a piece costs one system call.
func (c *connSink) direct(o *object, sp span) (int64, bool, error) {
	var sent int64
	err := sp.eachPiece(func(off int64, n int) error {
		done, err := sendfile(c.conn, o.File(), off, int64(n))
		sent += done
		return err
	})
	if sent == 0 && errors.Is(err, errors.ErrUnsupported) {
		return 0, false, nil
	}
	return sent, true, err
}

// pump moves the section to a sink.
func (s *section) pump(to sink) (int64, error) {
	ctx, cancel := context.WithCancel(s.r.ctx)
	defer cancel()
	p := &pump{ctx: ctx, svc: s.r.svc, to: to}
	err := s.r.eachSpan(s.pos, s.left, p.add)
	if err == nil {
		err = p.drain(0)
	}
	p.cancel(cancel)
	s.advance(p.written)
	return p.written, err
}

// pump reads spans ahead and writes them in order.
type pump struct {
	ctx     context.Context
	svc     *Service
	to      sink
	ahead   []chan readResult // of the spans being read, in order
	written int64
}

type readResult struct {
	buf *buffer
	raw []byte
	err error
}

// add takes the next span: it sends it directly if that is possible, or begins
// to read it.
func (p *pump) add(sp span) error {
	if sp.stored {
		done, err := p.direct(sp)
		if done || err != nil {
			return err
		}
	}
	if err := p.drain(p.svc.readAhead); err != nil {
		return err
	}
	ch := make(chan readResult, 1)
	p.ahead = append(p.ahead, ch)
	go func() {
		buf := buffers.Get().(*buffer)
		raw := buf.grow(sp.size)
		err := p.svc.readSpan(p.ctx, sp, raw)
		ch <- readResult{buf, raw, err}
	}()
	return nil
}

// direct sends a stored span from its object.
func (p *pump) direct(sp span) (done bool, err error) {
	o, err := p.svc.openXorb(p.ctx, sp.xorb)
	if err != nil {
		return false, err
	}
	defer p.svc.objects.release(o)
	if o.File() == nil {
		return false, nil
	}
	if err := p.drain(0); err != nil {
		return false, err
	}
	n, done, err := p.to.direct(o, sp)
	p.written += n
	return done, err
}

// drain writes spans until only n are being read.
func (p *pump) drain(n int) error {
	for len(p.ahead) > n {
		res := <-p.ahead[0]
		p.ahead = p.ahead[1:]
		err := res.err
		if err == nil {
			var written int
			written, err = p.to.Write(res.raw)
			p.written += int64(written)
		}
		buffers.Put(res.buf)
		if err != nil {
			return err
		}
	}
	return nil
}

// cancel waits for the reads that an error made useless.
func (p *pump) cancel(cancel context.CancelFunc) {
	cancel()
	for _, ch := range p.ahead {
		buffers.Put((<-ch).buf)
	}
}

// objectSection is a range of an object on its way to a writer, as section is of
// a file.
type objectSection struct {
	o        *object
	pos, end int64
}

// Read implements io.Reader.
func (s *objectSection) Read(p []byte) (int, error) {
	if s.pos == s.end {
		return 0, io.EOF
	}
	n, err := s.o.ReadAt(p[:min(int64(len(p)), s.end-s.pos)], s.pos)
	s.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// WriteTo implements io.WriterTo.
func (s *objectSection) WriteTo(w io.Writer) (int64, error) {
	if conn, ok := asConn(w); ok && s.o.File() != nil {
		n, err := sendfile(conn, s.o.File(), s.pos, s.end-s.pos)
		s.pos += n
		if n > 0 || !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
	} else if rf, ok := w.(io.ReaderFrom); ok {
		return readFrom(rf, s, s.end-s.pos)
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	return io.CopyBuffer(w, struct{ io.Reader }{s}, buf.grow(localSpan))
}
