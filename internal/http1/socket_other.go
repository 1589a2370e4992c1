//go:build !linux

package http1

import "net"

// socket is a connection.
type socket struct{ tcp *net.TCPConn }

func newSocket(c *net.TCPConn) (*socket, error) { return &socket{c}, nil }

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) { return s.tcp.Read(p) }

// writeBuffers writes pieces and changes them.
func (s *socket) writeBuffers(pieces *net.Buffers) (int64, error) { return pieces.WriteTo(s.tcp) }
