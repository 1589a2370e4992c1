package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// gitRepo inserts an empty repository and returns its id.
func gitRepo(t *testing.T, db *store.DB, name string) int64 {
	t.Helper()
	id := store.NewID()
	update(t, db, func(ctx context.Context, q *store.Q) error {
		return q.InsertRepo(ctx, store.Repo{
			ID: id, Type: hub.Model, Name: hub.RepoID{Namespace: "acme", Name: name},
			Visibility: hub.Public, DefaultBranch: hub.DefaultBranch,
		})
	})
	return id
}

func update(t *testing.T, db *store.DB, fn func(context.Context, *store.Q) error) {
	t.Helper()
	ctx := context.Background()
	if err := db.Update(ctx, func(q *store.Q) error { return fn(ctx, q) }); err != nil {
		t.Fatal(err)
	}
}

// objects yields n commits whose data have that many bytes.
func objects(n, size int) iter.Seq2[store.GitObject, error] {
	return func(yield func(store.GitObject, error) bool) {
		for i := range n {
			o := store.GitObject{
				OID:  hub.OID{byte(i >> 8), byte(i), 1},
				Kind: "commit", Size: int64(size), Data: bytes.Repeat([]byte{byte(i)}, size),
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func gather[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
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

func TestGitObjects(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		repo, other := gitRepo(t, db, "a"), gitRepo(t, db, "b")
		xet := hub.XetHash{7}
		want := []store.GitObject{
			{OID: hub.OID{1}, Kind: "commit", Size: 3, Data: []byte("abc")},
			{OID: hub.OID{2}, Kind: "tree", Size: 0, Data: []byte("t")},
			{OID: hub.OID{3}, Kind: "blob", Size: 1 << 40, Xet: &xet},
			{OID: hub.OID{4}, Kind: "tag", Size: 5, Data: []byte{0, 0xff}},
		}
		put := func(objs ...store.GitObject) {
			update(t, db, func(ctx context.Context, q *store.Q) error {
				return q.PutGitObjects(ctx, repo, func(yield func(store.GitObject, error) bool) {
					for _, o := range objs {
						if !yield(o, nil) {
							return
						}
					}
				})
			})
		}
		put()
		put(want...)
		put(want[1], store.GitObject{OID: hub.OID{1}, Kind: "blob", Size: 9, Data: []byte("other")}, want[2]) // stay as they are
		if diff := cmp.Diff(want, gather(t, db.Read().EachGitObject(ctx, repo))); diff != "" {
			t.Errorf("EachGitObject (-want +got):\n%s", diff)
		}
		for _, w := range want {
			got, err := db.Read().GitObject(ctx, repo, w.OID)
			if diff := cmp.Diff(w, got); err != nil || diff != "" {
				t.Errorf("GitObject %s: %v (-want +got):\n%s", w.OID, err, diff)
			}
		}
		for _, miss := range []struct {
			repo int64
			oid  hub.OID
		}{{repo, hub.OID{9}}, {other, hub.OID{1}}} {
			if _, err := db.Read().GitObject(ctx, miss.repo, miss.oid); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("GitObject of %v: %v, want ErrNotFound", miss, err)
			}
		}
	})
}

func TestPutGitObjectsInBatches(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		for _, tt := range []struct{ n, size int }{{1, 10}, {100, 10}, {101, 10}, {1234, 10}, {5, 700_000}, {2, 3 << 20}} {
			repo := gitRepo(t, db, fmt.Sprintf("r%d-%d", tt.n, tt.size))
			update(t, db, func(ctx context.Context, q *store.Q) error {
				return q.PutGitObjects(ctx, repo, objects(tt.n, tt.size))
			})
			got, want := gather(t, db.Read().EachGitObject(ctx, repo)), gather(t, objects(tt.n, tt.size))
			if !reflect.DeepEqual(got, want) { // cmp.Diff would take seconds
				t.Errorf("%d objects of %d bytes come back as %d others", tt.n, tt.size, len(got))
			}
		}
		// An error of the source stores nothing.
		repo, boom := gitRepo(t, db, "failing"), errors.New("boom")
		err := db.Update(ctx, func(q *store.Q) error {
			return q.PutGitObjects(ctx, repo, func(yield func(store.GitObject, error) bool) {
				for o := range objects(150, 10) {
					if !yield(o, nil) {
						return
					}
				}
				yield(store.GitObject{}, boom)
			})
		})
		if got := gather(t, db.Read().EachGitObject(ctx, repo)); !errors.Is(err, boom) || len(got) != 0 {
			t.Errorf("a failing source: %v, %d objects", err, len(got))
		}
	})
}

