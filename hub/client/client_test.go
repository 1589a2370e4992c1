package client_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// fixture is a running hub with some models of ada's.
type fixture struct {
	t        *testing.T
	url      string
	ada, eve string // tokens
	wire     *wiretest.Client
	large    []byte            // content of large.bin, over LFS
	files    map[string][]byte // small files
	commit   hub.OID           // of ada/model
}

func start(t *testing.T) *fixture {
	t.Helper()
	h := hubtest.Start(t, hubtest.Options{})
	f := &fixture{t: t, url: h.URL, ada: h.User("ada", hub.TokenWrite), eve: h.User("eve", hub.TokenRead)}
	f.wire = wiretest.New(t, h.URL, f.ada)
	f.large = make([]byte, 3<<20+17)
	chacha := rand.NewChaCha8([32]byte{1})
	chacha.Read(f.large)
	f.files = map[string][]byte{
		"config.json": []byte(`{"model_type":"bert"}`), "dir/sub/a.txt": []byte("hello\n"), "empty.txt": nil,
		"dir/twin.txt": []byte("hello\n"), "names/é ?%:#.txt": []byte("odd"), "names/[1].txt": []byte("set"),
	}
	f.model("model")
	f.commit = f.head("model")
	return f
}

// model makes a model of ada's with the fixture's files.
func (f *fixture) model(name string) {
	f.t.Helper()
	f.must(f.wire.Create(f.t.Context(), name))
	if err := f.wire.UploadLFS(f.t.Context(), "ada/"+name, f.large); err != nil {
		f.t.Fatal(err)
	}
	f.must(f.wire.Commit(f.t.Context(), "ada/"+name,
		wiretest.Commit{Summary: "files", Files: f.files, Large: map[string][]byte{"large.bin": f.large}}))
}

func (f *fixture) must(r wiretest.Reply, err error) wiretest.Reply {
	f.t.Helper()
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fixture) head(name string) hub.OID {
	f.t.Helper()
	commit, err := f.client(client.Options{Token: f.ada}).Commit(f.t.Context(), source("ada/"+name))
	if err != nil {
		f.t.Fatal(err)
	}
	return commit
}

// client makes a client that knows nothing of this machine; without a CacheDir
// it gets an empty one.
func (f *fixture) client(o client.Options) *client.Client {
	f.t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = f.url
	}
	return newClient(f.t, o)
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func source(id string) client.Source {
	s, err := client.ParseSource(id)
	if err != nil {
		panic(err)
	}
	return s
}

func gitOID(data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// contents are the files below dir, links followed.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		got[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// all are the files of ada/model, with the .gitattributes that the hub made.
func (f *fixture) all(t *testing.T, got map[string]string) map[string]string {
	want := map[string]string{"large.bin": string(f.large), ".gitattributes": got[".gitattributes"]}
	for path, b := range f.files {
		want[path] = string(b)
	}
	return want
}

func sameFiles(t *testing.T, got, want map[string]string) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Fatalf("files %q, want %q", g, w)
	}
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("%s has %d bytes %.40q, want %d bytes %.40q", path, len(got[path]), got[path], len(want[path]), want[path])
		}
	}
}

