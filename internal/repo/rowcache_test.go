package repo

import (
	"errors"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
)

// TestRememberedRowsAreCurrent: whatever was read before, the next look shows
// what an acknowledged change made, on both engines.
func TestRememberedRowsAreCurrent(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := f.create("model")
		sha := f.large(r, "weights")
		f.mustCommit(r, Operation{Kind: PutLarge, Path: "w.bin", SHA256: sha, Size: -1})
		see := func() error {
			_, err := f.Open(ctx, hub.Actor{}, hub.Model, r.Name, authz.Read)
			return err
		}
		for range 3 {
			for _, v := range []hub.Visibility{hub.Private, hub.Public} {
				see() // fills the cache
				if _, err := r.Update(ctx, Settings{Visibility: &v}); err != nil {
					t.Fatal(err)
				}
				if err := see(); (err == nil) != (v == hub.Public) {
					t.Errorf("after it became %s a stranger gets %v", v, err)
				}
			}
		}
		head := f.open("model").Head
		if c := f.mustCommit(r, put("a.txt", "a")); f.open("model").Head != c.OID || c.OID == head {
			t.Errorf("head is %s after commit %s", f.open("model").Head, c.OID)
		}
		entry := hub.Entry{Path: "w.bin", LFS: &hub.LFSInfo{OID: sha}}
		for range 2 {
			if _, err := r.Held(ctx, entry); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.DeleteLargeFiles(ctx, []hub.SHA256{sha}, false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Held(ctx, entry); !errors.Is(err, hub.ErrEntryNotFound) {
			t.Errorf("a purged file is still held: %v", err)
		}
		if err := f.open("model").Delete(ctx); err != nil {
			t.Fatal(err)
		}
		if err := see(); !errors.Is(err, hub.ErrRepoNotFound) {
			t.Errorf("a deleted repository: %v", err)
		}
	})
}
