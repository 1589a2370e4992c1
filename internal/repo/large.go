package repo

import (
	"context"
	"errors"
	"fmt"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// AddLargeFile lets the repository commit a large file whose content the CAS
// has verified.
func (r *Repo) AddLargeFile(ctx context.Context, sha hub.SHA256, xet hub.XetHash, size int64) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	return r.svc.db.Update(ctx, func(q *store.Q) error {
		_, err := q.LinkRepoFile(ctx, store.NewRepoFile{
			RepoID: r.ID, AccountID: r.Actor.ID, SHA256: sha, Xet: xet, Size: size,
		}, r.svc.now())
		return err
	})
}

// ShareLargeFiles lets another repository of the same actor hold large files
// of this one, without copying a byte. It returns those that this one has not.
func (r *Repo) ShareLargeFiles(ctx context.Context, t hub.RepoType, id hub.RepoID, shas []hub.SHA256) (missing []hub.SHA256, err error) {
	if err := r.Require(authz.Read); err != nil {
		return nil, err
	}
	target, err := r.svc.Open(ctx, r.Actor, t, id, authz.Write)
	if err != nil {
		return nil, err
	}
	files, err := r.svc.db.Read().RepoFilesBySHA(ctx, r.ID, shas)
	if err != nil {
		return nil, err
	}
	for _, sha := range shas {
		if _, ok := files[sha]; !ok {
			missing = append(missing, sha)
		}
	}
	return missing, r.svc.db.Update(ctx, func(q *store.Q) error {
		for _, f := range files {
			_, err := q.LinkRepoFile(ctx, store.NewRepoFile{
				RepoID: target.ID, AccountID: r.Actor.ID, SHA256: f.SHA256, Xet: f.Xet, Size: f.Size,
			}, r.svc.now())
			if err != nil {
				return err
			}
		}
		return q.SetStorage(ctx, target.ID)
	})
}

// DeleteLargeFiles takes large files from the repository for good. With
// rewrite, every branch is rewritten so that no commit names them; without,
// the history keeps pointers to content that is gone.
func (r *Repo) DeleteLargeFiles(ctx context.Context, shas []hub.SHA256, rewrite bool) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	gone := make(map[hub.SHA256]bool, len(shas))
	for _, sha := range shas {
		gone[sha] = true
	}
	defer r.svc.lock(r.ID)()
	var moves []rewritten
	if rewrite {
		var err error
		if moves, err = r.rewriteWithout(ctx, gone); err != nil {
			return err
		}
	}
	err := r.svc.db.Update(ctx, func(q *store.Q) error {
		for _, m := range moves {
			if err := r.applyRewrite(ctx, q, m); err != nil {
				return err
			}
		}
		for sha := range gone {
			if _, err := q.DeleteRepoFile(ctx, r.ID, sha); err != nil {
				return err
			}
		}
		return q.SetStorage(ctx, r.ID)
	})
	if errors.Is(err, errMoved) {
		return hub.ErrStale
	}
	return err
}

// rewritten is a branch with its new history.
type rewritten struct {
	ref     store.Ref
	head    hub.Commit
	objects []store.GitObject
	metas   []store.TreeMeta
}

func (r *Repo) applyRewrite(ctx context.Context, q *store.Q, m rewritten) error {
	if err := q.PutGitObjects(ctx, r.ID, seqOf(m.objects)); err != nil {
		return err
	}
	if err := q.PutTreeMetas(ctx, r.ID, m.metas); err != nil {
		return err
	}
	moved, err := q.MoveRef(ctx, r.ID, m.ref.Name, m.ref.Target, m.head.OID)
	if err != nil {
		return err
	}
	if !moved {
		return errMoved
	}
	if m.ref.Name != hub.BranchPrefix+r.DefaultBranch {
		return nil
	}
	return r.updateCatalog(ctx, q, hub.Commit{}, m.head, nil)
}

// rewriteWithout builds, for every branch that names one of the files, a
// history that does not. Tags keep the commits that they were given.
func (r *Repo) rewriteWithout(ctx context.Context, gone map[hub.SHA256]bool) ([]rewritten, error) {
	refs, err := r.svc.db.Read().Refs(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	done := map[hub.OID]hub.Commit{}
	var moves []rewritten
	for _, ref := range refs {
		if ref.Tag != nil || len(ref.Name) < len(hub.BranchPrefix) || ref.Name[:len(hub.BranchPrefix)] != hub.BranchPrefix {
			continue
		}
		m := rewritten{ref: ref}
		if err := r.rewriteBranch(ctx, &m, gone, done); err != nil {
			return nil, fmt.Errorf("rewrite %s: %w", ref.Name, err)
		}
		if m.head.OID == ref.Target {
			continue
		}
		moves = append(moves, m)
	}
	return moves, nil
}

func (r *Repo) rewriteBranch(ctx context.Context, m *rewritten, gone map[hub.SHA256]bool, done map[hub.OID]hub.Commit) error {
	reader := r.git()
	var history []hub.Commit
	for c, err := range reader.Log(ctx, m.ref.Target) {
		if err != nil {
			return err
		}
		history = append(history, c)
	}
	for i := len(history) - 1; i >= 0; i-- {
		c := history[i]
		if _, ok := done[c.OID]; ok {
			continue
		}
		next, err := r.rewriteCommit(ctx, reader, m, c, gone, done)
		if err != nil {
			return err
		}
		done[c.OID] = next
	}
	m.head = done[m.ref.Target]
	return nil
}

func (r *Repo) rewriteCommit(ctx context.Context, reader git.Reader, m *rewritten, c hub.Commit, gone map[hub.SHA256]bool, done map[hub.OID]hub.Commit) (hub.Commit, error) {
	edit := git.NewEditor(reader, c.Tree)
	found := false
	for e, err := range reader.List(ctx, c.Tree, "", true, "") {
		if err != nil {
			return c, err
		}
		if e.LFS == nil || !gone[e.LFS.OID] {
			continue
		}
		found = true
		if err := edit.Remove(ctx, e.Path); err != nil {
			return c, err
		}
	}
	parents := make([]hub.OID, len(c.Parents))
	same := !found
	for i, p := range c.Parents {
		parents[i] = done[p].OID
		same = same && parents[i] == p
	}
	if same {
		return c, nil
	}
	root, trees, metas, err := edit.Write(ctx)
	if err != nil {
		return c, err
	}
	object, err := r.reparent(ctx, reader, c.OID, root, parents)
	if err != nil {
		return c, err
	}
	m.objects = append(append(m.objects, trees...), object)
	m.metas = append(m.metas, metas...)
	c.OID, c.Tree, c.Parents = object.OID, root, parents
	return c, nil
}

// reparent copies a commit onto another tree and other parents.
func (r *Repo) reparent(ctx context.Context, reader git.Reader, oid, tree hub.OID, parents []hub.OID) (store.GitObject, error) {
	o, err := reader.Object(ctx, oid)
	if err != nil {
		return o, err
	}
	payload, err := git.Inflate(o.Data, o.Size, o.Size)
	if err != nil {
		return o, err
	}
	info, err := git.DecodeCommitInfo(payload)
	if err != nil {
		return o, err
	}
	info.Tree, info.Parents = tree, parents
	return git.EncodeCommit(info), nil
}
