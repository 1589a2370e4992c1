package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/xet"
)

// Reader reads a file. ReadAt and WriteRange may be called concurrently, Read
// and Seek may not. The context given to Open bounds all of them.
type Reader struct {
	ctx  context.Context
	svc  *Service
	file *file
	pos  int64
}

// Open opens a file by its id, or returns hub.ErrNotFound. It does not ask who
// may read it.
func (s *Service) Open(ctx context.Context, id hub.XetHash) (*Reader, error) {
	if id.IsZero() {
		return &Reader{ctx: ctx, svc: s, file: newFile(id, nil)}, nil
	}
	f, err := s.files.get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return &Reader{ctx: ctx, svc: s, file: f}, nil
}

// Size is the number of bytes of the file.
func (r *Reader) Size() int64 { return r.file.size }

// Close implements io.Closer.
func (r *Reader) Close() error { return nil }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// WriteTo implements io.WriterTo: it writes what follows the position.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.WriteRange(w, r.pos, r.Size()-min(r.pos, r.Size()))
	r.pos += n
	return n, err
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.Size()
	}
	if offset < 0 {
		return 0, errors.New("cas: seek before the start of the file")
	}
	r.pos = offset
	return offset, nil
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("cas: read before the start of the file")
	}
	if off >= r.Size() {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.Size()-off)]
	n := 0
	err := r.eachSpan(off, int64(len(want)), func(sp span) error {
		err := r.svc.readSpan(r.ctx, sp, want[n:n+sp.size])
		if err == nil {
			n += sp.size
		}
		return err
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// span is a run of chunks of one xorb that is read at once.
type span struct {
	xorb       *xorb
	start, end int  // chunks
	stored     bool // every chunk is stored uncompressed
	skip, size int  // bytes of the run to leave out at its start, then to take
}

// How much is read and decoded at once, about, and how many spans are read ahead
// of the one being written. A store that is far away is asked for more at once,
// to make up for the way; a slow client costs as much memory.
const (
	localSpan, localAhead   = 256 << 10, 2
	remoteSpan, remoteAhead = 2 << 20, 4
)

// eachSpan splits n bytes from off on into spans, in order.
func (r *Reader) eachSpan(off, n int64, yield func(span) error) error {
	for i := r.file.find(off); n > 0; i++ {
		if i == len(r.file.terms) {
			return errors.New("cas: range beyond the end of the file")
		}
		t := r.file.terms[i]
		x, err := r.svc.xorbs.get(r.ctx, t.Xorb)
		if err != nil {
			return fmt.Errorf("file %s: xorb of term %d: %w", r.file.id, i, asInternal(err))
		}
		if err := x.index.CheckTerm(t); err != nil {
			return fmt.Errorf("file %s: term %d: %w", r.file.id, i, err)
		}
		within := off - r.file.start(i)
		take := min(n, int64(t.Size)-within)
		if err := termSpans(x, t, within, take, r.svc.spanBytes, yield); err != nil {
			return err
		}
		off, n = off+take, n-take
	}
	return nil
}

// termSpans splits bytes [within, within+n) of a term into spans of about the
// given size.
func termSpans(x *xorb, t xet.Term, within, n, size int64, yield func(span) error) error {
	pos := x.index.RawOffset(int(t.Start)) + within // raw offset in the xorb
	end := pos + n
	for pos < end {
		start := x.index.Find(pos)
		sp := span{xorb: x, start: start, stored: x.index.Chunk(start).Scheme == xet.Stored}
		limit := min(end, pos+size)
		for sp.end = start + 1; x.index.RawOffset(sp.end) < limit && (x.index.Chunk(sp.end).Scheme == xet.Stored) == sp.stored; {
			sp.end++
		}
		sp.skip = int(pos - x.index.RawOffset(start))
		to := min(end, x.index.RawOffset(sp.end))
		sp.size = int(to - pos)
		if err := yield(sp); err != nil {
			return err
		}
		pos = to
	}
	return nil
}

// eachPiece yields where in the object the bytes of a stored span are: one piece
// per chunk, without the headers between them.
func (sp span) eachPiece(yield func(off int64, n int) error) error {
	skip, left := sp.skip, sp.size
	for i := sp.start; i < sp.end; i++ {
		c := sp.xorb.index.Chunk(i)
		n := min(c.Raw-skip, left)
		if err := yield(int64(c.Offset)+xet.HeaderSize+int64(skip), n); err != nil {
			return err
		}
		skip, left = 0, left-n
	}
	return nil
}

// readSpan reads a span into dst, which has its size.
func (s *Service) readSpan(ctx context.Context, sp span, dst []byte) error {
	o, err := s.openXorb(ctx, sp.xorb)
	if err != nil {
		return err
	}
	defer s.objects.release(o)
	if sp.stored && o.File() != nil {
		err = readPieces(o, sp, dst)
	} else {
		err = readRecords(o, sp, dst)
	}
	if err != nil {
		return fmt.Errorf("read xorb %s: %w", sp.xorb.id, err)
	}
	return nil
}

// readPieces reads a stored span piece by piece: a read of a local file costs
// less than a copy.
func readPieces(o io.ReaderAt, sp span, dst []byte) error {
	return sp.eachPiece(func(off int64, n int) error {
		if read, err := o.ReadAt(dst[:n], off); read < n {
			return fmt.Errorf("at %d: %w", off, err)
		}
		dst = dst[n:]
		return nil
	})
}

// readRecords reads the records of a span at once and decodes them.
func readRecords(o io.ReaderAt, sp span, dst []byte) error {
	skip := sp.skip
	return eachChunk(o, sp, func(chunk []byte) error {
		n := copy(dst, chunk[skip:])
		dst, skip = dst[n:], 0
		return nil
	})
}

// eachChunk reads the records of a span at once and yields the chunks in them,
// whole and valid during the call.
func eachChunk(o io.ReaderAt, sp span, yield func(chunk []byte) error) error {
	x := sp.xorb.index
	from, to := x.Offset(sp.start), x.Offset(sp.end)
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	records := buf.grow(int(to - from))
	if n, err := o.ReadAt(records, from); n < len(records) {
		return fmt.Errorf("at %d: %w", from, err)
	}
	return x.ReadChunks(&buf.dec, records, sp.start, sp.end, yield)
}

// buffer is scratch space for a span.
type buffer struct {
	b   []byte
	dec xet.Decoder
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) grow(n int) []byte {
	if cap(b.b) < n {
		b.b = make([]byte, n, max(n, localSpan+xet.MaxChunk))
	}
	return b.b[:n]
}

// openXorb opens the object of a xorb. It must be released.
func (s *Service) openXorb(ctx context.Context, x *xorb) (*object, error) {
	o, err := s.objects.get(ctx, x.key)
	if err != nil {
		if errors.Is(err, bucket.ErrNotExist) {
			s.xorbs.drop(x.id)
		}
		return nil, fmt.Errorf("open xorb %s: %w", x.id, err)
	}
	if o.Size() < x.index.Size() {
		s.objects.release(o)
		return nil, fmt.Errorf("xorb %s has %d bytes, its index says %d", x.id, o.Size(), x.index.Size())
	}
	return o, nil
}

// asInternal hides that something is missing which a row says is there: that is
// the hub's fault, not the caller's.
func asInternal(err error) error {
	if hub.CodeOf(err) == hub.CodeNotFound {
		return &hub.Error{Code: hub.CodeInternal, Message: "Stored data is missing.", Err: err}
	}
	return err
}
