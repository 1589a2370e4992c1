package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// Staged is an object that is being written before its key is known. It must be
// committed or discarded, and serves one goroutine at a time.
type Staged struct {
	dir  *Dir
	file *os.File // nil once committed or discarded
}

// Stage begins an object. A writer that learns the key of an object, or whether
// to keep it, only from its bytes saves one copy of them this way.
func (d *Dir) Stage(ctx context.Context) (*Staged, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(d.abs(tmpName), "stage-*")
	if err != nil {
		return nil, fmt.Errorf("bucket: stage: %w", spaceError(err))
	}
	return &Staged{d, f}, nil
}

// Write appends p.
func (s *Staged) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("bucket: stage: %w", spaceError(err))
	}
	return n, nil
}

// Commit stores the first size bytes written under key, as Put does.
func (s *Staged) Commit(ctx context.Context, key string, size int64) (created bool, err error) {
	defer s.Discard()
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return false, err
	}
	if err := s.sync(size); err != nil {
		return false, fmt.Errorf("bucket: commit %s: %w", key, spaceError(err))
	}
	folder := path.Dir(key)
	if err := s.dir.makeDir(folder); err != nil {
		return false, fmt.Errorf("bucket: commit %s: %w", key, spaceError(err))
	}
	err = publish(s.file.Name(), s.dir.abs(key))
	created = err == nil
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err := cmp.Or(err, syncDir(s.dir.abs(folder))); err != nil {
		return false, fmt.Errorf("bucket: commit %s: %w", key, spaceError(err))
	}
	return created, nil
}

// sync makes the file durable with the given size.
func (s *Staged) sync(size int64) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("%d bytes were written, not %d", info.Size(), size)
	}
	if err := s.file.Truncate(size); err != nil {
		return err
	}
	return s.file.Sync()
}

// Discard forgets the object, unless it is committed.
func (s *Staged) Discard() {
	if s.file == nil {
		return
	}
	s.file.Close()
	os.Remove(s.file.Name()) // what stays is swept when the folder is next opened
	s.file = nil
}
