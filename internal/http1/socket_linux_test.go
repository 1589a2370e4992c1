package http1

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// socketPair is a socket and the other end of its connection.
func socketPair(t *testing.T) (*socket, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		peer.Close()
		c.Close()
	})
	s, err := newSocket(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	return s, peer.(*net.TCPConn)
}

// TestSocketWrites writes pieces in many sizes to a connection that takes them
// all at once, and to one that does not.
func TestSocketWrites(t *testing.T) {
	source := rand.NewChaCha8([32]byte{1})
	random := rand.New(source)
	for _, narrow := range []bool{false, true} {
		s, peer := socketPair(t)
		if narrow {
			if err := errors.Join(s.tcp.SetWriteBuffer(32<<10), peer.SetReadBuffer(32<<10)); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan []byte, 1)
		go func() {
			b, err := io.ReadAll(peer)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		var want []byte
		for range 20 {
			pieces := make(net.Buffers, 1+random.IntN(directPieces+3))
			size := int64(0)
			for i := range pieces {
				pieces[i] = make([]byte, random.IntN(40<<10)*random.IntN(2))
				source.Read(pieces[i])
				want = append(want, pieces[i]...)
				size += int64(len(pieces[i]))
			}
			if n, err := s.writeBuffers(&pieces); n != size || err != nil {
				t.Fatalf("wrote %d bytes, %v, want %d", n, err, size)
			}
		}
		s.tcp.Close()
		if b := <-got; !bytes.Equal(b, want) {
			t.Errorf("narrow %v: %d bytes came, want other %d", narrow, len(b), len(want))
		}
		pieces := net.Buffers{[]byte("more")}
		if n, err := s.writeBuffers(&pieces); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write after Close: %d, %v", n, err)
		}
	}
}

// TestSocketFails: the peer is gone, or says nothing.
func TestSocketFails(t *testing.T) {
	s, peer := socketPair(t)
	if err := s.tcp.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if n, err := s.Read(p); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing comes: %d, %v", n, err)
	}
	if err := s.tcp.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	peer.Write([]byte("last"))
	peer.CloseWrite()
	if n, err := s.Read(p); n != 4 || err != nil {
		t.Errorf("the last bytes: %d, %v", n, err)
	}
	if n, err := s.Read(p); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	s, peer = socketPair(t)
	if err := peer.SetLinger(0); err != nil { // Close resets the connection
		t.Fatal(err)
	}
	peer.Close()
	if n, err := s.Read(p); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that was reset: %d, %v", n, err)
	}
	pieces := net.Buffers{[]byte("head"), []byte("body")}
	if n, err := s.writeBuffers(&pieces); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a write to it: %d, %v", n, err)
	}
}

// TestResident asks about memory of each kind.
func TestResident(t *testing.T) {
	const size = 5 << 20
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil { // pages of the file that nobody has read
		t.Fatal(err)
	}
	mapped, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	some := net.Buffers{mapped[10_000:80_000], nil, mapped[80_008 : 4<<20]}
	if resident(some) {
		t.Error("pages that nobody has read are in memory")
	}
	if _, err := f.WriteAt(make([]byte, 4<<20), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !resident(some) {
			t.Error("pages that were written are not in memory")
		}
	}
	if resident(net.Buffers{mapped[3<<20 : 4<<20+1]}) {
		t.Error("one page more is in memory")
	}
	page := make([]byte, 100_000)
	page[50_000] = 1
	page[99_999] = 1
	if !resident(net.Buffers{page[50_000:50_001], page[99_999:]}) {
		t.Error("what was just written is not in memory")
	}
	if err := syscall.Munmap(mapped); err != nil {
		t.Fatal(err)
	}
}
