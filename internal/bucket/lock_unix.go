//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bucket

import (
	"errors"
	"os"
	"syscall"
)

// lockAlone takes the exclusive lock if no other open file holds any.
func lockAlone(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// lockShared takes the shared lock, in exchange for an exclusive one, waiting
// for a sweep to end. A file system without locks is never swept.
func lockShared(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK) {
		return nil
	}
	return err
}