func TestSnapshotFillsTheCache(t *testing.T) {
	f := start(t)
	bar := &counter{}
	c := f.client(client.Options{Progress: bar})
	dir, err := c.Snapshot(t.Context(), source("ada/model"), client.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, dir)
	sameFiles(t, got, f.all(t, got))

	repo := filepath.Join(c.CacheDir(), "models--ada--model")
	if want := filepath.Join(repo, "snapshots", f.commit.String()); dir != want {
		t.Errorf("the snapshot is %s, want %s", dir, want)
	}
	ref, err := os.ReadFile(filepath.Join(repo, "refs", "main"))
	if err != nil || string(ref) != f.commit.String() {
		t.Errorf("refs/main is %q, %v, want %s", ref, err, f.commit)
	}
	for path, want := range map[string]string{
		"large.bin":     "../../blobs/" + wiretest.SHA256(f.large),
		"dir/sub/a.txt": "../../../../blobs/" + gitOID(f.files["dir/sub/a.txt"]),
	} {
		if link, err := os.Readlink(filepath.Join(dir, path)); err != nil || link != want {
			t.Errorf("%s is a link to %q, %v, want %q", path, link, err, want)
		}
	}
	lock, err := os.Stat(filepath.Join(c.CacheDir(), ".locks", "models--ada--model", wiretest.SHA256(f.large)+".lock"))
	if err != nil || lock.Mode().Perm() != 0o664 {
		t.Errorf("the lock is %v, %v", lock, err)
	}
	for path := range contents(t, repo) {
		if strings.HasSuffix(path, ".incomplete") || strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s was left behind", path)
		}
	}
	if n := len(got); bar.begun != n || bar.finished != n || bar.bytes != bar.have || bar.have < int64(len(f.large)) {
		t.Errorf("progress of %d files: %+v", n, bar)
	}

	// Nothing is downloaded twice, nor asked for once the commit is known.
	offline := f.client(client.Options{CacheDir: c.CacheDir(), Offline: true})
	for _, s := range []string{"ada/model", "ada/model@" + f.commit.String()} {
		if again, err := offline.Snapshot(t.Context(), source(s), client.Selection{}); err != nil || again != dir {
			t.Errorf("offline, %s: %s, %v, want %s", s, again, err, dir)
		}
	}
}

// counter is a Progress that adds up.
type counter struct {
	mu              sync.Mutex
	begun, finished int
	bytes, have     int64
}

func (c *counter) Begin(files int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun, c.bytes = c.begun+files, c.bytes+bytes
}

func (c *counter) Advance(_ string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have += n
}

func (c *counter) Finish(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished++
}

// TestManyFilesOfEveryType lists several pages of private repositories, by an
// address that is not the one the hub has of itself.
func TestManyFilesOfEveryType(t *testing.T) {
	f := start(t)
	w := startWire(t, f.url, false, func(int) int64 { return 1 << 40 })
	files := map[string][]byte{}
	for i := range 1100 {
		files[fmt.Sprintf("many/%d.txt", i)] = []byte("same")
	}
	files[".cache/huggingface/download/x.metadata"] = []byte("forged")
	body := wiretest.Commit{Summary: "many", Files: files}.NDJSON()
	for _, kind := range hub.RepoTypes {
		create := map[string]any{"name": "many", "type": kind, "visibility": "private"}
		if kind == hub.Space {
			create["sdk"] = "static"
		}
		f.must(f.wire.JSON(t.Context(), "POST", "/api/repos/create", create))
		f.must(f.wire.Do(t.Context(), "POST", "/api/"+kind.Plural()+"/ada/many/commit/main", strings.NewReader(string(body)), "Content-Type", "application/x-ndjson"))
		c := f.client(client.Options{Endpoint: "http://" + w.addr, Token: f.ada})
		s := source(kind.Plural() + "/ada/many")
		list, commit, err := c.Files(t.Context(), s)
		if err != nil || len(list) < 1101 || commit.IsZero() {
			t.Fatalf("%s: %d files of %s, %v", kind, len(list), commit, err)
		}
		dir, err := c.Snapshot(t.Context(), s, client.Selection{Include: []string{"many/109?.txt", ".cache/*"}})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got := contents(t, dir); len(got) != 11 || got["many/1099.txt"] != "same" {
			t.Errorf("%s: %d files", kind, len(got))
		}
		if want := filepath.Join(c.CacheDir(), kind.Plural()+"--ada--many"); !strings.HasPrefix(dir, want) {
			t.Errorf("%s: the cache is %s, want %s", kind, dir, want)
		}
		work := t.TempDir()
		if err := c.CopyTo(t.Context(), work, s, client.Selection{Include: []string{"many/1099.txt", ".cache/*"}}); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got := contents(t, work)
		if _, forged := got[".cache/huggingface/download/x.metadata"]; forged || got["many/1099.txt"] != "same" {
			t.Errorf("%s: the repository wrote the folder's records", kind)
		}
	}
}

