package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"unsafe"
)

// Files are written in pieces of pieceSize, past the page cache where the system
// can: copying an object into the cache costs a kernel more than everything else
// that it does for it, and in a virtual machine whose memory is given page by
// page several times more. One piece is on its way to the disk while the next is
// filled.
const (
	pieceSize = 512 << 10

	// pieceAlign suits every disk: direct writes need addresses, offsets and
	// lengths that are multiples of its block size.
	pieceAlign = 4 << 10
)

// piece has room for a piece at an aligned address.
type piece [pieceSize + pieceAlign]byte

func (p *piece) bytes() []byte {
	skip := -uintptr(unsafe.Pointer(p)) & (pieceAlign - 1)
	return p[skip:][:pieceSize]
}

// Staged is an object that is being written before its key is known. It must be
// committed or discarded, and serves one goroutine at a time. Until it has
// pieceSize bytes it is in memory only.
type Staged struct {
	dir  *Dir
	file *os.File // nil before the first piece is full
	size int64    // bytes that were given
	err  error    // why it cannot be committed any more

	filling *piece // nil if empty
	filled  int    // bytes in it
	direct  bool   // writes go past the page cache

	// writing yields the outcome of the piece that is on its way, nil if none is.
	writing chan error
}

// Stage begins an object. A writer that learns the key of an object, or whether
// to keep it, only from its bytes saves one copy of them this way.
func (d *Dir) Stage(ctx context.Context) (*Staged, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Staged{dir: d}, nil
}

// Write appends p. It may report the failure of an earlier Write.
func (s *Staged) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := copy(s.room(), p[done:])
		if err := s.advance(n); err != nil {
			return done, fmt.Errorf("bucket: stage: %w", spaceError(err))
		}
		done += n
	}
	return done, nil
}

// readFrom appends what r yields.
func (s *Staged) readFrom(r io.Reader) error {
	for {
		n, err := r.Read(s.room())
		if err := s.advance(n); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// room is where the next bytes go.
func (s *Staged) room() []byte {
	if s.filling == nil {
		s.filling = s.dir.pieces.Get().(*piece)
		s.filled = 0
	}
	return s.filling.bytes()[s.filled:]
}

// advance takes note of n bytes in the room, and sends a full piece on its way.
func (s *Staged) advance(n int) error {
	s.filled += n
	s.size += int64(n)
	if s.filled < pieceSize {
		return s.err
	}
	full := s.filling
	s.filling = nil
	if err := s.begin(full); err != nil {
		s.dir.pieces.Put(full)
		return err
	}
	return nil
}

// begin begins to write a full piece, once the one before is written.
func (s *Staged) begin(full *piece) error {
	if err := s.wait(); err != nil {
		return err
	}
	if s.file == nil {
		if s.err = s.create(); s.err != nil {
			return s.err
		}
		s.direct = setDirect(s.file, true) == nil
	}
	s.writing = make(chan error, 1)
	go func() {
		err := s.write(full.bytes())
		s.dir.pieces.Put(full)
		s.writing <- err
	}()
	return nil
}

// wait waits for the piece that is on its way.
func (s *Staged) wait() error {
	if s.writing != nil {
		s.err = cmp.Or(s.err, <-s.writing)
		s.writing = nil
	}
	return s.err
}

func (s *Staged) create() (err error) {
	s.file, err = os.CreateTemp(s.dir.abs(tmpName), "put-*")
	return err
}

// write appends b to the file. A file system may agree to direct writes and
// refuse each of them.
func (s *Staged) write(b []byte) error {
	n, err := s.file.Write(b)
	if s.direct && errors.Is(err, syscall.EINVAL) {
		s.direct = false
		if err := setDirect(s.file, false); err != nil {
			return err
		}
		_, err = s.file.Write(b[n:])
	}
	return err
}

// Commit stores the first size bytes written under key, as Put does.
func (s *Staged) Commit(ctx context.Context, key string, size int64) (created bool, err error) {
	defer s.Discard()
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return false, err
	}
	if created, err = s.commit(key, size); err != nil {
		return false, fmt.Errorf("bucket: commit %s: %w", key, spaceError(err))
	}
	return created, nil
}

func (s *Staged) commit(key string, size int64) (created bool, err error) {
	if err := s.sync(size); err != nil {
		return false, err
	}
	folder := path.Dir(key)
	if err := s.dir.makeDir(folder); err != nil {
		return false, err
	}
	err = publish(s.file.Name(), s.dir.abs(key))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	return err == nil, syncDir(s.dir.abs(folder))
}

// sync makes the file durable with the given size.
func (s *Staged) sync(size int64) error {
	if s.size < size {
		return fmt.Errorf("%d bytes were written, not %d", s.size, size)
	}
	if err := s.wait(); err != nil {
		return err
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	if s.direct {
		// What is left need not end where a block does.
		if err := setDirect(s.file, false); err != nil {
			return err
		}
		s.direct = false
	}
	if s.filling != nil {
		if _, err := s.file.Write(s.filling.bytes()[:s.filled]); err != nil {
			return err
		}
	}
	if size < s.size {
		if err := s.file.Truncate(size); err != nil {
			return err
		}
	}
	return s.file.Sync()
}

// Discard forgets the object, unless it is committed.
func (s *Staged) Discard() {
	s.wait() // whatever the outcome
	if s.filling != nil {
		s.dir.pieces.Put(s.filling)
		s.filling = nil
	}
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name()) // what stays is swept when the folder is next opened
		s.file = nil
	}
	s.err = cmp.Or(s.err, errEnded)
}

var errEnded = errors.New("the object was committed or discarded")
