package http1

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// What a socket sends without telling the scheduler: about as much as a socket
// takes at once, which is copied in some ten microseconds.
const (
	directBytes  = 256 << 10
	directPieces = 16
)

// socket reads from and writes to a connection without telling the scheduler of
// Go that it does. Its calls cannot block, so that the scheduler need not take
// the processor away from them. A server that makes no others spends a fifth
// less: besides what each announcement costs, the thread that watches over
// announced calls sleeps while there are none.
type socket struct {
	tcp  *net.TCPConn
	raw  syscall.RawConn
	once func(fd uintptr) bool // readOnce
	try  func(fd uintptr) bool // writeOnce

	into []byte // of the read under way
	n    int    // bytes that the latest call moved
	err  error  // of the latest read

	vector [directPieces + 1]syscall.Iovec // of the write under way
	used   int
}

func newSocket(c *net.TCPConn) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{tcp: c, raw: raw}
	s.once, s.try = s.readOnce, s.writeOnce
	return s, nil
}

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.into = p
	err := s.raw.Read(s.once)
	s.into = nil
	if err != nil {
		return 0, err
	}
	return s.n, s.err
}

// readOnce reads what is there. It reports false if the connection must be
// waited for.
func (s *socket) readOnce(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&s.into[0])), uintptr(len(s.into)))
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			s.n, s.err = 0, os.NewSyscallError("read", errno)
		case n == 0:
			s.n, s.err = 0, io.EOF
		default:
			s.n, s.err = int(n), nil
		}
		return true
	}
}

// writeBuffers writes pieces, of which the first is not mapped from a file, and
// changes them.
func (s *socket) writeBuffers(pieces *net.Buffers) (int64, error) {
	sent := int64(0)
	if s.gather(*pieces) && resident((*pieces)[1:]) {
		s.n = 0
		if err := s.raw.Write(s.try); err != nil {
			return 0, err
		}
		sent = int64(s.n)
		consume(pieces, sent)
	}
	clear(s.vector[:s.used])
	if len(*pieces) == 0 {
		return sent, nil
	}
	n, err := pieces.WriteTo(s.tcp) // waits, and finds out what was wrong
	return sent + n, err
}

// gather makes the vector of a write. It reports false for more than is written
// directly.
func (s *socket) gather(pieces net.Buffers) bool {
	s.used = 0
	if len(pieces) > len(s.vector) {
		return false
	}
	bytes := 0
	for _, p := range pieces {
		if len(p) == 0 {
			continue
		}
		s.vector[s.used] = syscall.Iovec{Base: &p[0]}
		s.vector[s.used].SetLen(len(p))
		s.used++
		bytes += len(p)
	}
	return s.used > 0 && bytes <= directBytes
}

// writeOnce writes as much as the connection takes at once.
func (s *socket) writeOnce(fd uintptr) bool {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&s.vector[0])), uintptr(s.used))
	if errno == 0 {
		s.n = int(n)
	}
	return true
}

// consume takes the first n bytes off pieces.
func consume(pieces *net.Buffers, n int64) {
	for len(*pieces) > 0 && n >= int64(len((*pieces)[0])) {
		n -= int64(len((*pieces)[0]))
		(*pieces)[0] = nil
		*pieces = (*pieces)[1:]
	}
	if n > 0 {
		(*pieces)[0] = (*pieces)[0][n:]
	}
}
