package hubapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestRanges asks for pieces of a small and of a large file.
func TestRanges(t *testing.T) {
	f := newFixture(t)
	etags := map[string]string{}
	for _, path := range []string{"dir/a.txt", "weights.bin"} {
		etags[path] = f.ask(nobody, "HEAD /ada/model/resolve/main/"+path, nil).Header.Get("ETag")
	}
	tests := []struct {
		path, header, ifRange string
		status                int
		from, to              int // of the content; to 0 means the end
	}{
		{"*", "", "", 200, 0, 0},
		{"*", "bytes=0-0", "", 206, 0, 1},
		{"*", "bytes=2-4", "", 206, 2, 5},
		{"*", "bytes=5-", "", 206, 5, 0},
		{"*", "bytes=0-99999999999", "", 206, 0, 0},
		{"*", "bytes=3-18446744073709551615", "", 206, 3, 0},
		{"*", "bytes=-1", "", 206, -1, 0},
		{"*", "bytes=-99999999999", "", 206, 0, 0},
		{"*", "bytes=-0", "", 416, 0, 0},
		{"*", "bytes=99999999-", "", 416, 0, 0},
		{"*", "bytes=99999999999999999999-", "", 416, 0, 0},
		{"*", "bytes=4-2", "", 200, 0, 0},
		{"*", "bytes=0-1,3-4", "", 200, 0, 0},
		{"*", "items=0-1", "", 200, 0, 0},
		{"*", "bytes=x", "", 200, 0, 0},
		{"*", "bytes=2-4", "current", 206, 2, 5},
		{"*", "bytes=2-4", `"other"`, 200, 0, 0},
		{"*", "bytes=2-4", "Wed, 21 Oct 2015 07:28:00 GMT", 200, 0, 0},
		{"weights.bin", "bytes=499990-500009", "", 206, 499_990, 500_010},
		{"weights.bin", "bytes=999999-", "", 206, 999_999, 0},
		{"weights.bin", "bytes=1000000-", "", 416, 0, 0},
		{"empty.txt", "", "", 200, 0, 0},
		{"empty.txt", "bytes=0-", "", 416, 0, 0},
		{"empty.txt", "bytes=-5", "", 416, 0, 0},
	}
	for _, tt := range tests {
		paths := []string{tt.path}
		if tt.path == "*" {
			paths = []string{"dir/a.txt", "weights.bin"}
		}
		for _, path := range paths {
			headers := []string{"Range", tt.header}
			if tt.ifRange == "current" {
				headers = append(headers, "If-Range", etags[path])
			} else if tt.ifRange != "" {
				headers = append(headers, "If-Range", tt.ifRange)
			}
			name := fmt.Sprintf("%s of %s, If-Range %q", tt.header, path, tt.ifRange)
			got := f.ask(nobody, "GET /ada/model/resolve/main/"+path, nil, headers...)
			head := f.ask(nobody, "HEAD /ada/model/resolve/main/"+path, nil, headers...)
			content := f.tree[path]
			if got.Status != tt.status || head.Status != tt.status {
				t.Errorf("%s: GET %d, HEAD %d, want %d", name, got.Status, head.Status, tt.status)
				continue
			}
			contentRange := ""
			switch tt.status {
			case 416:
				contentRange = fmt.Sprintf("bytes */%d", len(content))
			case 206:
				from, to := tt.from, tt.to
				if from < 0 {
					from += len(content)
				}
				if to == 0 {
					to = len(content)
				}
				contentRange = fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content))
				content = content[from:to]
			}
			if tt.status != 416 && !bytes.Equal(got.Body, content) {
				t.Errorf("%s: %d bytes, want other %d", name, len(got.Body), len(content))
			}
			for _, r := range []wiretest.Reply{got, head} {
				if have := r.Header.Get("Content-Range"); have != contentRange {
					t.Errorf("%s: Content-Range %q, want %q", name, have, contentRange)
				}
				if have := r.Header.Get("Content-Length"); tt.status != 416 && have != fmt.Sprint(len(content)) {
					t.Errorf("%s: Content-Length %q, want %d", name, have, len(content))
				}
			}
		}
	}
}

