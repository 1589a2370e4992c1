package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	w := rewriter{repo: r, reader: r.git(), gone: make(map[hub.SHA256]bool, len(shas)), done: map[hub.OID]hub.Commit{}}
	for _, sha := range shas {
		w.gone[sha] = true
	}
	defer r.svc.lock(r.ID)()
	if rewrite {
		if err := w.run(ctx); err != nil {
			return err
		}
	}
	err := r.svc.db.Update(ctx, func(q *store.Q) error {
		if err := w.write(ctx, q); err != nil {
			return err
		}
		for sha := range w.gone {
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

// rewriter builds, for every branch that names one of the files, a history
// that does not. Tags keep the commits that they were given.
type rewriter struct {
	repo   *Repo
	reader git.Reader
	gone   map[hub.SHA256]bool
	done   map[hub.OID]hub.Commit // old commit -> the one that replaces it

	objects []store.GitObject
	metas   []store.TreeMeta
	moves   []branchMove
}

// branchMove is a branch with its new head.
type branchMove struct {
	ref    store.Ref
	head   hub.OID
	change *catalogChange // nil unless it is the default branch
}

func (w *rewriter) run(ctx context.Context) error {
	refs, err := w.repo.svc.db.Read().Refs(ctx, w.repo.ID)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if !strings.HasPrefix(ref.Name, hub.BranchPrefix) {
			continue
		}
		if err := w.branch(ctx, ref); err != nil {
			return fmt.Errorf("rewrite %s: %w", ref.Name, err)
		}
	}
	return nil
}

func (w *rewriter) branch(ctx context.Context, ref store.Ref) error {
	if err := w.history(ctx, ref.Target); err != nil {
		return err
	}
	head := w.done[ref.Target]
	if head.OID == ref.Target {
		return nil
	}
	move := branchMove{ref: ref, head: head.OID}
	if ref.Name == hub.BranchPrefix+w.repo.DefaultBranch {
		reader := w.reader.With(pendingObjects(nil, w.objects, w.metas))
		change, err := w.repo.catalogChange(ctx, reader, hub.Commit{}, head, nil)
		if err != nil {
			return err
		}
		move.change = &change
	}
	w.moves = append(w.moves, move)
	return nil
}

// history rewrites a commit and all before it, parents first.
func (w *rewriter) history(ctx context.Context, from hub.OID) error {
	for stack := []hub.OID{from}; len(stack) > 0; {
		oid := stack[len(stack)-1]
		if _, ok := w.done[oid]; ok {
			stack = stack[:len(stack)-1]
			continue
		}
		c, err := w.reader.Commit(ctx, oid)
		if err != nil {
			return err
		}
		waiting := len(stack)
		for _, p := range c.Parents {
			if _, ok := w.done[p]; !ok {
				stack = append(stack, p)
			}
		}
		if len(stack) > waiting {
			continue
		}
		if w.done[oid], err = w.commit(ctx, c); err != nil {
			return err
		}
		stack = stack[:len(stack)-1]
	}
	return nil
}

// commit returns what replaces a commit whose parents are done: itself if
// nothing in or before it names one of the files.
func (w *rewriter) commit(ctx context.Context, c hub.Commit) (hub.Commit, error) {
	edit := git.NewEditor(w.reader, c.Tree)
	same := true
	for e, err := range w.reader.List(ctx, c.Tree, "", true, "") {
		if err != nil {
			return c, err
		}
		if e.LFS == nil || !w.gone[e.LFS.OID] {
			continue
		}
		same = false
		if err := edit.Remove(ctx, e.Path); err != nil {
			return c, err
		}
	}
	parents := make([]hub.OID, len(c.Parents))
	for i, p := range c.Parents {
		parents[i] = w.done[p].OID
		same = same && parents[i] == p
	}
	if same {
		return c, nil
	}
	root, trees, metas, err := edit.Write(ctx)
	if err != nil {
		return c, err
	}
	object, err := reparent(ctx, w.reader, c.OID, root, parents)
	if err != nil {
		return c, err
	}
	w.objects = append(append(w.objects, trees...), object)
	w.metas = append(w.metas, metas...)
	c.OID, c.Tree, c.Parents = object.OID, root, parents
	return c, nil
}

// write stores the new histories and moves the branches to them.
func (w *rewriter) write(ctx context.Context, q *store.Q) error {
	if err := q.PutGitObjects(ctx, w.repo.ID, seqOf(w.objects)); err != nil {
		return err
	}
	if err := q.PutTreeMetas(ctx, w.repo.ID, w.metas); err != nil {
		return err
	}
	for _, m := range w.moves {
		moved, err := q.MoveRef(ctx, w.repo.ID, m.ref.Name, m.ref.Target, m.head)
		if err != nil {
			return err
		}
		if !moved {
			return errMoved
		}
		if m.change == nil {
			continue
		}
		if err := m.change.write(ctx, q, w.repo); err != nil {
			return err
		}
	}
	return nil
}

// reparent copies a commit onto another tree and other parents.
func reparent(ctx context.Context, reader git.Reader, oid, tree hub.OID, parents []hub.OID) (store.GitObject, error) {
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
