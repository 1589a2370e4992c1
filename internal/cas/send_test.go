package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

// serveFile serves a file of f over HTTP, whole or a range of it.
func serveFile(t *testing.T, f *fixture, id hub.XetHash) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := f.Open(r.Context(), id)
		if err != nil {
			t.Error(err)
			return
		}
		off, n := int64(0), file.Size()
		if s := r.URL.Query().Get("off"); s != "" {
			off, _ = strconv.ParseInt(s, 10, 64)
			n, _ = strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		}
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		if _, err := file.WriteRange(w, off, n); err != nil && r.Context().Err() == nil {
			var op *net.OpError
			if !errors.As(err, &op) {
				t.Errorf("WriteRange(%d, %d): %v", off, n, err)
			}
		}
	})
}

// TestOverHTTP sends stored and compressed chunks over plain TCP, where they may
// go by sendfile, over TLS, where they cannot, and from a bucket without files.
func TestOverHTTP(t *testing.T) {
	want := bytes.Join([][]byte{randomBytes(5, 900_000), textBytes(6, 900_000), randomBytes(8, 200_000), halfBytes(7, 900_000)}, nil)
	eachFixture(t, func(t *testing.T, f *fixture) {
		file := f.mustIngest(t, want)
		for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
			t.Run(name, func(t *testing.T) {
				s := start(serveFile(t, f, file.Xet))
				defer s.Close()
				get := func(query string) []byte {
					res, err := s.Client().Get(s.URL + query)
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					got, err := io.ReadAll(res.Body)
					if err != nil {
						t.Fatal(err)
					}
					return got
				}
				if !bytes.Equal(get(""), want) {
					t.Errorf("the whole file differs")
				}
				rng := rand.New(rand.NewPCG(1, 1))
				for range 100 { // on one connection
					off := rng.Int64N(int64(len(want)))
					n := rng.Int64N(min(300_000, int64(len(want))-off) + 1)
					if !bytes.Equal(get(fmt.Sprintf("?off=%d&n=%d", off, n)), want[off:off+n]) {
						t.Fatalf("range [%d, %d) differs", off, off+n)
					}
				}
			})
		}
	})
}

// TestClientGoesAway breaks off downloads; the objects must be released.
func TestClientGoesAway(t *testing.T) {
	f := newDirFixture(t)
	file := f.mustIngest(t, bytes.Join([][]byte{randomBytes(1, 4<<20), textBytes(2, 4<<20), randomBytes(3, 4<<20)}, nil))
	s := httptest.NewServer(serveFile(t, f, file.Xet))
	for i := range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, res.Body, int64(i)*500_000); err != nil {
			t.Fatal(err)
		}
		cancel()
		res.Body.Close()
	}
	s.Close() // waits for the handlers; the fixture's Close then finds every object released
}

// response notes what is asked of it before the body.
type response struct {
	bytes.Buffer
	flushed bool
}

func (r *response) Flush() { r.flushed = true }

// TestFlushBeforeBody sends the header on its own before a body that is worth it.
func TestFlushBeforeBody(t *testing.T) {
	f := newDirFixture(t)
	data := randomBytes(1, 300_000)
	r, err := f.Open(context.Background(), f.mustIngest(t, data).Xet)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int64]bool{1: false, flushFrom - 1: false, flushFrom: true, 300_000: true} {
		var w response
		if _, err := r.WriteRange(&w, 0, n); err != nil || !bytes.Equal(w.Bytes(), data[:n]) {
			t.Errorf("%d bytes: %v, got %d", n, err, w.Len())
		}
		if w.flushed != want {
			t.Errorf("%d bytes: flushed %v, want %v", n, w.flushed, want)
		}
	}
}
