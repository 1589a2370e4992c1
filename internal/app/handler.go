package app

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authapi"
	"github.com/pantryhub/pantry/internal/casapi"
	"github.com/pantryhub/pantry/internal/githttp"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/hubapi"
	"github.com/pantryhub/pantry/internal/web"
)

// root sends each request to its surface.
type root struct {
	fixed *http.ServeMux // routes with a fixed first segment
	api   *hubapi.Server
	git   *githttp.Server
	web   *web.Server
}

// buildHandler makes the transports over the services.
func (a *App) buildHandler() error {
	address, err := httpx.ClientAddress(a.Config.TrustedProxies)
	if err != nil {
		return err
	}
	if a.auth, err = authapi.NewAuthenticator(a.Identity, a.Config.PublicURL); err != nil {
		return err
	}
	auth, err := authapi.New(authapi.Config{Identity: a.Identity, Auth: a.auth, Base: a.Base, Address: address})
	if err != nil {
		return err
	}
	tokens := casapi.NewTokens(a.key, time.Now)
	actor := func(r *http.Request) (hub.Actor, error) {
		g, err := a.auth.Grant(r)
		return g.Actor, err
	}
	cas := casapi.New(a.cas, casapi.Config{Base: a.Base, Key: a.key, Tokens: tokens, Logger: a.log})
	pages, err := web.New(web.Config{Repos: a.Repos, Identity: a.Identity, Auth: a.auth, Base: a.Base, Address: address})
	if err != nil {
		return err
	}
	rt := &root{
		fixed: http.NewServeMux(),
		api: hubapi.New(hubapi.Config{
			Repos: a.Repos, Actor: actor, Base: a.Base, MintXet: tokens.Mint, Address: address, Version: a.db.Version,
		}),
		git: githttp.New(githttp.Config{
			Repos: a.Repos, LFS: a.lfs, Actor: actor, Base: a.Base, MintXet: tokens.Mint, Challenge: authapi.Challenge,
			MultipartAbove: a.Config.LFSMultipartAbove, PartSize: a.Config.LFSPartSize,
		}),
		web: pages,
	}
	auth.Register(rt.fixed)
	rt.fixed.Handle("/cas/", http.StripPrefix("/cas", cas))
	rt.fixed.HandleFunc("/lfs/", rt.git.ServeTransfer)
	rt.fixed.HandleFunc("POST /v1/telemetry", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent) // hf_xet reports here, whatever the CAS URL is; nothing is kept
	})
	rt.fixed.Handle("GET /healthz", httpx.Handler(a.healthz))
	rt.fixed.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	a.handler = httpx.Wrap(rt, a.log, a.metrics)
	return nil
}

// ServeHTTP routes on the escaped path: a ServeMux would refuse the Hub's URL
// shapes, and clean "//" out of file names.
func (rt *root) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rt.api.ServeKnown(w, r) {
		return
	}
	if strings.HasPrefix(r.Host, "datasets-server.") {
		// The datasets library asks a host beside the hub for its viewer.
		httpx.WriteError(w, r, hub.Errorf(hub.CodeNotFound, "This hub does not offer the dataset viewer API."))
		return
	}
	path := r.URL.EscapedPath()
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "cas", "lfs", "oauth", "healthz", "metrics", ".well-known", "v1":
		rt.fixed.ServeHTTP(w, r)
		return
	case "uploads": // where clients send the attachments of discussions
		httpx.WriteError(w, r, hub.Errorf(hub.CodeUnsupported, "This hub does not take attachments yet."))
		return
	case "api":
		if _, pattern := rt.fixed.Handler(r); pattern != "" {
			rt.fixed.ServeHTTP(w, r)
			return
		}
		rt.api.ServeHTTP(w, r)
		return
	}
	route, ok := api.ParseRoute(path)
	switch {
	case !ok || hub.ReservedNamespace(route.Namespace):
		rt.web.ServeHTTP(w, r)
	case route.Surface == api.Git, route.Verb == "info", route.Verb == "git-upload-pack", route.Verb == "git-receive-pack":
		rt.git.ServeRepo(w, r, route)
	case route.Verb == "resolve", route.Verb == "raw":
		rt.api.ServeFile(w, r, route)
	case route.Namespace == "":
		rt.web.ServeHTTP(w, r)
	default:
		rt.web.ServeRepo(w, r, route)
	}
}

// healthEvery is how long an answer of healthz stands: anybody may ask, and
// the check writes.
const healthEvery = time.Second

// health is the last answer of healthz.
type health struct {
	mu     sync.Mutex
	at     time.Time
	status map[string]string
	code   int
}

// healthz answers 200 when the database and the bucket can be written.
func (a *App) healthz(w http.ResponseWriter, r *http.Request) error {
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) >= healthEvery {
		h.status, h.code = a.check(context.WithoutCancel(r.Context()))
		h.at = time.Now()
	}
	return httpx.JSON(w, h.code, h.status)
}

const checkTimeout = 10 * time.Second

func (a *App) check(ctx context.Context) (status map[string]string, code int) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	status, code = map[string]string{"status": "ok", "database": "ok", "bucket": "ok"}, http.StatusOK
	fail := func(part string, err error) {
		a.log.Error("health check failed", "part", part, "err", err)
		status["status"], status[part], code = "failing", "failing", http.StatusServiceUnavailable
	}
	if err := a.db.Check(ctx); err != nil {
		fail("database", err)
	}
	if err := a.bucket.Check(ctx); err != nil {
		fail("bucket", err)
	}
	return status, code
}
