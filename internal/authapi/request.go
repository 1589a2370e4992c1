package authapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
)

// Authenticator finds out who sent a request, and keeps the session cookie.
type Authenticator struct {
	identity *identity.Service
	origin   *http.CrossOriginProtection
	secure   bool // the hub is reached over https
}

// NewAuthenticator makes an Authenticator for a hub that browsers reach at
// publicURL. Without one, browsers alone say whether a request came from a page
// of the hub.
func NewAuthenticator(ids *identity.Service, publicURL string) (*Authenticator, error) {
	a := &Authenticator{identity: ids, origin: http.NewCrossOriginProtection()}
	if publicURL == "" {
		return a, nil
	}
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("public URL %q: want http(s)://host", publicURL)
	}
	if err := a.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil { // a proxy may change Host
		return nil, fmt.Errorf("public URL: %w", err)
	}
	a.secure = u.Scheme == "https"
	return a, nil
}

// Grant returns what the credentials of a request stand for, the anonymous
// actor if it has none.
func (a *Authenticator) Grant(r *http.Request) (identity.Grant, error) {
	g, err := a.grant(r)
	if err == nil {
		httpx.NoteActor(r.Context(), g.Actor.Name)
	}
	return g, err
}

func (a *Authenticator) grant(r *http.Request) (identity.Grant, error) {
	if header := r.Header["Authorization"]; len(header) > 0 {
		token, err := identity.TokenInHeader(header[0])
		if err != nil {
			return identity.Grant{}, err
		}
		return a.identity.Authenticate(r.Context(), token)
	}
	cookie, err := r.Cookie(a.cookieName())
	if err != nil {
		return identity.Grant{}, nil
	}
	actor, err := a.identity.SessionActor(r.Context(), cookie.Value)
	if errors.Is(err, hub.ErrUnauthenticated) {
		return identity.Grant{}, nil // browsers keep cookies longer than sessions last
	}
	if err != nil {
		return identity.Grant{}, err
	}
	if err := a.CheckOrigin(r); err != nil {
		return identity.Grant{}, err
	}
	return identity.Grant{Actor: actor}, nil
}

// CheckOrigin refuses a request that changes something and was sent by a page
// of another origin.
func (a *Authenticator) CheckOrigin(r *http.Request) error {
	if err := a.origin.Check(r); err != nil {
		return &hub.Error{Code: hub.CodeForbidden, Message: "This request came from a page of another site.", Err: err}
	}
	return nil
}

// ActorHandler is a handler that is told who asks.
type ActorHandler func(w http.ResponseWriter, r *http.Request, actor hub.Actor) error

// Actor authenticates each request before next.
func (a *Authenticator) Actor(next ActorHandler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		g, err := a.Grant(r)
		if err != nil {
			return err
		}
		return next(w, r, g.Actor)
	}
}

// Challenge makes a handler's 401 ask for a user name and password, as git and
// git-lfs need it. Browsers would open a dialog: only their surfaces use it.
func Challenge(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := next(w, r)
		if err != nil && hub.CodeOf(err) == hub.CodeUnauthenticated {
			w.Header().Set("WWW-Authenticate", `Basic realm="Pantry: any user name, and an access token as the password"`)
		}
		return err
	}
}

// SignIn starts a session for an account and sets its cookie.
func (a *Authenticator) SignIn(w http.ResponseWriter, r *http.Request, accountID int64) error {
	value, err := a.identity.StartSession(r.Context(), accountID, r.UserAgent())
	if err != nil {
		return err
	}
	http.SetCookie(w, a.cookie(value, int(identity.SessionLifetime.Seconds())))
	return nil
}

// SignOut ends the session of a request, if it has one, and deletes its cookie.
func (a *Authenticator) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.CheckOrigin(r); err != nil {
		return err
	}
	if cookie, err := r.Cookie(a.cookieName()); err == nil {
		if err := a.identity.EndSession(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, a.cookie("", -1))
	return nil
}

func (a *Authenticator) cookieName() string {
	if a.secure {
		return identity.SecureSessionCookie
	}
	return identity.PlainSessionCookie
}

func (a *Authenticator) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.cookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	}
}
