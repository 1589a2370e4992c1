package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// handler answers in every way that handlers do. It says in a header whether the
// Front or net/http called it.
func handler(w http.ResponseWriter, r *http.Request) {
	by := "net/http"
	if _, ok := w.(*response); ok {
		by = "front"
	}
	h := w.Header()
	h.Set("X-By", by)
	switch r.URL.Path {
	case "/file/partial", "/file/broken", "/file/too-little", "/file/too-much":
		h.Set("Content-Type", "application/octet-stream")
	}
	switch r.URL.Path {
	case "/file/stated":
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", "100000")
		io.Copy(w, strings.NewReader(strings.Repeat("0123456789", 10_000)))
	case "/file/partial":
		h.Set("Content-Length", "5")
		h.Set("Content-Range", "bytes 0-4/10")
		w.WriteHeader(http.StatusPartialContent)
		w.Write([]byte("01234"))
	case "/file/short": // of unstated length
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<html>no such ")
		fmt.Fprint(w, "file")
	case "/file/long":
		h.Set("Content-Type", "text/plain")
		for range 10 {
			w.Write(bytes.Repeat([]byte("x"), 5000))
		}
	case "/file/unchanged":
		h.Set("ETag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	case "/file/moved":
		http.Redirect(w, r, "/file/elsewhere", http.StatusTemporaryRedirect)
	case "/file/nothing":
	case "/file/split":
		h.Set("X-Name", "a\r\nX-Evil: yes")
		h.Set("Content-Length", "0")
	case "/file/broken":
		h.Set("Content-Length", "10")
		w.Write([]byte("01234"))
		panic(http.ErrAbortHandler)
	case "/file/panics":
		panic("a bug")
	case "/file/too-little":
		h.Set("Content-Length", "10")
		w.Write([]byte("01234"))
	case "/file/too-much":
		h.Set("Content-Length", "5")
		if _, err := w.Write([]byte("0123456789")); !errors.Is(err, http.ErrContentLength) {
			panic(err)
		}
		w.Write([]byte("01234"))
	default: // what the request is
		fmt.Fprintf(w, "%s %s %q %q %v %v %v", r.Method, r.Host, r.RequestURI, r.URL, r.Header, r.ContentLength, r.TransferEncoding)
		io.Copy(w, r.Body)
	}
}

// start starts a Front before a server of net/http.
func start(t *testing.T, h http.HandlerFunc) (f *Front, address string) {
	t.Helper()
	return startWith(t, h, 10*time.Second)
}

// startWith is start with another patience: all of it between requests, half of
// it for one that has begun.
func startWith(t *testing.T, h http.HandlerFunc, patience time.Duration) (f *Front, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	f = New(l, Config{
		Handler: h, Takes: func(target string) bool { return strings.HasPrefix(target, "/file/") },
		HeaderTimeout: patience / 2, IdleTimeout: patience, Log: log,
	})
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(f) }()
	t.Cleanup(func() {
		srv.Close()
		if err := f.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return f, l.Addr().String()
}

// exchange sends requests on one connection and reads as many answers.
func exchange(t *testing.T, address string, requests ...string) (answers []string, by []string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.Join(requests, "")); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for _, request := range requests {
		method, _, _ := strings.Cut(request, " ")
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			answers = append(answers, "no answer")
			continue
		}
		body, err := io.ReadAll(res.Body)
		by = append(by, res.Header.Get("X-By"))
		closes := res.Close
		for _, name := range []string{"X-By", "Date", "Connection"} {
			res.Header.Del(name)
		}
		answers = append(answers, fmt.Sprintf("%s close=%v length=%d %v %v %s", res.Status, closes, res.ContentLength, res.Header, err, body))
	}
	return answers, by
}

// TestAnswersAsNetHTTP compares every kind of answer with that of net/http.
func TestAnswersAsNetHTTP(t *testing.T) {
	_, address := start(t, handler)
	peer := httptest.NewServer(http.HandlerFunc(handler))
	defer peer.Close()
	peer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	for _, path := range []string{"stated", "partial", "short", "unchanged", "moved", "nothing", "panics", "too-little", "too-much", "echo?x=1&y=%2F%20"} {
		for _, method := range []string{"GET", "HEAD"} {
			request := fmt.Sprintf("%s /file/%s HTTP/1.1\r\nHost: hub:7272\r\nrange: bytes=0-5\r\nX-Two: a\r\nX-Two: b\r\nConnection: keep-alive\r\nEmpty:\r\n\r\n", method, path)
			got, by := exchange(t, address, request)
			want, _ := exchange(t, peer.Listener.Addr().String(), request)
			if len(by) > 0 && by[0] != "front" {
				t.Errorf("%s %s was answered by %s", method, path, by[0])
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s:\n  got %s\n want %s", method, path, got, want)
			}
		}
	}
}

