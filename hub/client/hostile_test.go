package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/hub/client"
)

const someCommit = "0123456789abcdef0123456789abcdef01234567"

// foreign is a server that answers as huggingface.co does where Pantry does
// not: small files from a cache on the same host, large ones from signed URLs
// of a storage host.
func foreign(t *testing.T, storage string) *httptest.Server {
	file := func(w http.ResponseWriter, etag string, size int) {
		w.Header().Set("X-Repo-Commit", someCommit)
		w.Header().Set("X-Linked-Etag", `"`+etag+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(size))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/gpt2/resolve/{rev}/large.bin", func(w http.ResponseWriter, r *http.Request) {
		file(w, sha256Hello, 5)
		http.Redirect(w, r, storage+"/blob?signature=s3cret", http.StatusFound)
	})
	mux.HandleFunc("/gpt2/resolve/{rev}/small.txt", func(w http.ResponseWriter, r *http.Request) {
		file(w, gitOID([]byte("hello")), 5)
		http.Redirect(w, r, "/api/resolve-cache/small", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/api/resolve-cache/small", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Repo-Commit", someCommit)
		w.Header().Set("Etag", `W/"`+gitOID([]byte("hello"))+`"`)
		if r.Header.Get("Authorization") != "Bearer hf_secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("hello"))
	})
	mux.HandleFunc("/gpt2/resolve/{rev}/lies.bin", func(w http.ResponseWriter, r *http.Request) {
		file(w, strings.Repeat("a", 64), 5)
		fmt.Fprint(w, "HELLO")
	})
	mux.HandleFunc("/gpt2/resolve/{rev}/longer.bin", func(w http.ResponseWriter, r *http.Request) {
		file(w, strings.Repeat("b", 64), 5)
		fmt.Fprint(w, "hello, world")
	})
	mux.HandleFunc("/gpt2/resolve/{rev}/loop.bin", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	mux.HandleFunc("/gpt2/resolve/{rev}/busy.bin", busy(func(w http.ResponseWriter, r *http.Request) {
		file(w, sha256Hello, 5)
		fmt.Fprint(w, "hello")
	}))
	mux.HandleFunc("/gpt2/resolve/{rev}/odd.bin", func(w http.ResponseWriter, r *http.Request) {
		file(w, "../../../../tmp/evil", 5)
		fmt.Fprint(w, "hello")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

const sha256Hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// busy refuses every other request.
func busy(h http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		refuse := n%2 == 1
		mu.Unlock()
		if refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h(w, r)
	}
}

// TestRedirects: the token stays with the hub, whoever it redirects to.
func TestRedirects(t *testing.T) {
	var mu sync.Mutex
	var leaked []string
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		leaked = append(leaked, r.Header.Get("Authorization"))
		mu.Unlock()
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("hello"))
	}))
	t.Cleanup(storage.Close)
	h := foreign(t, storage.URL)
	c := newClient(t, client.Options{Endpoint: h.URL, Token: "hf_secret"})
	for _, path := range []string{"large.bin", "small.txt", "busy.bin"} {
		file, err := c.File(t.Context(), source("gpt2"), path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "hello" {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	if !slices.Equal(leaked, []string{""}) {
		t.Errorf("the storage host was sent %q", leaked)
	}
	for path, says := range map[string]string{"lies.bin": "not those", "longer.bin": "more than", "loop.bin": "redirects", "odd.bin": "ETag"} {
		_, err := c.File(t.Context(), source("gpt2"), path)
		if err == nil || !strings.Contains(hub.MessageOf(err), says) {
			t.Errorf("%s: %v, want an error that says %q", path, err, says)
		}
		if left := leftovers(t, c.CacheDir()); len(left) > 0 {
			t.Errorf("%s left %q", path, left)
		}
	}
}

// leftovers are the partial files of a cache.
func leftovers(t *testing.T, dir string) (left []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".incomplete") || strings.HasSuffix(path, ".tmp") {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// listing serves a repository whose listing is text.
func listing(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/revision/"):
			fmt.Fprintf(w, `{"sha":%q}`, someCommit)
		case strings.Contains(r.URL.Path, "/tree/"):
			w.Write(text)
		default:
			w.Header().Set("X-Repo-Commit", someCommit)
			w.WriteHeader(http.StatusNotFound)
		}
	})
}

