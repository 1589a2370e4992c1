package git_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

func TestEditorRefuses(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	ctx := context.Background()
	root := r.tree(map[string]string{"a": "1", "d/e/f": "2", "d/g": "3"})
	blob := git.NewBlob([]byte("1"))
	put := func(path string) func(*git.Editor) error {
		return func(ed *git.Editor) error { return ed.Put(ctx, path, fileEntry(blob)) }
	}
	remove := func(path string) func(*git.Editor) error {
		return func(ed *git.Editor) error { return ed.Remove(ctx, path) }
	}
	removeDir := func(path string) func(*git.Editor) error {
		return func(ed *git.Editor) error { return ed.RemoveDir(ctx, path) }
	}
	type steps = []func(*git.Editor) error
	for _, tt := range []struct {
		name  string
		steps steps
		want  hub.Code // of the last step; "" for success
	}{
		{"put below a file", steps{put("a/b")}, hub.CodeUnprocessable},
		{"put below a file, deep", steps{put("a/b/c")}, hub.CodeUnprocessable},
		{"put below a file just put", steps{put("x"), put("x/y")}, hub.CodeUnprocessable},
		{"put below a removed file", steps{remove("a"), put("a/b")}, ""},
		{"put over a folder", steps{put("d")}, hub.CodeUnprocessable},
		{"put over a folder just put", steps{put("x/y"), put("x")}, hub.CodeUnprocessable},
		{"put over a removed folder", steps{removeDir("d"), put("d")}, ""},
		{"put over an emptied folder", steps{remove("d/e/f"), put("d/e")}, ""},
		{"put over a folder of emptied folders", steps{remove("d/e/f"), remove("d/g"), put("d")}, ""},
		{"put over a half-emptied folder", steps{remove("d/e/f"), put("d")}, hub.CodeUnprocessable},
		{"put dot git", steps{put("x/.git")}, hub.CodeInvalid},
		{"put below dot git", steps{put(".git/x")}, hub.CodeInvalid},
		{"put no name", steps{put("x/")}, hub.CodeInvalid},
		{"put an empty segment", steps{put("x//y")}, hub.CodeInvalid},
		{"put an absolute path", steps{put("/x")}, hub.CodeInvalid},
		{"remove", steps{remove("d/e/f")}, ""},
		{"remove twice", steps{remove("a"), remove("a")}, hub.CodeEntryNotFound},
		{"remove what is not there", steps{remove("d/x")}, hub.CodeEntryNotFound},
		{"remove below what is not there", steps{remove("x/y/z")}, hub.CodeEntryNotFound},
		{"remove below a file", steps{remove("a/b")}, hub.CodeEntryNotFound},
		{"remove a folder as a file", steps{remove("d")}, hub.CodeEntryNotFound},
		{"remove nothing", steps{remove("")}, hub.CodeEntryNotFound},
		{"remove a file as a folder", steps{removeDir("a")}, hub.CodeEntryNotFound},
		{"remove an emptied folder", steps{remove("d/e/f"), removeDir("d/e")}, hub.CodeEntryNotFound},
		{"remove everything", steps{removeDir(""), remove("a")}, hub.CodeEntryNotFound},
	} {
		ed := git.NewEditor(r.reader(), root)
		var err error
		for i, step := range tt.steps {
			err = step(ed)
			if err != nil && i < len(tt.steps)-1 {
				t.Fatalf("%s: step %d: %v", tt.name, i, err)
			}
		}
		if err == nil && tt.want != "" || err != nil && hub.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err == nil || len(tt.steps) > 1 {
			continue
		}
		if got := r.write(ed); got != root { // a refused step has changed nothing
			t.Errorf("%s: refused, but now the tree is %v", tt.name, collect(t, r.reader().List(ctx, got, "", true, "")))
		}
	}
}