// TestHeadIsGet: HEAD has the headers of GET and no body, everywhere.
func TestHeadIsGet(t *testing.T) {
	f := newFixture(t)
	for _, target := range []string{
		"/ada/model/resolve/main/README.md", "/ada/model/resolve/main/weights.bin", "/ada/model/resolve/main/empty.txt",
		"/ada/model/resolve/main/nope", "/ada/model/resolve/nope/a", "/ada/nope/resolve/main/a", "/ada/model/raw/main/weights.bin",
		"/ada/gated/resolve/main/a.txt", "/ada/before/resolve/main/a.txt",
		"/api/models/ada/model", "/api/models/ada/model/tree/main", "/api/models/ada/model/refs", "/api/models", "/api/models/ada/nope",
	} {
		describe := func(r wiretest.Reply) string {
			h := r.Header.Clone()
			for _, name := range []string{"X-Request-Id", "Date"} {
				h.Del(name)
			}
			if r.Status >= 300 { // the error's text names the request
				h.Del("Content-Length")
			}
			return fmt.Sprint(r.Status, " ", h)
		}
		get, head := f.ask(nobody, "GET "+target, nil), f.ask(nobody, "HEAD "+target, nil)
		if diff := cmp.Diff(describe(get), describe(head)); diff != "" || len(head.Body) > 0 {
			t.Errorf("%s: HEAD has a body of %d bytes, and (-GET +HEAD):\n%s", target, len(head.Body), diff)
		}
	}
}

// TestFileHeaders checks what clients need to know of a file.
func TestFileHeaders(t *testing.T) {
	f := newFixture(t)
	blob := `"` + f.entry("dir/a.txt").OID + `"`
	weights := f.entry("weights.bin")
	large := `"` + weights.LFS.OID + `"`
	tests := []struct {
		target string
		want   map[string]string
	}{
		{"/ada/model/resolve/main/dir/a.txt", map[string]string{
			"X-Repo-Commit": f.head, "ETag": blob, "Content-Length": "10", "X-Linked-Size": "10", "Accept-Ranges": "bytes",
			"X-Xet-Hash": "", "Content-Encoding": "", "Content-Security-Policy": "default-src 'none'; sandbox",
		}},
		{"/ada/model/resolve/" + f.head[:8] + "/weights.bin", map[string]string{
			"X-Repo-Commit": f.head, "ETag": large, "X-Linked-ETag": large, "X-Linked-Size": "1000000", "Content-Length": "1000000",
			"X-Xet-Hash": weights.XetHash, "Content-Encoding": "",
			"Link": "<" + f.url + "/api/models/ada/model/xet-read-token/" + f.head + `>; rel="xet-auth", <` +
				f.url + "/cas/v1/reconstructions/" + weights.XetHash + `>; rel="xet-reconstruction-info"`,
		}},
		{"/ada/model/raw/main/weights.bin", map[string]string{"ETag": `"` + weights.OID + `"`, "X-Xet-Hash": "", "Content-Length": "132"}},
		{"/ada/model/resolve/main/dir/a.txt?download=true", map[string]string{"Content-Disposition": `attachment; filename*=UTF-8''a.txt; filename="a.txt";`}},
		{"/ada/model/resolve/main/dir/a.txt?noContentDisposition=1", map[string]string{"Content-Disposition": ""}},
	}
	for _, tt := range tests {
		got := f.ask(nobody, "GET "+tt.target, nil, "Accept-Encoding", "gzip, identity")
		for name, want := range tt.want {
			if have := got.Header.Get(name); have != want || got.Status != 200 {
				t.Errorf("%s: status %d, %s %q, want %q", tt.target, got.Status, name, have, want)
			}
		}
	}
	for _, etag := range []string{blob, "W/" + blob, `"x", ` + blob, "*"} {
		got := f.ask(nobody, "GET /ada/model/resolve/main/dir/a.txt", nil, "If-None-Match", etag)
		if got.Status != 304 || len(got.Body) > 0 || got.Header.Get("ETag") != blob || got.Header.Get("X-Repo-Commit") != f.head {
			t.Errorf("If-None-Match %s: status %d, headers %v, want 304 with the ETag", etag, got.Status, got.Header)
		}
	}
	if got := f.ask(nobody, "GET /ada/model/resolve/main/dir/a.txt", nil, "If-None-Match", `"other"`); got.Status != 200 {
		t.Errorf("If-None-Match of another file: status %d, want 200", got.Status)
	}
	got := f.ask(nobody, "GET /ada/model/resolve/main/weights.bin", nil, "Accept", api.XetFileInfo+", */*", "Range", "bytes=0-0")
	var info struct{ Hash string }
	if err := got.Decode(&info); err != nil || got.Status != 200 || info.Hash != weights.XetHash || got.Header.Get("Content-Type") != api.XetFileInfo {
		t.Errorf("Xet file info: status %d, type %q, hash %q, want 200 and %s", got.Status, got.Header.Get("Content-Type"), info.Hash, weights.XetHash)
	}
}

