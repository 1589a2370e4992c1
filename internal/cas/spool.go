package cas

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/pantryhub/pantry/hub"
)

// spoolMemory is how many bytes of a spool stay in memory before it becomes a
// file.
const spoolMemory = 256 << 10

// spool holds bytes that are on their way into the bucket: in memory while they
// are few, then in a file that has no name and so does not outlive the process.
// The zero value with a folder is an empty spool. It must be closed.
type spool struct {
	dir  string
	mem  []byte
	file *os.File
	size int64
}

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && len(s.mem)+len(p) <= spoolMemory {
		s.mem = append(s.mem, p...)
		return len(p), nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(p)
	if err != nil {
		return n, spoolError(err)
	}
	return n, nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "pantry-xorb-*")
	if err != nil {
		return spoolError(err)
	}
	if err := os.Remove(f.Name()); err != nil { // the open file stays
		f.Close()
		return spoolError(err)
	}
	s.file = f
	_, err = f.Write(s.mem)
	s.mem = nil
	if err != nil {
		return spoolError(err)
	}
	return nil
}

// reader reads the first n bytes from the start.
func (s *spool) reader(n int64) io.Reader { return io.NewSectionReader(s, 0, n) }

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// spoolError reports a full disk as the hub's clients understand it.
func spoolError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: fmt.Errorf("spool: %w", err)}
	}
	return fmt.Errorf("spool: %w", err)
}
