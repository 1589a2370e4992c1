package main

import (
	"io"

	"golang.org/x/sys/unix"
)

// discard drops n bytes of the connection without copying them out of the
// kernel.
func (w *wire) discard(n int64) error {
	var failed error
	err := w.raw.Read(func(fd uintptr) bool {
		for n > 0 {
			m, _, err := unix.Recvfrom(int(fd), w.sink[:min(n, int64(len(w.sink)))], unix.MSG_TRUNC)
			switch {
			case err == unix.EAGAIN:
				return false
			case err == unix.EINTR:
				continue
			case err != nil:
				failed = err
				return true
			case m == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
			n -= int64(m)
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}
