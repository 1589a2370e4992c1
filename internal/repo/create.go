package repo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/attrs"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// CreateRequest describes a new repository.
type CreateRequest struct {
	Type       hub.RepoType
	ID         hub.RepoID
	Visibility hub.Visibility
	SDK        string // Spaces only: gradio, streamlit, docker or static
	License    string // put into the card, "" for none
	Title      string // Spaces only, for the card
	Files      []Operation
}

var spaceSDKs = map[string]bool{"gradio": true, "streamlit": true, "docker": true, "static": true}

// Create makes a repository whose default branch holds one commit with
// .gitattributes. An existing one gives an error with hub.CodeConflict.
func (s *Service) Create(ctx context.Context, actor hub.Actor, req CreateRequest) (store.Repo, error) {
	if err := checkCreate(actor, req); err != nil {
		return store.Repo{}, err
	}
	owner, err := s.owner(ctx, req.ID.Namespace)
	if err != nil {
		return store.Repo{}, err
	}
	row := store.Repo{
		ID: store.NewID(), Type: req.Type, Name: hub.RepoID{Namespace: owner.Name, Name: req.ID.Name},
		OwnerID: owner.ID, Visibility: req.Visibility, Discussions: true, DefaultBranch: hub.DefaultBranch,
		CreatedAt: s.now().UTC(), UpdatedAt: s.now().UTC(),
	}
	r := &Repo{Found: store.Found{Repo: row}, Actor: actor, svc: s}
	st := newStage(s, row.ID)
	defer st.close()
	for _, op := range initialFiles(req) {
		if err := st.add(ctx, op); err != nil {
			return store.Repo{}, err
		}
	}
	write, change, err := r.initialCommit(ctx, st)
	if err != nil {
		return store.Repo{}, err
	}
	row.Catalog = *change.full
	err = s.db.Update(ctx, func(q *store.Q) error {
		if err := q.InsertRepo(ctx, row); err != nil {
			return err
		}
		return r.createBranch(ctx, q, hub.BranchPrefix+hub.DefaultBranch, write)
	})
	if errors.Is(err, store.ErrConflict) {
		return store.Repo{}, hub.Errorf(hub.CodeConflict, "You already created this %s repo", req.Type)
	}
	return row, err
}

func checkCreate(actor hub.Actor, req CreateRequest) error {
	switch {
	case actor.IsAnonymous():
		return hub.ErrUnauthenticated
	case !authz.MayCreateIn(actor, req.ID.Namespace):
		return hub.Errorf(hub.CodeForbidden, "You don't have the rights to create a %s under the namespace %q.", req.Type, req.ID.Namespace)
	case api.ReservedRepoName(req.ID.Name):
		return hub.Invalidf("%q is a reserved name.", req.ID.Name)
	case req.Type == hub.Space && !spaceSDKs[req.SDK]:
		return hub.Invalidf("A Space needs an sdk: gradio, streamlit, docker or static.")
	case req.Type != hub.Space && req.Visibility == hub.Protected:
		return hub.Invalidf("Only Spaces can be protected.")
	}
	return nil
}

// owner finds the account that a namespace is.
func (s *Service) owner(ctx context.Context, namespace string) (hub.Account, error) {
	a, err := s.db.Read().AccountByName(ctx, namespace)
	if errors.Is(err, store.ErrNotFound) {
		return hub.Account{}, hub.Errorf(hub.CodeNotFound, "There is no user or organization %q.", namespace)
	}
	return a, err
}

func initialFiles(req CreateRequest) []Operation {
	ops := []Operation{{Kind: PutFile, Path: attributesFile, Content: attrs.DefaultGitattributes(req.Type)}}
	if readme := initialReadme(req); readme != "" {
		ops = append(ops, Operation{Kind: PutFile, Path: "README.md", Content: []byte(readme)})
	}
	return append(ops, req.Files...)
}

// initialReadme is the card of a new repository: Spaces are configured by
// theirs, the others get one when a license was chosen.
func initialReadme(req CreateRequest) string {
	var b strings.Builder
	if req.Type == hub.Space {
		title := req.Title
		if title == "" {
			title = req.ID.Name
		}
		fmt.Fprintf(&b, "title: %q\nsdk: %s\n", title, req.SDK)
		if req.SDK == "gradio" || req.SDK == "streamlit" {
			b.WriteString("app_file: app.py\n")
		}
		b.WriteString("pinned: false\n")
	}
	if req.License != "" {
		fmt.Fprintf(&b, "license: %q\n", req.License)
	}
	if b.Len() == 0 {
		return ""
	}
	return "---\n" + b.String() + "---\n"
}

// initialCommit builds the first commit of a repository from a stage, and the
// catalog entry that it gives.
func (r *Repo) initialCommit(ctx context.Context, st *stage) (refWrite, catalogChange, error) {
	edit := git.NewEditor(r.git(), hub.OID{})
	if err := st.resolveLarge(ctx); err != nil {
		return refWrite{}, catalogChange{}, err
	}
	result, err := st.applyTo(ctx, edit)
	if err != nil {
		return refWrite{}, catalogChange{}, err
	}
	commit, objects, metas, err := r.build(ctx, edit, buildInput{message: "initial commit\n", extra: result.objects})
	if err != nil {
		return refWrite{}, catalogChange{}, err
	}
	change, err := r.catalogChange(ctx, r.git().With(pendingObjects(st, objects, metas)), hub.Commit{}, commit, nil)
	return refWrite{objects: chain(st.objects(), objects), metas: metas, large: result.large, commit: commit}, change, err
}

