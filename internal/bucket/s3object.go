package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

const (
	// window is how far ahead of a sequential reader one request goes. Bytes
	// wait in the connection, not in memory.
	window = 16 << 20

	// maxCursors bounds the readers of one object that are followed.
	maxCursors = 4

	// drainMost is the rest of a body that is cheaper to read than a new
	// connection is to make.
	drainMost = 64 << 10

	// fetchTries is how often a read is begun again when its body breaks off.
	fetchTries = 3
)

// s3Object reads an object by ranges. Each ReadAt is a request of its own,
// until one begins where an earlier one ended: that is a sequential reader, who
// is given a longer range and served from its body.
type s3Object struct {
	size   int64
	fetch  func(off, n int64) (io.ReadCloser, error)
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	cursors []cursor // oldest first
}

// cursor is where a reader stands.
type cursor struct {
	pos  int64
	body io.ReadCloser // yields the bytes from pos to end; nil before the second read
	end  int64
}

func (o *s3Object) Size() int64    { return o.size }
func (o *s3Object) File() *os.File { return nil }

// ReadAt implements io.ReaderAt.
func (o *s3Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("bucket: read at negative offset %d", off)
	}
	if off >= o.size {
		return 0, io.EOF
	}
	var atEnd error
	if int64(len(p)) > o.size-off {
		p, atEnd = p[:o.size-off], io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	c, sequential, err := o.take(off)
	if err != nil {
		return 0, err
	}
	n, err := o.read(&c, p, sequential)
	o.give(c)
	if err != nil {
		return n, err
	}
	return n, atEnd
}

// read fills p from where c stands and moves c on, requesting what its body
// does not hold.
func (o *s3Object) read(c *cursor, p []byte, sequential bool) (n int, err error) {
	for tries := 0; n < len(p); {
		if c.body == nil {
			ahead := int64(len(p) - n)
			if sequential {
				ahead = max(ahead, window)
			}
			c.end = min(c.pos+ahead, o.size)
			c.body, err = o.fetch(c.pos, c.end-c.pos)
			if err != nil {
				return n, err
			}
		}
		m, err := io.ReadFull(c.body, p[n:min(int64(len(p)), int64(n)+c.end-c.pos)])
		n += m
		c.pos += int64(m)
		if err == nil && c.pos < c.end {
			continue
		}
		c.drop()
		if err == nil {
			continue
		}
		if tries++; tries == fetchTries {
			return n, fmt.Errorf("bucket: read at %d: %w", c.pos, noEOF(err))
		}
	}
	return n, nil
}

// take hands out the cursor that stands at off, or a new one.
func (o *s3Object) take(off int64) (c cursor, sequential bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return cursor{}, false, fmt.Errorf("bucket: read: %w", os.ErrClosed)
	}
	i := slices.IndexFunc(o.cursors, func(c cursor) bool { return c.pos == off })
	if i < 0 {
		return cursor{pos: off}, false, nil
	}
	c = o.cursors[i]
	o.cursors = slices.Delete(o.cursors, i, i+1)
	return c, true, nil
}

// give puts a cursor back for the next read, forgetting the oldest of too many.
func (o *s3Object) give(c cursor) {
	if c.pos == o.size {
		c.drop()
		return
	}
	spare := o.keep(c)
	spare.drop()
}

// keep stores c and returns the cursor that it replaces, which may be c.
func (o *s3Object) keep(c cursor) (spare cursor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return c
	}
	if len(o.cursors) == maxCursors {
		spare = o.cursors[0]
		o.cursors = slices.Delete(o.cursors, 0, 1)
	}
	o.cursors = append(o.cursors, c)
	return spare
}

// Close ends the reads under way.
func (o *s3Object) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.cancel() // before the bodies are dropped: none is waited for
	for i := range o.cursors {
		o.cursors[i].drop()
	}
	o.cursors = nil
	return nil
}

// drop lets go of the body, in a way that keeps its connection if that is
// cheap.
func (c *cursor) drop() {
	if c.body == nil {
		return
	}
	if c.end-c.pos <= drainMost {
		io.Copy(io.Discard, c.body)
	}
	c.body.Close()
	c.body = nil
}

// noEOF keeps a body that broke off from looking like the end of the object.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
