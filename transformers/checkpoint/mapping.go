package checkpoint

import (
	"fmt"
	"io"
	"runtime/debug"
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

// faults makes an error of what happens when another program cuts a mapped file
// short, which would end the program: defer faults(&err)().
func faults(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface {
			error
			Addr() uintptr
		})
		if !ok {
			panic(r)
		}
		*err = fmt.Errorf("%w: a file of the model became shorter: %w", ErrFormat, fault)
	}
}
