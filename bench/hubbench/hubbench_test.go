package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWire reads answers of every shape, one after the other on one
// connection: a byte too many or too few would spoil the next.
func TestWire(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 3<<20)))
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			w.Write(make([]byte, 1000))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/bytes?x=1", http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.org/", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	w, err := dial(t.Context(), server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for range 2 {
		for _, test := range []struct {
			method, path string
			status       int
			header       string
			bytes        int64
		}{
			{http.MethodGet, "/bytes", http.StatusOK, "", 3 << 20},
			{http.MethodGet, "/bytes", http.StatusPartialContent, "Range: bytes=5-70004", 70_000},
			{http.MethodGet, "/bytes", http.StatusPartialContent, "Range: bytes=5-5", 1},
			{http.MethodHead, "/bytes", http.StatusOK, "", 0},
			{http.MethodGet, "/chunked", http.StatusOK, "", 100_000},
			{http.MethodGet, "/empty", http.StatusOK, "", 0},
			{http.MethodGet, "/moved", http.StatusOK, "", 3 << 20},
			{http.MethodGet, "/moved", http.StatusPartialContent, "Range: bytes=0-9", 10},
			{http.MethodGet, "/nothing", http.StatusNotFound, "", 19},
		} {
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			r, err := newRequest(test.method, server.URL+test.path, test.status, headers...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.fetch(r)
			if err != nil || got.bytes != test.bytes {
				t.Fatalf("%s %s %s: %d bytes, %v; want %d", test.method, test.path, test.header, got.bytes, err, test.bytes)
			}
		}
	}
	post, err := withBody(server.URL+"/echo", "text/plain", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.fetch(post); err != nil || got.bytes != 5 {
		t.Errorf("POST: %d bytes, %v; want 5", got.bytes, err)
	}
	for path, want := range map[string]string{"/away": "another server", "/nothing": "status 404"} {
		r, err := newRequest(http.MethodGet, server.URL+path, http.StatusOK)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.fetch(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("GET %s: %v, want an error with %q", path, err, want)
		}
	}
}

// TestNginx runs a load on the peer and reads its CPU time and memory.
func TestNginx(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nginx is not installed: run the tests through script/with-services")
		}
		t.Skip("no nginx here (script/with-services installs it)")
	}
	s := &settings{Work: t.TempDir(), Nginx: "nginx"}
	file, err := s.data(random, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	n, err := startNginx(t.Context(), s, s.dataFolder())
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	if err := newHub(n.url, "").verify(t.Context(), n.url+"/"+filepath.Base(file.path), file.sha256); err != nil {
		t.Error(err)
	}
	p := &pair{file: file}
	r, err := p.whole(t.Context(), n.process, n.url+"/"+filepath.Base(file.path), 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.requests != 8 || r.bytes != 8*file.size || len(r.latencies) != 8 || r.wall <= 0 {
		t.Errorf("8 downloads measured as %d requests, %d bytes, %d latencies in %v", r.requests, r.bytes, len(r.latencies), r.wall)
	}
	if r.cpu <= 0 || r.cpu > time.Minute {
		t.Errorf("CPU time %v", r.cpu)
	}
	if m, err := n.memory(); err != nil || m.resident <= 0 || m.peak < m.resident {
		t.Errorf("memory %+v, %v", m, err)
	}
}

func TestLoadLasts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	get, err := newRequest(http.MethodGet, server.URL, http.StatusOK)
	if err != nil {
		t.Fatal(err)
	}
	l := load{server: self(t), address: server.Listener.Addr().String(), conns: 2, lasting: 100 * time.Millisecond,
		next: func(int) request { return get }}
	r, err := l.run(t.Context())
	if err != nil || r.requests < 10 || r.wall < 95*time.Millisecond || r.wall > 5*time.Second {
		t.Errorf("a load of 100 ms: %d requests in %v, %v", r.requests, r.wall, err)
	}
	if r.quantile(0.5) > r.quantile(0.99) || r.quantile(1) != r.latencies[len(r.latencies)-1] {
		t.Error("quantiles are out of order")
	}
}

// self is this process, as a server to measure.
func self(t *testing.T) *process {
	t.Helper()
	p, err := launch(exec.Command("sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

func TestData(t *testing.T) {
	for _, kind := range []dataKind{random, weights, lines} {
		var first, again, other, longer bytes.Buffer
		for to, want := range map[*bytes.Buffer]struct {
			size int64
			seed uint64
		}{&first: {1<<20 + 7, 1}, &again: {1<<20 + 7, 1}, &other: {1<<20 + 7, 2}, &longer: {2 << 20, 1}} {
			if err := generate(to, kind, want.size, want.seed); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case first.Len() != 1<<20+7:
			t.Errorf("%s: %d bytes", kind, first.Len())
		case !bytes.Equal(first.Bytes(), again.Bytes()):
			t.Errorf("%s: one seed gives different bytes", kind)
		case bytes.Equal(first.Bytes(), other.Bytes()):
			t.Errorf("%s: different seeds give the same bytes", kind)
		case !bytes.HasPrefix(longer.Bytes(), first.Bytes()[:1<<20]):
			t.Errorf("%s: a longer file begins otherwise", kind)
		}
	}
}

// TestFamilies checks that the files of a family share what they should.
func TestFamilies(t *testing.T) {
	const size = 2 << 20
	write := func(files []content) (out [][]byte) {
		for _, fill := range files {
			var b bytes.Buffer
			if err := fill(&b); err != nil {
				t.Fatal(err)
			}
			out = append(out, b.Bytes())
		}
		return out
	}
	// share is how much of b is in blocks that a has too, wherever.
	share := func(a, b []byte) float64 {
		const block = 256
		seen := make(map[[32]byte]bool)
		for i := 0; i+block <= len(a); i++ {
			if i%2 == 0 {
				seen[sha256.Sum256(a[i:i+block])] = true
			}
		}
		hits, n := 0, 0
		for i := 0; i+block <= len(b); i += block {
			n++
			if seen[sha256.Sum256(b[i:i+block])] {
				hits++
			}
		}
		return float64(hits) / float64(n)
	}
	source := randSource()
	tuned := write(fineTune(source, size))
	if got := share(tuned[0], tuned[1]); got < 0.9 || got > 0.97 {
		t.Errorf("a fine-tune shares %.3f with its base, want about 0.95", got)
	}
	quants := write(quantisations(source, size))
	if len(quants) != 10 {
		t.Fatalf("%d quantisations", len(quants))
	}
	for i := 1; i < len(quants); i++ {
		if bytes.Equal(quants[i], quants[i-1]) {
			t.Errorf("quantisations %d and %d are equal", i-1, i)
		}
	}
	if got := share(quants[4], quants[5]); got < 0.2 || got > 0.9 {
		t.Errorf("neighbouring quantisations share %.3f, want some", got)
	}
	versions := write(appended(source, size))
	for i := 1; i < len(versions); i++ {
		if !bytes.HasPrefix(versions[i], versions[i-1][:size]) || len(versions[i]) <= len(versions[i-1]) {
			t.Errorf("version %d does not continue version %d", i, i-1)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{"1GiB": 1 << 30, "64KiB": 64 << 10, "512MiB": 512 << 20, "7B": 7} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s reads as %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "GiB", "-1GiB", "1GB", "0MiB", "1.5GiB", "1xGiB"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q reads as %d", text, got)
		}
	}
	for size, want := range map[byteSize]string{1 << 30: "1 GiB", 3 << 19: "1.50 MiB", 1<<20 + 1: "1.00 MiB", 0: "0 B"} {
		if got := size.String(); got != want {
			t.Errorf("%d prints as %q, want %q", size, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := medianOf(test.values, func(f float64) float64 { return f }); got != test.want {
			t.Errorf("median of %v = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestCosts(t *testing.T) {
	s := &settings{Work: t.TempDir()}
	file, err := s.data(weights, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	var c costs
	if err := c.ofContent(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	if c.stored <= 0 || c.stored >= file.size || c.scan <= 0 || c.blake3 <= 0 || c.sha256 <= 0 || c.compress <= 0 {
		t.Errorf("parts of ingesting 8 MiB of weights: %+v", c)
	}
	if cpu, wall, err := diskCost(t.Context(), s, file, c.stored); err != nil || wall <= 0 || cpu < 0 {
		t.Errorf("disk: %v, %v, %v", cpu, wall, err)
	}
}

func TestReadme(t *testing.T) {
	s := &settings{Results: t.TempDir(), Rounds: 3}
	r := newReport("get", "Downloads")
	r.table([]string{"a", "b"}, [][]any{{"x", 1234.5}, {byteSize(1 << 30), 0.123}})
	if err := r.write(s); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "README.md")
	if err := (&readmeCommand{File: page}).Run(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Benchmarks", "| x | 1234 |", "| 1 GiB | 0.12 |", "bench/run uploaders"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}
