package store_test

import (
	"context"
	"errors"
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
		err := db.Update(ctx, func(q *store.Q) error {
			for i := range byte(12) {
				x := store.Xorb{Hash: xetHash(i), ObjectKey: string('a' + rune(i))}
				if _, err := q.PutXorb(ctx, x, []byte{1}, time.Now()); err != nil {
					return err
				}
				switch {
				case i < 8:
					if err := q.SetXorbShard(ctx, x.Hash, 77, int(i)); err != nil {
						return err
					}
				case i < 11:
					if err := q.SetXorbShard(ctx, x.Hash, 78, int(i)); err != nil {
						return err
					}
				}
			}
			return q.SetXorbShard(ctx, xetHash(0), 79, 0) // it has a shard already
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
				created, err := q.PutFile(ctx, f, now)
				if created != (i != 1) {
					t.Errorf("PutFile %d: created %v", i, created)
				}
				if err != nil {
					return err
				}
				if err := q.PutContent(ctx, sha, f.Hash, now); err != nil {
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
			if err := q.PutDedupChunks(ctx, xetHash(0), []hub.XetHash{xetHash(10), xetHash(11)}); err != nil {
				return err
			}
			return q.PutDedupChunks(ctx, xetHash(1), []hub.XetHash{xetHash(11), xetHash(12)})
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
