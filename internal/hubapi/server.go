package hubapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// Config is what a Server is made of.
type Config struct {
	Repos *repo.Service
	// Actor tells who is asking, or refuses bad credentials.
	Actor func(*http.Request) (hub.Actor, error)
	// Base is the public URL of the hub as this client knows it, without a
	// trailing slash.
	Base func(*http.Request) string
	// MintXet makes the token that a client shows to the CAS.
	MintXet api.MintXet
	// Address tells clients apart for the download count.
	Address func(*http.Request) string
	// Version is store.DB.Version.
	Version func() (version uint64, exact bool)
}

// Server answers the repository API.
type Server struct {
	repos   *repo.Service
	actor   func(*http.Request) (hub.Actor, error)
	base    func(*http.Request) string
	mint    api.MintXet
	address func(*http.Request) string
	version func() (version uint64, exact bool)
	global  *http.ServeMux
	known   knownFiles
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{
		repos: cfg.Repos, actor: cfg.Actor, base: cfg.Base, mint: cfg.MintXet, address: cfg.Address, version: cfg.Version,
		global: http.NewServeMux(),
	}
	handle := func(pattern string, h httpx.Handler) { s.global.Handle(pattern, h) }
	handle("POST /api/repos/create", s.createRepo)
	handle("DELETE /api/repos/delete", s.deleteRepo)
	handle("POST /api/repos/move", s.moveRepo)
	handle("POST /api/validate-yaml", s.validateYAML)
	handle("GET /api/agent-harnesses", s.agentHarnesses)
	handle("HEAD /api/telemetry/{topic...}", s.telemetry)
	handle("GET /api/settings/repositories", s.ownRepositories)
	handle("GET /api/organizations/{org}/settings/repositories", s.orgRepositories)
	handle("GET /api/spaces/templates", s.spaceTemplates)
	for _, t := range hub.RepoTypes {
		handle("GET /api/"+t.Plural(), s.list(t))
		if t == hub.Model || t == hub.Dataset {
			handle("GET /api/"+t.Plural()+"-tags-by-type", s.tagsByType(t))
		}
	}
	return s
}

// ServeHTTP answers /api/… requests. The caller sends nothing else here.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	httpx.NoteSurface(r.Context(), "api")
	if _, pattern := s.global.Handler(r); pattern != "" {
		s.global.ServeHTTP(w, r)
		return
	}
	route, ok := api.ParseRoute(r.URL.EscapedPath())
	if !ok {
		httpx.WriteError(w, r, unknownRoute(r))
		return
	}
	s.ServeRepo(w, r, route)
}

// unknownRoute is the answer to a path that the hub does not have. It must be
// JSON: clients parse it.
func unknownRoute(r *http.Request) error {
	return hub.Errorf(hub.CodeNotFound, "There is no %s %s on this hub.", r.Method, r.URL.Path)
}

