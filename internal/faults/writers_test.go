package faults

import (
	"fmt"
	"sync"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// eachEngine runs a test against a hub on SQLite and one on PostgreSQL.
func eachEngine(t *testing.T, test func(t *testing.T, c *wiretest.Client)) {
	run := func(t *testing.T, opts hubtest.Options) {
		h := hubtest.Start(t, opts)
		test(t, wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite)))
	}
	t.Run("sqlite", func(t *testing.T) { run(t, hubtest.Options{}) })
	t.Run("postgres", func(t *testing.T) {
		run(t, hubtest.Options{Database: storetest.PostgresURL(t), Bucket: "memory:"})
	})
}

// TestTwoWriters: of two commits on top of the same parent one gets in, the
// other is told that the branch moved.
func TestTwoWriters(t *testing.T) {
	eachEngine(t, func(t *testing.T, c *wiretest.Client) {
		ctx, repo := t.Context(), "ada/two"
		if err := mustReply(c.Create(ctx, repo)); err != nil {
			t.Fatal(err)
		}
		for round := range 10 {
			history, err := commitsOf(ctx, c, repo)
			if err != nil {
				t.Fatal(err)
			}
			var got [2]wiretest.Reply
			var both sync.WaitGroup
			for i := range got {
				both.Go(func() {
					reply, err := c.Commit(ctx, repo, wiretest.Commit{
						Summary: "race", Parent: history[0].ID,
						Files: map[string][]byte{"f.txt": fmt.Appendf(nil, "%d %d", round, i)},
					})
					if err != nil {
						t.Error(err)
					}
					got[i] = reply
				})
			}
			both.Wait()
			winner := 0
			if got[1].OK() {
				winner = 1
			}
			if got[winner].Status != 200 || got[1-winner].Status != 412 {
				t.Fatalf("statuses %d and %d, want 200 and 412: %s %s", got[0].Status, got[1].Status, got[0].Body, got[1].Body)
			}
			var body api.ErrorBody
			if err := got[1-winner].Decode(&body); err != nil || body.Error != hub.ErrStale.Message {
				t.Errorf("the loser is told %q, %v", body.Error, err)
			}
			x := &target{Client: c, repo: repo}
			if err := x.has(ctx, "f.txt", fmt.Appendf(nil, "%d %d", round, winner)); err != nil {
				t.Errorf("the winner's file: %v", err)
			}
		}
	})
}

// TestManyWriters: a hundred clients that name no parent all get in.
func TestManyWriters(t *testing.T) {
	const many = 100
	eachEngine(t, func(t *testing.T, c *wiretest.Client) {
		ctx, repo := t.Context(), "ada/many"
		if err := mustReply(c.Create(ctx, repo)); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				err := mustReply(c.Commit(ctx, repo, wiretest.Commit{
					Summary: fmt.Sprint("writer ", i), Files: map[string][]byte{fmt.Sprintf("dir/%d.txt", i): fmt.Append(nil, i)},
				}))
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		all.Wait()
		history, err := commitsOf(ctx, c, repo)
		if err != nil || len(history) != many+1 {
			t.Errorf("%d commits in the history, %v, want %d", len(history), err, many+1)
		}
		reply, err := c.Get(ctx, "/api/models/"+repo+"/tree/main/dir")
		var entries []api.TreeEntry
		if err := mustReply(reply, err); err != nil {
			t.Fatal(err)
		}
		if err := reply.Decode(&entries); err != nil || len(entries) != many {
			t.Errorf("%d files, %v, want %d", len(entries), err, many)
		}
		for i := range many {
			x := &target{Client: c, repo: repo}
			if err := x.has(ctx, fmt.Sprintf("dir/%d.txt", i), fmt.Append(nil, i)); err != nil {
				t.Errorf("file of writer %d: %v", i, err)
			}
		}
	})
}
