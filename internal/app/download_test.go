package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// line is one connection to a hub.
type line struct {
	net.Conn
	in *bufio.Reader
}

// connect starts a hub with a large compressible file and connects to it.
func connect(t testing.TB) (c line, content []byte) {
	t.Helper()
	h := hubtest.Start(t, hubtest.Options{Configure: func(c *config.Config) { c.CacheSize = 1e9 }})
	client := wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))
	content = bytes.Repeat([]byte("pantry hub "), 100_000)
	if _, err := client.Create(t.Context(), "ada/model"); err != nil {
		t.Fatal(err)
	}
	if err := client.UploadLFS(t.Context(), "ada/model", content); err != nil {
		t.Fatal(err)
	}
	got, err := client.Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "add", Large: map[string][]byte{"model.bin": content}})
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("commit: %d, %v", got.Status, err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return line{conn, bufio.NewReader(conn)}, content
}

func (c line) send(request string) (*http.Response, []byte, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return nil, nil, err
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// TestDownloadsBesideTheAPI asks for files and for other things in turn on one
// connection, which two servers share out between them. By the end the file
// comes from its copy.
func TestDownloadsBesideTheAPI(t *testing.T) {
	c, content := connect(t)
	const file, host = "/ada/model/resolve/main/model.bin", "\r\nHost: hub.example\r\n"
	for range 4 {
		res, body, err := c.send("GET " + file + " HTTP/1.1" + host + "\r\n")
		if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(body, content) {
			t.Fatalf("GET: %v, %v, equal %v", res, err, bytes.Equal(body, content))
		}
		for _, name := range []string{"X-Request-Id", "Date", "Etag", "X-Xet-Hash", "Link", "Content-Disposition", "Content-Type"} {
			if len(res.Header[name]) != 1 {
				t.Errorf("%s: %q, want one", name, res.Header[name])
			}
		}
		res, _, err = c.send("HEAD " + file + " HTTP/1.1" + host + "\r\n")
		if err != nil || res.ContentLength != int64(len(content)) {
			t.Fatalf("HEAD: %v, %v", res, err)
		}
	}
	for i, tt := range []struct {
		request string
		status  int
		want    string // part of the body
	}{
		{"GET " + file + " HTTP/1.1" + host + "Range: bytes=7-16\r\n\r\n", 206, "hub pantry"},
		{"GET " + file + " HTTP/1.1" + host + "Range: bytes=99999999-\r\n\r\n", 416, `"error"`},
		{"GET /ada/model/resolve/main/none HTTP/1.1" + host + "\r\n", 404, `"error"`},
		{"GET /ada/none/resolve/main/model.bin HTTP/1.1" + host + "\r\n", 404, `"error"`},
		{"GET " + file + "?download=1 HTTP/1.1" + host + "Range: bytes=0-5\r\n\r\n", 206, "pantry"},
		{"GET /api/models/ada/model HTTP/1.1" + host + "\r\n", 200, `"sha"`},
		{"GET " + file + " HTTP/1.1" + host + "Range: bytes=7-16\r\n\r\n", 206, "hub pantry"},
	} {
		res, body, err := c.send(tt.request)
		if err != nil || res.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("request %d: %v, %v, %.200s, want %d with %s", i, res, err, body, tt.status, tt.want)
		}
	}
}

// BenchmarkRange is a request for 64 KiB.
func BenchmarkRange(b *testing.B) {
	c, _ := connect(b)
	request := fmt.Sprintf("GET /ada/model/resolve/main/model.bin HTTP/1.1\r\nHost: hub.example\r\nRange: bytes=1000-%d\r\n\r\n", 1000+(64<<10)-1)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		if res, _, err := c.send(request); err != nil || res.StatusCode != http.StatusPartialContent {
			b.Fatal(res, err)
		}
	}
}