// TestBodies: lengths that the Front treats in its own way.
func TestBodies(t *testing.T) {
	_, address := start(t, handler)
	get := func(path string) string {
		got, _ := exchange(t, address, "GET /file/"+path+" HTTP/1.1\r\nHost: hub\r\n\r\n")
		return got[0]
	}
	if got, want := get("long"), "200 OK close=true length=-1 map[Content-Type:[text/plain]] <nil> "+strings.Repeat("x", 50_000); got != want {
		t.Errorf("a long body of unstated length: %.200s", got)
	}
	if got := get("broken"); !strings.Contains(got, "unexpected EOF") {
		t.Errorf("a handler that gives up half way: %s", got)
	}
	if got := get("split"); strings.Contains(got, "X-Evil:[") {
		t.Errorf("a line break in a header value makes another field: %s", got)
	}
}

// TestHandsOn: what is not of the simplest form is answered by net/http, whole,
// and so is what follows it on the connection.
func TestHandsOn(t *testing.T) {
	_, address := start(t, handler)
	peer := httptest.NewServer(http.HandlerFunc(handler))
	defer peer.Close()
	plain := "GET /file/echo HTTP/1.1\r\nHost: hub\r\n\r\n"
	for _, request := range []string{
		"GET /other HTTP/1.1\r\nHost: hub\r\n\r\n",
		"POST /file/echo HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhello",
		"POST /file/echo HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhello",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nX-Long: " + strings.Repeat("x", 10_000) + "\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\n\r\n",
		"GET http://hub/file/echo HTTP/1.1\r\nHost: hub\r\n\r\n",
		"GET /file/%zz HTTP/1.1\r\nHost: hub\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nHost: other\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost : hub\r\n\r\n",
		"GET /file/echo HTTP/1.1\r\nHost: hub\r\nX-Name: \x01\r\n\r\n",
		"GET /file/echo HTTP/1.1\nHost: hub\n\n",
	} {
		got, by := exchange(t, address, plain, request, plain)
		want, _ := exchange(t, peer.Listener.Addr().String(), plain, request, plain)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.80q:\n  got %.300s\n want %.300s", request, got, want)
		}
		if len(by) > 0 && by[0] != "front" || len(by) > 1 && by[1] == "front" || len(by) > 2 && by[2] == "front" {
			t.Errorf("%.80q and its neighbours were answered by %v", request, by)
		}
	}
	if got, by := exchange(t, address, plain, plain, plain); len(by) != 3 || by[2] != "front" || got[0] != got[2] {
		t.Errorf("three requests at once: %v by %v", got, by)
	}
	for _, request := range []string{"GET /file/echo HTTP/1.0\r\nHost: hub\r\n\r\n", "GET /file/echo HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"} {
		if got, by := exchange(t, address, request); len(by) != 1 || by[0] != "net/http" || !strings.Contains(got[0], "close=true") {
			t.Errorf("%q: %v by %v", request, got, by)
		}
	}
}

// TestSlowRequest sends a request byte by byte.
func TestSlowRequest(t *testing.T) {
	_, address := start(t, handler)
	for _, target := range []string{"/file/partial", "/other"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, b := range []byte("GET " + target + " HTTP/1.1\r\nHost: hub\r\n\r\n") {
			if _, err := c.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode/100 != 2 {
			t.Errorf("%s: %v, %v", target, res, err)
		}
	}
}

// TestTimeouts: who sends nothing, or half a request, is cut off.
func TestTimeouts(t *testing.T) {
	_, address := startWith(t, handler, 50*time.Millisecond)
	for _, sent := range []string{"", "GET /fi", "GET /file/partial HTTP/1.1\r\nHost: hub\r\n\r\n"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("after %q the connection is not closed: %v", sent, err)
		}
	}
}

