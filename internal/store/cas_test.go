package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

func xetHash(b byte) (h hub.XetHash) {
	h[0] = b
	return h
}

func TestXorbs(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		t0 := time.UnixMicro(1_000_000).UTC()
		t1 := t0.Add(time.Hour)
		update := func(fn func(q *store.Q) error) {
			t.Helper()
			if err := db.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		a := store.Xorb{Hash: xetHash(1), ObjectKey: "xorbs/01/a", Size: 10, RawSize: 20}
		for i, tt := range []struct {
			key     string
			index   string
			created bool
		}{{"xorbs/01/a", "first", true}, {"xorbs/01/b", "second", false}} {
			x := a
			x.ObjectKey = tt.key
			update(func(q *store.Q) error {
				created, err := q.PutXorb(ctx, x, []byte(tt.index), t0.Add(time.Duration(i)*time.Hour))
				if created != tt.created {
					t.Errorf("PutXorb %d: created %v, want %v", i, created, tt.created)
				}
				return err
			})
		}
		want := store.IndexedXorb{Xorb: a, Index: []byte("first")}
		want.TouchedAt = t1
		got, err := db.Read().XorbIndex(ctx, a.Hash)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("XorbIndex: %v (-want +got):\n%s", err, d)
		}
		if _, err := db.Read().Xorb(ctx, xetHash(9)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Xorb of an unknown hash: %v, want ErrNotFound", err)
		}
		if _, err := db.Read().XorbIndex(ctx, xetHash(9)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("XorbIndex of an unknown hash: %v, want ErrNotFound", err)
		}
		update(func(q *store.Q) error {
			n, err := q.TouchXorbs(ctx, []hub.XetHash{a.Hash, xetHash(9)}, t1)
			if n != 1 {
				t.Errorf("TouchXorbs found %d of one known and one unknown xorb", n)
			}
			return err
		})
	})
}

func TestXorbsAround(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		var all []hub.XetHash
		for i := range byte(12) {
			all = append(all, xetHash(i))
		}
		err := db.Update(ctx, func(q *store.Q) error {
			for i := range byte(12) {
				x := store.Xorb{Hash: xetHash(i), ObjectKey: string('a' + rune(i))}
				if _, err := q.PutXorb(ctx, x, []byte{1}, time.Now()); err != nil {
					return err
				}
			}
			for shard, hashes := range map[int64][]hub.XetHash{77: all[:8], 78: all[8:11]} {
				if err := q.SetXorbShard(ctx, shard, hashes); err != nil {
					return err
				}
			}
			return q.SetXorbShard(ctx, 79, all[:1]) // it has a shard already
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			at   byte
			want []byte
		}{{0, []byte{0, 1, 2, 3}}, {4, []byte{2, 3, 4, 5}}, {7, []byte{5, 6, 7}}, {8, []byte{8, 9, 10}}, {11, []byte{11}}} {
			rows, err := db.Read().XorbsAround(ctx, xetHash(tt.at), 2, 4)
			var got []byte
			for _, r := range rows {
				got = append(got, r.Hash[0])
			}
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("XorbsAround(%d) = %v, %v, want %v", tt.at, got, err, tt.want)
			}
		}
		if _, err := db.Read().XorbsAround(ctx, xetHash(99), 2, 4); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("XorbsAround of an unknown xorb: %v, want ErrNotFound", err)
		}
	})
}

func TestFilesAndContents(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		sha := hub.SHA256{1}
		first, second := xetHash(2), xetHash(1)
		t0 := time.UnixMicro(5_000_000)
		err := db.Update(ctx, func(q *store.Q) error {
			for i, f := range []store.CASFile{
				{Hash: first, Size: 3, Terms: []byte("abc")},
				{Hash: first, Size: 3, Terms: []byte("other")},
				{Hash: second, Size: 3, Terms: []byte("def")},
			} {
				now := t0.Add(time.Duration(i) * time.Second)
				created, err := q.PutFiles(ctx, []store.CASFile{f}, now)
				if (created == 1) != (i != 1) {
					t.Errorf("PutFiles %d: created %d", i, created)
				}
				if err != nil {
					return err
				}
				if err := q.PutContents(ctx, []store.Content{{SHA256: sha, File: f.Hash}}, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		q := db.Read()
		if f, err := q.CASFile(ctx, first); err != nil || string(f.Terms) != "abc" || f.Size != 3 {
			t.Errorf("CASFile = %+v, %v, want the first terms", f, err)
		}
		if id, size, err := q.ContentFile(ctx, sha); err != nil || id != first || size != 3 {
			t.Errorf("ContentFile = %v, %d, %v, want the oldest file", id, size, err)
		}
		if got, err := q.FileContent(ctx, second); err != nil || got != sha {
			t.Errorf("FileContent = %v, %v, want %v", got, err, sha)
		}
		if _, _, err := q.ContentFile(ctx, hub.SHA256{9}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ContentFile of unknown content: %v, want ErrNotFound", err)
		}
		if _, err := q.FileContent(ctx, xetHash(9)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("FileContent of an unknown file: %v, want ErrNotFound", err)
		}
		if _, err := q.CASFile(ctx, xetHash(9)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("CASFile of an unknown file: %v, want ErrNotFound", err)
		}
	})
}

func TestDedupChunks(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Update(ctx, func(q *store.Q) error {
			for i := range byte(2) {
				if _, err := q.PutXorb(ctx, store.Xorb{Hash: xetHash(i), ObjectKey: string('a' + rune(i))}, []byte{1}, time.Now()); err != nil {
					return err
				}
			}
			first := []store.DedupChunk{{xetHash(10), xetHash(0)}, {xetHash(11), xetHash(0)}, {xetHash(11), xetHash(1)}}
			if err := q.PutDedupChunks(ctx, first); err != nil {
				return err
			}
			return q.PutDedupChunks(ctx, []store.DedupChunk{{xetHash(11), xetHash(1)}, {xetHash(12), xetHash(1)}})
		})
		if err != nil {
			t.Fatal(err)
		}
		for chunk, want := range map[byte]byte{10: 0, 11: 0, 12: 1} {
			if got, err := db.Read().DedupXorb(ctx, xetHash(chunk)); err != nil || got != xetHash(want) {
				t.Errorf("DedupXorb(%d) = %v, %v, want %d", chunk, got, err, want)
			}
		}
		if _, err := db.Read().DedupXorb(ctx, xetHash(13)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("DedupXorb of an unknown chunk: %v, want ErrNotFound", err)
		}
	})
}

