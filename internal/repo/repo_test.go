package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// fixture is a service over an empty database with one user.
type fixture struct {
	*Service
	t   *testing.T
	cas *cas.Service
	ada hub.Actor
}

func newFixture(t *testing.T, db *store.DB, b bucket.Bucket) *fixture {
	t.Helper()
	c, err := cas.New(cas.Config{DB: db, Bucket: b, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{DB: db, CAS: c, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); c.Close() })
	ada := hub.Account{ID: store.NewID(), Name: "ada", Kind: hub.UserAccount}
	err = db.Update(t.Context(), func(q *store.Q) error { return q.InsertAccount(t.Context(), ada, "") })
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{Service: s, t: t, cas: c, ada: hub.Actor{ID: ada.ID, Name: "ada", Write: true}}
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	storetest.Run(t, func(t *testing.T, db *store.DB) { test(t, newFixture(t, db, bucket.NewMemory())) })
}

// create makes a model ada/name and opens it.
func (f *fixture) create(name string) *Repo {
	f.t.Helper()
	id := hub.RepoID{Namespace: "ada", Name: name}
	_, err := f.Create(f.t.Context(), f.ada, CreateRequest{Type: hub.Model, ID: id, Visibility: hub.Public})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.open(name)
}

func (f *fixture) open(name string) *Repo {
	f.t.Helper()
	r, err := f.Open(f.t.Context(), f.ada, hub.Model, hub.RepoID{Namespace: "ada", Name: name}, authz.Admin)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func put(path, text string) Operation {
	return Operation{Kind: PutFile, Path: path, Content: []byte(text)}
}

func ops(list ...Operation) iter.Seq2[Operation, error] {
	return func(yield func(Operation, error) bool) {
		for _, op := range list {
			if !yield(op, nil) {
				return
			}
		}
	}
}

func (f *fixture) commit(r *Repo, req CommitRequest, list ...Operation) (hub.Commit, error) {
	if req.Summary == "" {
		req.Summary = "test"
	}
	req.Operations = ops(list...)
	return r.Commit(f.t.Context(), req)
}

func (f *fixture) mustCommit(r *Repo, list ...Operation) hub.Commit {
	f.t.Helper()
	c, err := f.commit(r, CommitRequest{}, list...)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// large uploads a large file to a repository.
func (f *fixture) large(r *Repo, text string) hub.SHA256 {
	f.t.Helper()
	file, err := f.cas.Ingest(f.t.Context(), strings.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := r.AddLargeFile(f.t.Context(), file.SHA256, file.Xet, file.Size); err != nil {
		f.t.Fatal(err)
	}
	return file.SHA256
}

// contents reads every file at a revision.
func (f *fixture) contents(r *Repo, rev hub.Revision) map[string]string {
	f.t.Helper()
	c, err := f.open(r.Name.Name).Resolve(f.t.Context(), rev)
	if err != nil {
		f.t.Fatal(err)
	}
	files, err := r.Files(f.t.Context(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range files {
		file, err := r.OpenFile(f.t.Context(), e)
		if err != nil {
			f.t.Fatalf("open %s: %v", e.Path, err)
		}
		text, err := io.ReadAll(file.Reader())
		file.Close()
		if err != nil {
			f.t.Fatalf("read %s: %v", e.Path, err)
		}
		out[e.Path] = string(text)
	}
	delete(out, attributesFile)
	return out
}

func TestCommitOperations(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.create("model")
		big := strings.Repeat("a large text that is not a pointer ", 20_000)
		sha := f.large(r, "large content")
		f.mustCommit(r,
			put("README.md", "# hi"), put("dir/a.txt", "a"), put("dir/b.txt", "b"), put("big.txt", big),
			Operation{Kind: PutLarge, Path: "weights.bin", SHA256: sha, Size: -1},
		)
		f.mustCommit(r,
			put("dir/a.txt", "changed"), Operation{Kind: DeleteFile, Path: "dir/b.txt"},
			Operation{Kind: PutLarge, Path: "copy of weights.xyz", SHA256: sha, Size: 13},
			put("new/c.txt", "c"),
		)
		want := map[string]string{
			"README.md": "# hi", "dir/a.txt": "changed", "big.txt": big, "weights.bin": "large content",
			"copy of weights.xyz": "large content", "new/c.txt": "c",
		}
		if diff := cmp.Diff(want, f.contents(r, "")); diff != "" {
			t.Errorf("files after two commits (-want +got):\n%s", diff)
		}
		f.mustCommit(r, Operation{Kind: DeleteFolder, Path: "new/"}, Operation{Kind: DeleteEntry, Path: "dir"})
		delete(want, "new/c.txt")
		delete(want, "dir/a.txt")
		if diff := cmp.Diff(want, f.contents(r, "")); diff != "" {
			t.Errorf("files after deletions (-want +got):\n%s", diff)
		}
	})
}

func TestCommitErrors(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t), bucket.NewMemory())
	r := f.create("model")
	first := f.mustCommit(r, put("a.txt", "a"))
	f.mustCommit(r, put("a.txt", "b"))
	tests := []struct {
		name string
		req  CommitRequest
		op   Operation
		want hub.Code
	}{
		{"stale parent", CommitRequest{Parent: first.OID.String()}, put("a.txt", "c"), hub.CodeStale},
		{"missing branch", CommitRequest{Revision: "nope"}, put("a.txt", "c"), hub.CodeRevisionNotFound},
		{"commit as branch", CommitRequest{Revision: hub.Revision(first.OID.String())}, put("a.txt", "c"), hub.CodeRevisionNotFound},
		{"absolute path", CommitRequest{}, put("/a.txt", "c"), hub.CodeUnprocessable},
		{"parent path", CommitRequest{}, put("../a.txt", "c"), hub.CodeUnprocessable},
		{"backslash parent", CommitRequest{}, put(`..\ddd`, "c"), hub.CodeUnprocessable},
		{"git folder", CommitRequest{}, put(".git/config", "c"), hub.CodeUnprocessable},
		{"delete missing", CommitRequest{}, Operation{Kind: DeleteFile, Path: "nope"}, hub.CodeEntryNotFound},
		{"unknown large file", CommitRequest{}, Operation{Kind: PutLarge, Path: "w.bin", SHA256: hub.SHA256{1}, Size: -1}, hub.CodeUnprocessable},
		{"file below a file", CommitRequest{}, put("a.txt/b", "c"), hub.CodeUnprocessable},
	}
	for _, tt := range tests {
		if _, err := f.commit(r, tt.req, tt.op); hub.CodeOf(err) != tt.want {
			t.Errorf("%s: %v (code %s), want code %s", tt.name, err, hub.CodeOf(err), tt.want)
		}
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "b"}, f.contents(r, "")); diff != "" {
		t.Errorf("a refused commit changed files (-want +got):\n%s", diff)
	}
}