// TestShutdown lets the request under way finish, closes the connections that
// wait, and takes no more.
func TestShutdown(t *testing.T) {
	begun, goOn := make(chan bool), make(chan bool)
	f, address := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file/slow" {
			begun <- true
			<-goOn
		}
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "done")
	})
	dial := func(request string) net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		return c
	}
	slow := dial("GET /file/slow HTTP/1.1\r\nHost: hub\r\n\r\n")
	<-begun
	idle := dial("GET /file/x HTTP/1.1\r\nHost: hub\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.Shutdown(context.Background()) }()
	if rest, err := io.ReadAll(idle); err != nil {
		t.Errorf("the waiting connection: %q, %v", rest, err)
	}
	<-short.Done()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a new connection is accepted")
	}
	goOn <- true
	if text, err := io.ReadAll(slow); err != nil || !strings.HasSuffix(string(text), "done") || !strings.Contains(string(text), "Connection: close") {
		t.Errorf("the request under way: %q, %v", text, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestShutdownInTime cuts off what does not end.
func TestShutdownInTime(t *testing.T) {
	begun := make(chan bool)
	failed := make(chan error, 1)
	f, address := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000000000")
		w.Write(make([]byte, 1000))
		begun <- true
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /file/endless HTTP/1.1\r\nHost: hub\r\n\r\n")
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := f.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the handler could write on")
	}
}

// TestNextRange: requests that differ in their Range alone are told apart from
// those that differ in more.
func TestNextRange(t *testing.T) {
	heads := []struct {
		head  string
		again bool
		want  string // the Range
	}{
		{"GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=0-1\r\nX: y\r\n\r\n", false, "bytes=0-1"},
		{"GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=1000-2000\r\nX: y\r\n\r\n", true, "bytes=1000-2000"},
		{"GET /a HTTP/1.1\r\nHost: hub\r\nRange:\r\nX: y\r\n\r\n", true, ""},
		{"GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=5-\t\r\nX: y\r\n\r\n", true, "bytes=5-"},
		{"GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=5-\r\nX: z\r\n\r\n", false, "bytes=5-"},
		{"GET /b HTTP/1.1\r\nHost: hub\r\nRange: bytes=6-\r\nX: z\r\n\r\n", false, "bytes=6-"},
		{"GET /b HTTP/1.1\r\nHost: hub\r\nX: z\r\n\r\n", false, "none"},
		{"GET /b HTTP/1.1\r\nHost: hub\r\nrange: 1\r\n\r\n", false, "1"},
		{"GET /b HTTP/1.1\r\nHost: hub\r\nrange: 2\r\n\r\n", true, "2"},
	}
	var q request
	for _, tt := range heads {
		if got := q.again([]byte(tt.head)); got != tt.again {
			t.Errorf("%q: again %v, want %v", tt.head, got, tt.again)
		}
		if !q.parse([]byte(tt.head)) {
			t.Fatalf("%q is not taken", tt.head)
		}
		got := "none"
		if values := q.header["Range"]; len(values) > 0 {
			got = values[0]
		}
		if got != tt.want {
			t.Errorf("%q: Range %q, want %q", tt.head, got, tt.want)
		}
	}
}

// FuzzRequest: a head that is taken means to net/http what it means to us, and
// has no body, whatever came before it on the connection.
func FuzzRequest(f *testing.F) {
	const before = "GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=0-1\r\n\r\n"
	f.Add(before, "GET /a/b/resolve/main/c?d=%20 HTTP/1.1\r\nHost: hub:1\r\nRange: bytes=0-1\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
	f.Add(before, "GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=2-\r\n\r\n")
	f.Add(before, "GET /a HTTP/1.1\r\nHost: hub\r\nRange: bytes=2-\r\nRange: bytes=3-\r\n\r\n")
	f.Add(before, "GET /a HTTP/1.1\r\nHost: hub\r\nRange:\x01\r\n\r\n")
	f.Add("GET /a HTTP/1.1\r\nHost: hub\r\nrange:1\r\nA: b\r\n\r\n", "GET /a HTTP/1.1\r\nHost: hub\r\nrange: \t2 \r\nA: b\r\n\r\n")
	f.Add("", "HEAD //x HTTP/1.1\r\nHost: [::1]:80\r\nconnection: Keep-Alive\r\nA_b:\t\r\n\r\n")
	f.Add("", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")
	f.Add("", "GET /%zz HTTP/1.1\r\nHost: a\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n")
	f.Fuzz(func(t *testing.T, before, text string) {
		var q request
		if head, _, ok := strings.Cut(before, "\r\n\r\n"); ok && q.parse([]byte(head+"\r\n\r\n")) {
			q.build("")
		}
		end := strings.Index(text, "\r\n\r\n")
		if end < 0 {
			return
		}
		head := text[:end+4]
		if !q.parse([]byte(head)) {
			return
		}
		got, ok := q.build("")
		if !ok {
			return
		}
		in := bufio.NewReader(strings.NewReader(head + "next"))
		want, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: net/http says %v", head, err)
		}
		if rest, err := io.ReadAll(in); err != nil || string(rest) != "next" || want.ContentLength != 0 || want.Body != http.NoBody || want.Close {
			t.Fatalf("%q: net/http sees a body of %d, close %v, and after it %q", head, want.ContentLength, want.Close, rest)
		}
		type view struct {
			Method, URI, URL, Host, Proto string
			Header                        http.Header
		}
		see := func(r *http.Request) view {
			return view{r.Method, r.RequestURI, r.URL.String(), r.Host, r.Proto, r.Header}
		}
		if got, want := see(got), see(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\n  got %+v\n want %+v", head, got, want)
		}
	})
}