// TestManyCASRows writes more rows than a statement carries.
func TestManyCASRows(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		const n = 1100
		var hashes []hub.XetHash
		var files []store.CASFile
		var contents []store.Content
		var chunks []store.DedupChunk
		var links []store.NewRepoFile
		for i := range n {
			h := hub.XetHash{0: 1, 1: byte(i), 2: byte(i >> 8)}
			hashes = append(hashes, h)
			files = append(files, store.CASFile{Hash: h, Size: int64(i), Terms: []byte{1}})
			contents = append(contents, store.Content{SHA256: hub.SHA256(h), File: h})
			chunks = append(chunks, store.DedupChunk{Chunk: h, Xorb: h})
			links = append(links, store.NewRepoFile{RepoID: 1, SHA256: hub.SHA256(h), Xet: h, Size: int64(i)})
		}
		name, err := hub.NewRepoID("me", "repo")
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(ctx, func(q *store.Q) error {
			r := store.Repo{ID: 1, Type: hub.Model, Name: name, Visibility: hub.Public, DefaultBranch: "main"}
			if err := q.InsertRepo(ctx, r); err != nil {
				return err
			}
			for i, h := range hashes {
				if _, err := q.PutXorb(ctx, store.Xorb{Hash: h, ObjectKey: fmt.Sprint(i)}, []byte{1}, time.Now()); err != nil {
					return err
				}
			}
			return q.SetXorbShard(ctx, 5, hashes)
		})
		if err != nil {
			t.Fatal(err)
		}
		for time, want := range []int{n, 0} {
			err = db.Update(ctx, func(q *store.Q) error { return putAll(ctx, t, q, files, contents, chunks, links, want) })
			if err != nil {
				t.Fatalf("time %d: %v", time, err)
			}
		}
		q := db.Read()
		for _, i := range []int{0, 1, 99, 100, 499, 500, 501, 999, 1000, n - 1} {
			h := hashes[i]
			if got, err := q.DedupXorb(ctx, h); err != nil || got != h {
				t.Errorf("DedupXorb(%d) = %v, %v, want %v", i, got, err, h)
			}
			if got, err := q.FileContent(ctx, h); err != nil || got != hub.SHA256(h) {
				t.Errorf("FileContent(%d) = %v, %v", i, got, err)
			}
			if got, err := q.RepoFile(ctx, 1, hub.SHA256(h)); err != nil || got.Xet != h || got.Size != int64(i) {
				t.Errorf("RepoFile(%d) = %+v, %v", i, got, err)
			}
			rows, err := q.XorbsAround(ctx, h, 0, 2)
			if err != nil || rows[0].Hash != h || i < n-1 && rows[1].Hash != hashes[i+1] {
				t.Errorf("XorbsAround(%d) = %+v, %v", i, rows, err)
			}
		}
	})
}

func putAll(ctx context.Context, t *testing.T, q *store.Q, files []store.CASFile, contents []store.Content,
	chunks []store.DedupChunk, links []store.NewRepoFile, want int) error {
	created, err := q.PutFiles(ctx, files, time.Now())
	if err != nil {
		return err
	}
	if err := q.PutContents(ctx, contents, time.Now()); err != nil {
		return err
	}
	if err := q.PutDedupChunks(ctx, chunks); err != nil {
		return err
	}
	linked, err := q.LinkRepoFiles(ctx, links, time.Now())
	if created != want || linked != want {
		t.Errorf("%d files created and %d linked, want %d", created, linked, want)
	}
	return err
}