func TestSelection(t *testing.T) {
	f := start(t)
	c := f.client(client.Options{})
	tests := []struct {
		sel  client.Selection
		want []string
	}{
		{client.Selection{Files: []string{"config.json", "names/[1].txt"}}, []string{"config.json", "names/[1].txt"}},
		{client.Selection{Include: []string{"*.txt"}, Exclude: []string{"dir/"}}, []string{"empty.txt", "names/[1].txt", "names/é ?%:#.txt"}},
		{client.Selection{Include: []string{"dir/*"}, Files: []string{"config.json"}}, []string{"config.json", "dir/sub/a.txt", "dir/twin.txt"}},
		{client.Selection{Include: []string{"names/[[]1].txt"}}, []string{"names/[1].txt"}},
		{client.Selection{Exclude: []string{"*"}}, nil},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := c.CopyTo(t.Context(), dir, source("ada/model"), tt.sel); err != nil {
			t.Errorf("%+v: %v", tt.sel, err)
			continue
		}
		got := contents(t, dir)
		maps.DeleteFunc(got, func(path, _ string) bool { return strings.HasPrefix(path, ".cache/") })
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, tt.want) {
			t.Errorf("%+v chose %q, want %q", tt.sel, names, tt.want)
		}
	}
	_, err := c.Snapshot(t.Context(), source("ada/model"), client.Selection{Files: []string{"nope.bin"}})
	if !errors.Is(err, hub.ErrEntryNotFound) || !strings.Contains(err.Error(), "nope.bin") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestFile(t *testing.T) {
	f := start(t)
	c := f.client(client.Options{})
	for path, want := range map[string][]byte{"large.bin": f.large, "names/é ?%:#.txt": []byte("odd"), "empty.txt": nil} {
		file, err := c.File(t.Context(), source("ada/model"), path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
			t.Errorf("%s has %d bytes, %v, want %d", path, len(got), err, len(want))
		}
	}
	_, err := c.File(t.Context(), source("ada/model"), "dir/nope")
	if !errors.Is(err, hub.ErrEntryNotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
	mark := filepath.Join(c.CacheDir(), "models--ada--model", ".no_exist", f.commit.String(), "dir", "nope")
	if info, err := os.Stat(mark); err != nil || info.Size() != 0 {
		t.Errorf("the cache does not remember that it is not there: %v", err)
	}
	// A new commit is noticed, the old one stays.
	f.must(f.wire.Commit(t.Context(), "ada/model", wiretest.Commit{Summary: "next", Files: map[string][]byte{"config.json": []byte("{}")}}))
	for rev, want := range map[string]string{"": "{}", "@" + f.commit.String(): string(f.files["config.json"])} {
		file, err := c.File(t.Context(), source("ada/model"+rev), "config.json")
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != want {
			t.Errorf("config.json%s is %q, want %q", rev, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := start(t)
	for _, name := range []string{"secret", "gated", "before"} {
		f.model(name)
	}
	f.must(f.wire.JSON(t.Context(), "PUT", "/api/models/ada/secret/settings", map[string]any{"private": true}))
	f.must(f.wire.JSON(t.Context(), "PUT", "/api/models/ada/gated/settings", map[string]any{"gated": "auto"}))
	f.must(f.wire.JSON(t.Context(), "POST", "/api/repos/move", map[string]string{"fromRepo": "ada/before", "toRepo": "ada/after", "type": "model"}))
	tests := []struct {
		name, token, source string
		want                error
		says                string
	}{
		{"public", "", "ada/model", nil, ""},
		{"case", "", "ADA/Model", nil, ""},
		{"renamed", "", "ada/before", nil, ""},
		{"private, mine", f.ada, "ada/secret", nil, ""},
		{"private, eve", f.eve, "ada/secret", hub.ErrRepoNotFound, "model ada/secret"},
		{"private, nobody", "", "ada/secret", hub.ErrRepoNotFound, "HF_TOKEN"},
		{"missing", f.ada, "ada/nope", hub.ErrRepoNotFound, "ada/nope"},
		{"missing dataset", f.ada, "datasets/ada/model", hub.ErrRepoNotFound, "dataset ada/model"},
		{"one word", "", "gpt2", hub.ErrRepoNotFound, "model gpt2"},
		{"gated, mine", f.ada, "ada/gated", nil, ""},
		{"gated, eve", f.eve, "ada/gated", hub.ErrGatedRepo, f.url + "/ada/gated"},
		{"gated, nobody", "", "ada/gated", &hub.Error{Code: hub.CodeGatedAnonymous}, f.url + "/ada/gated"},
		{"revision", "", "ada/model@nope", hub.ErrRevisionNotFound, `"nope"`},
		{"bad token", "hf_wrong", "ada/model", hub.ErrUnauthenticated, "HF_TOKEN"},
	}
	for _, tt := range tests {
		c := f.client(client.Options{Token: tt.token})
		for how, get := range map[string]func() error{
			"File":     func() error { _, err := c.File(t.Context(), source(tt.source), "config.json"); return err },
			"Snapshot": func() error { _, err := c.Snapshot(t.Context(), source(tt.source), client.Selection{}); return err },
			"CopyTo":   func() error { return c.CopyTo(t.Context(), t.TempDir(), source(tt.source), client.Selection{}) },
		} {
			err := get()
			if tt.want == nil && err != nil || tt.want != nil && hub.CodeOf(err) != hub.CodeOf(tt.want) || tt.says != "" && !strings.Contains(hub.MessageOf(err), tt.says) {
				t.Errorf("%s, %s: %v, want %v that says %q", tt.name, how, err, tt.want, tt.says)
			}
			if err != nil && tt.token != "" && strings.Contains(err.Error(), tt.token) {
				t.Errorf("%s, %s: the error holds the token", tt.name, how)
			}
		}
	}
}

func TestOffline(t *testing.T) {
	f := start(t)
	c := f.client(client.Options{})
	if _, err := c.File(t.Context(), source("ada/model"), "config.json"); err != nil {
		t.Fatal(err)
	}
	dead := deadAddr(t)
	clients := map[string]*client.Client{
		"offline": f.client(client.Options{CacheDir: c.CacheDir(), Env: env("HF_HUB_OFFLINE", "1")}),
		"dead":    f.client(client.Options{CacheDir: c.CacheDir(), Endpoint: "http://" + dead}),
	}
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if file, err := c.File(t.Context(), source("ada/model"), "config.json"); err != nil || filepath.Base(file) != "config.json" {
				t.Errorf("cached file: %q, %v", file, err)
			}
			if _, err := c.Snapshot(t.Context(), source("ada/model"), client.Selection{Files: []string{"config.json"}}); err != nil {
				t.Errorf("cached selection: %v", err)
			}
			_, err := c.Snapshot(t.Context(), source("ada/model"), client.Selection{Files: []string{"config.json", "large.bin"}})
			if !errors.Is(err, client.ErrNotCached) || !strings.Contains(hub.MessageOf(err), "large.bin") || strings.Contains(hub.MessageOf(err), "config.json") {
				t.Errorf("selection: %v, want one that names large.bin", err)
			}
			_, err = c.File(t.Context(), source("ada/model"), "large.bin")
			if !errors.Is(err, client.ErrNotCached) || !strings.Contains(hub.MessageOf(err), "large.bin of the model ada/model") {
				t.Errorf("file: %v, want one that names it", err)
			}
			reason := map[string]string{"offline": "HF_HUB_OFFLINE", "dead": dead}[name]
			if !strings.Contains(hub.MessageOf(err), reason) {
				t.Errorf("file: %v, want one that says %s", err, reason)
			}
		})
	}
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// deadAddr is a loopback address that nobody listens on.
func deadAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// wire is a connection between a client and the hub that breaks: each
// connection passes limit(n) bytes to the client and is then cut, or falls
// silent.
type wire struct {
	addr   string
	passed atomic.Int64
}

// counted counts what is written.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func startWire(t *testing.T, hubURL string, silent bool, limit func(n int) int64) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String()}
	ctx, cancel := context.WithCancel(t.Context())
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for n := 0; ; n++ {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(hubURL, "http://"))
			if err != nil {
				in.Close()
				continue
			}
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			pumps.Go(func() { io.Copy(out, in); out.Close() })
			pumps.Go(func() {
				io.CopyN(counted{in, &w.passed}, out, limit(n))
				if silent {
					<-ctx.Done()
				}
				in.Close()
				out.Close()
			})
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); pumps.Wait() })
	return w
}