func TestEditorWritesOnlyWhatChanged(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	ctx := context.Background()
	root := r.tree(map[string]string{"a": "1", "b/c": "2", "b/d/e": "3", "f/g": "4"})
	one, two := git.NewBlob([]byte("1")), git.NewBlob([]byte("2"))
	for _, tt := range []struct {
		name  string
		edit  func(*git.Editor) error
		trees int
		same  bool
	}{
		{"nothing", func(*git.Editor) error { return nil }, 0, true},
		{"look up", func(ed *git.Editor) error { _, _, err := ed.Lookup(ctx, "b/d/e"); return err }, 0, true},
		{"put what is there", func(ed *git.Editor) error { return ed.Put(ctx, "b/c", fileEntry(two)) }, 0, true},
		{"deep put", func(ed *git.Editor) error { return ed.Put(ctx, "b/d/e", fileEntry(one)) }, 3, false},
		{"top put", func(ed *git.Editor) error { return ed.Put(ctx, "x", fileEntry(one)) }, 1, false},
		{"remove the last file of a folder", func(ed *git.Editor) error { return ed.Remove(ctx, "f/g") }, 1, false},
		{"put and remove", func(ed *git.Editor) error {
			return errors.Join(ed.Put(ctx, "n/m/o", fileEntry(one)), ed.Remove(ctx, "n/m/o"))
		}, 0, true},
		{"empty", func(ed *git.Editor) error { return ed.RemoveDir(ctx, "") }, 1, false},
	} {
		ed := git.NewEditor(r.reader(), root)
		if err := tt.edit(ed); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, trees, metas, err := ed.Write(ctx)
		if err != nil || len(trees) != tt.trees || len(metas) != tt.trees || (got == root) != tt.same {
			t.Errorf("%s: root %s (from %s), %d trees, %d metas, %v; want %d trees, same %v", tt.name, got, root, len(trees), len(metas), err, tt.trees, tt.same)
		}
	}
	empty, trees, _, err := git.NewEditor(r.reader(), hub.OID{}).Write(ctx)
	if err != nil || empty.String() != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" || len(trees) != 1 {
		t.Errorf("an empty tree: %s, %d trees, %v", empty, len(trees), err)
	}
}

func TestEditorPutsTrees(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	ctx := context.Background()
	root := r.tree(map[string]string{"d/e/f": "22", "d/g": "3"})
	d, err := r.reader().Lookup(ctx, root, "d")
	if err != nil {
		t.Fatal(err)
	}
	ed := git.NewEditor(r.reader(), root)
	if err := errors.Join(ed.Put(ctx, "copy", d), ed.Remove(ctx, "copy/g")); err != nil {
		t.Fatal(err)
	}
	got := r.write(ed)
	want := r.tree(map[string]string{"d/e/f": "22", "d/g": "3", "copy/e/f": "22"})
	if got != want {
		t.Errorf("a copied folder: %v", collect(t, r.cold().List(ctx, got, "", true, "")))
	}
	if e, err := r.cold().Lookup(ctx, got, ""); err != nil || e.Size != 5 {
		t.Errorf("size of the root %d, %v, want 5", e.Size, err)
	}
}

// model is the expected content of a tree: entries by path.
type model map[string]git.TreeEntry

// TestRandomEdits compares the editor with a map, and what it writes with the
// real git, after random batches of operations.
func TestRandomEdits(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		r := newRepo(t, db)
		rnd := rand.New(rand.NewPCG(1, 2))
		files := model{}
		var root, head hub.OID
		roots := []hub.OID{{}}
		states := []model{{}}
		for round := range 30 {
			ed := git.NewEditor(r.reader(), root)
			for range 1 + rnd.IntN(12) {
				r.randomEdit(rnd, ed, files)
			}
			root = r.write(ed)
			parents := []hub.OID{head}
			if head.IsZero() {
				parents = nil
			}
			head = r.commit(time.Unix(int64(1e9+round*60), 0), root, fmt.Sprintf("round %d", round), parents...)
			r.setRef(store.Ref{Name: "refs/heads/main", Target: head})
			r.checkTree(root, files)
			roots, states = append(roots, root), append(states, maps.Clone(files))
		}
		for range 20 {
			i, j := rnd.IntN(len(roots)), rnd.IntN(len(roots))
			r.checkDiff(roots[i], roots[j], states[i], states[j])
		}
		real := r.export()
		r.checkListing(real, head, root)
		r.checkLog(real, head)
		r.checkLastCommits(real, head, "")
		r.checkLastCommits(real, head, "a")
	})
}

// randomNames collide as files, folders and prefixes of each other.
var randomNames = []string{"a", "a.b", "a0", "a-b", "A", "é", "e\u0301", "日本", "x y", "?%", "b"}

func randomPath(rnd *rand.Rand) string {
	var segs []string
	for range 1 + rnd.IntN(3) {
		segs = append(segs, randomNames[rnd.IntN(len(randomNames))])
	}
	return strings.Join(segs, "/")
}