// TestNothingRuns: what a browser could run with the hub's authority is text.
func TestNothingRuns(t *testing.T) {
	f := newFixture(t)
	page := []byte("<script>alert(document.cookie)</script>")
	files := map[string][]byte{}
	for _, name := range []string{"a.html", "a.HTM", "a.svg", "a.xml", "a.js", "a.xhtml", "a.mht", "a.unknown", "a", "a.pdf.html"} {
		files[name] = page
	}
	f.must(f.who[ada].Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "x", Files: files}))
	for name := range files {
		for _, verb := range []string{"resolve", "raw"} {
			got := f.ask(nobody, "GET /ada/model/"+verb+"/main/"+name, nil)
			kind := got.Header.Get("Content-Type")
			if kind != "text/plain; charset=utf-8" && kind != "application/octet-stream" {
				t.Errorf("%s of %s has the type %q", verb, name, kind)
			}
			if got.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("%s of %s: headers %v", verb, name, got.Header)
			}
		}
	}
}

// entry is a line of the tree of ada/model.
func (f *fixture) entry(path string) api.TreeEntry {
	f.t.Helper()
	form := url.Values{"paths": {path}}.Encode()
	got := f.must(f.ask(nobody, "POST /api/models/ada/model/paths-info/main", []byte(form), "Content-Type", "application/x-www-form-urlencoded"), nil)
	var entries []api.TreeEntry
	if err := got.Decode(&entries); err != nil || len(entries) != 1 {
		f.t.Fatalf("paths-info of %q: %v %s", path, err, got.Body)
	}
	return entries[0]
}

// TestWeirdNames: every legal name survives a commit, listings, and a download
// under its encoded URL.
func TestWeirdNames(t *testing.T) {
	f := newFixture(t)
	names := []string{
		"a?b=c&d", "100%", "%20", "%2F", "a:b", "a,b;c", "with space", " lead", "trail ", "plus+sign", "#hash", "quote\"'`", "é", "é", // composed and not
		"文件.txt", "🤗/🤗.bin", "back\\slash", "a\tb", "~tilde", "[x]{y}", "..a", "a..", "...", "-dash", ".gitattributes2", "git", "x.git/y", "resolve/main/x", "CON", strings.Repeat("l", 255),
		"refs/heads/main", "main", "deep/" + strings.Repeat("d/", 50) + "x", "\u202etxt.exe", "a\u00a0b", "İ", "ß",
	}
	files := map[string][]byte{}
	for _, name := range names {
		files[name] = []byte("content of " + name)
	}
	f.must(f.who[ada].Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "weird", Files: files}))
	listed := map[string]bool{}
	got := f.must(f.ask(nobody, "GET /api/models/ada/model/tree/main?recursive=true", nil), nil)
	var entries []api.TreeEntry
	if err := got.Decode(&entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		listed[e.Path] = true
	}
	for _, name := range names {
		segments := strings.Split(name, "/")
		for i, s := range segments {
			segments[i] = url.PathEscape(s)
		}
		everything := strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
		for _, path := range []string{strings.Join(segments, "/"), everything} {
			got := f.ask(nobody, "GET /ada/model/resolve/main/"+path, nil)
			if got.Status != 200 || !bytes.Equal(got.Body, files[name]) {
				t.Errorf("%q by %s: status %d, %.60q", name, path, got.Status, got.Body)
			}
		}
		if !listed[name] {
			t.Errorf("%q is not in the listing", name)
		}
		if e := f.entry(name); e.Path != name {
			t.Errorf("paths-info of %q answers %q", name, e.Path)
		}
	}
	// A double slash is part of no name, and is not cleaned away.
	if got := f.ask(nobody, "GET /ada/model/resolve/main/dir//a.txt", nil); got.Status != 404 || got.Header.Get("X-Error-Code") != "EntryNotFound" {
		t.Errorf("dir//a.txt: status %d, code %q, want 404, EntryNotFound", got.Status, got.Header.Get("X-Error-Code"))
	}
	for _, rev := range []string{"main", "refs%2Fheads%2Fmain", "refs/heads/main", "HEAD", f.head} {
		if got := f.ask(nobody, "GET /ada/model/resolve/"+rev+"/dir/a.txt", nil); got.Status != 200 {
			t.Errorf("revision %s: status %d", rev, got.Status)
		}
	}
}

