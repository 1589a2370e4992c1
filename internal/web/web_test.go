package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authapi"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

const password = "correct horse battery"

// site is a web surface over real services, with the user ada, who is in the
// organization lab, and the user eve.
type site struct {
	*testing.T
	url      string
	repos    *repo.Service
	identity *identity.Service
	cas      *cas.Service
	ada, eve hub.Actor
}

func newSite(t *testing.T) *site {
	t.Helper()
	db := storetest.SQLite(t)
	c, err := cas.New(cas.Config{DB: db, Bucket: bucket.NewMemory(), SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	repos, err := repo.New(repo.Config{DB: db, CAS: c, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repos.Close(); c.Close() })
	ids, err := identity.New(identity.Config{DB: db, Policy: identity.Policy{
		OpenSignUp: true, Hash: identity.HashParams{Memory: 64, Time: 1, Threads: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, repos: repos, identity: ids, cas: c}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	auth, err := authapi.NewAuthenticator(ids, s.url)
	if err != nil {
		t.Fatal(err)
	}
	address, err := httpx.ClientAddress(nil)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := New(Config{Repos: repos, Identity: ids, Auth: auth, Base: func(*http.Request) string { return s.url }, Address: address})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = httpx.Wrap(pages, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// people adds ada, eve and lab.
func (s *site) people() *site {
	s.Helper()
	for _, name := range []string{"ada", "eve"} {
		a, err := s.identity.CreateUser(s.Context(), identity.NewAccount{Name: name, Password: password})
		if err != nil {
			s.Fatal(err)
		}
		actor := hub.Actor{ID: a.ID, Name: name, Write: true}
		if name == "ada" {
			if _, err := s.identity.CreateOrg(s.Context(), "lab", "The Lab", a.ID); err != nil {
				s.Fatal(err)
			}
			actor.Orgs = map[string]hub.Role{"lab": hub.RoleAdmin}
			s.ada = actor
		} else {
			s.eve = actor
		}
	}
	return s
}

// repo makes a repository of ada's or lab's with files.
func (s *site) repo(t hub.RepoType, id string, v hub.Visibility, files map[string]string) *repo.Repo {
	s.Helper()
	rid, err := hub.ParseRepoID(id)
	if err != nil {
		s.Fatal(err)
	}
	req := repo.CreateRequest{Type: t, ID: rid, Visibility: v}
	if t == hub.Space {
		req.SDK = "static"
	}
	if _, err := s.repos.Create(s.Context(), s.ada, req); err != nil {
		s.Fatal(err)
	}
	rp := s.open(t, rid)
	if len(files) > 0 {
		s.commit(rp, "Add files", files)
		rp = s.open(t, rid)
	}
	return rp
}

func (s *site) open(t hub.RepoType, id hub.RepoID) *repo.Repo {
	s.Helper()
	rp, err := s.repos.Open(s.Context(), s.ada, t, id, authz.Write)
	if err != nil {
		s.Fatal(err)
	}
	return rp
}

// commit writes files; an empty text deletes one. Files whose text begins with
// "large:" are stored in chunks.
func (s *site) commit(rp *repo.Repo, message string, files map[string]string) hub.Commit {
	s.Helper()
	ops := func(yield func(repo.Operation, error) bool) {
		for name, text := range files {
			op := repo.Operation{Kind: repo.PutFile, Path: name, Content: []byte(text)}
			if text == "" {
				op = repo.Operation{Kind: repo.DeleteFile, Path: name}
			}
			if rest, ok := strings.CutPrefix(text, "large:"); ok {
				op = s.large(rp, name, rest)
			}
			if !yield(op, nil) {
				return
			}
		}
	}
	title, body, _ := strings.Cut(message, "\n\n")
	c, err := rp.Commit(s.Context(), repo.CommitRequest{Revision: "main", Summary: title, Description: body, Operations: ops})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *site) large(rp *repo.Repo, name, content string) repo.Operation {
	s.Helper()
	f, err := s.cas.Ingest(s.Context(), strings.NewReader(content))
	if err != nil {
		s.Fatal(err)
	}
	if err := rp.AddLargeFile(s.Context(), f.SHA256, f.Xet, f.Size); err != nil {
		s.Fatal(err)
	}
	return repo.Operation{Kind: repo.PutLarge, Path: name, SHA256: f.SHA256, Size: f.Size}
}

// browser is a client that keeps cookies and does not follow redirects.
type browser struct {
	*site
	client *http.Client
	header http.Header
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	return &browser{site: s, header: http.Header{}, client: &http.Client{
		Jar: jar, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signedIn is a browser in which a user has signed in by the form.
func (s *site) signedIn(name string) *browser {
	s.Helper()
	b := s.browser()
	r := b.post("/login", url.Values{"username": {name}, "password": {password}})
	if r.status != http.StatusSeeOther {
		s.Fatalf("sign in as %s: status %d, %s", name, r.status, r.text())
	}
	return b
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

// text is the body without what frames it, for messages.
func (p page) text() string {
	_, main, _ := strings.Cut(p.body, "<main")
	main, _, _ = strings.Cut(main, "</main>")
	if _, after, ok := strings.Cut(main, `<nav class="tabs"`); ok {
		main = after
	}
	return clip(strings.Join(strings.Fields(main), " "), 3000)
}

func (p page) has(parts ...string) bool {
	for _, s := range parts {
		if !strings.Contains(p.body, s) {
			return false
		}
	}
	return true
}

func (b *browser) do(method, path string, body io.Reader) page {
	b.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+path, body)
	if err != nil {
		b.Fatal(err)
	}
	for k, v := range b.header {
		req.Header[k] = v
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return page{res.StatusCode, res.Header, string(text)}
}

func (b *browser) get(path string) page { b.Helper(); return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, form url.Values) page {
	b.Helper()
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()))
}
