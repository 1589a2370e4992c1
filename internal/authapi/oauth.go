package authapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
)

// Grant types of POST /oauth/token.
const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	refreshGrant = "refresh_token"
)

// oauth is a handler whose refusals are written in the form of OAuth (RFC
// 6749, 5.2). Clients need JSON with a status under 500, and take any error
// code that they do not know for the end of the login.
type oauth func(w http.ResponseWriter, r *http.Request) error

func (h oauth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	err := h(w, r)
	var e *identity.OAuthError
	switch {
	case err == nil:
		return
	case !errors.As(err, &e):
		handler(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
		return
	}
	status := http.StatusBadRequest
	if e.Code == identity.InvalidClient {
		status = http.StatusUnauthorized
	}
	err = httpx.JSON(w, status, struct {
		Error       identity.OAuthCode `json:"error"`
		Description string             `json:"error_description,omitempty"`
	}{e.Code, e.Description})
	if err != nil {
		httpx.WriteError(w, r, err)
	}
}

func (a *API) startDevice(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	code, d, err := a.identity.StartDevice(r.Context(), form.Get("client_id"), form.Get("scope"), a.address(r))
	if err != nil {
		return err
	}
	page := a.base(r) + "/device"
	return httpx.JSON(w, http.StatusOK, struct {
		DeviceCode      string `json:"device_code"`
		UserCode        string `json:"user_code"`
		VerificationURI string `json:"verification_uri"`
		Complete        string `json:"verification_uri_complete"`
		ExpiresIn       int    `json:"expires_in"`
		Interval        int    `json:"interval"`
	}{
		code, d.UserCode, page, page + "?user_code=" + url.QueryEscape(d.UserCode),
		int(identity.DeviceLifetime.Seconds()), int(identity.DevicePoll.Seconds()),
	})
}

func (a *API) token(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	var tokens identity.OAuthTokens
	switch grant := form.Get("grant_type"); grant {
	case deviceGrant:
		tokens, err = a.identity.PollDevice(r.Context(), form.Get("device_code"), form.Get("client_id"))
	case refreshGrant:
		tokens, err = a.identity.RefreshToken(r.Context(), form.Get("refresh_token"), form.Get("client_id"))
	case "":
		err = &identity.OAuthError{Code: "invalid_request", Description: "grant_type is missing."}
	default:
		err = &identity.OAuthError{Code: "unsupported_grant_type", Description: fmt.Sprintf("This hub does not support the grant type %q.", grant)}
	}
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope,omitempty"`
	}{tokens.Access, "bearer", int(tokens.ExpiresIn.Seconds()), tokens.Refresh, tokens.Scope})
}

// maxForm bounds the body of an OAuth request.
const maxForm = 64 << 10

// readForm reads the parameters of an OAuth request: a form, or JSON as some
// clients send it.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		return readJSONForm(r)
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, &identity.OAuthError{Code: "invalid_request", Description: "The body is not a form."}
	}
	return r.PostForm, nil // not the query: it is logged
}

func readJSONForm(r *http.Request) (url.Values, error) {
	var fields map[string]any
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
		return nil, &identity.OAuthError{Code: "invalid_request", Description: "The body is not a JSON object."}
	}
	form := make(url.Values, len(fields))
	for k, v := range fields {
		if s, ok := v.(string); ok {
			form.Set(k, s)
		}
	}
	return form, nil
}

func (a *API) openIDConfiguration(w http.ResponseWriter, r *http.Request) error {
	return httpx.JSON(w, http.StatusOK, map[string]any{
		"issuer":                                a.base(r),
		"token_endpoint":                        a.base(r) + "/oauth/token",
		"device_authorization_endpoint":         a.base(r) + "/oauth/device",
		"grant_types_supported":                 []string{deviceGrant, refreshGrant},
		"response_types_supported":              []string{},
		"scopes_supported":                      identity.Scopes,
		"token_endpoint_auth_methods_supported": []string{"none"},
	})
}

func unsupported(http.ResponseWriter, *http.Request) error {
	return hub.Errorf(hub.CodeUnsupported, "This hub does not offer this part of OAuth.")
}
