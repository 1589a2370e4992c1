package repo

import (
	"context"
	"errors"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// BranchRequest describes a new branch.
type BranchRequest struct {
	Name      string
	Start     hub.Revision // where it begins; "" for the default branch
	Empty     bool         // begin with one commit that holds no file
	Overwrite bool         // move it if it exists
}

// CreateBranch makes a branch.
func (r *Repo) CreateBranch(ctx context.Context, req BranchRequest) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	name := strings.TrimPrefix(req.Name, hub.BranchPrefix)
	if err := hub.CheckRefName(name); err != nil {
		return err
	}
	ref := store.Ref{Name: hub.BranchPrefix + name}
	var objects []store.GitObject
	var metas []store.TreeMeta
	var start hub.Commit
	var err error
	if req.Empty {
		start, objects, metas, err = r.build(ctx, git.NewEditor(r.git(), hub.OID{}), buildInput{message: "initial commit\n"})
	} else {
		start, err = r.Resolve(ctx, req.Start)
	}
	if err != nil {
		return err
	}
	ref.Target = start.OID
	var change *catalogChange // the default branch is what the catalog shows
	if req.Overwrite && name == r.DefaultBranch {
		ch, err := r.catalogChange(ctx, r.git().With(pendingObjects(nil, objects, metas)), hub.Commit{}, start, nil)
		if err != nil {
			return err
		}
		change = &ch
	}
	defer r.svc.lock(r.ID)()
	err = r.svc.db.Update(ctx, func(q *store.Q) error {
		if err := q.PutGitObjects(ctx, r.ID, seqOf(objects)); err != nil {
			return err
		}
		if err := q.PutTreeMetas(ctx, r.ID, metas); err != nil {
			return err
		}
		if err := r.checkNesting(ctx, q, ref.Name); err != nil {
			return err
		}
		if !req.Overwrite {
			return q.CreateRef(ctx, r.ID, ref)
		}
		if err := q.PutRef(ctx, r.ID, ref); err != nil || change == nil {
			return err
		}
		return change.write(ctx, q, r)
	})
	return refConflict(err, ref.Name)
}

// checkNesting refuses a ref below or above an existing one: git keeps refs as
// files, so a clone of "a" and "a/b" would fail.
func (r *Repo) checkNesting(ctx context.Context, q *store.Q, name string) error {
	refs, err := q.Refs(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, other := range refs {
		if strings.HasPrefix(name, other.Name+"/") || strings.HasPrefix(other.Name, name+"/") {
			return hub.Errorf(hub.CodeConflict, "Reference %s cannot be made beside %s", name, other.Name)
		}
	}
	return nil
}

func refConflict(err error, name string) error {
	if errors.Is(err, store.ErrConflict) {
		return hub.Errorf(hub.CodeConflict, "Reference already exists: Reference %s already exists", name)
	}
	return err
}

// DeleteBranch removes a branch other than the default one.
func (r *Repo) DeleteBranch(ctx context.Context, name string) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	full := hub.BranchPrefix + strings.TrimPrefix(name, hub.BranchPrefix)
	if full == hub.BranchPrefix+r.DefaultBranch {
		return hub.Errorf(hub.CodeForbidden, "Cannot delete %s", full)
	}
	return r.deleteRef(ctx, full, name)
}

// TagRequest describes a new tag.
type TagRequest struct {
	Name     string
	Revision hub.Revision
	Message  string // makes it an annotated tag
}

// CreateTag makes a tag.
func (r *Repo) CreateTag(ctx context.Context, req TagRequest) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	name := strings.TrimPrefix(req.Name, hub.TagPrefix)
	if err := hub.CheckRefName(name); err != nil {
		return err
	}
	target, err := r.Resolve(ctx, req.Revision)
	if err != nil {
		return err
	}
	ref := store.Ref{Name: hub.TagPrefix + name, Target: target.OID}
	var objects []store.GitObject
	if req.Message != "" {
		tag := git.EncodeTag(git.TagInfo{
			Target: target.OID, Kind: git.KindCommit, Name: name, Tagger: signature(r.Actor, r.svc.now()), Message: message(req.Message, ""),
		})
		ref.Tag = &tag.OID
		objects = append(objects, tag)
	}
	err = r.svc.db.Update(ctx, func(q *store.Q) error {
		if err := q.PutGitObjects(ctx, r.ID, seqOf(objects)); err != nil {
			return err
		}
		if err := r.checkNesting(ctx, q, ref.Name); err != nil {
			return err
		}
		return q.CreateRef(ctx, r.ID, ref)
	})
	return refConflict(err, ref.Name)
}

// DeleteTag removes a tag.
func (r *Repo) DeleteTag(ctx context.Context, name string) error {
	if err := r.Require(authz.Write); err != nil {
		return err
	}
	return r.deleteRef(ctx, hub.TagPrefix+strings.TrimPrefix(name, hub.TagPrefix), name)
}

func (r *Repo) deleteRef(ctx context.Context, full, shown string) error {
	var ok bool
	err := r.svc.db.Update(ctx, func(q *store.Q) (err error) {
		ok, err = q.DeleteRef(ctx, r.ID, full)
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		return revisionNotFound(hub.Revision(shown))
	}
	return nil
}

// SuperSquash replaces the history of a branch by one commit with the same
// files. Tags and other branches keep the old commits.
func (r *Repo) SuperSquash(ctx context.Context, rev hub.Revision, msg string) (hub.Commit, error) {
	if err := r.Require(authz.Write); err != nil {
		return hub.Commit{}, err
	}
	if msg == "" {
		msg = "Super-squash branch '" + string(rev) + "'"
	}
	if len(msg) > maxSummary {
		return hub.Commit{}, hub.Invalidf("The message is over %d bytes.", maxSummary)
	}
	defer r.svc.lock(r.ID)()
	for {
		ref, err := r.branchFor(ctx, rev)
		if err != nil {
			return hub.Commit{}, err
		}
		head, err := r.git().Commit(ctx, ref.Target)
		if err != nil {
			return hub.Commit{}, err
		}
		commit, object := r.svc.newCommit(r.Actor, head.Tree, nil, message(msg, ""))
		err = r.svc.db.Update(ctx, func(q *store.Q) error {
			if err := r.moveRef(ctx, q, ref, refWrite{objects: seqOf([]store.GitObject{object}), commit: commit}); err != nil {
				return err
			}
			return q.TouchRepo(ctx, r.ID, r.svc.now())
		})
		if !errors.Is(err, errMoved) {
			return commit, err
		}
	}
}
