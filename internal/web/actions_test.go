package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/identity"
)

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/a/b?c=d#e": "/a/b?c=d#e", "/a//b": "/a//b", "": "/", "a": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil": "/",
		"https://evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil.example": "/", "/%2f/x": "/%2f/x",
		"///evil.example": "/", "/a\r\nSet-Cookie: x": "/", "/%zz": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/a", "//evil", "/\\evil", "https://evil", "/\t/evil", "/a?next=//b"} {
		f.Add(s)
	}
	base, err := url.Parse("https://hub.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := localPath(s)
		// As a browser resolves it: tabs and line ends are dropped, backslashes are slashes.
		u, err := base.Parse(strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(got))
		if err != nil || u.Host != "hub.example" || u.Scheme != "https" {
			t.Errorf("localPath(%q) = %q leads to %v", s, got, u)
		}
	})
}

func TestLoginRedirect(t *testing.T) {
	s := newSite(t).people()
	for next, want := range map[string]string{"/models?sort=likes": "/models?sort=likes", "//evil.example/": "/", "https://evil.example": "/", "": "/"} {
		b := s.browser()
		p := b.post("/login", url.Values{"username": {"ada"}, "password": {password}, "next": {next}})
		if p.status != http.StatusSeeOther || p.header.Get("Location") != want {
			t.Errorf("next %q: status %d, to %q, want %q", next, p.status, p.header.Get("Location"), want)
		}
		if p := b.get("/login?next=" + url.QueryEscape(next)); p.header.Get("Location") != want {
			t.Errorf("signed in, next %q: to %q, want %q", next, p.header.Get("Location"), want)
		}
	}
}

func TestLoginRefused(t *testing.T) {
	s := newSite(t).people()
	p := s.browser().post("/login", url.Values{"username": {"ada"}, "password": {"wrong password"}, "next": {"/models"}})
	if p.status != http.StatusUnauthorized || !p.has("Invalid username or password.", `value="ada"`, `value="/models"`) || p.has("wrong password") {
		t.Errorf("wrong password: status %d\n%s", p.status, p.text())
	}
	b := s.browser()
	for range 12 {
		p = b.post("/login", url.Values{"username": {"ada"}, "password": {"wrong password"}})
	}
	if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" {
		t.Errorf("after many guesses: status %d, Retry-After %q", p.status, p.header.Get("Retry-After"))
	}
}

// TestOtherOrigins sends every form as a page of another site would.
func TestOtherOrigins(t *testing.T) {
	s := newSite(t).people()
	s.repo(hub.Model, "ada/m", hub.Public, nil)
	ada := s.signedIn("ada")
	posts := map[string]url.Values{
		"/login": {"username": {"ada"}, "password": {password}}, "/logout": {}, "/join": {"username": {"new"}, "password": {password}, "password2": {password}},
		"/new": {"type": {"model"}, "namespace": {"ada"}, "name": {"forged"}}, "/settings/tokens": {"name": {"forged"}, "role": {"write"}},
		"/settings/account/sessions": {}, "/settings/account/password": {"old": {password}, "password": {"another one"}, "password2": {"another one"}},
		"/device": {"user_code": {"X"}, "decision": {"approve"}}, "/ada/m/settings/visibility": {"visibility": {"private"}},
		"/ada/m/settings/delete": {"confirm": {"ada/m"}}, "/ada/m/settings/rename": {"namespace": {"ada"}, "name": {"stolen"}},
	}
	for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": {"same-site"}}} {
		ada.header = h
		for path, form := range posts {
			if p := ada.post(path, form); p.status != http.StatusForbidden {
				t.Errorf("POST %s with %v: status %d, want 403", path, h, p.status)
			}
		}
	}
	ada.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	if p := ada.get("/"); !p.has("Hello, ada") {
		t.Error("the session did not survive the attempts")
	}
	if _, err := s.repos.Open(t.Context(), s.ada, hub.Model, hub.RepoID{Namespace: "ada", Name: "m"}, authz.Admin); err != nil {
		t.Errorf("the repository did not survive: %v", err)
	}
}

