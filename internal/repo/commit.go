package repo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/attrs"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// OpKind is what a commit operation does.
type OpKind uint8

// The operations of a commit.
const (
	PutFile      OpKind = iota // a regular file with Content
	PutLarge                   // a large file that the repository holds, by SHA256
	DeleteFile                 // an existing file
	DeleteFolder               // an existing folder with all below it
	DeleteEntry                // a file or a folder, whichever is there
)

// Operation is one line of a commit.
type Operation struct {
	Kind    OpKind
	Path    string
	Content []byte // PutFile; the service may keep it until the call returns
	SHA256  hub.SHA256
	Size    int64 // PutLarge: what the client says, -1 if it does not
}

// CommitRequest is one commit to make on a branch.
type CommitRequest struct {
	Revision    hub.Revision // branch name or full ref
	Summary     string
	Description string
	Parent      string // the head that the client saw, full or short id; "" for any
	Operations  iter.Seq2[Operation, error]
}

// maxSummary bounds the first line of a message.
const maxSummary = 4096

// Commit applies operations to a branch in the order given and moves it. All
// of them take effect or none.
func (r *Repo) Commit(ctx context.Context, req CommitRequest) (hub.Commit, error) {
	if err := r.Require(authz.Write); err != nil {
		return hub.Commit{}, err
	}
	if strings.TrimSpace(req.Summary) == "" {
		return hub.Commit{}, hub.Invalidf("A commit needs a summary.")
	}
	if len(req.Summary) > maxSummary {
		return hub.Commit{}, hub.Invalidf("The summary is over %d bytes.", maxSummary)
	}
	ref, err := r.branchFor(ctx, req.Revision)
	if err != nil {
		return hub.Commit{}, err
	}
	if err := checkParent(req, ref.Target); err != nil {
		return hub.Commit{}, err // before the body is read: it may be long
	}
	st := newStage(r.svc, r.ID)
	defer st.close()
	for op, err := range req.Operations {
		if err == nil {
			err = st.add(ctx, op)
		}
		if err != nil {
			return hub.Commit{}, err
		}
	}
	if err := st.resolveLarge(ctx); err != nil {
		return hub.Commit{}, err
	}
	return r.apply(ctx, req, ref.Name, st)
}

// branchFor finds the ref that commits to a revision move.
func (r *Repo) branchFor(ctx context.Context, rev hub.Revision) (store.Ref, error) {
	name := string(rev)
	switch {
	case name == "" || name == "HEAD":
		name = hub.BranchPrefix + r.DefaultBranch
	case strings.HasPrefix(name, hub.BranchPrefix), strings.HasPrefix(name, hub.PRPrefix):
	default:
		name = hub.BranchPrefix + name
	}
	ref, err := r.svc.db.Read().Ref(ctx, r.ID, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Ref{}, revisionNotFound(rev)
	}
	return ref, err
}

// checkParent compares the head that the client saw with the branch's.
func checkParent(req CommitRequest, head hub.OID) error {
	if req.Parent == "" || len(req.Parent) >= 7 && strings.HasPrefix(head.String(), strings.ToLower(req.Parent)) {
		return nil
	}
	return hub.ErrStale
}

// errMoved says that the ref is not where it was seen.
var errMoved = errors.New("the ref moved")

// apply puts the staged operations on top of the branch and moves it, again on
// the new head when another writer came first.
func (r *Repo) apply(ctx context.Context, req CommitRequest, refName string, st *stage) (hub.Commit, error) {
	defer r.svc.lock(r.ID)()
	for {
		ref, err := r.svc.db.Read().Ref(ctx, r.ID, refName)
		if errors.Is(err, store.ErrNotFound) {
			return hub.Commit{}, revisionNotFound(req.Revision)
		}
		if err != nil {
			return hub.Commit{}, err
		}
		if err := checkParent(req, ref.Target); err != nil {
			return hub.Commit{}, err
		}
		commit, err := r.applyOnce(ctx, req, ref, st)
		if errors.Is(err, errMoved) {
			continue // a replica won the race; the check above settles named parents
		}
		return commit, err
	}
}

func (r *Repo) applyOnce(ctx context.Context, req CommitRequest, ref store.Ref, st *stage) (hub.Commit, error) {
	reader := r.git()
	parent, err := reader.Commit(ctx, ref.Target)
	if err != nil {
		return hub.Commit{}, err
	}
	edit := git.NewEditor(reader, parent.Tree)
	result, err := st.applyTo(ctx, edit)
	if err != nil {
		return hub.Commit{}, err
	}
	commit, objects, metas, err := r.build(ctx, edit, buildInput{
		parents: []hub.OID{parent.OID}, message: message(req.Summary, req.Description), extra: result.objects,
	})
	if err != nil {
		return hub.Commit{}, err
	}
	write := refWrite{objects: chain(st.objects(), objects), metas: metas, large: result.large, commit: commit}
	var change *catalogChange
	if ref.Name == hub.BranchPrefix+r.DefaultBranch {
		ch, err := r.catalogChange(ctx, reader.With(pendingObjects(st, objects, metas)), parent, commit, result.paths)
		if err != nil {
			return hub.Commit{}, err
		}
		change = &ch
	}
	return commit, r.svc.db.Update(ctx, func(q *store.Q) error {
		if err := r.moveRef(ctx, q, ref, write); err != nil {
			return err
		}
		if change == nil {
			return q.TouchRepo(ctx, r.ID, r.svc.now())
		}
		return change.write(ctx, q, r)
	})
}

