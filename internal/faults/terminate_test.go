package faults

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestDatabaseConnectionsCut ends every connection to PostgreSQL again and
// again while clients write, as a failover does: some requests get a 503 that
// clients try again, and nothing that was acknowledged is lost.
func TestDatabaseConnectionsCut(t *testing.T) {
	url := storetest.PostgresURL(t)
	h := hubtest.Start(t, hubtest.Options{Database: url, Bucket: "memory:"})
	w := &writers{t: t, client: wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite)), allow: 503}
	for _, repo := range killRepos {
		if err := mustReply(w.client.Create(t.Context(), repo)); err != nil {
			t.Fatal(err)
		}
	}
	admin, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	var running sync.WaitGroup
	for i, way := range []func(context.Context, attempt) error{w.commitFiles, w.commitBig, w.commitLFS, w.commitXet} {
		running.Go(func() { w.run(ctx, i, way) })
	}
	for ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		_, err := admin.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	time.Sleep(1100 * time.Millisecond) // the driver replaces cut connections that rested for a second
	w.verify()
	t.Logf("%d commits acknowledged, %d not", w.acked(), w.unanswered())
	if w.acked() == 0 || w.unanswered() == 0 {
		t.Errorf("%d commits acknowledged and %d not: nothing was tested", w.acked(), w.unanswered())
	}
}