// createBranch inserts objects and the ref that names them.
func (r *Repo) createBranch(ctx context.Context, q *store.Q, name string, w refWrite) error {
	if err := q.CreateRef(ctx, r.ID, store.Ref{Name: name, Target: w.commit.OID}); err != nil {
		return err
	}
	if err := q.PutGitObjects(ctx, r.ID, w.objects); err != nil {
		return err
	}
	return q.PutTreeMetas(ctx, r.ID, w.metas)
}

// Delete removes a repository. Its large files are collected later, unless
// another repository holds them.
func (r *Repo) Delete(ctx context.Context) error {
	if err := r.Require(authz.Admin); err != nil {
		return err
	}
	defer r.svc.lock(r.ID)()
	return r.svc.db.Update(ctx, func(q *store.Q) error { return q.DeleteRepo(ctx, r.ID) })
}

// Move gives a repository another id. Its former ids redirect to it.
func (r *Repo) Move(ctx context.Context, to hub.RepoID) (hub.RepoID, error) {
	if err := r.Require(authz.Admin); err != nil {
		return hub.RepoID{}, err
	}
	if err := checkCreate(r.Actor, CreateRequest{Type: r.Type, ID: to, SDK: "static"}); err != nil {
		return hub.RepoID{}, err
	}
	owner, err := r.svc.owner(ctx, to.Namespace)
	if err != nil {
		return hub.RepoID{}, err
	}
	to.Namespace = owner.Name
	err = r.svc.db.Update(ctx, func(q *store.Q) error {
		row, err := q.LockRepo(ctx, r.ID)
		if err != nil {
			return err
		}
		return q.RenameRepo(ctx, row, to, owner.ID)
	})
	if errors.Is(err, store.ErrConflict) {
		return hub.RepoID{}, hub.Errorf(hub.CodeConflict, "A %s repository called %s already exists", r.Type, to)
	}
	return to, err
}

// Settings are what the owner of a repository can change. Nil fields stay.
type Settings struct {
	Visibility  *hub.Visibility
	Gated       *hub.Gate
	Discussions *bool
}

// Update changes settings and returns the repository as it is then.
func (r *Repo) Update(ctx context.Context, set Settings) (store.Repo, error) {
	if err := r.Require(authz.Admin); err != nil {
		return store.Repo{}, err
	}
	if set.Visibility != nil && *set.Visibility == hub.Protected && r.Type != hub.Space {
		return store.Repo{}, hub.Invalidf("Only Spaces can be protected.")
	}
	var row store.Repo
	err := r.svc.db.Update(ctx, func(q *store.Q) (err error) {
		if row, err = q.LockRepo(ctx, r.ID); err != nil {
			return err
		}
		if set.Visibility != nil {
			row.Visibility = *set.Visibility
		}
		if set.Gated != nil {
			row.Gated = *set.Gated
		}
		if set.Discussions != nil {
			row.Discussions = *set.Discussions
		}
		return q.SetSettings(ctx, row)
	})
	return row, err
}

// Duplicate makes a copy with its whole history under another id. Large files
// are shared, not copied.
func (r *Repo) Duplicate(ctx context.Context, to hub.RepoID, visibility hub.Visibility) (store.Repo, error) {
	if err := r.Require(authz.Read); err != nil {
		return store.Repo{}, err
	}
	if err := checkCreate(r.Actor, CreateRequest{Type: r.Type, ID: to, Visibility: visibility, SDK: "static"}); err != nil {
		return store.Repo{}, err
	}
	owner, err := r.svc.owner(ctx, to.Namespace)
	if err != nil {
		return store.Repo{}, err
	}
	row := r.Repo
	row.ID, row.OwnerID, row.Name = store.NewID(), owner.ID, hub.RepoID{Namespace: owner.Name, Name: to.Name}
	row.Visibility, row.Gated = visibility, hub.NotGated
	row.CreatedAt, row.UpdatedAt = r.svc.now().UTC(), r.svc.now().UTC()
	row.Likes, row.Downloads, row.DownloadsAll = 0, 0, 0
	if row.Catalog.Derived, err = r.DerivedJSON(ctx); err != nil {
		return store.Repo{}, err
	}
	err = r.svc.db.Update(ctx, func(q *store.Q) error {
		if err := q.InsertRepo(ctx, row); err != nil {
			return err
		}
		if err := q.CopyGitObjects(ctx, r.ID, row.ID); err != nil {
			return err
		}
		return q.CopyRepoFiles(ctx, r.ID, row.ID)
	})
	if errors.Is(err, store.ErrConflict) {
		return store.Repo{}, hub.Errorf(hub.CodeConflict, "You already created this %s repo", r.Type)
	}
	return row, err
}

// seqOf streams a slice of objects.
func seqOf(objects []store.GitObject) iter.Seq2[store.GitObject, error] {
	return func(yield func(store.GitObject, error) bool) {
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}