// TestTwoWriters: of two commits that name the same parent one wins, the other
// is told that the branch moved.
func TestTwoWriters(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.create("model")
		head := f.mustCommit(r, put("a.txt", "a"))
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = f.commit(r, CommitRequest{Parent: head.OID.String()}, put(fmt.Sprintf("%d.txt", i), "x"))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, hub.ErrStale) {
				t.Errorf("the loser got %v, want ErrStale", err)
			}
		}
		if won != 1 {
			t.Errorf("%d writers won, want 1", won)
		}
	})
}

// TestManyWriters: a hundred writers without a parent all get in, through two
// services that share the database as two replicas do.
func TestManyWriters(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		b := bucket.NewMemory()
		f := newFixture(t, db, b)
		other, err := New(Config{DB: db, CAS: f.cas, SpoolDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		r := f.create("model")
		twin, err := other.Open(t.Context(), f.ada, hub.Model, r.Name, authz.Write)
		if err != nil {
			t.Fatal(err)
		}
		const writers = 100
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				target := r
				if i%2 == 1 {
					target = twin
				}
				req := CommitRequest{Summary: "w", Operations: ops(put(fmt.Sprintf("w/%d.txt", i), fmt.Sprint(i)))}
				if _, err := target.Commit(context.WithoutCancel(t.Context()), req); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if got := len(f.contents(r, "")); got != writers {
			t.Errorf("%d files after %d writers", got, writers)
		}
		commits := 0
		head, err := f.open("model").Resolve(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range r.Log(t.Context(), head.OID) {
			if err != nil {
				t.Fatal(err)
			}
			commits++
		}
		if commits != writers+1 {
			t.Errorf("%d commits, want %d", commits, writers+1)
		}
	})
}

// TestExportPassesFsck: the real git accepts every object, whatever made it.
func TestExportPassesFsck(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.create("model")
		sha := f.large(r, "weights")
		f.mustCommit(r, put("README.md", "# é"), put("a/b/c.txt", "x"), put("a.b", "y"), put("a-b", "z"),
			Operation{Kind: PutLarge, Path: "w 1.bin", SHA256: sha, Size: -1}, put("big", strings.Repeat("line of text\n", 50_000)))
		r = f.open("model") // a Repo knows the head of when it was opened
		if err := r.CreateBranch(t.Context(), BranchRequest{Name: "feature/x"}); err != nil {
			t.Fatal(err)
		}
		if err := r.CreateTag(t.Context(), TagRequest{Name: "v1", Message: "first"}); err != nil {
			t.Fatal(err)
		}
		if err := r.CreateBranch(t.Context(), BranchRequest{Name: "empty", Empty: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.commit(r, CommitRequest{Revision: "feature/x"}, Operation{Kind: DeleteFolder, Path: "a"}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.SuperSquash(t.Context(), "main", "squashed"); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "export.git")
		if err := f.open("model").Export(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("git", "-C", dir, "fsck", "--strict", "--full").CombinedOutput()
		if err != nil {
			t.Fatalf("git fsck: %v\n%s", err, out)
		}
		if s := string(out); strings.Contains(s, "error") || strings.Contains(s, "warning") || strings.Contains(s, "missing") {
			t.Errorf("git fsck says:\n%s", s)
		}
		log, err := exec.Command("git", "-C", dir, "log", "--format=%s", "main").CombinedOutput()
		if err != nil || string(log) != "squashed\n" {
			t.Errorf("git log main = %q, %v, want squashed", log, err)
		}
	})
}

func TestBranchesAndTags(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r, ctx := f.create("model"), t.Context()
		first := f.mustCommit(r, put("a.txt", "1"))
		f.mustCommit(r, put("a.txt", "2"))
		steps := []struct {
			name string
			do   func() error
			want hub.Code // "" for success
		}{
			{"branch at a commit", func() error {
				return r.CreateBranch(ctx, BranchRequest{Name: "old", Start: hub.Revision(first.OID.String())})
			}, ""},
			{"branch again", func() error { return r.CreateBranch(ctx, BranchRequest{Name: "old"}) }, hub.CodeConflict},
			{"branch below a branch", func() error { return r.CreateBranch(ctx, BranchRequest{Name: "old/x"}) }, hub.CodeConflict},
			{"branch over it", func() error { return r.CreateBranch(ctx, BranchRequest{Name: "old", Start: "main~1", Overwrite: true}) }, ""},
			{"branch from nowhere", func() error { return r.CreateBranch(ctx, BranchRequest{Name: "x", Start: "nope"}) }, hub.CodeRevisionNotFound},
			{"bad branch name", func() error { return r.CreateBranch(ctx, BranchRequest{Name: "a..b"}) }, hub.CodeInvalid},
			{"delete main", func() error { return r.DeleteBranch(ctx, "main") }, hub.CodeForbidden},
			{"delete missing branch", func() error { return r.DeleteBranch(ctx, "nope") }, hub.CodeRevisionNotFound},
			{"tag", func() error { return r.CreateTag(ctx, TagRequest{Name: "v1", Revision: "old"}) }, ""},
			{"tag again", func() error { return r.CreateTag(ctx, TagRequest{Name: "v1"}) }, hub.CodeConflict},
			{"delete branch", func() error { return r.DeleteBranch(ctx, "old") }, ""},
			{"delete missing tag", func() error { return r.DeleteTag(ctx, "nope") }, hub.CodeRevisionNotFound},
		}
		for _, s := range steps {
			err := s.do()
			if s.want == "" && err != nil || s.want != "" && hub.CodeOf(err) != s.want {
				t.Errorf("%s: %v, want code %q", s.name, err, s.want)
			}
		}
		if diff := cmp.Diff(map[string]string{"a.txt": "1"}, f.contents(r, "v1")); diff != "" {
			t.Errorf("files at the tag (-want +got):\n%s", diff)
		}
		if err := r.DeleteTag(ctx, "v1"); err != nil {
			t.Error(err)
		}
	})
}

