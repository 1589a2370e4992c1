package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Editor collects changes to a tree and writes the folders they touch. Folders
// load when a change comes by; one that ends empty vanishes, as git keeps none.
// It is for one goroutine.
type Editor struct {
	r    Reader
	root *editDir
}

// NewEditor edits the tree of that id; the zero id is the empty tree. Nothing
// is read yet.
func NewEditor(r Reader, root hub.OID) *Editor {
	return &Editor{r: r, root: &editDir{base: root}}
}

// editDir is a folder being edited.
type editDir struct {
	base  hub.OID // the tree it starts from; zero for a new folder
	tree  *Tree   // base, once loaded
	dirty bool    // something in or below it changed

	// names holds what was put, removed or opened, and hides the base.
	names map[string]*editNode
}

// editNode is a name in a folder: a file or folder put there (entry), a folder
// opened for editing (dir), or a removed name (neither).
type editNode struct {
	entry *TreeEntry
	dir   *editDir
}

func (n *editNode) removed() bool { return n.entry == nil && n.dir == nil }

// load reads the tree that the folder starts from.
func (d *editDir) load(ctx context.Context, r Reader) error {
	if d.tree != nil {
		return nil
	}
	t, err := r.Tree(ctx, d.base)
	if err != nil {
		return err
	}
	d.tree = t
	return nil
}

// get returns what the folder holds under a name, as a node of its own or of
// its base; nil if nothing.
func (d *editDir) get(ctx context.Context, r Reader, name string) (*editNode, error) {
	if n, ok := d.names[name]; ok {
		if n.removed() {
			return nil, nil
		}
		return n, nil
	}
	if err := d.load(ctx, r); err != nil {
		return nil, err
	}
	e, ok := d.tree.Find(name)
	if !ok {
		return nil, nil
	}
	return &editNode{entry: &e}, nil
}

func (d *editDir) set(name string, n *editNode) {
	if d.names == nil {
		d.names = make(map[string]*editNode)
	}
	d.names[name] = n
}

// open returns the folder under a name for editing; nil if the name is free,
// and an error if it is a file.
func (d *editDir) open(ctx context.Context, r Reader, name string) (*editDir, error) {
	n, err := d.get(ctx, r, name)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, nil
	case n.dir != nil:
		return n.dir, nil
	case !n.entry.IsDir():
		return nil, errIsFile
	}
	sub := &editDir{base: n.entry.OID}
	// A folder that was put whole differs from the base already.
	_, sub.dirty = d.names[name]
	d.set(name, &editNode{dir: sub})
	return sub, nil
}

// errIsFile is open's answer for a file; callers say it in terms of the path.
var errIsFile = errors.New("is a file")

// empty reports whether the folder holds no file at any depth.
func (d *editDir) empty(ctx context.Context, r Reader) (bool, error) {
	if err := d.load(ctx, r); err != nil {
		return false, err
	}
	for i := range d.tree.Entries {
		if _, hidden := d.names[d.tree.Entries[i].Name]; !hidden {
			return false, nil
		}
	}
	for _, n := range d.names {
		if n.entry != nil {
			return false, nil
		}
		if n.dir == nil {
			continue
		}
		if empty, err := n.dir.empty(ctx, r); err != nil || !empty {
			return false, err
		}
	}
	return true, nil
}

// Lookup returns the entry at a path as the edits so far leave it. The id and
// size of a folder that was edited are zero until Write.
func (ed *Editor) Lookup(ctx context.Context, path string) (TreeEntry, bool, error) {
	d := ed.root
	parents, name := splitPath(path)
	for _, seg := range parents {
		sub, err := d.open(ctx, ed.r, seg)
		if errors.Is(err, errIsFile) || err == nil && sub == nil {
			return TreeEntry{}, false, nil
		}
		if err != nil {
			return TreeEntry{}, false, fmt.Errorf("look up %s: %w", path, err)
		}
		d = sub
	}
	n, err := d.get(ctx, ed.r, name)
	switch {
	case err != nil:
		return TreeEntry{}, false, fmt.Errorf("look up %s: %w", path, err)
	case n == nil:
		return TreeEntry{}, false, nil
	case n.entry != nil:
		return *n.entry, true, nil
	}
	empty, err := n.dir.empty(ctx, ed.r)
	if err != nil || empty {
		return TreeEntry{}, false, err
	}
	e := TreeEntry{Name: name, Mode: ModeDir}
	if !n.dir.dirty {
		e.OID, e.Size = n.dir.base, n.dir.tree.Size()
	}
	return e, true, nil
}

