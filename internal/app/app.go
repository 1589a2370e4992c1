package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pantryhub/pantry/internal/authapi"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/http1"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/lfs"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/sign"
	"github.com/pantryhub/pantry/internal/store"
)

// App is a hub with its services, ready to answer requests.
type App struct {
	Config   config.Config
	Identity *identity.Service
	Repos    *repo.Service

	log     *slog.Logger
	db      *store.DB
	bucket  bucket.Bucket
	cas     *cas.Service
	lfs     *lfs.Service
	auth    *authapi.Authenticator
	key     sign.Key
	metrics *prometheus.Registry
	handler http.Handler
	health  health

	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// OpenBucket opens the bucket at a location, as bucket.Open does.
type OpenBucket func(ctx context.Context, location string) (bucket.Bucket, error)

// New opens the database and the bucket and builds the services. Close it.
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (*App, error) {
	return NewWith(ctx, cfg, log, bucket.Open)
}

// NewWith is New with another way to open the bucket: tests put faults around
// it.
func NewWith(ctx context.Context, cfg config.Config, log *slog.Logger, open OpenBucket) (*App, error) {
	a := &App{Config: cfg, log: log, metrics: prometheus.NewRegistry(), stop: func() {}}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.build(ctx, open); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) build(ctx context.Context, open OpenBucket) error {
	for _, dir := range []string{a.Config.Data, a.Config.CacheDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	}
	var err error
	if a.db, err = store.Open(ctx, a.Config.DatabaseURL()); err != nil {
		return err
	}
	if a.bucket, err = open(ctx, a.Config.BucketLocation()); err != nil {
		return fmt.Errorf("open the bucket: %w", err)
	}
	if a.key, err = signingKey(ctx, a.db); err != nil {
		return err
	}
	a.cas, err = cas.New(cas.Config{DB: a.db, Bucket: a.bucket, SpoolDir: a.Config.CacheDir(), CopyBytes: a.Config.CacheSize, Logger: a.log})
	if err != nil {
		return err
	}
	a.Identity, err = identity.New(identity.Config{DB: a.db, Log: a.log, Policy: identity.Policy{OpenSignUp: a.Config.SignUp}})
	if err != nil {
		return err
	}
	a.Repos, err = repo.New(repo.Config{DB: a.db, CAS: a.cas, SpoolDir: a.Config.CacheDir(), Log: a.log})
	if err != nil {
		return err
	}
	a.lfs = lfs.New(lfs.Config{DB: a.db, CAS: a.cas, Bucket: a.bucket, Key: a.key})
	return a.buildHandler()
}

// signingKey returns the key that this hub signs with, made at the first start.
func signingKey(ctx context.Context, db *store.DB) (sign.Key, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh) // never fails (crypto/rand)
	var secret []byte
	err := db.Update(ctx, func(q *store.Q) (err error) {
		secret, err = q.SettingOnce(ctx, "signing-key", fresh)
		return err
	})
	if err != nil {
		return sign.Key{}, fmt.Errorf("signing key: %w", err)
	}
	return sign.NewKey(secret)
}

// Close stops the background tasks and lets go of everything.
func (a *App) Close() error {
	a.stop()
	a.tasks.Wait()
	var errs []error
	if a.Repos != nil {
		errs = append(errs, a.Repos.Close())
	}
	if a.cas != nil {
		errs = append(errs, a.cas.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Base is the public URL as the client of a request knows it: the configured
// one, or the host that it asked.
func (a *App) Base(r *http.Request) string {
	if a.Config.PublicURL != "" {
		return strings.TrimSuffix(a.Config.PublicURL, "/")
	}
	return "http://" + r.Host
}

const (
	sweepEvery    = time.Hour
	headerTimeout = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 20 * time.Second
)

// Start runs the background tasks until Close.
func (a *App) Start(ctx context.Context) {
	ctx, a.stop = context.WithCancel(ctx)
	a.tasks.Go(func() { a.Identity.Run(ctx) })
	a.tasks.Go(func() {
		for {
			if err := a.lfs.Sweep(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("sweep of abandoned uploads failed", "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(sweepEvery):
			}
		}
	})
}

// isDownload reports whether a request target is that of a file's bytes.
func isDownload(target string) bool {
	return strings.HasPrefix(target, "/cas/fetch/") || !strings.HasPrefix(target, "/api/") && strings.Contains(target, "/resolve/")
}

// Serve answers requests from a listener until ctx ends, then lets the ones
// under way finish for a while. There are no read or write timeouts: bodies of
// hours are normal; headers must come promptly. Downloads of files are answered
// in front of the server of net/http, by the same handler.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	front := http1.New(l, http1.Config{
		Handler: a, Takes: isDownload, HeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, Log: a.log,
	})
	srv := &http.Server{
		Handler: a, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(front) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var fronts sync.WaitGroup
	fronts.Go(func() { _ = front.Shutdown(drain) }) // what is not done in time is cut off, as below
	if err := srv.Shutdown(drain); err != nil {
		srv.Close()
	}
	fronts.Wait()
	return nil
}
