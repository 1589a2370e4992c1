package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

func TestUpdateIsAllOrNothing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		boom := errors.New("boom")
		err := db.Update(ctx, func(q *store.Q) error {
			if err := q.PutSetting(ctx, "a", []byte("1")); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("Update = %v, want boom", err)
		}
		var got []byte
		err = db.Update(ctx, func(q *store.Q) (err error) {
			got, err = q.SettingOnce(ctx, "a", []byte("2"))
			return err
		})
		if err != nil || string(got) != "2" {
			t.Fatalf("after a rolled-back update: %q, %v, want 2", got, err)
		}
	})
}
