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
// plain TCP, bytes that lie uncompressed in a local file, or in a copy of a file
// that is downloaded often, go from the page cache to the socket in one step.
func (r *Reader) WriteRange(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off+n > r.Size() {
		return 0, fmt.Errorf("cas: range [%d, %d) of a file of %d bytes", off, off+n, r.Size())
	}
	if c := r.svc.copies.get(r.file, n); c != nil {
		defer r.svc.copies.release(c)
		return io.Copy(w, &objectSection{o: &c.object, pos: off, end: off + n})
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
	to := gathering(w)
	if rf, ok := w.(io.ReaderFrom); ok && to == nil {
		return readFrom(rf, s, s.left)
	}
	return s.pump(w, to)
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

// gatherer is a writer that hands memory to the kernel without looking at it,
// several pieces in one call. It may change the slice.
type gatherer interface {
	WriteBuffers(pieces net.Buffers) (int64, error)
}

// gathering is w as a gatherer, or nil if it is none. A TCP connection is one,
// and so is what wraps it in order to hide its ReadFrom, as package net does.
func gathering(w io.Writer) gatherer {
	if g, ok := w.(gatherer); ok {
		return g
	}
	if c, ok := w.(tcpConn); ok {
		return connGatherer{c}
	}
	return nil
}

type tcpConn interface {
	syscall.Conn
	net.Conn
}

type connGatherer struct{ tcpConn }

// WriteBuffers implements gatherer.
func (c connGatherer) WriteBuffers(pieces net.Buffers) (int64, error) {
	return pieces.WriteTo(c.tcpConn)
}

// pump moves the section to a writer, which may be a gatherer.
func (s *section) pump(w io.Writer, to gatherer) (int64, error) {
	p := &pump{ctx: s.r.ctx, svc: s.r.svc, to: w, gatherer: to}
	p.pieces, p.objects = p.fewPieces[:0], p.fewObjects[:0]
	err := s.r.eachSpan(s.pos, s.left, p.add)
	if err == nil {
		err = p.drain(0)
	}
	if err == nil {
		err = p.flush()
	}
	p.end()
	s.advance(p.written)
	return p.written, err
}

// pump writes spans in order. It reads ahead those that must be read, and
// gathers those that are mapped. At any time either ahead or pieces is empty.
type pump struct {
	ctx      context.Context
	svc      *Service
	to       io.Writer
	gatherer gatherer // the same as to, or nil

	ahead  []chan readResult // of the spans being read, in order
	cancel func()            // ends the reads; nil before the first

	pieces  net.Buffers // of mapped objects, to be written at once
	gather  int64       // bytes in pieces
	objects []*object   // whose bytes they are

	fewPieces  [6][]byte // room for those of a short range
	fewObjects [2]*object

	written int64
}

// gatherBytes is how much mapped memory goes to the kernel in one call, about.
const gatherBytes = 1 << 20

type readResult struct {
	buf *buffer
	raw []byte
	err error
}

// add takes the next span: it gathers it if that is possible, or begins to read
// it.
func (p *pump) add(sp span) error {
	if sp.stored && p.gatherer != nil {
		done, err := p.mapSpan(sp)
		if done || err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.drain(p.svc.readAhead); err != nil {
		return err
	}
	if p.cancel == nil {
		p.ctx, p.cancel = context.WithCancel(p.ctx)
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

// mapSpan gathers a stored span of a mapped object.
func (p *pump) mapSpan(sp span) (done bool, err error) {
	o, err := p.svc.openXorb(p.ctx, sp.xorb)
	if err != nil {
		return false, err
	}
	data := o.mapped()
	if data == nil {
		p.svc.objects.release(o)
		return false, nil
	}
	if err := p.drain(0); err != nil {
		p.svc.objects.release(o)
		return false, err
	}
	p.objects = append(p.objects, o)
	p.gather += int64(sp.size)
	sp.eachPiece(func(off int64, n int) error {
		p.pieces = append(p.pieces, data[off:off+int64(n)])
		return nil
	})
	if p.gather >= gatherBytes {
		return true, p.flush()
	}
	return true, nil
}

// flush writes what was gathered.
func (p *pump) flush() error {
	if len(p.pieces) == 0 {
		return nil
	}
	n, err := p.gatherer.WriteBuffers(p.pieces)
	p.written += n
	p.release()
	return err
}

// release lets go of what was gathered.
func (p *pump) release() {
	for _, o := range p.objects {
		p.svc.objects.release(o)
	}
	clear(p.pieces)
	p.pieces, p.objects, p.gather = p.pieces[:0], p.objects[:0], 0
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

// end waits for the reads that an error made useless, and lets go of everything.
func (p *pump) end() {
	if p.cancel != nil {
		p.cancel()
	}
	for _, ch := range p.ahead {
		buffers.Put((<-ch).buf)
	}
	p.release()
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
	if to := gathering(w); to != nil {
		if data := s.o.mapped(); data != nil {
			n, err := to.WriteBuffers(net.Buffers{data[s.pos:s.end]})
			s.pos += n
			return n, err
		}
	} else if rf, ok := w.(io.ReaderFrom); ok {
		return readFrom(rf, s, s.end-s.pos)
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	return io.CopyBuffer(w, struct{ io.Reader }{s}, buf.grow(localSpan))
}
