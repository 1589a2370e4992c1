// Package hubtest starts a real hub on a loopback address for tests: ours, and
// those of programs that talk to a hub. Nothing is mocked; state is in a
// temporary folder (or wherever Options say) and is gone after the test.
package hubtest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/identity"
)

// Options changes where a test hub keeps its state. The zero value is SQLite
// and a folder.
type Options struct {
	Database string // sqlite:… or postgres://…
	Bucket   string // a folder, memory: or s3://…
	Log      io.Writer

	// Configure, if not nil, changes other settings; OpenBucket, if not nil,
	// opens the bucket. Both are for tests of the hub itself.
	Configure  func(*config.Config)
	OpenBucket app.OpenBucket
}

// Hub is a running hub.
type Hub struct {
	URL string // http://127.0.0.1:PORT
	t   testing.TB
	app *app.App
}

// Start starts a hub and stops it after the test.
func Start(t testing.TB, opts Options) *Hub {
	t.Helper()
	cfg := config.Config{
		Storage: config.Storage{Data: filepath.Join(t.TempDir(), "data"), Database: opts.Database, Bucket: opts.Bucket},
		Listen:  "127.0.0.1:0", SignUp: true, LFSMultipartAbove: 5e9, LFSPartSize: 100e6,
	}
	if opts.Configure != nil {
		opts.Configure(&cfg)
	}
	open := opts.OpenBucket
	if open == nil {
		open = bucket.Open
	}
	out := opts.Log
	if out == nil {
		out = io.Discard
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.NewWith(ctx, cfg, slog.New(slog.NewTextHandler(out, nil)), open)
	if err != nil {
		cancel()
		t.Fatalf("start hub: %v", err)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		cancel()
		t.Fatalf("start hub: %v", err)
	}
	a.Start(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close hub: %v", err)
		}
	})
	return &Hub{URL: "http://" + l.Addr().String(), t: t, app: a}
}

// User makes a user and returns a token with the role.
func (h *Hub) User(name string, role hub.TokenRole) (token string) {
	h.t.Helper()
	if _, err := h.app.Identity.CreateUser(context.Background(), identity.NewAccount{Name: name}); err != nil {
		h.t.Fatalf("create user %s: %v", name, err)
	}
	return h.Token(name, role)
}

// Token returns another token of a user.
func (h *Hub) Token(user string, role hub.TokenRole) (token string) {
	h.t.Helper()
	ctx := context.Background()
	account, err := h.app.Identity.Account(ctx, user)
	if err != nil {
		h.t.Fatalf("token of %s: %v", user, err)
	}
	token, _, err = h.app.Identity.CreateToken(ctx, account.ID, identity.NewToken{Name: "test", Role: role})
	if err != nil {
		h.t.Fatalf("token of %s: %v", user, err)
	}
	return token
}