// pages follows the next links of a list and returns its length and the number
// of pages.
func (f *fixture) pages(target string) (elements, pages int) {
	f.t.Helper()
	for target != "" {
		got := f.must(f.ask(nobody, "GET "+target, nil), nil)
		var list []map[string]any
		if err := got.Decode(&list); err != nil {
			f.t.Fatal(err)
		}
		elements += len(list)
		pages++
		link := got.Header.Get("Link")
		target = ""
		if link != "" {
			next, ok := strings.CutSuffix(link, `>; rel="next"`)
			if target, _ = strings.CutPrefix(next, "<"); !ok || !strings.HasPrefix(target, f.url+"/") {
				f.t.Fatalf("Link %q is not absolute, or not as JavaScript parses it", link)
			}
		}
		if pages > 100 {
			f.t.Fatal("the pages do not end")
		}
	}
	return elements, pages
}

// TestPages walks every list that comes in pages.
func TestPages(t *testing.T) {
	f := newFixture(t)
	files := map[string][]byte{}
	for i := range 25 {
		files[fmt.Sprintf("many/%02d.txt", i)] = []byte{byte(i)}
	}
	f.must(f.who[ada].Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "many", Files: files}))
	for range 5 {
		f.must(f.who[ada].Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "more", Files: map[string][]byte{"x": nil}}))
	}
	for _, tt := range []struct {
		target          string
		elements, pages int
	}{
		{"/api/models?limit=1", 3, 4},
		{"/api/models?limit=2&author=ADA&sort=lastModified&full=true", 3, 2},
		{"/api/models?limit=3", 3, 2},
		{"/api/models?limit=1000", 3, 1},
		{"/api/models/ada/model/tree/main/many?limit=10", 25, 3},
		{"/api/models/ada/model/tree/main/many?limit=10&expand=true", 25, 3},
		{"/api/models/ada/model/tree/main?limit=7&recursive=true", 34, 5},
		{"/api/models/ada/model/commits/main?limit=3", 8, 3},
	} {
		elements, pages := f.pages(tt.target)
		if elements != tt.elements || pages != tt.pages {
			t.Errorf("%s: %d in %d pages, want %d in %d", tt.target, elements, pages, tt.elements, tt.pages)
		}
	}
}

// TestBrokenOffCommit: a client that vanishes in the middle changes nothing.
func TestBrokenOffCommit(t *testing.T) {
	f := newFixture(t)
	body := wiretest.Commit{Summary: "x", Files: map[string][]byte{"a": bytes.Repeat([]byte("a"), 100_000), "b": []byte("b")}}.NDJSON()
	before := f.ask(nobody, "GET /api/models/ada/model/refs", nil)
	for _, n := range []int{0, 10, 60, 1000, len(body) - 40} {
		broken := io.MultiReader(bytes.NewReader(body[:n]), brokenReader{})
		_, err := f.who[ada].Do(t.Context(), "POST", "/api/models/ada/model/commit/main", broken, "Content-Type", ndjsonType)
		if !errors.Is(err, errBroken) {
			t.Errorf("after %d bytes: %v, want the client's own error", n, err)
		}
	}
	if after := f.ask(nobody, "GET /api/models/ada/model/refs", nil); !bytes.Equal(before.Body, after.Body) {
		t.Errorf("a broken-off commit moved the branch: %s, was %s", after.Body, before.Body)
	}
}

