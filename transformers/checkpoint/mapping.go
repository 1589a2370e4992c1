package checkpoint

import (
	"io"
	"time"
)

// mapping is a file in memory.
type mapping struct {
	data  []byte
	path  string
	time  time.Time // of the last change of the file
	unmap func() error
}

// ReadAt implements io.ReaderAt for the header parsers.
func (m mapping) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m mapping) close() error { return m.unmap() }