// pendingObjects lets a reader see what a commit is about to store. The stage
// may be nil.
func pendingObjects(st *stage, objects []store.GitObject, metas []store.TreeMeta) *git.Pending {
	byID := make(map[hub.OID]store.GitObject, len(objects))
	for _, o := range objects {
		byID[o.OID] = o
	}
	p := &git.Pending{Metas: make(map[hub.OID][]byte, len(metas))}
	for _, m := range metas {
		p.Metas[m.OID] = m.Data
	}
	p.Object = func(oid hub.OID) (store.GitObject, bool, error) {
		if o, ok := byID[oid]; ok {
			return o, true, nil
		}
		if st == nil {
			return store.GitObject{}, false, nil
		}
		i, ok := st.index[oid]
		if !ok {
			return store.GitObject{}, false, nil
		}
		o, err := st.load(i)
		return o, true, err
	}
	return p
}

// message joins a title and a body as git does.
func message(summary, description string) string {
	summary = strings.TrimSpace(strings.ReplaceAll(summary, "\r\n", "\n"))
	if description = strings.TrimSpace(description); description != "" {
		summary += "\n\n" + description
	}
	return summary + "\n"
}

type buildInput struct {
	parents []hub.OID
	message string
	extra   []store.GitObject // blobs that the edit names and the stage does not hold
}

// build writes the edited trees and a commit object over them.
func (r *Repo) build(ctx context.Context, edit *git.Editor, in buildInput) (hub.Commit, []store.GitObject, []store.TreeMeta, error) {
	root, objects, metas, err := edit.Write(ctx)
	if err != nil {
		return hub.Commit{}, nil, nil, err
	}
	commit, object := r.svc.newCommit(r.Actor, root, in.parents, in.message)
	objects = append(append(objects, in.extra...), object)
	return commit, objects, metas, nil
}

// newCommit makes a commit object by an actor, now.
func (s *Service) newCommit(actor hub.Actor, tree hub.OID, parents []hub.OID, msg string) (hub.Commit, store.GitObject) {
	info := git.CommitInfo{
		Tree: tree, Parents: parents, Author: signature(actor, s.now()), Message: msg,
	}
	object := git.EncodeCommit(info)
	title, body, _ := strings.Cut(strings.TrimSuffix(msg, "\n"), "\n")
	return hub.Commit{
		OID: object.OID, Tree: tree, Parents: parents, Author: info.Author.Name, Email: info.Author.Email,
		Date: info.Author.When, Title: title, Message: strings.TrimLeft(body, "\n"),
	}, object
}

// signature is who made a commit. An account without an address gets one that
// cannot receive mail.
func signature(a hub.Actor, now time.Time) git.Signature {
	email := a.Email
	if email == "" {
		email = a.Name + "@users.noreply.pantry"
	}
	return git.Signature{Name: a.Name, Email: email, When: now.UTC().Truncate(time.Second)}
}

// refWrite is everything that a commit changes in the database.
type refWrite struct {
	objects iter.Seq2[store.GitObject, error]
	metas   []store.TreeMeta
	large   []largePut
	commit  hub.Commit
}

// moveRef is the second step of the write order, inside its transaction.
func (r *Repo) moveRef(ctx context.Context, q *store.Q, ref store.Ref, w refWrite) error {
	moved, err := q.MoveRef(ctx, r.ID, ref.Name, ref.Target, w.commit.OID)
	if err != nil {
		return err
	}
	if !moved {
		return errMoved
	}
	if err := q.PutGitObjects(ctx, r.ID, w.objects); err != nil {
		return err
	}
	if err := q.PutTreeMetas(ctx, r.ID, w.metas); err != nil {
		return err
	}
	for _, l := range w.large {
		if !l.first {
			continue
		}
		if err := q.SetRepoFilePath(ctx, r.ID, l.sha, l.path); err != nil {
			return err
		}
	}
	if len(w.large) == 0 {
		return nil
	}
	return q.SetStorage(ctx, r.ID)
}

func chain(first iter.Seq2[store.GitObject, error], rest []store.GitObject) iter.Seq2[store.GitObject, error] {
	return func(yield func(store.GitObject, error) bool) {
		for o, err := range first {
			if !yield(o, err) {
				return
			}
		}
		for _, o := range rest {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// trackLarge returns .gitattributes with a line for each large file that it
// does not cover yet, so that git-lfs sees the same files; nil if it covers all.
func trackLarge(src []byte, paths []string) ([]byte, error) {
	rules := attrs.Parse(src)
	added := map[string]bool{}
	var out []byte
	steps := 0
	for _, p := range paths {
		if steps += rules.Steps(p); steps > maxSteps {
			return nil, errPatterns
		}
		if added[p] || rules.LFS(p) {
			continue
		}
		added[p] = true
		if out == nil {
			out = append([]byte(nil), src...)
			if len(out) > 0 && out[len(out)-1] != '\n' {
				out = append(out, '\n')
			}
		}
		out = fmt.Appendf(out, "%s filter=lfs diff=lfs merge=lfs -text\n", attrs.Quote(p))
	}
	return out, nil
}