func TestHostileListings(t *testing.T) {
	line := func(path, oid string) string {
		b, err := json.Marshal([]api.TreeEntry{{Type: hub.FileEntry, Path: path, OID: oid, Size: 5}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := gitOID([]byte("hello"))
	for _, text := range []string{
		line("../../evil", good), line("/etc/evil", good), line(`..\evil`, good), line("C:evil", good), line("a/../b", good),
		line("ok", "../../evil"), line("ok", ""), line("ok", ".."), `[{"type":"file","path":"x","size":-1,"oid":"` + good + `"}]`,
		`{"not":"a list"}`, `[`, `[{"type":"file","path":7}]`, "",
	} {
		s := httptest.NewServer(listing([]byte(text)))
		c := newClient(t, client.Options{Endpoint: s.URL})
		if dir, err := c.Snapshot(t.Context(), source("ada/model"), client.Selection{}); err == nil {
			t.Errorf("%s: %s, want an error", text, dir)
		}
		s.Close()
	}
}

// FuzzListing: whatever a hub lists, nothing is written outside the cache.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`[{"type":"file","path":"a/b","size":5,"oid":"` + someCommit + `","lfs":{"oid":"` + sha256Hello + `","size":5}}]`))
	f.Add([]byte(`[{"type":"file","path":"../x","size":5,"oid":"../y"}]`))
	f.Add([]byte(`[{"type":"directory","path":"a"}]`))
	f.Add([]byte(`[{"type":"file","path":"a","size":5,"oid":"` + someCommit + `","lfs":{"oid":"no-hash"}}]`)) // empty, it was made without a look at the id
	f.Fuzz(func(t *testing.T, text []byte) {
		top := t.TempDir()
		cache := filepath.Join(top, "cache")
		c, err := client.New(client.Options{
			Endpoint: "http://hub", CacheDir: cache, Env: env(),
			HTTP: &http.Client{Transport: direct{listing(text)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := c.Snapshot(ctx, source("ada/model"), client.Selection{}); err == nil && bytes.Contains(text, []byte(`"file"`)) && bytes.Contains(text, []byte(`"oid"`)) {
			if files, _, _ := c.Files(ctx, source("ada/model")); len(files) > 0 {
				t.Errorf("%q: files that the hub does not have were downloaded", text)
			}
		}
		entries, err := os.ReadDir(top)
		if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "cache" {
			t.Errorf("%q wrote %v, %v", text, entries, err)
		}
	})
}

// direct calls a handler instead of a server.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// FuzzGlob: no pattern breaks the translation, and a pattern without
// metacharacters matches itself alone.
func FuzzGlob(f *testing.F) {
	f.Add("*.json", "a.json")
	f.Add("[!a-z]?", "1x")
	f.Add("[]", "[]")
	f.Add("\xf4", "\xa0")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		path = strings.ToValidUTF8(path, "\uFFFD") // as every name that was decoded from JSON
		got := client.Glob(pattern, path)
		if !strings.ContainsAny(pattern, "*?[\\") && !strings.HasSuffix(pattern, "/") && len(pattern) < 1000 && got != (pattern == path) {
			t.Errorf("%q matches %q: %v", pattern, path, got)
		}
	})
}

// TestTreeFile: the listing in the cache is what Python writes, byte for byte.
func TestTreeFile(t *testing.T) {
	commit, err := hub.ParseOID(someCommit)
	if err != nil {
		t.Fatal(err)
	}
	xet := strings.Repeat("ab", 32)
	lines := []api.TreeEntry{
		{Type: hub.FileEntry, Path: "a<b>&\"é😀\x7f.txt", OID: someCommit, Size: 5},
		{Type: hub.FileEntry, Path: "w.bin", OID: someCommit, Size: 7, LFS: &api.TreeLFS{OID: sha256Hello, Size: 7}, XetHash: xet},
	}
	lines[0].Path = strings.TrimSuffix(lines[0].Path, "\x7f.txt") + ".txt"
	dir := t.TempDir()
	if err := client.WriteTree(dir, commit, lines); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "trees", someCommit+".json"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "format_version": 1,
 "files": {
  "a<b>&\"\u00e9\ud83d\ude00.txt": {
   "size": 5,
   "blob_id": "` + someCommit + `"
  },
  "w.bin": {
   "size": 7,
   "blob_id": "` + someCommit + `",
   "lfs_sha256": "` + sha256Hello + `",
   "lfs_size": 7,
   "xet_hash": "` + xet + `"
  }
 }
}`
	if string(got) != want {
		t.Errorf("the listing is\n%s\nwant\n%s", got, want)
	}
	again, ok := client.ReadTree(dir, commit)
	if !ok || len(again) != 2 || again[0].Path != lines[0].Path || again[1].LFS.OID != sha256Hello || again[1].XetHash != xet {
		t.Errorf("read again it is %+v, %v", again, ok)
	}
	lines[1].XetHash = "short"
	if err := client.WriteTree(dir, hub.OID{1}, lines); err != nil {
		t.Fatal(err)
	}
	if _, ok := client.ReadTree(dir, hub.OID{1}); ok {
		t.Error("a listing with a wrong Xet hash was kept")
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	at := time.Unix(1e9, 0)
	bar := client.NewBar(&out, true)
	bar.SetClock(func() time.Time { return at })
	bar.Begin(2, 10_000_000)
	for range 4 {
		at = at.Add(time.Second)
		bar.Advance("a", 1_000_000)
	}
	bar.Finish("a")
	bar.Close()
	frames := strings.Split(strings.TrimSpace(out.String()), "\r")
	if last, want := strings.TrimSpace(frames[len(frames)-1]), "1/2 files  4.0 MB/10 MB  40 %  1.0 MB/s  6s left"; last != want {
		t.Errorf("the bar ends as %q, want %q", last, want)
	}
	out.Reset()
	plain := client.NewBar(&out, false)
	plain.Begin(2, 10)
	plain.Advance("a", 10)
	plain.Finish("a")
	plain.Close()
	if got, want := out.String(), "1/2 a\n"; got != want {
		t.Errorf("without a terminal: %q, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		4_369_000_000: "4.4 GB", 1 << 62: "4.6 EB",
	} {
		if got := client.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
