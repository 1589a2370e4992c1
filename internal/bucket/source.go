package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
)

var errTooLong = errors.New("the reader holds more bytes than announced")

// source hands on exactly size bytes of r. It fails when the context ends, and
// when r is shorter or longer than size or fails itself, even at its very end:
// the last bytes are not handed on before r has said io.EOF, so that whoever
// writes them never completes an object from a reader that fails.
type source struct {
	ctx  context.Context
	r    io.Reader
	left int64
	err  error // why it failed: what the caller of Put wants to hear
}

func newSource(ctx context.Context, r io.Reader, size int64) (*source, error) {
	if size < 0 {
		return nil, fmt.Errorf("bucket: negative size %d", size)
	}
	s := &source{ctx: ctx, r: r, left: size}
	if size == 0 {
		return s, s.expectEnd()
	}
	return s, nil
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.left == 0 {
		return 0, io.EOF
	}
	if err := s.ctx.Err(); err != nil {
		return 0, s.fail(err)
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.r.Read(p)
	s.left -= int64(n)
	switch {
	case err == io.EOF && s.left > 0:
		return n, s.fail(io.ErrUnexpectedEOF)
	case err != nil && err != io.EOF:
		return n, s.fail(err)
	case err == nil && s.left == 0:
		if err := s.expectEnd(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// expectEnd reads once more to hear io.EOF.
func (s *source) expectEnd() error {
	var extra [1]byte
	n, err := io.ReadFull(s.r, extra[:])
	if n > 0 {
		return s.fail(errTooLong)
	}
	if err != io.EOF {
		return s.fail(err)
	}
	return nil
}

func (s *source) fail(err error) error {
	s.err = err
	return err
}
