package web

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authapi"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/repo"
)

// Config is what a Server is made of.
type Config struct {
	Repos    *repo.Service
	Identity *identity.Service
	Auth     *authapi.Authenticator
	// Base is the public URL of the hub as this client knows it, without a
	// trailing slash. Commands that pages show contain it.
	Base func(*http.Request) string
	// Address of the client, for rate limits.
	Address func(*http.Request) string
	// ImageSources are the origins, besides the hub itself, that images and
	// other media in pages may come from, as in a content security policy. Nil
	// is "https:": cards embed badges and pictures of other sites. A hub that
	// must not make its readers' browsers contact others sets an empty list; one
	// whose files are fetched from an S3 store by redirect adds its origin.
	ImageSources []string
	Now          func() time.Time // time.Now if nil
}

// Server answers requests for pages.
type Server struct {
	repos     *repo.Service
	identity  *identity.Service
	auth      *authapi.Authenticator
	base      func(*http.Request) string
	address   func(*http.Request) string
	now       func() time.Time
	policy    string // Content-Security-Policy
	assets    assets
	renderer  *renderer
	labels    *labelCache
	templates map[string]*template.Template
	global    *http.ServeMux
}

// New makes a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Repos == nil || cfg.Identity == nil || cfg.Auth == nil || cfg.Base == nil || cfg.Address == nil {
		return nil, errors.New("web: Repos, Identity, Auth, Base and Address are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ImageSources == nil {
		cfg.ImageSources = []string{"https:"}
	}
	s := &Server{
		repos: cfg.Repos, identity: cfg.Identity, auth: cfg.Auth, base: cfg.Base, address: cfg.Address, now: cfg.Now,
		policy: contentPolicy(cfg.ImageSources), global: http.NewServeMux(),
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.renderer, err = newRenderer(); err != nil {
		return nil, err
	}
	if s.labels, err = newLabelCache(cfg.Repos); err != nil {
		return nil, err
	}
	if s.templates, err = parseTemplates(s.assets, s.now); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

// contentPolicy is the Content-Security-Policy of every page.
func contentPolicy(media []string) string {
	sources := strings.Join(append([]string{"'self'"}, media...), " ")
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src " + sources + " data:; media-src " + sources +
		"; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

func (s *Server) routes() {
	page := func(pattern string, h pageHandler) { s.global.Handle(pattern, s.page(h)) }
	page("GET /{$}", s.home)
	for _, t := range hub.RepoTypes {
		page("GET /"+t.Plural(), func(v *visit) error { return s.list(v, t) })
	}
	page("GET /login", s.showLogin)
	page("POST /login", s.login)
	page("GET /join", s.showJoin)
	page("POST /join", s.join)
	page("POST /logout", s.logout)
	page("GET /setup", s.showSetup)
	page("POST /setup", s.setup)
	page("GET /password", s.showPassword)
	page("POST /password", s.password)
	page("GET /new", signedIn(s.showCreate))
	page("POST /new", signedIn(s.create))
	page("GET /device", signedIn(s.showDevice))
	page("POST /device", signedIn(s.decideDevice))
	page("GET /settings", signedIn(s.showAccount))
	page("GET /settings/account", signedIn(s.showAccount))
	page("POST /settings/account/password", signedIn(s.changePassword))
	page("POST /settings/account/sessions", signedIn(s.endSessions))
	page("GET /settings/tokens", signedIn(s.showTokens))
	page("POST /settings/tokens", signedIn(s.createToken))
	page("POST /settings/tokens/revoke", signedIn(s.revokeToken))
	s.global.Handle("GET /static/{name}", httpx.Handler(s.assets.serve))
	s.global.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.assets.url("favicon.svg"), http.StatusFound)
	})
	s.global.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("User-agent: *\nDisallow: /settings\nDisallow: /api\n"))
	})
}

// ServeHTTP answers every page. Paths that are none of the hub's own are
// namespaces and repositories.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	httpx.NoteSurface(r.Context(), "web")
	if _, pattern := s.global.Handler(r); pattern != "" {
		s.global.ServeHTTP(w, r)
		return
	}
	path := r.URL.EscapedPath()
	route, ok := api.ParseRoute(path)
	switch trimmed := strings.TrimRight(path, "/"); {
	case ok && route.Namespace == "" && route.Type == hub.Model && route.Verb == "" && trimmed == path:
		s.page(func(v *visit) error { return s.profile(v, route.Name) }).ServeHTTP(w, r)
	case ok && route.Verb == "" && trimmed != path && trimmed != "":
		http.Redirect(w, r, localPath(trimmed), http.StatusMovedPermanently)
	case ok:
		s.ServeRepo(w, r, route)
	default:
		s.page(func(*visit) error { return hub.ErrNotFound }).ServeHTTP(w, r)
	}
}

// repoHandler answers a request for a page of one repository.
type repoHandler func(*Server, *visit, *repoVisit) error

// repoRoutes are the verbs after a repository's id, by "METHOD verb", with the
// right that each needs.
var repoRoutes = map[string]struct {
	right  authz.Right
	handle repoHandler
}{
	"GET ":          {authz.See, (*Server).card},
	"GET tree":      {authz.See, (*Server).tree},
	"GET blob":      {authz.Read, (*Server).blob},
	"GET commits":   {authz.See, (*Server).commits},
	"GET commit":    {authz.Read, (*Server).commit},
	"GET settings":  {authz.Admin, (*Server).showSettings},
	"POST settings": {authz.Admin, (*Server).changeSettings},
}

// ServeRepo answers a page of a repository.
func (s *Server) ServeRepo(w http.ResponseWriter, r *http.Request, route api.Route) {
	httpx.NoteSurface(r.Context(), "web")
	s.page(func(v *visit) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		entry, known := repoRoutes[method+" "+route.Verb]
		if !known {
			entry.right = authz.See
		}
		rv, err := s.openRepo(v, route, entry.right)
		if rv == nil || err != nil {
			return err
		}
		if !known {
			return hub.Errorf(hub.CodeNotFound, "This hub has no such page of a repository.")
		}
		return entry.handle(s, v, rv)
	}).ServeHTTP(w, r)
}
