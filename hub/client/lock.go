package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// lockPoll is how often a lock that another holds is tried again; Python's
// filelock waits as long.
const lockPoll = 50 * time.Millisecond

// lock takes an exclusive lock on a file, as filelock.FileLock does, and
// returns what releases it. The file stays: whoever removes a locked file
// splits those who wait for it.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := openLockFile(path)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		locked, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if locked && stillThere(f, path) {
			return func() { f.Close() }, nil // closing the only descriptor unlocks
		}
		f.Close()
		if locked {
			continue // it was removed meanwhile
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// openLockFile opens or makes a lock file that the group may lock too, so that
// several people can share a cache.
func openLockFile(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o664)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	if err == nil {
		err = f.Chmod(0o664) // whatever the umask
	}
	if err != nil && f != nil {
		f.Close()
		return nil, err
	}
	return f, err
}

// stillThere reports whether path still names the open file.
func stillThere(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}
