package hubapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// fixture is a hub with a few repositories of ada's, and people who ask.
type fixture struct {
	t    *testing.T
	url  string
	who  map[string]*wiretest.Client
	head string // commit of ada/model
	tree map[string][]byte
}

// Who asks.
const (
	nobody  = ""
	ada     = "ada"      // write token
	adaRead = "ada-read" // read token
	eve     = "eve"      // another user
	forged  = "forged"
)

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOn(t, hubtest.Options{Bucket: "memory:"})
}

func newFixtureOn(t *testing.T, opts hubtest.Options) *fixture {
	t.Helper()
	h := hubtest.Start(t, opts)
	c := wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))
	f := &fixture{t: t, url: h.URL, who: map[string]*wiretest.Client{
		nobody: c.As(""), ada: c, adaRead: c.As(h.Token("ada", hub.TokenRead)),
		eve: c.As(h.User("eve", hub.TokenWrite)), forged: c.As("hf_" + strings.Repeat("x", 34)),
	}}
	for _, repo := range []string{"ada/model", "ada/secret", "ada/gated", "ada/before"} {
		f.must(c.Create(t.Context(), repo))
	}
	f.must(c.JSON(t.Context(), "PUT", "/api/models/ada/secret/settings", map[string]any{"private": true}))
	f.must(c.JSON(t.Context(), "PUT", "/api/models/ada/gated/settings", map[string]any{"gated": "auto"}))
	f.must(c.JSON(t.Context(), "POST", "/api/repos/move", api.MoveRepo{FromRepo: "ada/before", ToRepo: "ada/after"}))
	large := bytes.Repeat([]byte("0123456789"), 100_000)
	if err := c.UploadLFS(t.Context(), "ada/model", large); err != nil {
		t.Fatal(err)
	}
	f.tree = map[string][]byte{
		"README.md": []byte("---\nlicense: mit\n---\n# model\n"), "config.json": []byte(`{"model_type":"bert"}`),
		"dir/a.txt": []byte("0123456789"), "empty.txt": {},
	}
	reply := f.must(c.Commit(t.Context(), "ada/model", wiretest.Commit{
		Summary: "add", Files: f.tree, Large: map[string][]byte{"weights.bin": large},
	}))
	f.tree["weights.bin"] = large
	var done api.CommitReply
	if err := reply.Decode(&done); err != nil {
		t.Fatal(err)
	}
	f.head = done.CommitOID
	for _, repo := range []string{"ada/secret", "ada/gated", "ada/after"} {
		f.must(c.Commit(t.Context(), repo, wiretest.Commit{Summary: "add", Files: map[string][]byte{"a.txt": []byte("a")}}))
	}
	return f
}

