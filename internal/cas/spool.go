package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
)

// spoolMemory is how many bytes of a spool stay in memory before it becomes a
// file.
const spoolMemory = 256 << 10

// spool holds the bytes of an object whose key is not known before its last
// byte. It serves one goroutine at a time and must be closed.
type spool struct {
	svc      *Service
	readBack bool // it is not for the bucket

	// A folder bucket has the object written where it will stay. For other
	// buckets, and to be read back, it is in memory while it is small, then in a
	// file without a name, which does not outlive the process.
	staged *bucket.Staged
	mem    []byte
	file   *os.File
}

// stager is a bucket that takes bytes before their key is known.
type stager interface {
	Stage(ctx context.Context) (*bucket.Staged, error)
}

// newSpool returns a spool whose content may be stored.
func (s *Service) newSpool() *spool { return &spool{svc: s} }

// newBuffer returns a spool whose content is only read back.
func (s *Service) newBuffer() *spool { return &spool{svc: s, readBack: true} }

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.write(p)
	if err != nil {
		return n, spoolError(err)
	}
	return n, nil
}

func (s *spool) write(p []byte) (n int, err error) {
	if b, ok := s.svc.bucket.(stager); ok && !s.readBack {
		if s.staged == nil {
			s.staged, err = b.Stage(context.Background()) // what is staged outlives no request
			if err != nil {
				return 0, err
			}
		}
		return s.staged.Write(p)
	}
	if s.file == nil {
		if len(s.mem)+len(p) <= spoolMemory {
			s.mem = append(s.mem, p...)
			return len(p), nil
		}
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// spill moves what is in memory to a file.
func (s *spool) spill() (err error) {
	s.file, err = namelessFile(s.svc.spoolDir)
	if err == nil {
		_, err = s.file.Write(s.mem)
	}
	s.mem = nil
	return err
}

// namelessFile opens an empty file that vanishes when it is closed.
func namelessFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "pantry-xorb-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// store makes the first size bytes a durable object of the bucket.
func (s *spool) store(ctx context.Context, key string, size int64) error {
	var err error
	switch {
	case s.staged != nil:
		_, err = s.staged.Commit(ctx, key, size)
	case s.file != nil:
		_, err = s.svc.bucket.Put(ctx, key, io.NewSectionReader(s.file, 0, size), size)
	default:
		_, err = s.svc.bucket.Put(ctx, key, bytes.NewReader(s.mem[:size]), size)
	}
	if err != nil {
		return storageError(fmt.Errorf("store xorb: %w", err))
	}
	return nil
}

// reader reads what was written.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, math.MaxInt64)
	}
	return bytes.NewReader(s.mem)
}

func (s *spool) close() {
	if s.staged != nil {
		s.staged.Discard()
	}
	if s.file != nil {
		s.file.Close()
	}
}

// spoolError reports a full disk as the hub's clients understand it.
func spoolError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, bucket.ErrNoSpace) {
		return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: fmt.Errorf("spool: %w", err)}
	}
	return fmt.Errorf("spool: %w", err)
}
