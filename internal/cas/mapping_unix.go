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

// diskSpace is the room on the disk of a folder, in bytes: what may be taken, and
// all of it.
func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}