func (f *fixture) must(r wiretest.Reply, err error) wiretest.Reply {
	f.t.Helper()
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// ask sends a request given as "METHOD target".
func (f *fixture) ask(who, request string, body []byte, headers ...string) wiretest.Reply {
	f.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	reply, err := f.who[who].Do(context.WithoutCancel(f.t.Context()), method, target, r, headers...)
	if err != nil {
		f.t.Fatalf("%s: %v", request, err)
	}
	return reply
}

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// TestErrors has a row for every refusal of the contract.
func TestErrors(t *testing.T) {
	f := newFixture(t)
	const resolve, info = "/resolve/main/a.txt", "/api/models/"
	header := `{"key":"header","value":{"summary":"x"}}` + "\n"
	file := func(path, content string) string {
		return fmt.Sprintf(`{"key":"file","value":{"path":%q,"encoding":"base64","content":%q}}`+"\n", path, content)
	}
	commit := func(body string) []byte { return []byte(body) }
	tests := []struct {
		name    string
		who     string
		request string
		body    []byte
		status  int
		code    string // X-Error-Code
		message string // in X-Error-Message
	}{
		// Who may know.
		{"private, nobody", nobody, "GET " + info + "ada/secret", nil, 404, "RepoNotFound", "Repository not found"},
		{"private, other", eve, "GET " + info + "ada/secret", nil, 404, "RepoNotFound", "Repository not found"},
		{"private file, nobody", nobody, "GET /ada/secret" + resolve, nil, 404, "RepoNotFound", "Repository not found"},
		{"private file, other", eve, "GET /ada/secret" + resolve, nil, 404, "RepoNotFound", "Repository not found"},
		{"private tree, other", eve, "GET " + info + "ada/secret/tree/main", nil, 404, "RepoNotFound", ""},
		{"private commit, other", eve, "POST " + info + "ada/secret/commit/main", commit(header), 404, "RepoNotFound", ""},
		{"private xet token, other", eve, "GET " + info + "ada/secret/xet-read-token/main", nil, 404, "RepoNotFound", ""},
		{"private, read token of the owner", adaRead, "GET " + info + "ada/secret", nil, 200, "", ""},
		{"gated info, nobody", nobody, "GET " + info + "ada/gated", nil, 200, "", ""},
		{"gated file, nobody", nobody, "GET /ada/gated" + resolve, nil, 401, "GatedRepo", "restricted"},
		{"gated file, other", eve, "GET /ada/gated" + resolve, nil, 403, "GatedRepo", "restricted"},
		{"gated xet token, other", eve, "GET " + info + "ada/gated/xet-read-token/main", nil, 403, "GatedRepo", ""},
		{"gated auth-check, other", eve, "GET " + info + "ada/gated/auth-check", nil, 403, "GatedRepo", ""},
		{"gated file, owner", ada, "GET /ada/gated" + resolve, nil, 200, "", ""},
		{"forged token", forged, "GET " + info + "ada/model", nil, 401, "", "Invalid credentials in Authorization header"},
		{"forged token, file", forged, "GET /ada/model/resolve/main/dir/a.txt", nil, 401, "", "Invalid credentials in Authorization header"},
		{"forged token, list", forged, "GET /api/models", nil, 401, "", "Invalid credentials in Authorization header"},
		{"forged token, whoami", forged, "GET /api/whoami-v2", nil, 401, "", "Invalid credentials in Authorization header"},
		{"create, nobody", nobody, "POST /api/repos/create", []byte(`{"name":"x"}`), 401, "", "Invalid username or password."},
		{"create with a read token", adaRead, "POST /api/repos/create", []byte(`{"name":"x"}`), 403, "", "right"},
		{"create for another", eve, "POST /api/repos/create", []byte(`{"name":"ada/x"}`), 403, "", "right"},
		{"create for an unknown organization", ada, "POST /api/repos/create", []byte(`{"name":"x","organization":"nope"}`), 403, "", ""},
		{"commit with a read token", adaRead, "POST " + info + "ada/model/commit/main", commit(header), 403, "", "read-only"},
		{"commit, other", eve, "POST " + info + "ada/model/commit/main", commit(header), 403, "", "rights"},
		{"commit, nobody", nobody, "POST " + info + "ada/model/commit/main", commit(header), 401, "", "Invalid username or password."},
		{"write token, other", eve, "GET " + info + "ada/model/xet-write-token/main", nil, 403, "", ""},
		{"write token with a read token", adaRead, "GET " + info + "ada/model/xet-write-token/main", nil, 403, "", ""},
		{"delete, other", eve, "DELETE /api/repos/delete", []byte(`{"name":"ada/model"}`), 403, "", ""},
		{"delete with a read token", adaRead, "DELETE /api/repos/delete", []byte(`{"name":"model"}`), 403, "", ""},
		{"move, other", eve, "POST /api/repos/move", []byte(`{"fromRepo":"ada/model","toRepo":"eve/model"}`), 403, "", ""},
		{"settings, other", eve, "PUT " + info + "ada/model/settings", []byte(`{"private":true}`), 403, "", ""},
		{"auth-check write, other", eve, "GET " + info + "ada/model/auth-check/write", nil, 403, "", ""},

		// What is not there.
		{"no repository", ada, "GET " + info + "ada/nope", nil, 404, "RepoNotFound", "Repository not found"},
		{"no repository, nobody", nobody, "GET " + info + "ada/nope", nil, 404, "RepoNotFound", "Repository not found"},
		{"impossible id", ada, "GET " + info + "ada/-x-", nil, 404, "RepoNotFound", ""},
		{"legacy id", ada, "GET " + info + "gpt2", nil, 404, "RepoNotFound", ""},
		{"legacy id, file", ada, "GET /gpt2/resolve/main/config.json", nil, 404, "RepoNotFound", ""},
		{"another type", ada, "GET /api/datasets/ada/model", nil, 404, "RepoNotFound", ""},
		{"no revision", ada, "GET " + info + "ada/model/revision/nope", nil, 404, "RevisionNotFound", "Invalid rev id: nope"},
		{"no revision, file", ada, "GET /ada/model/resolve/nope/dir/a.txt", nil, 404, "RevisionNotFound", "Invalid rev id: nope"},
		{"no revision, tree", ada, "GET " + info + "ada/model/tree/nope", nil, 404, "RevisionNotFound", ""},
		{"no revision, null id", ada, "GET /ada/model/resolve/" + strings.Repeat("0", 40) + "/dir/a.txt", nil, 404, "RevisionNotFound", ""},
		{"no revision, pull request", ada, "GET /ada/model/resolve/refs%2Fpr%2F1/dir/a.txt", nil, 404, "RevisionNotFound", ""},
		{"no revision, commit", ada, "POST " + info + "ada/model/commit/nope", commit(header + file("a", "")), 404, "RevisionNotFound", ""},
		{"no revision, preupload", ada, "POST " + info + "ada/model/preupload/nope", []byte(`{"files":[]}`), 404, "RevisionNotFound", ""},
		{"no entry", ada, "GET /ada/model/resolve/main/nope", nil, 404, "EntryNotFound", ""},
		{"no entry, folder", ada, "GET /ada/model/resolve/main/dir", nil, 404, "EntryNotFound", ""},
		{"no entry, below a file", ada, "GET /ada/model/resolve/main/dir/a.txt/b", nil, 404, "EntryNotFound", ""},
		{"no entry, no path", ada, "GET /ada/model/resolve/main", nil, 404, "EntryNotFound", ""},
		{"no entry, raw", ada, "GET /ada/model/raw/main/nope", nil, 404, "EntryNotFound", ""},
		{"no entry, tree", ada, "GET " + info + "ada/model/tree/main/nope", nil, 404, "EntryNotFound", ""},
		{"no entry, tree of a file", ada, "GET " + info + "ada/model/tree/main/dir/a.txt", nil, 404, "EntryNotFound", ""},
		{"no entry, deletion", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"deletedFile","value":{"path":"nope"}}`), 404, "EntryNotFound", "doesn't exist"},
		{"no route", ada, "GET /api/nope", nil, 404, "", "no GET"},
		{"no verb", ada, "GET " + info + "ada/model/nope", nil, 501, "", "does not offer"},
		{"no verb, no repository", ada, "GET " + info + "ada/nope/nope", nil, 404, "RepoNotFound", ""},
		{"discussions", ada, "GET " + info + "ada/model/discussions", nil, 501, "", ""},
		{"delete of a former id", ada, "DELETE /api/repos/delete", []byte(`{"name":"ada/before"}`), 404, "RepoNotFound", ""},

		// What is in the way.
		{"create again", ada, "POST /api/repos/create", []byte(`{"name":"model"}`), 409, "", "already"},
		{"create again in capitals", ada, "POST /api/repos/create", []byte(`{"name":"ADA/Model"}`), 409, "", "already"},
		{"move onto another", ada, "POST /api/repos/move", []byte(`{"fromRepo":"ada/after","toRepo":"ada/model"}`), 409, "", "already exists"},
		{"branch again", ada, "POST " + info + "ada/model/branch/main", []byte(`{}`), 409, "", "already exists"},
		{"stale parent", ada, "POST " + info + "ada/model/commit/main", commit(`{"key":"header","value":{"summary":"x","parentCommit":"` + strings.Repeat("1", 40) + `"}}`), 412, "", "Please refresh and try again."},

		// What makes no sense.
		{"no JSON", ada, "POST /api/repos/create", []byte(`{"name":`), 400, "", "JSON"},
		{"wrong JSON", ada, "POST /api/repos/create", []byte(`{"name":7}`), 400, "", "JSON"},
		{"deep JSON", ada, "POST /api/repos/create", bytes.Repeat([]byte("["), 1_000_000), 400, "", "JSON"},
		{"deep NDJSON", ada, "POST " + info + "ada/model/commit/main", commit(header + strings.Repeat(`{"a":`, 1_000_000)), 400, "", "Line 2"},
		{"bad name", ada, "POST /api/repos/create", []byte(`{"name":"a b"}`), 400, "", ""},
		{"bad name, git", ada, "POST /api/repos/create", []byte(`{"name":"x.git"}`), 400, "", ""},
		{"reserved name", ada, "POST /api/repos/create", []byte(`{"name":"resolve"}`), 400, "", "reserved"},
		{"bad type", ada, "POST /api/repos/create", []byte(`{"name":"x","type":"nope"}`), 400, "", "type"},
		{"space without an sdk", ada, "POST /api/repos/create", []byte(`{"name":"x","type":"space"}`), 400, "", "sdk"},
		{"bad visibility", ada, "POST /api/repos/create", []byte(`{"name":"x","visibility":"nope"}`), 400, "", "visibility"},
		{"bad gate", ada, "PUT " + info + "ada/model/settings", []byte(`{"gated":"nope"}`), 400, "", "gated"},
		{"bad branch", ada, "POST " + info + "ada/model/branch/a..b", []byte(`{}`), 400, "", "ref name"},
		{"unknown expand", ada, "GET " + info + "ada/model?expand=nope", nil, 400, "", "must be one of"},
		{"unknown expand in brackets", ada, "GET " + info + "ada/model?expand[]=sha&expand[]=nope", nil, 400, "", "must be one of"},
		{"unknown expand, list", ada, "GET /api/models?expand=nope", nil, 400, "", "must be one of"},
		{"unknown sort", ada, "GET /api/models?sort=nope", nil, 400, "", "sort"},
		{"bad limit", ada, "GET /api/models?limit=-1", nil, 400, "", "limit"},
		{"bad cursor", ada, "GET /api/models?cursor=%25%25", nil, 400, "", "cursor"},
		{"other cursor", ada, "GET /api/models?cursor=bm9wZQ", nil, 400, "", "cursor"},
		{"bad cursor, tree", ada, "GET " + info + "ada/model/tree/main?cursor=%25", nil, 400, "", "cursor"},
		{"bad cursor, lfs-files", ada, "GET " + info + "ada/model/lfs-files?cursor=x", nil, 400, "", "cursor"},
		{"bad page", ada, "GET " + info + "ada/model/commits/main?p=x", nil, 400, "", "page"},
		{"huge page", ada, "GET " + info + "ada/model/commits/main?p=9223372036854775807&limit=1000", nil, 400, "", "page"},
		{"bad compare", ada, "GET " + info + "ada/model/compare/main", nil, 400, "", "Compare"},
		{"bad num_parameters", ada, "GET /api/models?num_parameters=min:x", nil, 400, "", "num_parameters"},
		{"empty commit body", ada, "POST " + info + "ada/model/commit/main", commit(""), 400, "", "empty"},
		{"no header", ada, "POST " + info + "ada/model/commit/main", commit(file("a", "")), 400, "", "first line"},
		{"no summary", ada, "POST " + info + "ada/model/commit/main", commit(`{"key":"header","value":{}}`), 400, "", "summary"},
		{"truncated commit", ada, "POST " + info + "ada/model/commit/main", commit(header + file("a", "")[:30]), 400, "", "Line 2"},
		{"not base64", ada, "POST " + info + "ada/model/commit/main", commit(header + file("a", "***")), 400, "", "base64"},
		{"unknown key", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"nope","value":{}}`), 400, "", "nope"},
		{"unknown encoding", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"file","value":{"path":"a","encoding":"rot13"}}`), 400, "", "rot13"},
		{"bad oid", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"lfsFile","value":{"path":"a","oid":"x"}}`), 400, "", "SHA-256"},
		{"negative size, preupload", ada, "POST " + info + "ada/model/preupload/main", []byte(`{"files":[{"path":"a","size":-1}]}`), 400, "", ""},
		{"bad sample, preupload", ada, "POST " + info + "ada/model/preupload/main", []byte(`{"files":[{"path":"a","sample":"*"}]}`), 400, "", "JSON"},
		{"never uploaded", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"lfsFile","value":{"path":"a","oid":"` + strings.Repeat("1", 64) + `"}}`), 422, "", "never uploaded"},
		{"another's upload", eve, "POST " + info + "ada/model/commit/main", commit(header), 403, "", ""},
		{"path with ..", ada, "POST " + info + "ada/model/commit/main", commit(header + file("../a", "")), 422, "", "path"},
		{"path with backslashes", ada, "POST " + info + "ada/model/commit/main", commit(header + file(`..\ddd`, "")), 422, "", "path"},
		{"absolute path", ada, "POST " + info + "ada/model/commit/main", commit(header + file("/a", "")), 422, "", "path"},
		{"path into git", ada, "POST " + info + "ada/model/commit/main", commit(header + file(".git/config", "")), 422, "", "path"},
		{"path into git, short name", ada, "POST " + info + "ada/model/commit/main", commit(header + file("git~1/config", "")), 422, "", "path"},
		{"path with a zero byte", ada, "POST " + info + "ada/model/commit/main", commit(header + `{"key":"file","value":{"path":"a\u0000b"}}`), 422, "", "path"},
		{"empty path", ada, "POST " + info + "ada/model/commit/main", commit(header + file("", "")), 422, "", "path"},
		{"file below a file", ada, "POST " + info + "ada/model/commit/main", commit(header + file("dir/a.txt/b", "")), 422, "", ""},
		{"pull request", ada, "POST " + info + "ada/model/commit/main?create_pr=1", commit(header), 501, "", "pull requests"},

		// Paths that try to get out.
		{"dots, file", nobody, "GET /ada/model/resolve/main/../../../../../etc/passwd", nil, 404, "EntryNotFound", ""},
		{"encoded dots, file", nobody, "GET /ada/model/resolve/main/%2e%2e/%2e%2e/etc/passwd", nil, 404, "EntryNotFound", ""},
		{"encoded slashes, file", nobody, "GET /ada/model/resolve/main/..%2f..%2fetc%2fpasswd", nil, 404, "EntryNotFound", ""},
		{"dots into a private repository", nobody, "GET /ada/model/resolve/main/../../secret/resolve/main/a.txt", nil, 404, "EntryNotFound", ""},
		{"dots, tree", nobody, "GET " + info + "ada/model/tree/main/..", nil, 404, "EntryNotFound", ""},
		{"revision with dots", nobody, "GET /ada/model/resolve/..%2f..%2fx/a", nil, 404, "RevisionNotFound", ""},
		{"method", ada, "PUT /ada/model/resolve/main/dir/a.txt", nil, 404, "", ""},
	}
	for _, tt := range tests {
		headers := []string{}
		if tt.body != nil {
			headers = []string{"Content-Type", jsonType}
			if strings.Contains(tt.request, "/commit/") {
				headers[1] = ndjsonType
			}
		}
		got := f.ask(tt.who, tt.request, tt.body, headers...)
		if got.Status != tt.status || got.Header.Get("X-Error-Code") != tt.code || !strings.Contains(got.Header.Get("X-Error-Message"), tt.message) {
			t.Errorf("%s: %q: status %d, code %q, message %q, want %d, %q, %q", tt.name, tt.request,
				got.Status, got.Header.Get("X-Error-Code"), got.Header.Get("X-Error-Message"), tt.status, tt.code, tt.message)
		}
		if got.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: no X-Request-Id", tt.name)
		}
		var body api.ErrorBody
		if got.Status >= 400 {
			if err := got.Decode(&body); err != nil || body.Error == "" {
				t.Errorf("%s: body %q is no JSON with an error", tt.name, got.Body)
			}
		}
		if tt.code == "EntryNotFound" && strings.Contains(tt.request, "/resolve/") && got.Header.Get("X-Repo-Commit") != f.head {
			t.Errorf("%s: X-Repo-Commit %q, want %s", tt.name, got.Header.Get("X-Repo-Commit"), f.head)
		}
	}
	if got := f.ask(nobody, "GET "+info+"ada/model/tree/main?recursive=true", nil); bytes.Count(got.Body, []byte(`"file"`)) != len(f.tree)+1 {
		t.Errorf("a refused commit changed the files: %s", got.Body)
	}
}

// TestHiddenIsMissing: nothing tells a private repository from none.
func TestHiddenIsMissing(t *testing.T) {
	f := newFixture(t)
	for _, who := range []string{nobody, eve, forged} {
		for _, request := range []string{
			"GET /api/models/ada/%s", "HEAD /api/models/ada/%s", "GET /ada/%s/resolve/main/a.txt", "HEAD /ada/%s/resolve/main/a.txt",
			"GET /ada/%s/raw/main/a.txt", "GET /api/models/ada/%s/refs", "POST /api/models/ada/%s/commit/main",
			"GET /api/models/ada/%s/nope", "POST /api/models/ada/%s/duplicate", "PUT /api/models/ada/%s/settings",
			"POST /ada/%s.git/info/lfs/objects/batch", "GET /ada/%s.git/info/refs?service=git-upload-pack",
			"GET /ada/%s", "GET /ada/%s/tree/main", "GET /api/models/ada/%s/auth-check",
		} {
			body := []byte(`{"operation":"upload","objects":[]}`)
			if strings.HasPrefix(request, "GET") || strings.HasPrefix(request, "HEAD") {
				body = nil
			}
			hidden := f.ask(who, fmt.Sprintf(request, "secret"), body)
			missing := f.ask(who, fmt.Sprintf(request, "nosuch"), body)
			describe := func(r wiretest.Reply) string {
				h := r.Header.Clone()
				for _, name := range []string{"X-Request-Id", "Date", "Content-Length"} {
					h.Del(name)
				}
				text := fmt.Sprint(r.Status, h, strings.ReplaceAll(string(r.Body), r.Header.Get("X-Request-Id"), "id"))
				return strings.NewReplacer("secret", "*", "nosuch", "*").Replace(text)
			}
			if describe(hidden) != describe(missing) {
				t.Errorf("%q for %q: private %s\nmissing %s", request, who, describe(hidden), describe(missing))
			}
		}
	}
}

// TestConflictNamesTheRepository: clients with exist_ok read the URL.
func TestConflictNamesTheRepository(t *testing.T) {
	f := newFixture(t)
	for _, request := range []string{"POST /api/repos/create", "POST /api/models/ada/after/duplicate"} {
		got := f.ask(ada, request, []byte(`{"name":"ada/MODEL","repository":"ada/MODEL"}`), "Content-Type", jsonType)
		var body api.ErrorBody
		if err := got.Decode(&body); err != nil || got.Status != 409 || body.URL != f.url+"/ada/model" {
			t.Errorf("%s: status %d, url %q, want 409, %s/ada/model", request, got.Status, body.URL, f.url)
		}
	}
}

// TestMoved: requests for a former id are redirected with method and query.
func TestMoved(t *testing.T) {
	f := newFixture(t)
	for _, request := range []string{
		"GET /api/models/ada/before", "GET /api/models/ada/before?expand=sha&blobs=true", "GET /api/models/Ada/BEFORE/tree/main?recursive=true",
		"POST /api/models/ada/before/commit/main", "POST /api/models/ada/before/paths-info/refs%2Fpr%2F1", "DELETE /api/models/ada/before/branch/x%2Fy",
		"GET /ada/before/resolve/main/a.txt", "HEAD /ada/before/resolve/main/a%3F%20//b.txt?download=true", "GET /ada/before/raw/main/a.txt",
		"POST /ada/before.git/info/lfs/objects/batch",
	} {
		var body []byte
		if strings.Contains(request, "lfs") {
			body = []byte(`{"operation":"download","objects":[]}`)
		}
		got := f.ask(ada, request, body)
		_, target, _ := strings.Cut(request, " ")
		want := f.url + strings.NewReplacer("ada/before", "ada/after", "Ada/BEFORE", "ada/after").Replace(target)
		if got.Status != http.StatusTemporaryRedirect || got.Header.Get("Location") != want {
			t.Errorf("%s: status %d, Location %q, want 307, %q", request, got.Status, got.Header.Get("Location"), want)
		}
	}
}

// TestIDsIgnoreCase: an id in any case finds the repository, and answers carry
// its own spelling.
func TestIDsIgnoreCase(t *testing.T) {
	f := newFixture(t)
	for _, request := range []string{
		"GET /api/models/ADA/Model", "GET /ADA/MODEL/resolve/main/dir/a.txt", "GET /api/models/aDa/mOdEl/tree/main", "POST /Ada/Model.git/info/lfs/objects/batch",
	} {
		var body []byte
		if strings.HasPrefix(request, "POST") {
			body = []byte(`{"operation":"download","objects":[]}`)
		}
		if got := f.ask(nobody, request, body); got.Status != 200 {
			t.Errorf("%s: status %d", request, got.Status)
		}
	}
	var info struct {
		ID string `json:"id"`
	}
	got := f.ask(nobody, "GET /api/models/ADA/MODEL", nil)
	if err := got.Decode(&info); err != nil || info.ID != "ada/model" {
		t.Errorf("the id of ADA/MODEL is %q, %v", info.ID, err)
	}
}
