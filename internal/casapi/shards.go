package casapi

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/httpx"
)

// heartbeat is how often a client hears that its shard is still being checked.
const heartbeat = 15 * time.Second

// readShard reads and checks the shard in the body.
func (s *Server) readShard(r *http.Request) (*cas.ShardUpload, error) {
	return s.cas.ReadShard(r.Context(), r.Body, r.ContentLength)
}

// result is what clients are told about a registered shard: 1 if anything in it
// was new.
func result(created bool) int {
	if created {
		return 1
	}
	return 0
}

// putShardV1 registers a shard and answers when that is done.
func (s *Server) putShardV1(w http.ResponseWriter, r *http.Request, g grant) error {
	up, err := s.readShard(r)
	if err != nil {
		return err
	}
	created, err := up.Register(r.Context(), g.Scope, func(int64, int64) {})
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct {
		Result int `json:"result"`
	}{result(created)})
}

// putShardV2 registers a shard and tells meanwhile how far it is. What is wrong
// with the shard itself has a status; later errors are in the stream.
func (s *Server) putShardV2(w http.ResponseWriter, r *http.Request, g grant) error {
	up, err := s.readShard(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := &frames{w: w, flush: http.NewResponseController(w).Flush}
	stop := out.repeat(r.Context())
	created, err := up.Register(r.Context(), g.Scope, out.progress)
	stop()
	if err != nil {
		code, message := httpx.Describe(r, err)
		out.send(errorFrame{"error", message, retryable(code)})
		return nil
	}
	out.send(stageFrame{"committing", "syncing"})
	out.send(resultFrame{"result", result(created)})
	return nil
}

// retryable reports whether sending the same shard again may succeed.
func retryable(c hub.Code) bool {
	return c == hub.CodeInternal || c == hub.CodeUnavailable || c == hub.CodeNoSpace
}

// The lines of the answer. Clients refuse others.
type (
	validatingFrame struct {
		Type     string `json:"type"`
		Verified int64  `json:"verified"`
		Total    int64  `json:"total"`
	}
	stageFrame struct {
		Type  string `json:"type"`
		Stage string `json:"stage"`
	}
	resultFrame struct {
		Type   string `json:"type"`
		Result int    `json:"result"`
	}
	errorFrame struct {
		Type      string `json:"type"`
		Message   string `json:"message"`
		Retryable bool   `json:"retryable"`
	}
)

// frames writes the lines of the answer.
type frames struct {
	w     http.ResponseWriter
	flush func() error

	mu       sync.Mutex // guards what is below, and writing
	verified int64
	total    int64
}

func (f *frames) send(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		return // the frames above can be marshalled
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w.Write(append(line, '\n')) // the client is gone if this fails
	f.flush()
}

// progress notes how far the check is; the next heartbeat tells it.
func (f *frames) progress(verified, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verified, f.total = verified, total
}

func (f *frames) validating() validatingFrame {
	f.mu.Lock()
	defer f.mu.Unlock()
	return validatingFrame{"validating", f.verified, f.total}
}

// repeat sends a sign of life now and again until stop is called.
func (f *frames) repeat(ctx context.Context) (stop func()) {
	f.send(f.validating())
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f.send(f.validating())
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
