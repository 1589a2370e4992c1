package cas

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendfile sends n bytes of a file from off on.
func sendfile(conn syscall.RawConn, f *os.File, off, n int64) (sent int64, err error) {
	file, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var sendErr error
	controlErr := file.Control(func(src uintptr) {
		err = conn.Write(func(dst uintptr) (ready bool) {
			sent, sendErr = sendSome(int(dst), int(src), off, n, sent)
			return !errors.Is(sendErr, unix.EAGAIN)
		})
	})
	return sent, errors.Join(controlErr, err, notAgain(sendErr))
}

// sendSome goes on sending until everything is sent or an error.
func sendSome(dst, src int, off, n, sent int64) (int64, error) {
	for sent < n {
		at := off + sent
		done, err := unix.Sendfile(dst, src, &at, int(n-sent))
		if done > 0 {
			sent += int64(done)
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return sent, errors.ErrUnsupported
		case err != nil:
			return sent, err
		case done == 0:
			return sent, io.ErrUnexpectedEOF // the file is shorter than its index says
		}
	}
	return sent, nil
}

func notAgain(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}
