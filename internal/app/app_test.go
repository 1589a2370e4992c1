package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// faultyHub starts a hub whose bucket can be made to fail.
func faultyHub(t *testing.T) (*wiretest.Client, *buckettest.Injector, *hubtest.Hub) {
	t.Helper()
	var injector *buckettest.Injector
	h := hubtest.Start(t, hubtest.Options{Bucket: "memory:", OpenBucket: func(ctx context.Context, location string) (bucket.Bucket, error) {
		b, err := bucket.Open(ctx, location)
		injector = buckettest.Faulty(b)
		return injector, err
	}})
	return wiretest.New(t, h.URL, ""), injector, h
}

// TestHealth: healthz says which part fails, and not why.
func TestHealth(t *testing.T) {
	c, injector, _ := faultyHub(t)
	ask := func(want int) map[string]string {
		t.Helper()
		got, err := c.Get(t.Context(), "/healthz")
		for began := time.Now(); err == nil && got.Status != want && time.Since(began) < 10*time.Second; {
			time.Sleep(50 * time.Millisecond) // an answer stands for a second
			got, err = c.Get(t.Context(), "/healthz")
		}
		if err != nil || got.Status != want {
			t.Fatalf("healthz: status %d, %v, want %d", got.Status, err, want)
		}
		var parts map[string]string
		if err := got.Decode(&parts); err != nil || strings.Contains(string(got.Body), "secret") {
			t.Errorf("healthz: %v %s", err, got.Body)
		}
		return parts
	}
	if parts := ask(200); parts["status"] != "ok" || parts["database"] != "ok" || parts["bucket"] != "ok" {
		t.Errorf("a healthy hub says %v", parts)
	}
	injector.Fail(buckettest.Fault{Op: buckettest.Check, Err: errors.New("secret of the store")})
	if parts := ask(503); parts["status"] == "ok" || parts["database"] != "ok" || parts["bucket"] == "ok" {
		t.Errorf("a hub without its bucket says %v", parts)
	}
	injector.Heal()
	ask(200)
}

// TestEverySurface asks each surface something, right and wrong: all answer
// with the headers that every response has.
func TestEverySurface(t *testing.T) {
	c, _, _ := faultyHub(t)
	tests := []struct {
		method, target string
		status         int
		kind           string // of the media type, "" for any
	}{
		{"GET", "/", 200, "text/html"},
		{"GET", "/nobody/nothing", 404, "text/html"},
		{"GET", "/nobody/nothing/resolve/main/x", 404, "application/json"},
		{"GET", "/api/models", 200, "application/json"},
		{"GET", "/api/nope", 404, "application/json"},
		{"GET", "/api/whoami-v2", 401, "application/json"},
		{"POST", "/api/whoami-v2", 404, ""},
		{"GET", "/cas/nope", 404, "application/json"},
		{"GET", "/cas/v1/reconstructions/x", 401, "application/json"},
		{"PUT", "/lfs/upload/x", 403, "application/json"},
		{"GET", "/lfs/x", 404, "application/json"},
		{"POST", "/oauth/token", 400, "application/json"},
		{"GET", "/.well-known/openid-configuration", 200, "application/json"},
		{"GET", "/healthz", 200, "application/json"},
		{"HEAD", "/healthz", 200, "application/json"},
		{"GET", "/metrics", 200, "text/plain"},
		{"OPTIONS", "/api/models", 204, ""},
		{"GET", "/nobody/nothing.git/info/refs?service=git-upload-pack", 501, "application/json"},
		{"GET", "/..%2f..%2fetc%2fpasswd", 404, ""},
	}
	for _, tt := range tests {
		headers := []string{}
		if tt.method == "OPTIONS" {
			headers = []string{"Origin", "https://elsewhere.example", "Access-Control-Request-Method", "GET"}
		}
		got, err := c.Do(t.Context(), tt.method, tt.target, nil, headers...)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.target, err)
			continue
		}
		if got.Status != tt.status || !strings.HasPrefix(got.Header.Get("Content-Type"), tt.kind) {
			t.Errorf("%s %s: status %d, %s, want %d, %s", tt.method, tt.target, got.Status, got.Header.Get("Content-Type"), tt.status, tt.kind)
		}
		if got.Header.Get("X-Request-Id") == "" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: headers %v", tt.method, tt.target, got.Header)
		}
		if got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s lets other origins use cookies", tt.method, tt.target)
		}
	}
	got, err := c.Get(t.Context(), "/metrics")
	if err != nil || !strings.Contains(string(got.Body), `pantry_http_requests_total{method="GET",status="401",surface="cas"} 1`) {
		t.Errorf("metrics do not count the refused CAS request: %v", err)
	}
}

// TestPublicURL: links carry the configured address, else the one asked for.
func TestPublicURL(t *testing.T) {
	for _, tt := range []struct{ public, want string }{
		{"", ""}, {"https://hub.example.org", "https://hub.example.org"}, {"https://hub.example.org/", "https://hub.example.org"},
	} {
		h := hubtest.Start(t, hubtest.Options{Bucket: "memory:", Configure: func(c *config.Config) { c.PublicURL = tt.public }})
		c := wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))
		got, err := c.Create(t.Context(), "ada/model")
		var created struct{ URL string }
		if err != nil || json.Unmarshal(got.Body, &created) != nil {
			t.Fatalf("create: %v %s", err, got.Body)
		}
		want := tt.want
		if want == "" {
			want = h.URL
		}
		if created.URL != want+"/ada/model" {
			t.Errorf("with the public URL %q the repository is at %q, want %s/ada/model", tt.public, created.URL, want)
		}
	}
}

// TestFailedStart: what cannot be opened is said, and nothing stays open.
func TestFailedStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a database, not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for name, where := range map[string]config.Storage{
		"a data folder that is a file": {Data: file},
		"a database that is none":      {Data: data, Database: "sqlite:" + file},
		"a database nowhere":           {Data: data, Database: "sqlite:/does/not/exist.db"},
		"an unknown engine":            {Data: data, Database: "mysql://x"},
		"an unknown store":             {Data: data, Bucket: "ftp://x"},
		"a bucket that is a file":      {Data: data, Bucket: file},
	} {
		a, err := app.New(t.Context(), config.Config{Storage: where}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err == nil {
			a.Close()
			t.Errorf("%s: it starts", name)
		}
	}
}

func TestLockData(t *testing.T) {
	where := config.Storage{Data: filepath.Join(t.TempDir(), "data")}
	first, err := app.LockData(where)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := app.LockData(where); hub.CodeOf(err) != hub.CodeConflict {
		t.Errorf("a second lock: %v, %v, want a conflict", second, err)
	}
	left := filepath.Join(where.CacheDir(), "left", "behind")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := app.LockData(where); err == nil {
		t.Error("a third lock")
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a refused server cleared the cache of the first: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	again, err := app.LockData(where)
	if err != nil {
		t.Fatalf("after the first is gone: %v", err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed server left in the cache is still there")
	}
	again.Close()
}