// Put adds or replaces the file at a path, with the folders above it. The
// entry's name is taken from the path. It refuses, with hub.CodeUnprocessable,
// a path below a file and one that is a folder with files in it. An entry of
// ModeDir adds a whole stored tree.
func (ed *Editor) Put(ctx context.Context, path string, e TreeEntry) error {
	parents, name := splitPath(path)
	if err := CheckName(name); err != nil {
		return err
	}
	if _, ok := e.Mode.octal(); !ok || e.OID.IsZero() {
		return fmt.Errorf("put %s: no mode or no object", path)
	}
	chain := []*editDir{ed.root}
	d := ed.root
	for _, seg := range parents {
		sub, err := d.open(ctx, ed.r, seg)
		switch {
		case errors.Is(err, errIsFile):
			return hub.Errorf(hub.CodeUnprocessable, "%q cannot be added: a folder above it is a file", path)
		case err != nil:
			return fmt.Errorf("put %s: %w", path, err)
		case sub == nil:
			if err := CheckName(seg); err != nil {
				return err
			}
			sub = &editDir{tree: &Tree{}}
			d.set(seg, &editNode{dir: sub})
		}
		chain = append(chain, sub)
		d = sub
	}
	if err := ed.checkReplace(ctx, d, path, name); err != nil {
		return err
	}
	e.Name = name
	d.set(name, &editNode{entry: &e})
	for _, d := range chain {
		d.dirty = true
	}
	return nil
}

// checkReplace refuses to replace a folder that holds files.
func (ed *Editor) checkReplace(ctx context.Context, d *editDir, path, name string) error {
	n, err := d.get(ctx, ed.r, name)
	if err != nil {
		return fmt.Errorf("put %s: %w", path, err)
	}
	if n == nil || n.entry != nil && !n.entry.IsDir() {
		return nil
	}
	if n.dir != nil {
		if empty, err := n.dir.empty(ctx, ed.r); err != nil || empty {
			return err
		}
	}
	return hub.Errorf(hub.CodeUnprocessable, "%q cannot be added: it is a folder", path)
}

// Remove removes the file at a path, or returns an error of
// hub.ErrEntryNotFound.
func (ed *Editor) Remove(ctx context.Context, path string) error {
	return ed.remove(ctx, path, false)
}

// RemoveDir removes the folder at a path with everything in it, or returns an
// error of hub.ErrEntryNotFound. The path "" empties the tree.
func (ed *Editor) RemoveDir(ctx context.Context, path string) error {
	if path == "" {
		ed.root = &editDir{tree: &Tree{}, base: ed.root.base, dirty: true}
		return nil
	}
	return ed.remove(ctx, path, true)
}

func (ed *Editor) remove(ctx context.Context, path string, dir bool) error {
	e, ok, err := ed.Lookup(ctx, path)
	switch {
	case err != nil:
		return fmt.Errorf("remove %s: %w", path, err)
	case dir && (!ok || !e.IsDir()):
		return hub.Errorf(hub.CodeEntryNotFound, "A folder with this name doesn't exist")
	case !dir && (!ok || e.IsDir()):
		return hub.Errorf(hub.CodeEntryNotFound, "A file with this name doesn't exist")
	}
	parents, name := splitPath(path)
	d := ed.root
	d.dirty = true
	for _, seg := range parents {
		if d, err = d.open(ctx, ed.r, seg); err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
		d.dirty = true
	}
	d.set(name, &editNode{})
	return nil
}

