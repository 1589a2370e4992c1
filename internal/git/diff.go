package git

import (
	"context"
	"iter"

	"github.com/pantryhub/pantry/hub"
)

// Change is a file that differs between two trees. Old is nil for a file that
// was added, New for one that was deleted; neither is a folder.
type Change struct {
	Path     string
	Old, New *TreeEntry
}

// Diff yields the files that differ between two root trees, in the order of
// their paths. Equal folders are not read. A file that became a folder is a
// deletion and additions.
func (r Reader) Diff(ctx context.Context, a, b hub.OID) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := differ{r: r, yield: yield}
		d.trees(ctx, a, b, "")
	}
}

// differ walks two trees for Diff. Its methods report whether to go on.
type differ struct {
	r     Reader
	yield func(Change, error) bool
}

// trees compares two trees; the zero id is the empty tree.
func (d *differ) trees(ctx context.Context, a, b hub.OID, prefix string) bool {
	if a == b {
		return true
	}
	old, err := d.r.Tree(ctx, a)
	if err != nil {
		d.yield(Change{}, err)
		return false
	}
	cur, err := d.r.Tree(ctx, b)
	if err != nil {
		d.yield(Change{}, err)
		return false
	}
	// Both are in git order, so this is a merge.
	i, j := 0, 0
	for i < len(old.Entries) || j < len(cur.Entries) {
		var x, y *TreeEntry
		switch c := compareAt(old.Entries[i:], cur.Entries[j:]); {
		case c < 0:
			x = &old.Entries[i]
			i++
		case c > 0:
			y = &cur.Entries[j]
			j++
		default:
			x, y = &old.Entries[i], &cur.Entries[j]
			i++
			j++
		}
		if !d.entries(ctx, x, y, prefix) {
			return false
		}
	}
	return true
}

// compareAt compares the heads of two lists of which one is not empty.
func compareAt(a, b []TreeEntry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return compareEntries(&a[0], &b[0])
}

// entries compares two entries of one name and kind; one of them may be nil.
func (d *differ) entries(ctx context.Context, old, cur *TreeEntry, prefix string) bool {
	e := cur
	if e == nil {
		e = old
	}
	path := prefix + e.Name
	if e.IsDir() {
		return d.trees(ctx, oidOf(old), oidOf(cur), path+"/")
	}
	if old != nil && cur != nil && old.OID == cur.OID && old.Mode == cur.Mode {
		return true
	}
	return d.yield(Change{Path: path, Old: old, New: cur}, nil)
}

func oidOf(e *TreeEntry) hub.OID {
	if e == nil {
		return hub.OID{}
	}
	return e.OID
}
