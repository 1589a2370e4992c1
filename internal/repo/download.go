package repo

import (
	"context"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// queryFiles are the files whose request counts as one download of a model, so
// that a checkpoint of many files counts once.
var queryFiles = map[string]bool{
	"config.json": true, "config.yaml": true, "hyperparams.yaml": true, "params.json": true,
	"meta.yaml": true, "model_index.json": true, "adapter_config.json": true,
}

// CountDownload counts a request for a file: of a model when it is a query
// file, of anything else once per client in five minutes. The count reaches
// the database within a few seconds.
func (r *Repo) CountDownload(file, client string) {
	if r.Type == hub.Model {
		if queryFiles[path.Base(file)] || strings.HasSuffix(file, ".gguf") {
			r.svc.counter.add(r.ID, "")
		}
		return
	}
	r.svc.counter.add(r.ID, client)
}

const (
	countEvery  = 5 * time.Second
	countWindow = 5 * time.Minute
	maxSeen     = 100_000 // clients remembered for the window
)

// downloadCounter adds up downloads in memory, so that a download costs no
// write transaction.
type downloadCounter struct {
	db   *store.DB
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	pending map[int64]int64
	seen    map[seenKey]time.Time
}

type seenKey struct {
	repoID int64
	client string
}

func newDownloadCounter(db *store.DB, log *slog.Logger) *downloadCounter {
	ctx, stop := context.WithCancel(context.Background())
	c := &downloadCounter{
		db: db, log: log, stop: stop, done: make(chan struct{}),
		pending: map[int64]int64{}, seen: map[seenKey]time.Time{},
	}
	go c.run(ctx)
	return c
}

func (c *downloadCounter) add(repoID int64, client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client != "" {
		key, now := seenKey{repoID, client}, time.Now()
		if now.Sub(c.seen[key]) < countWindow {
			return
		}
		if len(c.seen) >= maxSeen {
			clear(c.seen)
		}
		c.seen[key] = now
	}
	c.pending[repoID]++
}

func (c *downloadCounter) run(ctx context.Context) {
	defer close(c.done)
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.flush(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			c.flush(ctx)
		}
	}
}

func (c *downloadCounter) flush(ctx context.Context) {
	c.mu.Lock()
	pending := c.pending
	c.pending = map[int64]int64{}
	c.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	err := c.db.Update(ctx, func(q *store.Q) error {
		for id, n := range pending {
			if err := q.AddDownloads(ctx, id, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.log.Warn("downloads not counted", "repos", len(pending), "err", err)
	}
}

func (c *downloadCounter) close() error {
	c.stop()
	<-c.done
	return nil
}
