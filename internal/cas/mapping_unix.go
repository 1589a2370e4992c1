//go:build unix

package cas

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of a file into memory, for reading.
func mapFile(f *os.File, size int64) (data []byte, err error) {
	if size == 0 || int64(int(size)) != size {
		return nil, fmt.Errorf("map %d bytes", size)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlErr := conn.Control(func(fd uintptr) {
		data, err = unix.Mmap(int(fd), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	})
	if controlErr != nil {
		return nil, controlErr
	}
	return data, err
}

func unmapFile(data []byte) error { return unix.Munmap(data) }