// randomEdit does one operation on both; they must agree on whether it works.
func (r *repo) randomEdit(rnd *rand.Rand, ed *git.Editor, files model) {
	r.t.Helper()
	ctx := context.Background()
	path := randomPath(rnd)
	switch n := rnd.IntN(10); {
	case n < 7:
		e := r.randomFile(rnd)
		err := ed.Put(ctx, path, e)
		if want := files.canPut(path); (err == nil) != want {
			r.t.Fatalf("put %s: %v, want %v", path, err, want)
		}
		if err == nil {
			_, e.Name = cutLast(path)
			files[path] = e
		}
	case n < 9:
		err := ed.Remove(ctx, path)
		if _, want := files[path]; (err == nil) != want {
			r.t.Fatalf("remove %s: %v, want %v", path, err, want)
		}
		delete(files, path)
	default:
		err := ed.RemoveDir(ctx, path)
		if want := files.hasDir(path); (err == nil) != want {
			r.t.Fatalf("remove folder %s: %v, want %v", path, err, want)
		}
		maps.DeleteFunc(files, func(p string, _ git.TreeEntry) bool { return strings.HasPrefix(p, path+"/") })
	}
	path = randomPath(rnd)
	e, ok, err := ed.Lookup(ctx, path)
	want, isFile := files[path]
	switch {
	case err != nil:
		r.t.Fatalf("look up %s: %v", path, err)
	case ok != (isFile || files.hasDir(path)), ok && e.IsDir() == isFile:
		r.t.Fatalf("look up %s: %+v %v, want %+v", path, e, ok, want)
	case isFile && !cmp.Equal(e, want):
		r.t.Fatalf("look up %s: %s", path, cmp.Diff(want, e))
	}
}

// randomFile stores a small blob, an LFS pointer or a blob in the CAS.
func (r *repo) randomFile(rnd *rand.Rand) git.TreeEntry {
	content := fmt.Appendf(nil, "%d", rnd.IntN(30))
	blob := git.NewBlob(content)
	e := fileEntry(blob)
	switch rnd.IntN(4) {
	case 0:
		e.LFS = &hub.LFSInfo{OID: hub.SHA256{byte(rnd.IntN(30))}, Xet: hub.XetHash{byte(rnd.IntN(30))}}
		e.LFS.Size = int64(e.LFS.OID[0]) << 30
		pointer := git.FormatPointer(e.LFS.OID, e.LFS.Size)
		e.LFS.PointerSize = int64(len(pointer))
		// The Xet hash is a function of the content.
		e.LFS.Xet = hub.XetHash{e.LFS.OID[0] + 1}
		blob = git.NewBlob(pointer)
		e.OID, e.Size = blob.OID, e.LFS.Size
	case 1:
		content = []byte(strings.Repeat("big "+string(content), 1000))
		blob = git.NewBlob(content)
		e = fileEntry(blob)
		h := hub.XetHash(append(blob.OID[:], make([]byte, 12)...))
		r.xet[h] = content
		blob.Data, blob.Xet = nil, &h
	case 2:
		e.Mode = git.ModeExec
	}
	r.put(blob)
	return e
}

func (m model) hasDir(path string) bool {
	for p := range m {
		if strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

// canPut reports whether a path is neither a folder nor below a file.
func (m model) canPut(path string) bool {
	for i := range path {
		if _, isFile := m[path[:i]]; isFile && path[i] == '/' {
			return false
		}
	}
	return !m.hasDir(path)
}

func cutLast(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// checkTree compares what is stored with the model, in files, folders, order
// and sizes.
func (r *repo) checkTree(root hub.OID, files model) {
	r.t.Helper()
	ctx := context.Background()
	got := map[string]hub.Entry{}
	for e, err := range r.cold().List(ctx, root, "", true, "") {
		if err != nil {
			r.t.Fatal(err)
		}
		got[e.Path] = e
		if e.Kind == hub.DirEntry {
			if !files.hasDir(e.Path) {
				r.t.Errorf("an empty folder %s is listed", e.Path)
			}
			delete(got, e.Path)
		}
	}
	want := map[string]hub.Entry{}
	var total int64
	for path, e := range files {
		want[path] = e.Entry(path)
		total += e.Size
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("tree %s (-want +got):\n%s", root, diff)
	}
	if e, err := r.reader().Lookup(ctx, root, ""); err != nil || e.Size != total {
		r.t.Fatalf("size of the root %d, %v, want %d", e.Size, err, total)
	}
}

func (r *repo) checkDiff(a, b hub.OID, from, to model) {
	r.t.Helper()
	type pair struct{ Old, New *git.TreeEntry }
	got, want := map[string]pair{}, map[string]pair{}
	var order []string
	for c, err := range r.reader().Diff(context.Background(), a, b) {
		if err != nil {
			r.t.Fatal(err)
		}
		got[c.Path] = pair{c.Old, c.New}
		order = append(order, c.Path)
	}
	for path, e := range from {
		if n, ok := to[path]; !ok {
			want[path] = pair{&e, nil}
		} else if n.OID != e.OID || n.Mode != e.Mode {
			want[path] = pair{&e, &n}
		}
	}
	for path, e := range to {
		if _, ok := from[path]; !ok {
			want[path] = pair{nil, &e}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("diff (-want +got):\n%s", diff)
	}
	if len(order) != len(got) || !slices.IsSorted(order) {
		r.t.Fatalf("diff is out of order: %q", order)
	}
}