func TestMoveLeavesRedirect(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := f.create("before")
		to := hub.RepoID{Namespace: "ada", Name: "after"}
		if _, err := r.Move(ctx, to); err != nil {
			t.Fatal(err)
		}
		_, err := f.Open(ctx, f.ada, hub.Model, hub.RepoID{Namespace: "ADA", Name: "Before"}, authz.See)
		var moved *MovedError
		if !errors.As(err, &moved) || moved.To != to {
			t.Fatalf("open the former id: %v, want a move to %s", err, to)
		}
		f.create("before") // the name is free again, and the redirect ends
		if r := f.open("before"); r.Moved {
			t.Error("a new repository under a former id is still a redirect")
		}
		if _, err := f.open("before").Move(ctx, to); hub.CodeOf(err) != hub.CodeConflict {
			t.Errorf("move onto an existing id: %v, want a conflict", err)
		}
	})
}

func TestDuplicateSharesEverything(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.create("model")
		sha := f.large(r, "weights")
		f.mustCommit(r, put("README.md", "---\nlicense: mit\n---\n# hi"), Operation{Kind: PutLarge, Path: "w.bin", SHA256: sha, Size: -1})
		if _, err := f.open("model").Duplicate(t.Context(), hub.RepoID{Namespace: "ada", Name: "twin"}, hub.Private); err != nil {
			t.Fatal(err)
		}
		if err := f.open("model").Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		twin := f.open("twin")
		want := map[string]string{"README.md": "---\nlicense: mit\n---\n# hi", "w.bin": "weights"}
		if diff := cmp.Diff(want, f.contents(twin, "")); diff != "" {
			t.Errorf("files of the copy (-want +got):\n%s", diff)
		}
		if twin.Visibility != hub.Private {
			t.Errorf("visibility of the copy is %s", twin.Visibility)
		}
		if got := strings.Join(twin.Catalog.Labels, " "); !strings.Contains(got, "license:mit") {
			t.Errorf("labels of the copy: %q", got)
		}
	})
}