func TestCutConnections(t *testing.T) {
	f := start(t)
	for _, silent := range []bool{false, true} {
		w := startWire(t, f.url, silent, func(int) int64 { return 700_000 })
		bar := &counter{}
		c := f.client(client.Options{Endpoint: "http://" + w.addr, Progress: bar})
		c.SetStall(300 * time.Millisecond)
		file, err := c.File(t.Context(), source("ada/model"), "large.bin")
		if err != nil {
			t.Fatalf("silent %v: %v", silent, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(f.large) {
			t.Errorf("silent %v: %d bytes, %v", silent, len(got), err)
		}
		if bar.have != int64(len(f.large)) {
			t.Errorf("silent %v: progress of %d bytes, want %d", silent, bar.have, len(f.large))
		}
		// What was there was not asked for again: only headers come on top.
		if n := w.passed.Load(); n > int64(len(f.large))+20_000 {
			t.Errorf("silent %v: %d bytes passed for a file of %d", silent, n, len(f.large))
		}
	}
}

func TestResume(t *testing.T) {
	f := start(t)
	half := len(f.large) / 2
	spoiled := slices.Clone(f.large[:half])
	spoiled[7] ^= 1
	for name, left := range map[string][]byte{
		"half": f.large[:half], "all": f.large, "too much": append(slices.Clone(f.large), 1), "spoiled": spoiled,
	} {
		w := startWire(t, f.url, false, func(int) int64 { return 1 << 40 })
		bar := &counter{}
		c := f.client(client.Options{Endpoint: "http://" + w.addr, Progress: bar})
		blobs := filepath.Join(c.CacheDir(), "models--ada--model", "blobs")
		if err := os.MkdirAll(blobs, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(blobs, wiretest.SHA256(f.large)+".incomplete"), left, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := c.File(t.Context(), source("ada/model"), "large.bin")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(f.large) {
			t.Errorf("%s: the file is wrong, %v", name, err)
		}
		if bar.have != int64(len(f.large)) {
			t.Errorf("%s: progress of %d bytes, want %d", name, bar.have, len(f.large))
		}
		c2 := f.client(client.Options{CacheDir: c.CacheDir(), Offline: true})
		if _, err := c2.File(t.Context(), source("ada/model"), "large.bin"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCancel: what has come when the user gives up is there the next time.
func TestCancel(t *testing.T) {
	f := start(t)
	w := startWire(t, f.url, true, func(int) int64 { return 1 << 20 })
	ctx, cancel := context.WithCancel(t.Context())
	bar := &trigger{at: 500_000, then: cancel}
	c := f.client(client.Options{Endpoint: "http://" + w.addr, Progress: bar})
	_, err := c.Snapshot(ctx, source("ada/model"), client.Selection{Files: []string{"large.bin"}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
	part, err := os.Stat(filepath.Join(c.CacheDir(), "models--ada--model", "blobs", wiretest.SHA256(f.large)+".incomplete"))
	if err != nil || part.Size() < 500_000 {
		t.Fatalf("the part is %v, %v", part, err)
	}
	again := f.client(client.Options{CacheDir: c.CacheDir()})
	if _, err := again.Snapshot(t.Context(), source("ada/model"), client.Selection{}); err != nil {
		t.Error(err)
	}
}

// trigger is a Progress that acts once there are enough bytes.
type trigger struct {
	counter
	at   int64
	then func()
}

func (g *trigger) Advance(path string, n int64) {
	g.counter.Advance(path, n)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.have >= g.at {
		g.then()
	}
}

// TestManyAtOnce: many clients of one cache download every byte once.
func TestManyAtOnce(t *testing.T) {
	f := start(t)
	w := startWire(t, f.url, false, func(int) int64 { return 1 << 40 })
	cache := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		c := f.client(client.Options{Endpoint: "http://" + w.addr, CacheDir: cache})
		all.Go(func() {
			var err error
			var file string
			if i%2 == 0 {
				file, err = c.File(t.Context(), source("ada/model"), "large.bin")
			} else {
				file, err = c.Snapshot(t.Context(), source("ada/model"), client.Selection{})
				file = filepath.Join(file, "large.bin")
			}
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != string(f.large) {
				t.Errorf("%s: %d bytes, %v", file, len(got), err)
			}
		})
	}
	all.Wait()
	if n := w.passed.Load(); n > int64(len(f.large))+200_000 {
		t.Errorf("%d bytes passed for a file of %d", n, len(f.large))
	}
}

func TestFS(t *testing.T) {
	f := start(t)
	w := startWire(t, f.url, false, func(int) int64 { return 1 << 40 })
	c := f.client(client.Options{Endpoint: "http://" + w.addr})
	r, err := c.FS(t.Context(), source("ada/model"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(r, "large.bin", "dir/sub/a.txt", "empty.txt", "names/é ?%:#.txt"); err != nil {
		t.Error(err)
	}
	file, err := r.Open("large.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	at := file.(io.ReaderAt)
	for _, span := range [][2]int{{0, 8}, {8, 100_000}, {2_000_000, 1_000_000}, {5, 10}, {len(f.large) - 3, 3}} {
		p := make([]byte, span[1])
		if n, err := at.ReadAt(p, int64(span[0])); n != len(p) || string(p) != string(f.large[span[0]:span[0]+span[1]]) {
			t.Errorf("ReadAt(%d, %d): %d, %v", span[0], span[1], n, err)
		}
	}
	if n, err := at.ReadAt(make([]byte, 4), int64(len(f.large)-3)); n != 3 || err != io.EOF {
		t.Errorf("ReadAt over the end: %d, %v", n, err)
	}
	if entries, err := os.ReadDir(c.CacheDir()); err != nil || len(entries) > 0 {
		t.Errorf("the cache has %v, %v", entries, err)
	}
}

func TestCopyTo(t *testing.T) {
	f := start(t)
	c := f.client(client.Options{})
	dir := t.TempDir()
	read := func() map[string]string {
		got := contents(t, dir)
		maps.DeleteFunc(got, func(path, _ string) bool { return strings.HasPrefix(path, ".cache/") })
		return got
	}
	copyTo := func() {
		t.Helper()
		if err := c.CopyTo(t.Context(), dir, source("ada/model"), client.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
	copyTo()
	sameFiles(t, read(), f.all(t, read()))
	meta, err := os.ReadFile(filepath.Join(dir, ".cache", "huggingface", "download", "large.bin.metadata"))
	if lines := strings.Split(string(meta), "\n"); err != nil || len(lines) != 4 || lines[0] != f.commit.String() || lines[1] != wiretest.SHA256(f.large) {
		t.Errorf("metadata %q, %v", meta, err)
	}
	// What the user changed is put right, what he did not touch stays.
	before, err := os.Stat(filepath.Join(dir, "large.bin"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(config, later, later); err != nil {
		t.Fatal(err)
	}
	copyTo()
	sameFiles(t, read(), f.all(t, read()))
	if after, err := os.Stat(filepath.Join(dir, "large.bin")); err != nil || !os.SameFile(before, after) {
		t.Errorf("large.bin was written again, %v", err)
	}
}