// Write returns the id of the edited tree, and the rows of the trees that are
// not known to be stored: those that changed. With no effective change the id
// is the one that the editor started from. An empty tree has a row and an id
// too, git's well-known one.
func (ed *Editor) Write(ctx context.Context) (root hub.OID, trees []store.GitObject, metas []store.TreeMeta, err error) {
	if !ed.root.dirty && !ed.root.base.IsZero() {
		return ed.root.base, nil, nil, nil
	}
	w := treeWriter{r: ed.r}
	e, err := w.write(ctx, ed.root)
	if err != nil {
		return hub.OID{}, nil, nil, fmt.Errorf("write tree: %w", err)
	}
	return e.OID, w.trees, w.metas, nil
}

// treeWriter collects the rows of changed trees, children before parents.
type treeWriter struct {
	r     Reader
	trees []store.GitObject
	metas []store.TreeMeta
}

// write writes a changed folder and returns its entry, without a name. It
// writes an empty folder too: whoever holds it leaves it out.
func (w *treeWriter) write(ctx context.Context, d *editDir) (TreeEntry, error) {
	if err := d.load(ctx, w.r); err != nil {
		return TreeEntry{}, err
	}
	entries, err := w.merge(ctx, d)
	if err != nil {
		return TreeEntry{}, err
	}
	obj, meta, err := EncodeTree(entries)
	if err != nil {
		return TreeEntry{}, err
	}
	if obj.OID != d.base {
		w.trees = append(w.trees, obj)
		w.metas = append(w.metas, meta)
		w.r.cache.put(w.r.repo, obj.OID, cached{tree: &Tree{OID: obj.OID, Entries: entries}})
	}
	return TreeEntry{Mode: ModeDir, OID: obj.OID, Size: totalSize(entries)}, nil
}

// merge returns the entries of a folder after its changes, in git order.
func (w *treeWriter) merge(ctx context.Context, d *editDir) ([]TreeEntry, error) {
	var added []TreeEntry
	var dropped []int // positions in the base
	for name, n := range d.names {
		if n.dir != nil && !n.dir.dirty {
			continue // opened, not changed: the base still holds
		}
		if i := d.tree.index(name); i >= 0 {
			dropped = append(dropped, i)
		}
		switch {
		case n.entry != nil:
			added = append(added, *n.entry)
		case n.dir != nil:
			e, err := w.writeChild(ctx, n.dir)
			if err != nil {
				return nil, err
			}
			if e != nil {
				e.Name = name
				added = append(added, *e)
			}
		}
	}
	slices.SortFunc(added, func(a, b TreeEntry) int { return compareEntries(&a, &b) })
	slices.Sort(dropped)
	return mergeEntries(d.tree.Entries, dropped, added), nil
}

// writeChild writes a folder unless it is empty, for which it returns nil.
func (w *treeWriter) writeChild(ctx context.Context, d *editDir) (*TreeEntry, error) {
	empty, err := d.empty(ctx, w.r)
	if err != nil || empty {
		return nil, err
	}
	e, err := w.write(ctx, d)
	return &e, err
}

// mergeEntries merges added into base without the positions dropped; all are
// sorted.
func mergeEntries(base []TreeEntry, dropped []int, added []TreeEntry) []TreeEntry {
	out := make([]TreeEntry, 0, len(base)-len(dropped)+len(added))
	at := 0 // base[:at] is done; runs of the rest are copied whole
	for len(added) > 0 || len(dropped) > 0 {
		stop := len(base)
		if len(added) > 0 {
			stop = at + seekEntries(base[at:], added[0].Name, added[0].IsDir())
		}
		if len(dropped) > 0 && dropped[0] < stop {
			out = append(out, base[at:dropped[0]]...)
			at = dropped[0] + 1
			dropped = dropped[1:]
			continue
		}
		out = append(out, base[at:stop]...)
		out = append(out, added[0])
		at = stop
		added = added[1:]
	}
	return append(out, base[at:]...)
}

// splitPath splits a path into the folders above it and its name.
func splitPath(path string) (parents []string, name string) {
	segs := strings.Split(path, "/")
	return segs[:len(segs)-1], segs[len(segs)-1]
}