// repoHandler answers a request about one repository.
type repoHandler func(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error

// repoRoute is a verb of the API with the right that it needs.
type repoRoute struct {
	right  authz.Right
	handle func(*Server) repoHandler
}

// repoRoutes are the verbs after /api/{type}s/{id}/, by "METHOD verb". HEAD is
// answered as GET.
var repoRoutes = map[string]repoRoute{
	"GET ":                     {authz.See, func(s *Server) repoHandler { return s.info }},
	"GET revision":             {authz.See, func(s *Server) repoHandler { return s.info }},
	"GET tree":                 {authz.See, func(s *Server) repoHandler { return s.tree }},
	"POST paths-info":          {authz.See, func(s *Server) repoHandler { return s.pathsInfo }},
	"GET treesize":             {authz.See, func(s *Server) repoHandler { return s.treeSize }},
	"GET refs":                 {authz.See, func(s *Server) repoHandler { return s.refs }},
	"GET commits":              {authz.See, func(s *Server) repoHandler { return s.commits }},
	"GET compare":              {authz.Read, func(s *Server) repoHandler { return s.compare }},
	"POST branch":              {authz.Write, func(s *Server) repoHandler { return s.createBranch }},
	"DELETE branch":            {authz.Write, func(s *Server) repoHandler { return s.deleteBranch }},
	"POST tag":                 {authz.Write, func(s *Server) repoHandler { return s.createTag }},
	"DELETE tag":               {authz.Write, func(s *Server) repoHandler { return s.deleteTag }},
	"POST super-squash":        {authz.Write, func(s *Server) repoHandler { return s.superSquash }},
	"POST preupload":           {authz.Write, func(s *Server) repoHandler { return s.preupload }},
	"POST commit":              {authz.Write, func(s *Server) repoHandler { return s.commit }},
	"PUT settings":             {authz.Admin, func(s *Server) repoHandler { return s.settings }},
	"POST duplicate":           {authz.Read, func(s *Server) repoHandler { return s.duplicate }},
	"GET auth-check":           {authz.Read, func(s *Server) repoHandler { return s.authCheck }},
	"GET xet-read-token":       {authz.Read, func(s *Server) repoHandler { return s.xetReadToken }},
	"GET xet-write-token":      {authz.Write, func(s *Server) repoHandler { return s.xetWriteToken }},
	"GET lfs-files":            {authz.Read, func(s *Server) repoHandler { return s.lfsFiles }},
	"POST lfs-files":           {authz.Read, func(s *Server) repoHandler { return s.changeLFSFiles }},
	"DELETE lfs-files":         {authz.Write, func(s *Server) repoHandler { return s.deleteLFSFile }},
	"GET safetensors-metadata": {authz.Read, func(s *Server) repoHandler { return s.safetensorsMetadata }},
	"GET scan":                 {authz.See, func(s *Server) repoHandler { return s.scan }},
}

// ServeRepo answers a request about one repository on the API surface.
func (s *Server) ServeRepo(w http.ResponseWriter, r *http.Request, route api.Route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	entry, ok := repoRoutes[method+" "+route.Verb]
	httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if !ok {
			return s.missing(r, route)
		}
		rp, err := s.open(w, r, route, entry.right)
		if rp == nil || err != nil {
			return err
		}
		return entry.handle(s)(w, r, route, rp)
	}).ServeHTTP(w, r)
}

// missing answers a verb that is not built: first whether the repository is
// there at all, as the Hub does.
func (s *Server) missing(r *http.Request, route api.Route) error {
	actor, err := s.actor(r)
	if err != nil {
		return err
	}
	id, err := route.ID()
	if err != nil {
		return hub.ErrRepoNotFound
	}
	if _, err := s.repos.Open(r.Context(), actor, route.Type, id, authz.See); err != nil {
		var moved *repo.MovedError
		if !errors.As(err, &moved) {
			return err
		}
	}
	return hub.Errorf(hub.CodeUnsupported, "This hub does not offer %s %s on repositories.", r.Method, strings.TrimSuffix(route.Verb+"/"+route.Tail(), "/"))
}

// open finds the repository of a route for whoever is asking. For a moved one
// it writes the redirect and returns nil without an error.
func (s *Server) open(w http.ResponseWriter, r *http.Request, route api.Route, right authz.Right) (*repo.Repo, error) {
	actor, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	return s.openAs(w, r, actor, route, right)
}

// openAs is open for a known actor.
func (s *Server) openAs(w http.ResponseWriter, r *http.Request, actor hub.Actor, route api.Route, right authz.Right) (*repo.Repo, error) {
	id, err := route.ID()
	if err != nil {
		return nil, hub.ErrRepoNotFound // an id that cannot exist does not
	}
	rp, err := s.repos.Open(r.Context(), actor, route.Type, id, right)
	var moved *repo.MovedError
	if errors.As(err, &moved) {
		w.Header().Set("Location", s.base(r)+route.Moved(moved.To, r.URL.RawQuery))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil, nil
	}
	return rp, err
}
