package authapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// site is a hub with nothing but this package, and what tests need of it.
type site struct {
	*httptest.Server
	ids  *identity.Service
	auth *Authenticator
	ada  hub.Account
}

const base = "http://hub.example"

func newSite(t *testing.T) *site {
	t.Helper()
	ids, err := identity.New(identity.Config{
		DB:     storetest.SQLite(t),
		Policy: identity.Policy{Hash: identity.HashParams{Memory: 64, Time: 1, Threads: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := NewAuthenticator(ids, base)
	if err != nil {
		t.Fatal(err)
	}
	address, err := httpx.ClientAddress(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Identity: ids, Auth: auth, Base: func(*http.Request) string { return base }, Address: address})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	a.Register(mux)
	mux.Handle("/probe", auth.Actor(func(w http.ResponseWriter, _ *http.Request, actor hub.Actor) error {
		return httpx.JSON(w, http.StatusOK, actor)
	}))
	mux.Handle("/git", Challenge(auth.Actor(func(http.ResponseWriter, *http.Request, hub.Actor) error {
		return hub.ErrUnauthenticated
	})))
	mux.Handle("POST /sign-out", httpx.Handler(auth.SignOut))
	s := &site{Server: httptest.NewServer(mux), ids: ids, auth: auth}
	t.Cleanup(s.Close)
	s.ada, err = ids.CreateUser(context.Background(), identity.NewAccount{Name: "Ada", FullName: "Ada L.", Email: "ada@example.org", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) token(t *testing.T, role hub.TokenRole) string {
	t.Helper()
	text, _, err := s.ids.CreateToken(context.Background(), s.ada.ID, identity.NewToken{Name: "laptop", Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// cookie signs ada in and returns her browser's Cookie header.
func (s *site) cookie(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.auth.SignIn(w, httptest.NewRequest("POST", "/login", nil), s.ada.ID); err != nil {
		t.Fatal(err)
	}
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

// do sends a request with headers given as name, value, name, value….
func (s *site) do(t *testing.T, method, path, body string, headers ...string) (*http.Response, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s %s: %q is not JSON: %v", method, path, raw, err)
		}
	}
	return resp, v
}

const form = "application/x-www-form-urlencoded"

func (s *site) post(t *testing.T, path string, fields url.Values) (int, map[string]any) {
	t.Helper()
	resp, v := s.do(t, "POST", path, fields.Encode(), "Content-Type", form)
	return resp.StatusCode, v
}

func TestWhoAmI(t *testing.T) {
	s := newSite(t)
	if _, err := s.ids.CreateOrg(context.Background(), "acme", "Acme Inc.", s.ada.ID); err != nil {
		t.Fatal(err)
	}
	token := s.token(t, hub.TokenWrite)
	_, got := s.do(t, "GET", "/api/whoami-v2", "", "Authorization", "Bearer "+token)
	orgs, _ := got["orgs"].([]any)
	if len(orgs) != 1 {
		t.Fatalf("whoami = %v, want one org", got)
	}
	org, _ := orgs[0].(map[string]any)
	auth, _ := got["auth"].(map[string]any)
	accessToken, _ := auth["accessToken"].(map[string]any)
	for name, id := range map[string]any{"user": got["id"], "org": org["id"]} {
		if id, _ := id.(string); len(id) != 24 {
			t.Errorf("%s id %q, want 24 hex digits", name, id)
		}
	}
	if created, _ := accessToken["createdAt"].(string); !strings.HasSuffix(created, "Z") {
		t.Errorf("createdAt %q, want a Z at the end", created)
	}
	for _, m := range []map[string]any{got, org} {
		delete(m, "id")
	}
	delete(accessToken, "createdAt")
	want := map[string]any{
		"type": "user", "name": "Ada", "fullname": "Ada L.", "email": "ada@example.org", "emailVerified": false,
		"canPay": false, "billingMode": "prepaid", "periodEnd": nil, "isPro": false,
		"avatarUrl": base + "/api/avatars/Ada.svg",
		"orgs": []any{map[string]any{
			"type": "org", "name": "acme", "fullname": "Acme Inc.", "email": nil, "canPay": false, "periodEnd": nil,
			"avatarUrl": base + "/api/avatars/acme.svg", "roleInOrg": "admin", "isEnterprise": false,
		}},
		"auth": map[string]any{"type": "access_token", "accessToken": map[string]any{"displayName": "laptop", "role": "write"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("whoami (-want +got):\n%s", d)
	}

	_, got = s.do(t, "GET", "/api/whoami-v2", "", "Cookie", s.cookie(t))
	if auth, _ := got["auth"].(map[string]any); got["name"] != "Ada" || auth["type"] != "session" {
		t.Errorf("whoami of a browser = %v", got)
	}
	resp, got := s.do(t, "GET", "/api/whoami-v2", "")
	if resp.StatusCode != http.StatusUnauthorized || got["error"] != "Invalid username or password." || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("whoami of nobody = %d %v", resp.StatusCode, got)
	}
}

func TestAuthentication(t *testing.T) {
	s := newSite(t)
	read, write, cookie := s.token(t, hub.TokenRead), s.token(t, hub.TokenWrite), s.cookie(t)
	basic := func(user, password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, tt := range []struct {
		name, method string
		headers      []string
		status       int
		who          string // "" for the anonymous
		write        bool
	}{
		{"nothing", "GET", nil, 200, "", false},
		{"read token", "GET", []string{"Authorization", "Bearer " + read}, 200, "Ada", false},
		{"write token", "POST", []string{"Authorization", "Bearer " + write}, 200, "Ada", true},
		{"write token from another site", "POST", []string{"Authorization", "Bearer " + write, "Sec-Fetch-Site", "cross-site"}, 200, "Ada", true},
		{"Basic password", "GET", []string{"Authorization", basic("any", write)}, 200, "Ada", true},
		{"Basic user name", "GET", []string{"Authorization", basic(write, "")}, 200, "Ada", true},
		{"account password by Basic", "GET", []string{"Authorization", basic("Ada", "correct horse")}, 401, "", false},
		{"bad token", "GET", []string{"Authorization", "Bearer hf_bad"}, 401, "", false},
		{"bad token beside a good cookie", "GET", []string{"Authorization", "Bearer hf_bad", "Cookie", cookie}, 401, "", false},
		{"empty header", "GET", []string{"Authorization", ""}, 401, "", false},
		{"cookie", "GET", []string{"Cookie", cookie}, 200, "Ada", true},
		{"cookie, own page", "POST", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200, "Ada", true},
		{"cookie, own page behind a proxy", "POST", []string{"Cookie", cookie, "Origin", base}, 200, "Ada", true},
		{"cookie, another site", "POST", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 403, "", false},
		{"cookie, a Space", "DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403, "", false},
		{"cookie, another origin, old browser", "POST", []string{"Cookie", cookie, "Origin", "http://evil.example"}, 403, "", false},
		{"cookie, link from another site", "GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 200, "Ada", true},
		{"stale cookie", "GET", []string{"Cookie", identity.PlainSessionCookie + "=stale"}, 200, "", false},
		{"cookie of the wrong kind", "GET", []string{"Cookie", strings.Replace(cookie, identity.PlainSessionCookie, identity.SecureSessionCookie, 1)}, 200, "", false},
	} {
		resp, got := s.do(t, tt.method, "/probe", "", tt.headers...)
		who, _ := got["Name"].(string)
		write, _ := got["Write"].(bool)
		if resp.StatusCode != tt.status || who != tt.who || write != tt.write {
			t.Errorf("%s: %d, actor %q, write %v, want %d, %q, %v", tt.name, resp.StatusCode, who, write, tt.status, tt.who, tt.write)
		}
		if resp.StatusCode == 401 && got["error"] != "Invalid credentials in Authorization header" {
			t.Errorf("%s: error %v", tt.name, got["error"])
		}
	}
}

func TestChallenge(t *testing.T) {
	s := newSite(t)
	resp, _ := s.do(t, "GET", "/git", "")
	if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || !strings.HasPrefix(got, "Basic realm=") {
		t.Errorf("%d, WWW-Authenticate %q, want 401 and Basic", resp.StatusCode, got)
	}
}

func TestSignOut(t *testing.T) {
	s := newSite(t)
	cookie := s.cookie(t)
	if resp, _ := s.do(t, "POST", "/sign-out", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("sign-out by another site: %d, want 403", resp.StatusCode)
	}
	resp, _ := s.do(t, "POST", "/sign-out", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	if c := resp.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("sign-out sets %v, want the cookie deleted", c)
	}
	if _, got := s.do(t, "GET", "/probe", "", "Cookie", cookie); got["Name"] != "" {
		t.Errorf("after sign-out the cookie is still %v", got["Name"])
	}
}

func TestSessionCookie(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		url, name string
		secure    bool
	}{
		{"http://localhost:7272", "pantry", false},
		{"https://hub.example", "__Host-pantry", true},
	} {
		auth, err := NewAuthenticator(s.ids, tt.url)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := auth.SignIn(w, httptest.NewRequest("POST", "/login", nil), s.ada.ID); err != nil {
			t.Fatal(err)
		}
		c := w.Result().Cookies()[0]
		if c.Name != tt.name || c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: cookie %v", tt.url, c)
		}
	}
	for _, bad := range []string{"hub.example", "://", "http://"} {
		if _, err := NewAuthenticator(s.ids, bad); err == nil {
			t.Errorf("NewAuthenticator(%q) succeeded", bad)
		}
	}
}

// The exchange of `hf auth login`, as huggingface_hub 2.4.0 sends it.
func TestDeviceLogin(t *testing.T) {
	s := newSite(t)
	const client = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
	status, d := s.post(t, "/oauth/device", url.Values{"client_id": {client}})
	userCode, _ := d["user_code"].(string)
	if status != 200 || d["verification_uri"] != base+"/device" || d["verification_uri_complete"] != base+"/device?user_code="+userCode ||
		d["interval"] != 5.0 || d["expires_in"] != 900.0 {
		t.Fatalf("device = %d %v", status, d)
	}
	poll := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d["device_code"].(string)}, "client_id": {client},
	}
	if status, got := s.post(t, "/oauth/token", poll); status != 400 || got["error"] != "authorization_pending" {
		t.Fatalf("first poll = %d %v, want 400 authorization_pending", status, got)
	}
	if status, got := s.post(t, "/oauth/token", poll); status != 400 || got["error"] != "slow_down" {
		t.Fatalf("second poll = %d %v, want 400 slow_down", status, got)
	}
	actor := hub.Actor{ID: s.ada.ID, Name: "Ada", Write: true}
	if err := s.ids.ApproveDevice(context.Background(), actor, userCode); err != nil {
		t.Fatal(err)
	}
	status, tokens := s.post(t, "/oauth/token", poll)
	if status != 200 || tokens["token_type"] != "bearer" || tokens["expires_in"].(float64) < 8*86400 {
		t.Fatalf("tokens = %d %v", status, tokens)
	}
	_, who := s.do(t, "GET", "/api/whoami-v2", "", "Authorization", "Bearer "+tokens["access_token"].(string))
	auth, _ := who["auth"].(map[string]any)
	if expires, _ := auth["expiresAt"].(string); who["name"] != "Ada" || auth["type"] != "oauth" || !strings.HasSuffix(expires, "Z") {
		t.Errorf("whoami = %v", who)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {client}}
	if status, got := s.post(t, "/oauth/token", refresh); status != 200 || got["access_token"] == tokens["access_token"] {
		t.Errorf("refresh = %d %v", status, got)
	}
	if status, got := s.post(t, "/oauth/token", refresh); status != 400 || got["error"] != "invalid_grant" {
		t.Errorf("refresh again = %d %v, want 400 invalid_grant", status, got)
	}
}

func TestOAuthRefusals(t *testing.T) {
	s := newSite(t)
	const jsonType = "application/json"
	for _, tt := range []struct {
		method, path, kind, body string
		status                   int
		code                     string
	}{
		{"POST", "/oauth/token", form, "", 400, "invalid_request"},
		{"POST", "/oauth/token", form, "%zz", 400, "invalid_request"},
		{"POST", "/oauth/token?grant_type=refresh_token", form, "", 400, "invalid_request"},
		{"POST", "/oauth/token", form, "grant_type=authorization_code&code=x", 400, "unsupported_grant_type"},
		{"POST", "/oauth/token", jsonType, `{"grant_type":"urn:ietf:params:oauth:grant-type:token-exchange","n":1}`, 400, "unsupported_grant_type"},
		{"POST", "/oauth/token", jsonType, `[`, 400, "invalid_request"},
		{"POST", "/oauth/token", form, "grant_type=refresh_token", 400, "invalid_grant"},
		{"POST", "/oauth/token", form, "grant_type=" + strings.Repeat("x", 1<<17), 413, ""},
		{"POST", "/oauth/device", form, "", 401, "invalid_client"},
		{"POST", "/oauth/device", form, "client_id=x&scope=%00", 400, "invalid_scope"},
		{"GET", "/oauth/authorize", "", "", 501, ""},
		{"POST", "/oauth/register", jsonType, "{}", 501, ""},
		{"GET", "/oauth/userinfo", "", "", 501, ""},
	} {
		resp, got := s.do(t, tt.method, tt.path, tt.body, "Content-Type", tt.kind)
		text, _ := got["error"].(string)
		if resp.StatusCode != tt.status || text == "" || tt.code != "" && text != tt.code {
			t.Errorf("%s %s %.40q = %d %v, want %d %s", tt.method, tt.path, tt.body, resp.StatusCode, got, tt.status, tt.code)
		}
	}
}

func TestDeviceRateLimit(t *testing.T) {
	s := newSite(t)
	for range 200 {
		resp, _ := s.do(t, "POST", "/oauth/device", "client_id=x", "Content-Type", form)
		if resp.StatusCode == http.StatusTooManyRequests {
			if resp.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			return
		}
	}
	t.Error("200 logins were started from one address")
}

func TestOpenIDConfiguration(t *testing.T) {
	s := newSite(t)
	_, got := s.do(t, "GET", "/.well-known/openid-configuration", "")
	for key, want := range map[string]any{
		"issuer": base, "token_endpoint": base + "/oauth/token", "device_authorization_endpoint": base + "/oauth/device",
		"authorization_endpoint": nil, "registration_endpoint": nil,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

func TestAvatar(t *testing.T) {
	s := newSite(t)
	image := base + "/api/avatars/Ada.svg"
	for _, path := range []string{"/api/avatars/Ada", "/api/users/Ada/avatar", "/api/organizations/Ada/avatar"} {
		if _, got := s.do(t, "GET", path, ""); got["avatarUrl"] != image {
			t.Errorf("%s = %v, want %s", path, got, image)
		}
		resp, _ := s.do(t, "GET", path, "", "Sec-Fetch-Dest", "image")
		if resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != image {
			t.Errorf("%s for an image = %d %s", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if resp, _ := s.do(t, "GET", "/api/avatars/Ada.svg", ""); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("image = %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	for _, bad := range []string{"/api/avatars/%3Cb%3E.svg", "/api/avatars/.svg", "/api/avatars/a%00b"} {
		if resp, _ := s.do(t, "GET", bad, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s = %d, want 404", bad, resp.StatusCode)
		}
	}
}
