package git_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// repo is a repository in a test's database.
type repo struct {
	t     testing.TB
	db    *store.DB
	cache *git.Cache
	id    int64
	xet   map[hub.XetHash][]byte // the contents of its CAS
}

func newRepo(t testing.TB, db *store.DB) *repo {
	t.Helper()
	cache, err := git.NewCache(0)
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{t: t, db: db, cache: cache, id: store.NewID(), xet: map[hub.XetHash][]byte{}}
	r.update(func(ctx context.Context, q *store.Q) error {
		return q.InsertRepo(ctx, store.Repo{
			ID: r.id, Type: hub.Model, Name: hub.RepoID{Namespace: "acme", Name: "m"},
			Visibility: hub.Public, DefaultBranch: hub.DefaultBranch,
		})
	})
	return r
}

func (r *repo) update(fn func(context.Context, *store.Q) error) {
	r.t.Helper()
	ctx := context.Background()
	if err := r.db.Update(ctx, func(q *store.Q) error { return fn(ctx, q) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) reader() git.Reader { return git.NewReader(r.db.Read(), r.cache, r.id) }

// cold is a reader without a cache, which sees only what was stored.
func (r *repo) cold() git.Reader { return git.NewReader(r.db.Read(), nil, r.id) }

func (r *repo) put(objs ...store.GitObject) {
	r.t.Helper()
	r.update(func(ctx context.Context, q *store.Q) error {
		return q.PutGitObjects(ctx, r.id, sequence(objs))
	})
}

func sequence(objs []store.GitObject) iter.Seq2[store.GitObject, error] {
	return func(yield func(store.GitObject, error) bool) {
		for _, o := range objs {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// write stores the trees of an editor and returns the root.
func (r *repo) write(ed *git.Editor) hub.OID {
	r.t.Helper()
	root, trees, metas, err := ed.Write(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	r.update(func(ctx context.Context, q *store.Q) error {
		if err := q.PutTreeMetas(ctx, r.id, metas); err != nil {
			return err
		}
		return q.PutGitObjects(ctx, r.id, sequence(trees))
	})
	return root
}

// tree stores a tree of text files by path.
func (r *repo) tree(files map[string]string) hub.OID {
	r.t.Helper()
	ed := git.NewEditor(r.reader(), hub.OID{})
	for path, content := range files {
		blob := git.NewBlob([]byte(content))
		r.put(blob)
		if err := ed.Put(context.Background(), path, fileEntry(blob)); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.write(ed)
}

func fileEntry(blob store.GitObject) git.TreeEntry {
	return git.TreeEntry{Mode: git.ModeFile, OID: blob.OID, Size: blob.Size}
}

// commit stores a commit of a tree.
func (r *repo) commit(at time.Time, tree hub.OID, message string, parents ...hub.OID) hub.OID {
	r.t.Helper()
	c := git.EncodeCommit(git.CommitInfo{
		Tree: tree, Parents: parents, Message: message,
		Author: git.Signature{Name: "Ada", Email: "ada@example.com", When: at},
	})
	r.put(c)
	return c.OID
}

func (r *repo) setRef(ref store.Ref) {
	r.t.Helper()
	r.update(func(ctx context.Context, q *store.Q) error { return q.PutRef(ctx, r.id, ref) })
}

// export writes the repository for the real git, which must find no fault.
func (r *repo) export() gitDir {
	r.t.Helper()
	refs, err := r.db.Read().Refs(context.Background(), r.id)
	if err != nil {
		r.t.Fatal(err)
	}
	dir := gitDir{t: r.t, path: filepath.Join(r.t.TempDir(), "x.git")}
	err = git.Export(context.Background(), r.cold(), dir.path, git.ExportOptions{
		Refs: refs, Head: hub.DefaultBranch,
		Open: func(h hub.XetHash) (io.ReadCloser, error) {
			content, ok := r.xet[h]
			if !ok {
				return nil, errors.New("no such CAS file")
			}
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	})
	if err != nil {
		r.t.Fatalf("export: %v", err)
	}
	dir.fsck()
	return dir
}

// gitDir is a repository of the real git.
type gitDir struct {
	t    testing.TB
	path string
}

func initGit(t testing.TB) gitDir {
	t.Helper()
	d := gitDir{t: t, path: filepath.Join(t.TempDir(), "real.git")}
	d.run("", "init", "--bare", "--quiet", ".")
	return d
}

// run runs git in the repository and returns its output, both streams.
func (d gitDir) run(stdin string, args ...string) string {
	d.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "core.quotePath=false"}, args...)...)
	if args[0] == "init" {
		cmd.Args = append(cmd.Args[:len(cmd.Args)-1], d.path)
	} else {
		cmd.Dir = d.path
	}
	cmd.Env = append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// fsck fails the test if git finds a fault. Notices are about missing refs.
func (d gitDir) fsck() {
	d.t.Helper()
	for line := range strings.Lines(d.run("", "fsck", "--strict", "--full", "--no-dangling")) {
		if !strings.HasPrefix(line, "notice:") {
			d.t.Errorf("git fsck: %s", line)
		}
	}
}

// lines splits NUL-terminated output.
func lines(out string) []string {
	return slices.DeleteFunc(strings.Split(out, "\x00"), func(s string) bool { return s == "" })
}

// collect reads a sequence to its end.
func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func mustOID(t testing.TB, s string) hub.OID {
	t.Helper()
	oid, err := hub.ParseOID(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return oid
}
