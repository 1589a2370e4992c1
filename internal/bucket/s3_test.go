package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
)

// TestS3InParts runs the suite with every object above 6 MiB in parts of 5 MiB,
// the least that S3 takes.
func TestS3InParts(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		s := buckettest.S3(t).(*bucket.S3)
		s.SetSizes(6<<20, 5<<20)
		return s
	})
}

func TestS3PartsRace(t *testing.T) {
	s := buckettest.S3(t).(*bucket.S3)
	s.SetSizes(1<<20, 5<<20)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/2)
	// The second writer comes while the first is half-way, and ends earlier.
	r := io.MultiReader(bytes.NewReader(data[:6<<20]), &hook{do: func() {
		created, err := s.Put(t.Context(), "key", bytes.NewReader(data), int64(len(data)))
		if !created || err != nil {
			t.Errorf("Put of the faster writer = %v, %v; want true, nil", created, err)
		}
	}}, bytes.NewReader(data[6<<20:]))
	created, err := s.Put(t.Context(), "key", r, int64(len(data)))
	if created || err != nil {
		t.Errorf("Put of the slower writer = %v, %v; want false, nil", created, err)
	}
}

func TestS3Failures(t *testing.T) {
	location := buckettest.S3URL(t)
	t.Run("no such bucket", func(t *testing.T) {
		_, err := bucket.Open(t.Context(), strings.Replace(location, "s3://", "s3://no-such-", 1))
		if err == nil || errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("Open: %v, want an error that is not ErrNotExist", err)
		}
	})
	t.Run("wrong key", func(t *testing.T) {
		if _, err := bucket.Open(t.Context(), strings.Replace(location, "secret_key=", "secret_key=x", 1)); err == nil {
			t.Error("Open with a wrong secret succeeded")
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		if _, err := bucket.Open(t.Context(), through(t, location, "http://127.0.0.1:1")); err == nil {
			t.Error("Open of a dead endpoint succeeded")
		}
	})
	t.Run("passing errors", func(t *testing.T) {
		proxy := newProxy(t, buckettest.S3URL(t))
		b := proxy.open(t)
		data := bytes.Repeat([]byte("x"), 400_000)
		proxy.answer(2, http.StatusServiceUnavailable, "")
		if _, err := b.Put(t.Context(), "key", bytes.NewReader(data), int64(len(data))); err != nil {
			t.Errorf("Put while the store is busy: %v", err)
		}
		proxy.answer(2, http.StatusServiceUnavailable, "")
		if got := readAll(t, b, "key"); !bytes.Equal(got, data) {
			t.Errorf("read %d bytes while the store is busy, want %d", len(got), len(data))
		}
	})
	t.Run("full", func(t *testing.T) {
		proxy := newProxy(t, buckettest.S3URL(t))
		b := proxy.open(t)
		proxy.answer(10, http.StatusInsufficientStorage, "XMinioStorageFull")
		_, err := b.Put(t.Context(), "key", strings.NewReader("x"), 1)
		if !errors.Is(err, bucket.ErrNoSpace) {
			t.Errorf("Put: %v, want ErrNoSpace", err)
		}
	})
	t.Run("without If-None-Match", func(t *testing.T) {
		proxy := newProxy(t, buckettest.S3URL(t))
		proxy.answer(1, http.StatusNotImplemented, "NotImplemented")
		b := proxy.open(t)
		for i, want := range []bool{true, false} {
			if created, err := b.Put(t.Context(), "key", strings.NewReader("x"), 1); created != want || err != nil {
				t.Errorf("Put %d = %v, %v; want %v, nil", i, created, err, want)
			}
		}
	})
	t.Run("bodies break off", func(t *testing.T) {
		proxy := newProxy(t, buckettest.S3URL(t))
		b := proxy.open(t)
		data := bytes.Repeat([]byte("0123456789"), 100_000)
		if _, err := b.Put(t.Context(), "key", bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
		o, err := b.Open(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		proxy.cut.Store(2)
		got := make([]byte, len(data))
		if n, err := o.ReadAt(got, 0); n != len(data) || !bytes.Equal(got, data) {
			t.Errorf("ReadAt = %d, %v; want all %d bytes", n, err, len(data))
		}
		proxy.cut.Store(1000)
		if _, err := o.ReadAt(got, 1); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("ReadAt of a store that always hangs up: %v, want an error that is not EOF", err)
		}
	})
}

func TestS3ReadAhead(t *testing.T) {
	proxy := newProxy(t, buckettest.S3URL(t))
	b := proxy.open(t)
	const size = 20 << 20
	if _, err := b.Put(t.Context(), "key", bytes.NewReader(make([]byte, size)), size); err != nil {
		t.Fatal(err)
	}
	o, err := b.Open(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()

	before := proxy.requests.Load()
	if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{io.NewSectionReader(o, 0, size)}, make([]byte, 64<<10)); n != size || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	// The first read, and two windows of 16 MiB.
	if n := proxy.requests.Load() - before; n > 3 {
		t.Errorf("%d requests to read 20 MiB in pieces of 64 KiB, want 3", n)
	}

	before, sent := proxy.requests.Load(), proxy.sent.Load()
	for off := int64(size); off > 0; off -= 1 << 20 {
		if _, err := o.ReadAt(make([]byte, 1000), off-1000); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if n := proxy.requests.Load() - before; n != 20 {
		t.Errorf("%d requests for 20 scattered reads, want 20", n)
	}
	if n := proxy.sent.Load() - sent; n > 30_000 {
		t.Errorf("%d bytes fetched for 20,000 wanted", n)
	}
}

func TestS3CloseEndsReads(t *testing.T) {
	proxy := newProxy(t, buckettest.S3URL(t))
	b := proxy.open(t)
	if _, err := b.Put(t.Context(), "key", strings.NewReader("hello"), 5); err != nil {
		t.Fatal(err)
	}
	o, err := b.Open(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan struct{})
	proxy.hold = func(ctx context.Context) { close(held); <-ctx.Done() }
	failed := make(chan error)
	go func() {
		_, err := o.ReadAt(make([]byte, 5), 0)
		failed <- err
	}()
	<-held
	o.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("ReadAt during Close: %v, want context.Canceled", err)
	}
	if _, err := o.ReadAt(make([]byte, 5), 0); err == nil {
		t.Error("ReadAt after Close succeeded")
	}
}

// proxy stands between the client and the real store and is as unreliable as
// a network.
type proxy struct {
	location string

	requests, sent atomic.Int64
	cut            atomic.Int32              // so many bodies of GETs break off
	hold           func(ctx context.Context) // called by the next request

	failures atomic.Int32
	status   int
	code     string
}

func newProxy(t *testing.T, location string) *proxy {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(u.Query().Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	back := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		if hold := p.hold; hold != nil {
			p.hold = nil
			hold(r.Context())
			return
		}
		if p.failures.Add(-1) >= 0 {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(p.status)
			io.WriteString(w, "<Error><Code>"+p.code+"</Code></Error>")
			return
		}
		back.ServeHTTP(&proxyWriter{w, p, r.Method == http.MethodGet && p.cut.Add(-1) >= 0}, r)
	}))
	t.Cleanup(server.Close)
	p.location = through(t, location, server.URL)
	return p
}

func (p *proxy) open(t *testing.T) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), p.location)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer makes the next n requests fail.
func (p *proxy) answer(n int32, status int, code string) {
	p.status, p.code = status, code
	p.failures.Store(n)
}

type proxyWriter struct {
	http.ResponseWriter
	proxy *proxy
	cut   bool
}

func (w *proxyWriter) Write(p []byte) (int, error) {
	if w.cut {
		w.ResponseWriter.Write(p[:len(p)/2])
		panic(http.ErrAbortHandler)
	}
	w.proxy.sent.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

// through changes the endpoint of a location.
func through(t *testing.T, location, endpoint string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("endpoint", endpoint)
	u.RawQuery = q.Encode()
	return u.String()
}

func readAll(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	o, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