var errBroken = errors.New("the client is gone")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// endless is a commit body that is made while it is sent.
type endless struct {
	lines int
	line  func(i int) []byte
	rest  []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.lines == 0 {
			return 0, io.EOF
		}
		e.lines--
		e.rest = e.line(e.lines)
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestLargeCommitInLittleMemory commits 100 MB of base64 in small and in
// middling files and looks how much memory it takes.
func TestLargeCommitInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	f := newFixtureOn(t, hubtest.Options{}) // a folder: what is stored is not in memory
	for name, tt := range map[string]struct{ size, limit int }{
		"rows":   {150_000, 64 << 20},
		"chunks": {5_000_000, 96 << 20},
	} {
		random := rand.NewChaCha8([32]byte{})
		content, text := make([]byte, tt.size), []byte(nil)
		line := func(i int) []byte {
			random.Read(content)
			text = fmt.Appendf(text[:0], `{"key":"file","value":{"path":"%s/%d","encoding":"base64","content":"`, name, i)
			text = base64.StdEncoding.AppendEncode(text, content)
			return append(text, "\"}}\n"...)
		}
		body := &endless{lines: 75_000_000 / tt.size, line: line, rest: []byte(`{"key":"header","value":{"summary":"large"}}` + "\n")}
		peak := watchHeap(t)
		reply, err := f.who[ada].Do(context.WithoutCancel(t.Context()), "POST", "/api/models/ada/model/commit/main", body, "Content-Type", ndjsonType)
		grown := peak()
		if err != nil || reply.Status != http.StatusOK {
			t.Fatalf("%s: status %d, %v: %s", name, reply.Status, err, reply.Body)
		}
		t.Logf("%s: the heap grew by %d MB", name, grown>>20)
		if grown > uint64(tt.limit) {
			t.Errorf("%s: the heap grew by %d MB, over %d", name, grown>>20, tt.limit>>20)
		}
	}
}

// watchHeap measures how much more heap than now is in use at most until the
// returned function is called.
func watchHeap(t *testing.T) func() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	start := m.HeapAlloc
	var peak atomic.Uint64
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() uint64 {
		stop()
		<-done
		return max(peak.Load(), start) - start
	}
}

// TestHugeBodies: what is over a limit is refused, not stored in memory.
func TestHugeBodies(t *testing.T) {
	f := newFixture(t)
	million := bytes.Repeat([]byte("a"), 1_000_000)
	for _, tt := range []struct {
		name, target, kind string
		first              string
		megabytes          int
	}{
		{"one line of a commit", "/api/models/ada/model/commit/main", ndjsonType, `{"key":"header","value":{"summary":"x"}}` + "\n" + `{"key":"file","value":{"path":"a","content":"`, 80},
		{"the header of a commit", "/api/models/ada/model/commit/main", ndjsonType, `{"key":"header","value":{"summary":"`, 80},
		{"a JSON body", "/api/repos/create", jsonType, `{"name":"`, 40},
		{"a form", "/api/models/ada/model/paths-info/main", "application/x-www-form-urlencoded", "paths=", 40},
	} {
		body := &endless{lines: tt.megabytes, line: func(int) []byte { return million }, rest: []byte(tt.first)}
		peak := watchHeap(t)
		reply, err := f.who[ada].Do(t.Context(), "POST", tt.target, body, "Content-Type", tt.kind)
		grown := peak()
		// A server that stops reading may break the connection before its answer arrives.
		if err == nil && (reply.Status < 400 || reply.Status > 499) {
			t.Errorf("%s: status %d, want a refusal", tt.name, reply.Status)
		}
		if grown > 400<<20 {
			t.Errorf("%s: the heap grew by %d MB", tt.name, grown>>20)
		}
	}
}