// TestTokensDoNotPost checks that an access token cannot do what needs a
// person, above all make more tokens.
func TestTokensDoNotPost(t *testing.T) {
	s := newSite(t).people()
	token, _, err := s.identity.CreateToken(t.Context(), s.ada.ID, identity.NewToken{Name: "t", Role: hub.TokenRead})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.header.Set("Authorization", "Bearer "+token)
	if p := b.post("/settings/tokens", url.Values{"name": {"more"}, "role": {"write"}}); p.status != http.StatusForbidden {
		t.Errorf("a token made a token: status %d", p.status)
	}
	if p := b.get("/settings/tokens"); p.status != http.StatusForbidden {
		t.Errorf("a token reads the list of tokens: status %d", p.status)
	}
	if p := b.post("/new", url.Values{"type": {"model"}, "namespace": {"ada"}, "name": {"x"}}); p.status != http.StatusForbidden {
		t.Errorf("a token posted a form: status %d", p.status)
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t).people()
	ada, eve := s.signedIn("ada"), s.signedIn("eve")
	if p := ada.post("/settings/tokens", url.Values{"name": {""}, "role": {"read"}}); p.status != 400 || !p.has(`role="alert"`, `value="read" checked`) {
		t.Errorf("no name: status %d\n%s", p.status, p.text())
	}
	p := ada.post("/settings/tokens", url.Values{"name": {"<b>laptop</b>"}, "role": {"read"}, "days": {"30"}})
	token := regexp.MustCompile(`hf_[A-Za-z0-9]{20,}`).FindString(p.body)
	if p.status != 200 || token == "" || p.has("<b>laptop") {
		t.Fatalf("create: status %d\n%s", p.status, p.text())
	}
	if g, err := s.identity.Authenticate(t.Context(), token); err != nil || g.Actor.Name != "ada" || g.Actor.Write {
		t.Errorf("the token stands for %+v, %v", g.Actor, err)
	}
	if p := ada.get("/settings/tokens"); p.has(token) || !p.has("&lt;b&gt;laptop&lt;/b&gt;") {
		t.Errorf("the token is shown again, or its name is not:\n%s", p.text())
	}
	_, rest, _ := strings.Cut(ada.get("/settings/tokens").body, `name="id" value="`)
	id, _, _ := strings.Cut(rest, `"`)
	eve.post("/settings/tokens/revoke", url.Values{"id": {id}})
	if _, err := s.identity.Authenticate(t.Context(), token); err != nil {
		t.Errorf("another user revoked the token: %v", err)
	}
	ada.post("/settings/tokens/revoke", url.Values{"id": {id}})
	if _, err := s.identity.Authenticate(t.Context(), token); err == nil {
		t.Error("the revoked token still works")
	}
	if p := ada.post("/settings/tokens", url.Values{"name": {"x"}, "role": {"read"}, "days": {"99999"}}); p.status != 400 {
		t.Errorf("a lifetime that is not offered: status %d", p.status)
	}
}

func TestCreate(t *testing.T) {
	s := newSite(t).people()
	ada, eve := s.signedIn("ada"), s.signedIn("eve")
	tests := []struct {
		who    *browser
		form   url.Values
		status int
		want   string // location, or text
	}{
		{ada, url.Values{"type": {"model"}, "namespace": {"LAB"}, "name": {" m "}, "license": {"mit"}, "visibility": {"private"}}, 303, "/lab/m"},
		{ada, url.Values{"type": {"space"}, "namespace": {"ada"}, "name": {"s"}, "sdk": {"docker"}}, 303, "/spaces/ada/s"},
		{ada, url.Values{"type": {"model"}, "namespace": {"lab"}, "name": {"M"}}, 409, `value="M"`},
		{ada, url.Values{"type": {"model"}, "namespace": {"lab"}, "name": {"a b<"}}, 400, `value="a b&lt;"`},
		{ada, url.Values{"type": {"model"}, "namespace": {"eve"}, "name": {"m"}}, 403, `role="alert"`},
		{ada, url.Values{"type": {"robot"}, "namespace": {"ada"}, "name": {"m"}}, 400, `role="alert"`},
		{ada, url.Values{"type": {"model"}, "namespace": {"ada"}, "name": {"m"}, "license": {"my: own"}}, 400, `role="alert"`},
		{eve, url.Values{"type": {"model"}, "namespace": {"lab"}, "name": {"m2"}}, 403, `role="alert"`},
		{s.browser(), url.Values{"type": {"model"}, "namespace": {"ada"}, "name": {"m"}}, 303, "/login?next=%2F"},
	}
	for _, tt := range tests {
		p := tt.who.post("/new", tt.form)
		if p.status != tt.status || p.header.Get("Location") != tt.want && !p.has(tt.want) {
			t.Errorf("POST /new %v: status %d to %q, want %d %q\n%s", tt.form, p.status, p.header.Get("Location"), tt.status, tt.want, p.text())
		}
	}
	if p := s.browser().get("/lab/m"); p.status != 404 {
		t.Errorf("the private model is public: status %d", p.status)
	}
}

