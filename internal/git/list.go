package git

import (
	"context"
	"iter"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// List yields the entries of a folder ("" is the top), a folder before what is
// in it when recursive. It starts after the path after (from the top of the
// repository, exclusive; "" starts at the beginning) without walking what
// precedes it. If there is no such folder the only element is an error of
// hub.ErrEntryNotFound.
func (r Reader) List(ctx context.Context, root hub.OID, dir string, recursive bool, after string) iter.Seq2[hub.Entry, error] {
	return func(yield func(hub.Entry, error) bool) {
		fail := func(err error) { yield(hub.Entry{}, err) }
		t, err := r.dir(ctx, root, dir)
		if err != nil {
			fail(err)
			return
		}
		prefix := ""
		if dir != "" {
			prefix = dir + "/"
		}
		rest, ok := strings.CutPrefix(after, prefix)
		if !ok && after != "" {
			fail(hub.Invalidf("the cursor %q is not below %q", after, dir))
			return
		}
		w := lister{r: r, recursive: recursive, yield: yield}
		w.walk(ctx, t, prefix, rest)
	}
}

// lister walks trees for List.
type lister struct {
	r         Reader
	recursive bool
	yield     func(hub.Entry, error) bool
}

// walk yields the entries of t after the path rest (relative to t, "" for all)
// and reports whether to go on.
func (w *lister) walk(ctx context.Context, t *Tree, prefix, rest string) bool {
	start := 0
	if rest != "" {
		name, below, deeper := strings.Cut(rest, "/")
		start = t.resume(name, deeper)
		if start > 0 && !w.resumeIn(ctx, &t.Entries[start-1], prefix, name, below) {
			return false
		}
	}
	for i := start; i < len(t.Entries); i++ {
		e := &t.Entries[i]
		if !w.yield(e.Entry(prefix+e.Name), nil) {
			return false
		}
		if w.recursive && e.IsDir() && !w.descend(ctx, e, prefix, "") {
			return false
		}
	}
	return true
}

// resume returns the index of the first entry after name.
func (t *Tree) resume(name string, dir bool) int {
	if i := t.index(name); i >= 0 {
		return i + 1
	}
	return t.seek(name, dir) // it is gone since: go on where it would be
}

// resumeIn walks the rest of the folder that the cursor lies in, if it lies in
// last.
func (w *lister) resumeIn(ctx context.Context, last *TreeEntry, prefix, name, below string) bool {
	if last.Name != name || !last.IsDir() || !w.recursive {
		return true
	}
	return w.descend(ctx, last, prefix, below)
}

func (w *lister) descend(ctx context.Context, e *TreeEntry, prefix, rest string) bool {
	t, err := w.r.Tree(ctx, e.OID)
	if err != nil {
		w.yield(hub.Entry{}, err)
		return false
	}
	return w.walk(ctx, t, prefix+e.Name+"/", rest)
}

// Entry is the entry as listings show it, at that path.
func (e TreeEntry) Entry(path string) hub.Entry {
	if e.IsDir() {
		return hub.Entry{Kind: hub.DirEntry, Path: path, OID: e.OID}
	}
	return hub.Entry{Kind: hub.FileEntry, Path: path, OID: e.OID, Size: e.Size, LFS: e.LFS}
}