func TestTrees(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		repo := gitRepo(t, db, "a")
		update(t, db, func(ctx context.Context, q *store.Q) error {
			trees := []store.GitObject{
				{OID: hub.OID{1}, Kind: "tree", Size: 3, Data: []byte("one")},
				{OID: hub.OID{2}, Kind: "tree", Size: 4, Data: []byte("two")},
				{OID: hub.OID{3}, Kind: "blob", Size: 4, Data: []byte("blob")},
			}
			metas := []store.TreeMeta{{OID: hub.OID{1}, Data: []byte("meta")}, {OID: hub.OID{3}, Data: []byte("stray")}}
			if err := q.PutTreeMetas(ctx, repo, metas); err != nil {
				return err
			}
			if err := q.PutTreeMetas(ctx, repo, []store.TreeMeta{{OID: hub.OID{1}, Data: []byte("other")}}); err != nil {
				return err
			}
			return q.PutGitObjects(ctx, repo, func(yield func(store.GitObject, error) bool) {
				for _, o := range trees {
					if !yield(o, nil) {
						return
					}
				}
			})
		})
		for _, tt := range []struct {
			oid  hub.OID
			want store.TreeRow
			err  error
		}{
			{hub.OID{1}, store.TreeRow{Size: 3, Data: []byte("one"), Meta: []byte("meta")}, nil},
			{hub.OID{2}, store.TreeRow{Size: 4, Data: []byte("two")}, nil},
			{hub.OID{3}, store.TreeRow{}, store.ErrNotFound},
			{hub.OID{4}, store.TreeRow{}, store.ErrNotFound},
		} {
			got, err := db.Read().Tree(ctx, repo, tt.oid)
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("Tree %s: %v, want %v (-want +got):\n%s", tt.oid, err, tt.err, diff)
			}
		}
	})
}

func TestCommitsByPrefix(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		repo := gitRepo(t, db, "a")
		a, b, c := hub.OID{0xab, 0xcd, 0x10}, hub.OID{0xab, 0xcd, 0x1f, 19: 0xff}, hub.OID{0xab, 0xce}
		update(t, db, func(ctx context.Context, q *store.Q) error {
			return q.PutGitObjects(ctx, repo, func(yield func(store.GitObject, error) bool) {
				for _, oid := range []hub.OID{a, b, c} {
					if !yield(store.GitObject{OID: oid, Kind: "commit", Data: []byte("x")}, nil) {
						return
					}
				}
				yield(store.GitObject{OID: hub.OID{0xab, 0xcd, 0x15}, Kind: "blob", Data: []byte("x")}, nil)
			})
		})
		for _, tt := range []struct {
			prefix string
			limit  int
			want   []hub.OID
		}{
			{"abcd", 5, []hub.OID{a, b}},
			{"abcd", 1, []hub.OID{a}},
			{"abcd1", 5, []hub.OID{a, b}},
			{"ABCD1F", 5, []hub.OID{b}},
			{"abcd1f", 5, []hub.OID{b}},
			{b.String(), 5, []hub.OID{b}},
			{"abc", 5, []hub.OID{a, b, c}},
			{"abcf", 5, nil},
			{"", 5, []hub.OID{a, b, c}},
			{b.String() + "0", 5, nil},
		} {
			got, err := db.Read().CommitsByPrefix(ctx, repo, tt.prefix, tt.limit)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("CommitsByPrefix(%q, %d): %v (-want +got):\n%s", tt.prefix, tt.limit, err, diff)
			}
		}
		if _, err := db.Read().CommitsByPrefix(ctx, repo, "xyz", 5); err == nil {
			t.Error("a prefix that is not hex: no error")
		}
	})
}

