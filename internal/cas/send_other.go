//go:build !linux

package cas

import (
	"errors"
	"os"
	"syscall"
)

// sendfile is left to Linux: elsewhere, bytes are read and written.
func sendfile(syscall.RawConn, *os.File, int64, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}
