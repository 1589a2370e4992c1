package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// GitObject is one git object as a row keeps it.
type GitObject struct {
	OID  hub.OID
	Kind string // "commit", "tree", "blob" or "tag"
	Size int64  // bytes of the payload, inflated and without git's header

	// Data is the payload as one zlib stream, as a pack entry carries it. It is
	// nil for a blob whose bytes are the CAS file Xet.
	Data []byte
	Xet  *hub.XetHash // nil for an inline object
}

// TreeMeta is what listings need of a tree beside the git object: see
// internal/git for the encoding of Data.
type TreeMeta struct {
	OID  hub.OID
	Data []byte
}

// Ref is a ref of a repository.
type Ref struct {
	Name   string   // full: refs/heads/main
	Target hub.OID  // the commit; an annotated tag is peeled
	Tag    *hub.OID // the annotated tag object that peels to Target, or nil
}

// One statement of a bulk insert carries at most this many rows and about this
// many bytes, so that memory stays bounded however large a push is.
const (
	gitBatchRows  = 100
	gitBatchBytes = 1 << 20
)

// PutGitObjects stores objects as they come; those that the repository already
// has are left as they are. The sequence must not run queries of this
// transaction. An error of the sequence ends the insert and is returned as it
// is.
func (q *Q) PutGitObjects(ctx context.Context, repoID int64, objs iter.Seq2[GitObject, error]) error {
	b := bulkInsert{
		q: q, name: "put git objects",
		head: `INSERT INTO git_object (repo_id, oid, kind, size, xet, data) VALUES `,
		tail: ` ON CONFLICT (repo_id, oid) DO NOTHING`,
	}
	for o, err := range objs {
		if err != nil {
			return err
		}
		row := []any{repoID, o.OID[:], o.Kind, o.Size, hashArg(o.Xet), bytesArg(o.Data)}
		if err := b.add(ctx, len(o.Data), row); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// PutTreeMetas stores the metadata of trees; rows that exist stay.
func (q *Q) PutTreeMetas(ctx context.Context, repoID int64, metas []TreeMeta) error {
	b := bulkInsert{
		q: q, name: "put tree metas",
		head: `INSERT INTO tree_meta (repo_id, oid, data) VALUES `,
		tail: ` ON CONFLICT (repo_id, oid) DO NOTHING`,
	}
	for _, m := range metas {
		if err := b.add(ctx, len(m.Data), []any{repoID, m.OID[:], m.Data}); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// bulkInsert collects rows into INSERT statements of bounded size.
type bulkInsert struct {
	q          *Q
	name       string
	head, tail string

	args  []any
	rows  int
	bytes int

	inserted int64 // rows that were new, so far
}

// add queues one row of about size bytes, sending what is queued when full.
func (b *bulkInsert) add(ctx context.Context, size int, row []any) error {
	b.args = append(b.args, row...)
	b.rows++
	b.bytes += size
	if b.rows < gitBatchRows && b.bytes < gitBatchBytes {
		return nil
	}
	return b.flush(ctx)
}

// flush sends the queued rows.
func (b *bulkInsert) flush(ctx context.Context) error {
	if b.rows == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString(b.head)
	width := len(b.args) / b.rows
	for i := range b.rows {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte('(')
		text.WriteString(placeholders(1+i*width, width))
		text.WriteByte(')')
	}
	text.WriteString(b.tail)
	n, err := b.q.exec(ctx, b.name, text.String(), b.args...)
	b.inserted += n
	clear(b.args)
	b.args, b.rows, b.bytes = b.args[:0], 0, 0
	return err
}

// hashArg and bytesArg keep nil apart from empty: an untyped nil is NULL.
func hashArg(h *hub.XetHash) any {
	if h == nil {
		return nil
	}
	return h[:]
}

func bytesArg(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

const gitObjectColumns = `oid, kind, size, xet, data`

func scanGitObject(scan func(...any) error) (GitObject, error) {
	var (
		o        GitObject
		oid, xet []byte
	)
	if err := scan(&oid, &o.Kind, &o.Size, &xet, &o.Data); err != nil {
		return o, err
	}
	if xet != nil {
		o.Xet = new(hub.XetHash)
		if err := copyHash(o.Xet[:], xet, "git_object.xet"); err != nil {
			return o, err
		}
	}
	return o, copyHash(o.OID[:], oid, "git_object.oid")
}

func scanOID(scan func(...any) error) (hub.OID, error) {
	var (
		oid hub.OID
		raw []byte
	)
	if err := scan(&raw); err != nil {
		return oid, err
	}
	return oid, copyHash(oid[:], raw, "oid")
}

// GitObject returns one object, or ErrNotFound.
func (q *Q) GitObject(ctx context.Context, repoID int64, oid hub.OID) (GitObject, error) {
	return one(ctx, q, "git object", scanGitObject, `
		SELECT `+gitObjectColumns+` FROM git_object WHERE repo_id = $1 AND oid = $2`, repoID, oid[:])
}

// TreeRow is a tree object with its metadata.
type TreeRow struct {
	Size int64
	Data []byte // zlib stream
	Meta []byte // nil if there is none
}

// Tree returns a tree object and its metadata in one query, or ErrNotFound.
func (q *Q) Tree(ctx context.Context, repoID int64, oid hub.OID) (TreeRow, error) {
	scan := func(scan func(...any) error) (r TreeRow, err error) {
		return r, scan(&r.Size, &r.Data, &r.Meta)
	}
	return one(ctx, q, "git tree", scan, `
		SELECT o.size, o.data, m.data
		FROM git_object o LEFT JOIN tree_meta m ON m.repo_id = o.repo_id AND m.oid = o.oid
		WHERE o.repo_id = $1 AND o.oid = $2 AND o.kind = 'tree'`, repoID, oid[:])
}

// CommitsByPrefix returns up to limit commits whose id starts with the given
// hex digits (at most 40).
func (q *Q) CommitsByPrefix(ctx context.Context, repoID int64, hexPrefix string, limit int) ([]hub.OID, error) {
	if len(hexPrefix) > 40 {
		return nil, nil
	}
	low, err := hex.DecodeString(hexPrefix + strings.Repeat("0", 40-len(hexPrefix)))
	if err != nil {
		return nil, fmt.Errorf("commits by prefix: %w", err)
	}
	high, err := hex.DecodeString(hexPrefix + strings.Repeat("f", 40-len(hexPrefix)))
	if err != nil {
		return nil, fmt.Errorf("commits by prefix: %w", err)
	}
	return all(ctx, q, "commits by prefix", scanOID, `
		SELECT oid FROM git_object
		WHERE repo_id = $1 AND oid >= $2 AND oid <= $3 AND kind = 'commit'
		ORDER BY oid LIMIT $4`, repoID, low, high, limit)
}

// EachGitObject streams every object of a repository in the order of its ids.
// Inside a transaction no other query may run until the loop ends.
func (q *Q) EachGitObject(ctx context.Context, repoID int64) iter.Seq2[GitObject, error] {
	return each(ctx, q, "git objects", scanGitObject, `
		SELECT `+gitObjectColumns+` FROM git_object WHERE repo_id = $1 ORDER BY oid`, repoID)
}

// CopyGitObjects copies the objects, tree metadata and refs of a repository
// into another one that has no refs yet.
func (q *Q) CopyGitObjects(ctx context.Context, from, to int64) error {
	// Refs first: objects are never removed, so those copied later hold at
	// least what the copied refs name, whatever is committed in between.
	for _, text := range []string{
		`INSERT INTO ref (repo_id, name, target, tag)
		SELECT CAST($2 AS BIGINT), name, target, tag FROM ref WHERE repo_id = $1`,
		`INSERT INTO git_object (repo_id, ` + gitObjectColumns + `)
		SELECT CAST($2 AS BIGINT), ` + gitObjectColumns + ` FROM git_object WHERE repo_id = $1
		ON CONFLICT (repo_id, oid) DO NOTHING`,
		`INSERT INTO tree_meta (repo_id, oid, data)
		SELECT CAST($2 AS BIGINT), oid, data FROM tree_meta WHERE repo_id = $1
		ON CONFLICT (repo_id, oid) DO NOTHING`,
	} {
		if _, err := q.exec(ctx, "copy git objects", text, from, to); err != nil {
			return err
		}
	}
	return nil
}

// DeleteGit removes every ref, object and tree metadata of a repository.
func (q *Q) DeleteGit(ctx context.Context, repoID int64) error {
	for _, table := range []string{"ref", "tree_meta", "git_object"} {
		if _, err := q.exec(ctx, "delete git", `DELETE FROM `+table+` WHERE repo_id = $1`, repoID); err != nil {
			return err
		}
	}
	return nil
}

const refColumns = `name, target, tag`

func scanRef(scan func(...any) error) (Ref, error) {
	var (
		r           Ref
		target, tag []byte
	)
	if err := scan(&r.Name, &target, &tag); err != nil {
		return r, err
	}
	if tag != nil {
		r.Tag = new(hub.OID)
		if err := copyHash(r.Tag[:], tag, "ref.tag"); err != nil {
			return r, err
		}
	}
	return r, copyHash(r.Target[:], target, "ref.target")
}

func tagArg(tag *hub.OID) any {
	if tag == nil {
		return nil
	}
	return tag[:]
}

// Ref returns a ref by its full name, or ErrNotFound.
func (q *Q) Ref(ctx context.Context, repoID int64, name string) (Ref, error) {
	return one(ctx, q, "ref", scanRef, `
		SELECT `+refColumns+` FROM ref WHERE repo_id = $1 AND name = $2`, repoID, name)
}

// FirstRef returns the first of the named refs that exists, or ErrNotFound.
func (q *Q) FirstRef(ctx context.Context, repoID int64, names ...string) (Ref, error) {
	args := []any{repoID}
	for _, n := range names {
		args = append(args, n)
	}
	refs, err := all(ctx, q, "first ref", scanRef, `
		SELECT `+refColumns+` FROM ref
		WHERE repo_id = $1 AND name IN (`+placeholders(2, len(names))+`)`, args...)
	if err != nil {
		return Ref{}, err
	}
	for _, n := range names {
		if i := slices.IndexFunc(refs, func(r Ref) bool { return r.Name == n }); i >= 0 {
			return refs[i], nil
		}
	}
	return Ref{}, fmt.Errorf("first ref: %w", ErrNotFound)
}

// Refs returns every ref, ordered by the bytes of its name (as git does; a
// database orders by its locale).
func (q *Q) Refs(ctx context.Context, repoID int64) ([]Ref, error) {
	refs, err := all(ctx, q, "refs", scanRef, `
		SELECT `+refColumns+` FROM ref WHERE repo_id = $1`, repoID)
	slices.SortFunc(refs, func(a, b Ref) int { return cmp.Compare(a.Name, b.Name) })
	return refs, err
}

// CreateRef adds a ref, or returns ErrConflict if the name is taken.
func (q *Q) CreateRef(ctx context.Context, repoID int64, r Ref) error {
	n, err := q.exec(ctx, "create ref", `
		INSERT INTO ref (repo_id, name, target, tag) VALUES ($1, $2, $3, $4)
		ON CONFLICT (repo_id, name) DO NOTHING`, repoID, r.Name, r.Target[:], tagArg(r.Tag))
	if err == nil && n == 0 {
		return fmt.Errorf("create ref %s: %w", r.Name, ErrConflict)
	}
	return err
}

// MoveRef moves a ref from one commit to another. It reports false, and does
// nothing, if the ref no longer points to from or does not exist.
func (q *Q) MoveRef(ctx context.Context, repoID int64, name string, from, to hub.OID) (bool, error) {
	n, err := q.exec(ctx, "move ref", `
		UPDATE ref SET target = $4, tag = NULL
		WHERE repo_id = $1 AND name = $2 AND target = $3`, repoID, name, from[:], to[:])
	return n > 0, err
}

// PutRef creates or overwrites a ref.
func (q *Q) PutRef(ctx context.Context, repoID int64, r Ref) error {
	_, err := q.exec(ctx, "put ref", `
		INSERT INTO ref (repo_id, name, target, tag) VALUES ($1, $2, $3, $4)
		ON CONFLICT (repo_id, name) DO UPDATE SET target = EXCLUDED.target, tag = EXCLUDED.tag`,
		repoID, r.Name, r.Target[:], tagArg(r.Tag))
	return err
}

// DeleteRef removes a ref and reports whether it existed.
func (q *Q) DeleteRef(ctx context.Context, repoID int64, name string) (bool, error) {
	n, err := q.exec(ctx, "delete ref", `DELETE FROM ref WHERE repo_id = $1 AND name = $2`, repoID, name)
	return n > 0, err
}