func TestRefs(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		repo, other := gitRepo(t, db, "a"), gitRepo(t, db, "b")
		one, two, tag := hub.OID{1}, hub.OID{2}, hub.OID{3}
		main := store.Ref{Name: "refs/heads/main", Target: one}
		update(t, db, func(ctx context.Context, q *store.Q) error {
			if err := q.CreateRef(ctx, repo, main); err != nil {
				return err
			}
			if err := q.CreateRef(ctx, repo, store.Ref{Name: main.Name, Target: two}); !errors.Is(err, store.ErrConflict) {
				t.Errorf("a second CreateRef: %v, want ErrConflict", err)
			}
			// The transaction goes on after a conflict.
			for _, name := range []string{"refs/tags/b", "refs/heads/a_", "refs/heads/aZ", "refs/heads/aa", "refs/heads/é"} {
				if err := q.PutRef(ctx, repo, store.Ref{Name: name, Target: one, Tag: &tag}); err != nil {
					return err
				}
			}
			return q.PutRef(ctx, repo, store.Ref{Name: "refs/tags/b", Target: two})
		})
		refs, err := db.Read().Refs(ctx, repo)
		if err != nil {
			t.Fatal(err)
		}
		want := []store.Ref{
			{Name: "refs/heads/aZ", Target: one, Tag: &tag},
			{Name: "refs/heads/a_", Target: one, Tag: &tag},
			{Name: "refs/heads/aa", Target: one, Tag: &tag},
			main,
			{Name: "refs/heads/é", Target: one, Tag: &tag},
			{Name: "refs/tags/b", Target: two},
		}
		if diff := cmp.Diff(want, refs); diff != "" {
			t.Errorf("Refs (-want +got):\n%s", diff)
		}
		if got, err := db.Read().Ref(ctx, repo, main.Name); err != nil || got != main {
			t.Errorf("Ref = %v, %v", got, err)
		}
		if _, err := db.Read().Ref(ctx, other, main.Name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Ref of another repo: %v, want ErrNotFound", err)
		}
		if got, err := db.Read().FirstRef(ctx, repo, "refs/heads/no", "refs/tags/b", main.Name); err != nil || got.Name != "refs/tags/b" {
			t.Errorf("FirstRef = %v, %v, want the tag", got, err)
		}
		if _, err := db.Read().FirstRef(ctx, repo, "refs/heads/no"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("FirstRef of none: %v, want ErrNotFound", err)
		}
		update(t, db, func(ctx context.Context, q *store.Q) error {
			for _, tt := range []struct {
				name     string
				from, to hub.OID
				want     bool
			}{
				{main.Name, two, tag, false},
				{main.Name, one, two, true},
				{main.Name, one, two, false},
				{"refs/heads/aa", one, two, true},
				{"refs/heads/no", one, two, false},
			} {
				if moved, err := q.MoveRef(ctx, repo, tt.name, tt.from, tt.to); err != nil || moved != tt.want {
					t.Errorf("MoveRef %s from %s: %v, %v, want %v", tt.name, tt.from, moved, err, tt.want)
				}
			}
			if got, err := q.Ref(ctx, repo, "refs/heads/aa"); err != nil || got.Target != two || got.Tag != nil {
				t.Errorf("a moved ref is %v, %v", got, err)
			}
			for _, want := range []bool{true, false} {
				if deleted, err := q.DeleteRef(ctx, repo, main.Name); err != nil || deleted != want {
					t.Errorf("DeleteRef: %v, %v, want %v", deleted, err, want)
				}
			}
			return nil
		})
	})
}

// TestMoveRefRace: of many writers that saw the same commit, one wins.
func TestMoveRefRace(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		repo := gitRepo(t, db, "a")
		update(t, db, func(ctx context.Context, q *store.Q) error {
			return q.CreateRef(ctx, repo, store.Ref{Name: "refs/heads/main", Target: hub.OID{1}})
		})
		const writers = 8
		won := make(chan bool, writers)
		for i := range writers {
			go func() {
				var moved bool
				err := db.Update(ctx, func(q *store.Q) (err error) {
					moved, err = q.MoveRef(ctx, repo, "refs/heads/main", hub.OID{1}, hub.OID{2, byte(i)})
					return err
				})
				if err != nil {
					t.Error(err)
				}
				won <- moved
			}()
		}
		winners := 0
		for range writers {
			if <-won {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d of %d writers won", winners, writers)
		}
	})
}

func TestCopyAndDeleteGit(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		from, to := gitRepo(t, db, "a"), gitRepo(t, db, "b")
		tag := hub.OID{9}
		tree := store.GitObject{OID: hub.OID{0xfe}, Kind: "tree", Size: 1, Data: []byte("t")}
		update(t, db, func(ctx context.Context, q *store.Q) error {
			return errors.Join(
				q.PutGitObjects(ctx, from, objects(3, 10)),
				q.PutGitObjects(ctx, from, func(yield func(store.GitObject, error) bool) { yield(tree, nil) }),
				q.PutTreeMetas(ctx, from, []store.TreeMeta{{OID: tree.OID, Data: []byte("meta")}}),
				q.PutRef(ctx, from, store.Ref{Name: "refs/tags/v1", Target: hub.OID{1}, Tag: &tag}),
				q.CopyGitObjects(ctx, from, to),
			)
		})
		check := func(repo int64, want bool) {
			t.Helper()
			refs, err := db.Read().Refs(ctx, repo)
			if err != nil {
				t.Fatal(err)
			}
			row, err := db.Read().Tree(ctx, repo, tree.OID)
			n := len(gather(t, db.Read().EachGitObject(ctx, repo)))
			if want && (n != 4 || len(refs) != 1 || *refs[0].Tag != tag || string(row.Meta) != "meta") {
				t.Errorf("repo has %d objects, refs %v, tree %v, %v", n, refs, row, err)
			}
			if !want && (n != 0 || len(refs) != 0 || !errors.Is(err, store.ErrNotFound)) {
				t.Errorf("a deleted repo has %d objects, refs %v, tree %v, %v", n, refs, row, err)
			}
		}
		check(from, true)
		check(to, true)
		update(t, db, func(ctx context.Context, q *store.Q) error { return q.DeleteGit(ctx, from) })
		check(from, false)
		check(to, true)
	})
}