func TestDeleteLargeFilesRewritesHistory(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.create("model")
		keep, gone := f.large(r, "keep"), f.large(r, "gone")
		f.mustCommit(r, Operation{Kind: PutLarge, Path: "keep.bin", SHA256: keep, Size: -1}, Operation{Kind: PutLarge, Path: "gone.bin", SHA256: gone, Size: -1})
		f.mustCommit(r, put("a.txt", "a"))
		if err := r.DeleteLargeFiles(t.Context(), []hub.SHA256{gone}, true); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"keep.bin": "keep", "a.txt": "a"}
		if diff := cmp.Diff(want, f.contents(r, "main")); diff != "" {
			t.Errorf("files after the purge (-want +got):\n%s", diff)
		}
		if _, err := f.open("model").Resolve(t.Context(), "main~1"); err != nil {
			t.Errorf("the history is gone: %v", err)
		}
		if _, err := r.HasLargeFile(t.Context(), gone); !errors.Is(err, hub.ErrNotFound) {
			t.Errorf("the purged file is still held: %v", err)
		}
	})
}

func TestPrivateMeansPrivate(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t), bucket.NewMemory())
	ctx := t.Context()
	id := hub.RepoID{Namespace: "ada", Name: "secret"}
	if _, err := f.Create(ctx, f.ada, CreateRequest{Type: hub.Model, ID: id, Visibility: hub.Private}); err != nil {
		t.Fatal(err)
	}
	eve := hub.Actor{ID: 99, Name: "eve", Write: true}
	for _, actor := range []hub.Actor{{}, eve} {
		if _, err := f.Open(ctx, actor, hub.Model, id, authz.See); !errors.Is(err, hub.ErrRepoNotFound) {
			t.Errorf("%q opens a private repository: %v", actor.Name, err)
		}
		rows, err := f.List(ctx, actor, store.Filter{Type: hub.Model, Sort: store.SortCreated, Limit: 10})
		if err != nil || len(rows) != 0 {
			t.Errorf("%q lists %d repositories, %v", actor.Name, len(rows), err)
		}
		if n, err := f.Count(ctx, actor, store.Filter{Type: hub.Model}); err != nil || n != 0 {
			t.Errorf("%q counts %d repositories, %v", actor.Name, n, err)
		}
	}
	rows, err := f.List(ctx, f.ada, store.Filter{Type: hub.Model, Sort: store.SortCreated, Limit: 10})
	if err != nil || len(rows) != 1 {
		t.Errorf("the owner lists %d repositories, %v", len(rows), err)
	}
}

// TestTrackLarge: a large file that .gitattributes does not cover gets a line,
// so that git-lfs sees it too.
func TestTrackLarge(t *testing.T) {
	got, err := trackLarge([]byte("*.bin filter=lfs diff=lfs merge=lfs -text"), []string{"a.bin", "b c.dat", "b c.dat"})
	want := "*.bin filter=lfs diff=lfs merge=lfs -text\nb[[:space:]]c.dat filter=lfs diff=lfs merge=lfs -text\n"
	if string(got) != want || err != nil {
		t.Errorf("trackLarge = %q, %v, want %q", got, err, want)
	}
	hostile := bytes.Repeat([]byte("*a*a*a*a*a*a*a*a*a*a*b filter=lfs\n"), 1000)
	if _, err := trackLarge(hostile, slices.Repeat([]string{strings.Repeat("a/", 1000) + "x"}, 1000)); hub.CodeOf(err) != hub.CodeInvalid {
		t.Errorf("a thousand globs on a thousand long paths: %v", err)
	}
}
