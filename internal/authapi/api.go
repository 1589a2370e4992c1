package authapi

import (
	"errors"
	"net/http"

	"github.com/pantryhub/pantry/internal/identity"
)

// Config is what an API is made of.
type Config struct {
	Identity *identity.Service
	Auth     *Authenticator
	Base     func(*http.Request) string // public URL of the hub as this client knows it, without a final slash
	Address  func(*http.Request) string // of the client, for rate limits
}

// API serves the routes of this package.
type API struct {
	identity *identity.Service
	auth     *Authenticator
	base     func(*http.Request) string
	address  func(*http.Request) string
}

// New makes an API.
func New(c Config) (*API, error) {
	if c.Identity == nil || c.Auth == nil || c.Base == nil || c.Address == nil {
		return nil, errors.New("authapi: Identity, Auth, Base and Address are needed")
	}
	return &API{identity: c.Identity, auth: c.Auth, base: c.Base, address: c.Address}, nil
}

// Register adds the routes to a mux.
func (a *API) Register(mux *http.ServeMux) {
	for pattern, h := range map[string]http.Handler{
		"GET /api/whoami-v2":                    handler(a.whoAmI),
		"GET /api/avatars/{name}":               handler(a.avatar),
		"GET /api/users/{name}/avatar":          handler(a.avatar),
		"GET /api/organizations/{name}/avatar":  handler(a.avatar),
		"GET /.well-known/openid-configuration": handler(a.openIDConfiguration),
		"POST /oauth/device":                    oauth(a.startDevice),
		"POST /oauth/token":                     oauth(a.token),
		"/oauth/":                               handler(unsupported),
	} {
		mux.Handle(pattern, h)
	}
}
