package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Limits on what one object may inflate to. They bound memory when a row is
// damaged; what a repository accepts is the services' policy.
const (
	maxTree   = 256 << 20
	maxCommit = 16 << 20
	maxBlob   = 256 << 20
)

// Reader reads the objects of one repository. It is a cheap value and as safe
// for concurrent use as its queries are.
type Reader struct {
	q       *store.Q
	cache   *Cache
	repo    int64
	pending *Pending // nil for none
}

// Pending are objects that are about to be stored. A Reader that has them reads
// a commit before the transaction that writes it.
type Pending struct {
	// Object returns a pending object with its data, or false.
	Object func(hub.OID) (store.GitObject, bool, error)
	// Metas is the metadata of the pending trees.
	Metas map[hub.OID][]byte
}

// With returns a reader that looks among pending objects first.
func (r Reader) With(p *Pending) Reader {
	r.pending = p
	return r
}

// row returns an object's row, pending or stored.
func (r Reader) row(ctx context.Context, oid hub.OID) (store.GitObject, error) {
	if r.pending != nil {
		if o, ok, err := r.pending.Object(oid); ok || err != nil {
			return o, err
		}
	}
	return r.q.GitObject(ctx, r.repo, oid)
}

// treeRow returns a tree with its metadata, pending or stored.
func (r Reader) treeRow(ctx context.Context, oid hub.OID) (store.TreeRow, error) {
	if r.pending != nil {
		if meta, ok := r.pending.Metas[oid]; ok {
			o, _, err := r.pending.Object(oid)
			return store.TreeRow{Size: o.Size, Data: o.Data, Meta: meta}, err
		}
	}
	return r.q.Tree(ctx, r.repo, oid)
}

// NewReader returns a reader of a repository. The cache may be nil.
func NewReader(q *store.Q, cache *Cache, repoID int64) Reader {
	return Reader{q: q, cache: cache, repo: repoID}
}

// Object returns an object's row, or store.ErrNotFound.
func (r Reader) Object(ctx context.Context, oid hub.OID) (store.GitObject, error) {
	o, err := r.row(ctx, oid)
	if err != nil {
		return o, fmt.Errorf("object %s: %w", oid, err)
	}
	return o, nil
}

// Commit returns a commit, or store.ErrNotFound if the id is not that of a
// commit.
func (r Reader) Commit(ctx context.Context, oid hub.OID) (hub.Commit, error) {
	c, err := r.commit(ctx, oid)
	if err != nil {
		return hub.Commit{}, err
	}
	return c.Commit, nil
}

func (r Reader) commit(ctx context.Context, oid hub.OID) (*commit, error) {
	if c := r.cache.get(r.repo, oid).commit; c != nil {
		return c, nil
	}
	o, err := r.row(ctx, oid)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", oid, err)
	}
	if o.Kind != KindCommit {
		return nil, fmt.Errorf("commit %s: is a %s: %w", oid, o.Kind, store.ErrNotFound)
	}
	payload, err := Inflate(o.Data, o.Size, maxCommit)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", oid, err)
	}
	info, err := DecodeCommitInfo(payload)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", oid, err)
	}
	c := &commit{Commit: info.summary(oid), committed: info.Committer.When.Unix()}
	r.cache.put(r.repo, oid, cached{commit: c})
	return c, nil
}

// Tree returns a tree, or store.ErrNotFound. The zero id is the empty tree.
func (r Reader) Tree(ctx context.Context, oid hub.OID) (*Tree, error) {
	if oid.IsZero() {
		return &Tree{}, nil
	}
	if t := r.cache.get(r.repo, oid).tree; t != nil {
		return t, nil
	}
	row, err := r.treeRow(ctx, oid)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", oid, err)
	}
	payload, err := Inflate(row.Data, row.Size, maxTree)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", oid, err)
	}
	t, err := DecodeTree(oid, payload)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", oid, err)
	}
	if err := DecodeTreeMeta(t.Entries, row.Meta); err != nil {
		return nil, fmt.Errorf("tree %s: %w", oid, err)
	}
	r.cache.put(r.repo, oid, cached{tree: t})
	return t, nil
}

// Blob returns a blob: its content if it is inline, else the CAS file that
// holds it, and in both cases its size. It returns store.ErrNotFound if the id
// is not that of a blob.
func (r Reader) Blob(ctx context.Context, oid hub.OID) (content []byte, xet *hub.XetHash, size int64, err error) {
	o, err := r.row(ctx, oid)
	switch {
	case err != nil:
		return nil, nil, 0, fmt.Errorf("blob %s: %w", oid, err)
	case o.Kind != KindBlob:
		return nil, nil, 0, fmt.Errorf("blob %s: is a %s: %w", oid, o.Kind, store.ErrNotFound)
	case o.Xet != nil:
		return nil, o.Xet, o.Size, nil
	}
	content, err = Inflate(o.Data, o.Size, maxBlob)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("blob %s: %w", oid, err)
	}
	return content, nil, o.Size, nil
}

// Lookup returns the entry at a path below a root tree, or an error of
// hub.ErrEntryNotFound. The path "" is the root itself.
func (r Reader) Lookup(ctx context.Context, root hub.OID, path string) (TreeEntry, error) {
	if path == "" {
		t, err := r.Tree(ctx, root)
		if err != nil {
			return TreeEntry{}, err
		}
		return TreeEntry{Mode: ModeDir, OID: root, Size: t.Size()}, nil
	}
	e := TreeEntry{Mode: ModeDir, OID: root}
	for seg := range strings.SplitSeq(path, "/") {
		if !e.IsDir() {
			return TreeEntry{}, entryNotFound(path)
		}
		t, err := r.Tree(ctx, e.OID)
		if err != nil {
			return TreeEntry{}, fmt.Errorf("look up %s: %w", path, err)
		}
		var ok bool
		if e, ok = t.Find(seg); !ok {
			return TreeEntry{}, entryNotFound(path)
		}
	}
	return e, nil
}

func entryNotFound(path string) error {
	return hub.Errorf(hub.CodeEntryNotFound, "Entry not found: %s", path)
}

// dir returns the tree of the folder at a path below a root.
func (r Reader) dir(ctx context.Context, root hub.OID, path string) (*Tree, error) {
	if path == "" {
		return r.Tree(ctx, root)
	}
	e, err := r.Lookup(ctx, root, path)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, entryNotFound(path)
	}
	return r.Tree(ctx, e.OID)
}
