package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// Touching works in batches; every one of them must arrive, and none may turn
// the time back.
func TestTouchManyCredentials(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		const n = 1201
		ids := make([]int64, n)
		hashes := make([]store.SecretHash, n)
		err := db.Update(ctx, func(q *store.Q) error {
			if err := q.InsertAccount(ctx, hub.Account{ID: 1, Name: "ada", Kind: hub.UserAccount, CreatedAt: created}, ""); err != nil {
				return err
			}
			for i := range n {
				ids[i] = int64(i + 1)
				copy(hashes[i][:], fmt.Sprintf("%032d", i))
				tok := store.AccessToken{
					ID: ids[i], GrantID: ids[i], AccountID: 1, Kind: store.PersonalToken, Name: "t", Role: hub.TokenRead,
					Hash: hashes[i], CreatedAt: created,
				}
				if err := q.InsertToken(ctx, tok); err != nil {
					return err
				}
				s := store.Session{Hash: hashes[i], AccountID: 1, CreatedAt: created, ExpiresAt: created.Add(24 * time.Hour)}
				if err := q.InsertSession(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		later := created.Add(time.Hour)
		for _, at := range []time.Time{later, created.Add(time.Minute)} {
			err := db.Update(ctx, func(q *store.Q) error {
				return errors.Join(q.TouchTokens(ctx, ids, at), q.TouchSessions(ctx, hashes, at))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		tokens, err := db.Read().Tokens(ctx, 1)
		if err != nil || len(tokens) != n {
			t.Fatalf("Tokens: %d, %v, want %d", len(tokens), err, n)
		}
		for _, tok := range tokens {
			if !tok.LastUsedAt.Equal(later) {
				t.Fatalf("token %d was last used at %v, want %v", tok.ID, tok.LastUsedAt, later)
			}
		}
		for _, i := range []int{0, 499, 500, 999, 1000, 1200} {
			s, _, err := db.Read().SessionActor(ctx, hashes[i], created)
			if err != nil || !s.LastSeenAt.Equal(later) {
				t.Errorf("session %d was last seen at %v, %v, want %v", i, s.LastSeenAt, err, later)
			}
		}
	})
}