func TestRepoSettings(t *testing.T) {
	s := newSite(t).people()
	s.repo(hub.Model, "ada/m", hub.Public, nil)
	s.repo(hub.Model, "ada/taken", hub.Public, nil)
	ada, eve, anyone := s.signedIn("ada"), s.signedIn("eve"), s.browser()
	for _, form := range []string{"visibility", "rename", "delete"} {
		if p := eve.post("/ada/m/settings/"+form, url.Values{"visibility": {"private"}, "namespace": {"eve"}, "name": {"m"}, "confirm": {"ada/m"}}); p.status != 403 {
			t.Errorf("eve posts %s: status %d, want 403", form, p.status)
		}
	}
	if p := ada.post("/ada/m/settings/visibility", url.Values{"visibility": {"secret"}}); p.status != 400 || !p.has(`role="alert"`) {
		t.Errorf("unknown visibility: status %d", p.status)
	}
	if p := ada.post("/ada/m/settings/visibility", url.Values{"visibility": {"private"}}); p.status != 303 {
		t.Errorf("make private: status %d\n%s", p.status, p.text())
	}
	if p := anyone.get("/ada/m"); p.status != 404 {
		t.Errorf("private repository for strangers: status %d", p.status)
	}
	ada.post("/ada/m/settings/visibility", url.Values{"visibility": {"public"}})
	if p := ada.post("/ada/m/settings/rename", url.Values{"namespace": {"ada"}, "name": {"taken"}}); p.status != 409 || !p.has(`value="taken"`, `role="alert"`) {
		t.Errorf("rename to a taken name: status %d\n%s", p.status, p.text())
	}
	if p := ada.post("/ada/m/settings/rename", url.Values{"namespace": {"lab"}, "name": {"n"}}); p.header.Get("Location") != "/lab/n/settings?saved=1" {
		t.Errorf("rename: to %q\n%s", p.header.Get("Location"), p.text())
	}
	if p := anyone.get("/ada/m/tree/main?x=1"); p.status != 307 || p.header.Get("Location") != "/lab/n/tree/main?x=1" {
		t.Errorf("the old name: status %d, to %q", p.status, p.header.Get("Location"))
	}
	if p := ada.post("/lab/n/settings/delete", url.Values{"confirm": {"lab/x"}}); p.status != 400 {
		t.Errorf("delete without the name: status %d", p.status)
	}
	if p := ada.post("/lab/n/settings/delete", url.Values{"confirm": {"lab/n"}}); p.status != 303 || p.header.Get("Location") != "/lab" {
		t.Errorf("delete: status %d, to %q", p.status, p.header.Get("Location"))
	}
	if p := ada.get("/lab/n"); p.status != 404 {
		t.Errorf("deleted repository: status %d", p.status)
	}
	if p := ada.post("/ada/taken/settings/other", nil); p.status != 404 {
		t.Errorf("unknown form: status %d", p.status)
	}
}

func TestAccount(t *testing.T) {
	s := newSite(t).people()
	here, there := s.signedIn("ada"), s.signedIn("ada")
	if p := here.post("/settings/account/password", url.Values{"old": {"wrong"}, "password": {"a longer one"}, "password2": {"a longer one"}}); p.status != 403 || !p.has("The old password is wrong.") {
		t.Errorf("wrong old password: status %d\n%s", p.status, p.text())
	}
	if p := here.post("/settings/account/password", url.Values{"old": {password}, "password": {"a longer one"}, "password2": {"a longer one"}}); p.status != 303 {
		t.Fatalf("change password: status %d\n%s", p.status, p.text())
	}
	if p := here.get("/settings/account?saved=password"); p.status != 200 || !p.has("Your password was changed.") {
		t.Errorf("after the change: status %d\n%s", p.status, p.text())
	}
	if p := there.get("/settings/account"); p.status != 303 {
		t.Errorf("the other browser: status %d, want a redirect to sign in", p.status)
	}
	if p := here.post("/settings/account/sessions", nil); p.header.Get("Location") != "/login" {
		t.Errorf("sign out everywhere: to %q", p.header.Get("Location"))
	}
	if p := here.get("/settings/account"); p.status != 303 {
		t.Errorf("after signing out everywhere: status %d", p.status)
	}
	eve := s.signedIn("eve")
	eve.post("/logout", nil)
	if p := eve.get("/"); p.has("Hello, eve") {
		t.Error("still signed in after signing out")
	}
}

func TestLargeForm(t *testing.T) {
	s := newSite(t).people()
	p := s.browser().post("/login", url.Values{"username": {strings.Repeat("x", maxForm)}})
	if p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form over the limit: status %d, want 413", p.status)
	}
}
