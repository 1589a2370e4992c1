package repo

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// Resolve finds the commit that a revision names. It returns
// hub.ErrRevisionNotFound if there is none; an empty repository has none.
func (r *Repo) Resolve(ctx context.Context, rev hub.Revision) (hub.Commit, error) {
	oid := r.Head
	switch string(rev) {
	case "", "HEAD", r.DefaultBranch:
		if oid.IsZero() {
			return hub.Commit{}, revisionNotFound(rev)
		}
	default:
		var err error
		if oid, _, err = r.git().Resolve(ctx, rev, r.DefaultBranch); err != nil {
			return hub.Commit{}, err
		}
	}
	return r.git().Commit(ctx, oid)
}

func revisionNotFound(rev hub.Revision) error {
	return hub.Errorf(hub.CodeRevisionNotFound, "Invalid rev id: %s", rev)
}

// Entry describes the file or folder at a path of a commit. The path "" is the
// top folder.
func (r *Repo) Entry(ctx context.Context, c hub.Commit, path string) (hub.Entry, error) {
	e, err := r.git().Lookup(ctx, c.Tree, path)
	if err != nil {
		return hub.Entry{}, err
	}
	return e.Entry(path), nil
}

// List lists a folder of a commit in path order, with everything below it if
// recursive, resuming after the path after. A missing folder is an error.
func (r *Repo) List(ctx context.Context, c hub.Commit, dir string, recursive bool, after string) iter.Seq2[hub.Entry, error] {
	return r.git().List(ctx, c.Tree, dir, recursive, after)
}

// Files lists every file of a commit.
func (r *Repo) Files(ctx context.Context, c hub.Commit) ([]hub.Entry, error) {
	var files []hub.Entry
	for e, err := range r.List(ctx, c, "", true, "") {
		if err != nil {
			return nil, err
		}
		if e.Kind == hub.FileEntry {
			files = append(files, e)
		}
	}
	return files, nil
}

// TreeSize is the number of bytes in a file or below a folder.
func (r *Repo) TreeSize(ctx context.Context, c hub.Commit, path string) (int64, error) {
	entry, err := r.Entry(ctx, c, path)
	if err != nil || entry.Kind == hub.FileEntry {
		return entry.Size, err
	}
	var total int64
	for e, err := range r.List(ctx, c, path, true, "") {
		if err != nil {
			return 0, err
		}
		total += e.Size
	}
	return total, nil
}

// LastCommits finds the commit that last changed each of the entries. How far
// it looks back is bounded: old changes may be left out.
func (r *Repo) LastCommits(ctx context.Context, c hub.Commit, entries []hub.Entry) (map[string]hub.Commit, error) {
	byDir := map[string][]string{}
	for _, e := range entries {
		dir := hub.Dir(e.Path)
		byDir[dir] = append(byDir[dir], strings.TrimPrefix(strings.TrimPrefix(e.Path, dir), "/"))
	}
	out := make(map[string]hub.Commit, len(entries))
	budget := git.MaxLastCommits
	for dir, names := range byDir {
		found, err := r.git().LastCommits(ctx, c.OID, dir, names, &budget)
		if err != nil {
			return nil, err
		}
		for name, commit := range found {
			if dir != "" {
				name = dir + "/" + name
			}
			out[name] = commit
		}
	}
	return out, nil
}

// Log lists the history of a commit, newest first.
func (r *Repo) Log(ctx context.Context, from hub.OID) iter.Seq2[hub.Commit, error] {
	return r.git().Log(ctx, from)
}

// Refs are a repository's named commits by kind, the default branch first.
type Refs struct {
	Branches, Tags, Converts, PullRequests []hub.Ref
}

// Refs lists the refs.
func (r *Repo) Refs(ctx context.Context) (Refs, error) {
	rows, err := r.svc.db.Read().Refs(ctx, r.ID)
	if err != nil {
		return Refs{}, err
	}
	var refs Refs
	for _, row := range rows {
		ref := hub.Ref{Name: row.Name, Target: row.Target}
		switch {
		case row.Name == hub.BranchPrefix+r.DefaultBranch:
			refs.Branches = append([]hub.Ref{ref}, refs.Branches...)
		case strings.HasPrefix(row.Name, hub.BranchPrefix):
			refs.Branches = append(refs.Branches, ref)
		case strings.HasPrefix(row.Name, hub.TagPrefix):
			refs.Tags = append(refs.Tags, ref)
		case strings.HasPrefix(row.Name, hub.ConvertPrefix):
			refs.Converts = append(refs.Converts, ref)
		case strings.HasPrefix(row.Name, hub.PRPrefix):
			refs.PullRequests = append(refs.PullRequests, ref)
		}
	}
	return refs, nil
}

// Change is one path that differs between two commits. Old is nil for an
// added file, New for a removed one.
type Change struct {
	Path     string
	Old, New *hub.Entry
}

// Compare lists the paths that differ between two commits, in path order.
func (r *Repo) Compare(ctx context.Context, base, head hub.Commit) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for d, err := range r.git().Diff(ctx, base.Tree, head.Tree) {
			c := Change{Path: d.Path, Old: entryAt(d.Old, d.Path), New: entryAt(d.New, d.Path)}
			if !yield(c, err) {
				return
			}
		}
	}
}

func entryAt(e *git.TreeEntry, path string) *hub.Entry {
	if e == nil {
		return nil
	}
	entry := e.Entry(path)
	return &entry
}

// DerivedJSON is the JSON object of what is computed from the files at head.
func (r *Repo) DerivedJSON(ctx context.Context) ([]byte, error) {
	return r.svc.db.Read().Derived(ctx, r.ID)
}

// LargeFile is a large file that a repository holds.
type LargeFile = store.RepoFile

// LargeFiles lists the large files of a repository by content, after one of
// them.
func (r *Repo) LargeFiles(ctx context.Context, after hub.SHA256, limit int) ([]LargeFile, error) {
	return r.svc.db.Read().RepoFiles(ctx, r.ID, after, limit)
}

// HasLargeFile finds the large file with this content in the repository, or
// hub.ErrNotFound.
func (r *Repo) HasLargeFile(ctx context.Context, sha hub.SHA256) (LargeFile, error) {
	f, err := r.svc.db.Read().RepoFile(ctx, r.ID, sha)
	if errors.Is(err, store.ErrNotFound) {
		return LargeFile{}, hub.ErrNotFound
	}
	return f, err
}
