package web

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/repo"
)

const sampleCard = `---
license: mit
library_name: transformers
pipeline_tag: text-generation
base_model: lab/base
datasets: [lab/data, other/missing]
tags: [demo]
---
# Sample

See [the script](train.py), ![plot](img/plot.png) and [up](../../../etc/passwd).
`

// weights is a safetensors file with one tensor.
func weights() string {
	header := `{"__metadata__":{"format":"pt"},"layer.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return string(b) + header + strings.Repeat("\x00", 24)
}

// stocked is a site with one repository of each kind.
func stocked(t *testing.T) *site {
	s := newSite(t).people()
	s.repo(hub.Model, "lab/base", hub.Public, map[string]string{"README.md": "# Base"})
	s.repo(hub.Dataset, "lab/data", hub.Public, map[string]string{"README.md": "---\ntask_categories: [text-generation]\n---\n# Data", "data.csv": "a,b\n1,2\n"})
	s.repo(hub.Space, "lab/demo", hub.Public, map[string]string{"README.md": "---\ntitle: The Demo\nsdk: static\nemoji: \"🍓\"\ncolorFrom: red\ncolorTo: blue\nshort_description: It demonstrates.\n---\n"})
	rp := s.repo(hub.Model, "lab/sample", hub.Public, map[string]string{
		"README.md": sampleCard, "config.json": `{"model_type":"llama","architectures":["LlamaForCausalLM"]}`,
		"train.py": "import os\n\nprint('hi')\n", "docs/README.md": "# Folder readme", "blob.bin": "a\x00b",
		"img/plot.png": "large:not really a picture", "model.safetensors": "large:" + weights(), "broken.gguf": "large:GGUF nonsense",
		"odd/what? 100% & #1.txt": "odd name\n", "long.txt": strings.Repeat("x", 2<<20),
	})
	s.commit(rp, "Change the script\n\nIt says more now.", map[string]string{"train.py": "import os\n\nprint('hello')\n"})
	return s
}

// TestPages looks at every page for what it must say.
func TestPages(t *testing.T) {
	s := stocked(t)
	anyone := s.browser()
	head := headOf(t, anyone.get("/lab/sample/commits/main"))
	tests := []struct {
		path string
		want []string
	}{
		{"/", []string{"2</strong>models", "lab/", "The Demo", "export HF_ENDPOINT=" + s.url, "hf auth login", "hf upload"}},
		{"/models", []string{"<title>Models · Pantry</title>", "lab/", "sample", `href="/models?pipeline_tag=text-generation"`, `href="/models?license=mit"`}},
		{"/datasets", []string{"lab/", "data", "task_categories=text-generation"}},
		{"/spaces", []string{"The Demo", "🍓", "from-red to-blue", "It demonstrates."}},
		{"/kernels", []string{"No kernels yet"}},
		{"/lab", []string{"The Lab", "Organization", `href="/lab/sample"`}},
		{"/ada", []string{"ada", `href="/lab"`, "Nothing here yet"}},
		{"/lab/sample", []string{
			`href="/lab/sample/blob/main/train.py"`, `src="/lab/sample/resolve/main/img/plot.png"`, `href="/lab/sample/blob/main/etc/passwd"`,
			`href="/lab/base"`, `href="/datasets/lab/data"`, "other/missing", "Quantised from", "hf download lab/sample", "from transformers import pipeline",
			`title="6"`, "F32",
		}},
		{"/lab/base", []string{"<h1", "Base", ">1 model</a> made from this"}},
		{"/datasets/lab/data", []string{"load_dataset", "--repo-type dataset", ">1 model</a> made from this"}},
		{"/spaces/lab/demo", []string{"lab", "static"}},
		{"/lab/sample/tree/main", []string{
			`href="/lab/sample/tree/main/docs"`, `href="/lab/sample/blob/main/train.py"`, "Change the script", "xet",
			`href="/lab/sample/resolve/main/model.safetensors?download=true"`, "hf download lab/sample",
		}},
		{"/lab/sample/tree/main/docs", []string{"Folder readme", `aria-current="page">docs`}},
		{"/lab/sample/tree/main/odd", []string{"odd/what%3F%20100%25%20&amp;%20%231.txt", "what? 100% &amp; #1.txt"}},
		{"/lab/sample/blob/main/odd/what%3F%20100%25%20&%20%231.txt", []string{"odd name", "what? 100% &amp; #1.txt"}},
		{"/lab/sample/blob/main/train.py", []string{"&#39;hello&#39;", `id="L3"`, "3 lines", "Change the script", `href="/lab/sample/raw/main/train.py"`}},
		{"/lab/sample/blob/main/README.md", []string{"<article class=\"prose\">", "?source=1"}},
		{"/lab/sample/blob/main/README.md?source=1", []string{"pipeline_tag", "Preview"}},
		{"/lab/sample/blob/main/img/plot.png", []string{`<img src="/lab/sample/resolve/main/img/plot.png"`, "SHA-256", "Xet hash"}},
		{"/lab/sample/blob/main/model.safetensors", []string{"layer.weight", "[2, 3]", "F32", "format", "SHA-256"}},
		{"/lab/sample/blob/main/broken.gguf", []string{"No readable GGUF header"}},
		{"/lab/sample/blob/main/blob.bin", []string{"A binary file"}},
		{"/lab/sample/blob/main/long.txt", []string{"Too long to show here"}},
		{"/lab/sample/commits/main", []string{"Change the script", "It says more now.", "Add files", "initial commit"}},
		{"/lab/sample/commit/" + head, []string{"train.py", "hello", "hi", "1</strong> file changed", "+1", "−1"}},
		{"/lab/sample/tree/" + head, []string{"train.py"}},
		{"/login", []string{`name="password"`, `autocomplete="current-password"`}},
		{"/join", []string{`name="password2"`}},
	}
	for _, tt := range tests {
		p := anyone.get(tt.path)
		if p.status != http.StatusOK {
			t.Errorf("GET %s: status %d, want 200\n%s", tt.path, p.status, p.text())
			continue
		}
		for _, w := range tt.want {
			if !p.has(w) {
				t.Errorf("GET %s: no %q in\n%s", tt.path, w, p.text())
			}
		}
		checkFrame(t, tt.path, p)
	}
}

// headOf is the first commit on a history page.
func headOf(t *testing.T, p page) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.body, "/commit/")
	if !ok || len(rest) < 40 {
		t.Fatalf("no commit on the history page: %s", p.text())
	}
	return rest[:40]
}

// checkFrame checks what every page must have.
func checkFrame(t *testing.T, path string, p page) {
	t.Helper()
	csp := p.header.Get("Content-Security-Policy")
	for _, w := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, w) {
			t.Errorf("GET %s: policy %q lacks %q", path, csp, w)
		}
	}
	if p.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("GET %s: other sites' scripts may read the page", path)
	}
	for _, bad := range []string{" style=", " onclick=", "<script>", "javascript:", "ZgotmplZ", "<no value>"} {
		if strings.Contains(p.body, bad) {
			t.Errorf("GET %s: the page holds %q", path, bad)
		}
	}
	if n := strings.Count(p.body, "<h1"); n < 1 {
		t.Errorf("GET %s: no heading", path)
	}
}

// TestSignedInPages looks at the pages of a user.
func TestSignedInPages(t *testing.T) {
	s := stocked(t)
	s.repo(hub.Model, "ada/empty", hub.Private, nil)
	ada := s.signedIn("ada")
	for path, want := range map[string][]string{
		"/":                    {"Hello, ada", "Yours, last changed", "ada/", "empty", "private"},
		"/new?type=dataset":    {`value="dataset" checked`, "<option>ada</option>", "<option>lab</option>"},
		"/settings/account":    {"Change password", "Sign out everywhere"},
		"/settings/tokens":     {"No tokens yet", "New token"},
		"/device":              {`name="user_code"`},
		"/ada/empty":           {"hf upload ada/empty ./my-folder .", "license: apache-2.0", "Settings"},
		"/ada/empty/settings":  {`value="private" checked`, "Delete this model", `data-must-equal="ada/empty"`},
		"/lab/sample/settings": {"<option selected>lab</option>", "<option>ada</option>"},
	} {
		p := ada.get(path)
		if p.status != http.StatusOK || !p.has(want...) {
			t.Errorf("GET %s: status %d, want %q in\n%s", path, p.status, want, p.text())
		}
		checkFrame(t, path, p)
	}
}

func TestErrorPages(t *testing.T) {
	s := stocked(t)
	s.repo(hub.Model, "ada/secret", hub.Private, map[string]string{"README.md": "# hidden words"})
	anyone, eve, ada := s.browser(), s.signedIn("eve"), s.signedIn("ada")
	tests := []struct {
		who    *browser
		path   string
		status int
		want   string
	}{
		{anyone, "/nobody", 404, "no user or organization"},
		{anyone, "/models/", 301, ""},
		{anyone, "/ada/nothing", 404, "no such repository"},
		{anyone, "/ada/secret", 404, "no such repository"},
		{anyone, "/ada/secret/tree/main", 404, "no such repository"},
		{anyone, "/ada/secret/blob/main/README.md", 404, "no such repository"},
		{anyone, "/ada/secret/commits/main", 404, "no such repository"},
		{anyone, "/ada/secret/settings", 404, "no such repository"},
		{eve, "/ada/secret", 404, "no such repository"},
		{eve, "/ada/secret/settings", 404, "no such repository"},
		{eve, "/lab/sample/settings", 403, ""},
		{ada, "/ada/secret", 200, "hidden words"},
		{anyone, "/lab/sample/tree/nope", 404, ""},
		{anyone, "/lab/sample/tree/main/nope", 404, ""},
		{anyone, "/lab/sample/blob/main/nope", 404, ""},
		{anyone, "/lab/sample/commit/" + strings.Repeat("1", 40), 404, ""},
		{anyone, "/lab/sample/discussions", 404, "no such page"},
		{anyone, "/lab/sample/tree/main?after=***", 400, "cursor"},
		{anyone, "/static/nothing.css", 404, ""},
		{anyone, "/setup?code=x", 403, "used or has expired"},
		{anyone, "/password?code=x", 403, "used or has expired"},
		{anyone, "/settings/tokens", 303, ""},
		{anyone, "/new", 303, ""},
	}
	for _, tt := range tests {
		p := tt.who.get(tt.path)
		if p.status != tt.status || !p.has(tt.want) {
			t.Errorf("GET %s: status %d, want %d and %q in\n%s", tt.path, p.status, tt.status, tt.want, p.text())
		}
	}
	if p := anyone.get("/ada/secret"); !p.has(p.header.Get("X-Request-Id"), `href="/login?next=%2fada%2fsecret"`) {
		t.Errorf("the error page lacks its request id or the way to sign in:\n%s", p.text())
	}
	if p := anyone.get("/models?search=secret"); p.has("ada/secret") {
		t.Error("a stranger's search finds a private repository")
	}
	if p := anyone.get("/ada"); p.has("secret") {
		t.Error("a profile shows a private repository to strangers")
	}
}

// TestHostileText stores markup wherever strangers may write and looks for it
// on pages.
func TestHostileText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	s := newSite(t).people()
	files := map[string]string{
		"README.md": "---\nlicense: mit\ntags: ['" + strings.ReplaceAll(evil, "'", "''") + "']\npipeline_tag: text-generation\nlibrary_name: transformers\nbase_model: ['x/<b>y']\n---\n" + evil +
			"\n\n[link](javascript:alert(1)) <a href=\"jav&#x09;ascript:alert(1)\">x</a> <form action=/logout method=post><button>x</button></form>",
		"a'\"><script>alert(1)<.py": "x = '" + evil + "'\n",
		"config.json":               `{"architectures":["X\"); import os #"],"model_type":"` + strings.ReplaceAll(evil, `"`, `\"`) + `"}`,
	}
	rp := s.repo(hub.Model, "lab/evil", hub.Public, files)
	c := s.commit(rp, evil+"\n\n"+evil, map[string]string{"x.txt": evil})
	s.repo(hub.Space, "lab/evil", hub.Public, map[string]string{"README.md": "---\ntitle: '" + strings.ReplaceAll(evil, "'", "''") +
		"'\nemoji: '<b>'\ncolorFrom: 'red\" onload=\"x'\ncolorTo: blue\nsdk: static\nshort_description: '<i>hi</i>'\n---\n"})
	b := s.browser()
	for _, path := range []string{
		"/", "/models", "/spaces", "/lab", "/lab/evil", "/spaces/lab/evil", "/lab/evil/tree/main", "/lab/evil/commits/main",
		"/lab/evil/commit/" + c.OID.String(), "/lab/evil/blob/main/x.txt",
		"/lab/evil/blob/main/" + url.PathEscape("a'\"><script>alert(1)<.py"),
		"/models?search=" + url.QueryEscape(evil) + "&other=" + url.QueryEscape(evil) + "&author=" + url.QueryEscape(evil) + "&" + url.QueryEscape(evil) + "=1",
		"/login?next=" + url.QueryEscape("/"+evil), "/" + url.PathEscape(evil), "/lab/evil/tree/" + url.PathEscape(evil),
	} {
		p := b.get(path)
		for _, bad := range []string{"<script>alert", "<img src=x", "onerror=alert(1)>", `onload="x`, "javascript:alert", "action=/logout", "<b>", "<i>hi"} {
			if p.has(bad) {
				t.Errorf("GET %s: %q got through:\n%s", path, bad, p.text())
			}
		}
	}
	if p := b.get("/lab/evil/commits/main"); !p.has("&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("the message is not shown as it is:\n%s", p.text())
	}
	if p := b.get("/lab/evil"); p.has("import os #") {
		t.Errorf("a stranger's class name became code to copy:\n%s", p.text())
	}
}

// TestPurgedFile looks at a file whose content was deleted while the history
// names it.
func TestPurgedFile(t *testing.T) {
	s := newSite(t).people()
	rp := s.repo(hub.Model, "ada/m", hub.Public, map[string]string{"w.bin": "large:gone soon", "x.safetensors": "large:" + weights()})
	files, err := rp.LargeFiles(t.Context(), hub.SHA256{}, 10)
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if p := s.browser().get("/ada/m/blob/main/w.bin"); !p.has("gone soon") {
		t.Errorf("before: %s", p.text())
	}
	if err := rp.DeleteLargeFiles(t.Context(), []hub.SHA256{files[0].SHA256, files[1].SHA256}, false); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/ada/m/blob/main/w.bin", "/ada/m/blob/main/x.safetensors"} {
		if p := s.browser().get(path); p.status != 200 || !p.has("The content of this file was deleted") || p.has("gone soon") {
			t.Errorf("GET %s: status %d\n%s", path, p.status, p.text())
		}
	}
}

func TestListFilters(t *testing.T) {
	s := stocked(t)
	for i := range 35 {
		s.repo(hub.Model, fmt.Sprintf("ada/many-%02d", i), hub.Public, nil)
	}
	b := s.browser()
	p := b.get("/models?search=many&sort=created")
	if !p.has("many-34") || p.has("many-00\"") || !p.has("Next page") {
		t.Fatalf("the first page: %s", p.text())
	}
	_, rest, _ := strings.Cut(p.body, `<a class="button" href="/models?cursor=`)
	next, _, _ := strings.Cut(rest, `"`)
	p = b.get("/models?cursor=" + strings.ReplaceAll(next, "&amp;", "&"))
	if !p.has("many-00", "First page") || p.has("many-34") || p.has("Next page") {
		t.Errorf("the second page: %s", p.text())
	}
	for path, want := range map[string]bool{
		"/models?pipeline_tag=text-generation": true, "/models?pipeline_tag=fill-mask": false,
		"/models?license=mit&library=transformers": true, "/models?other=demo": true, "/models?other=nope": false,
		"/models?author=LAB": true, "/models?author=eve": false, "/models?search=SAM+ple": true, "/models?cursor=garbage": false,
	} {
		if got := b.get(path).has(`href="/lab/sample"`); got != want {
			t.Errorf("GET %s: shows lab/sample is %v, want %v", path, got, want)
		}
	}
}

func TestManyFiles(t *testing.T) {
	s := newSite(t).people()
	files := map[string]string{}
	for i := range treeItems + 20 {
		files[fmt.Sprintf("d/f%04d.txt", i)] = "x"
	}
	s.repo(hub.Model, "ada/files", hub.Public, files)
	b := s.browser()
	p := b.get("/ada/files/tree/main/d")
	_, rest, ok := strings.Cut(p.body, "/ada/files/tree/main/d?after=")
	if !ok || p.has("f0519.txt") || !p.has("f0000.txt") {
		t.Fatalf("first page has no next one, or too much: %v", ok)
	}
	cursor, _, _ := strings.Cut(rest, `"`)
	if p := b.get("/ada/files/tree/main/d?after=" + cursor); !p.has("f0519.txt", "f0500.txt") || p.has("f0499.txt") {
		t.Error("the second page does not hold the rest")
	}
	if p := b.get("/ada/files/commit/main"); !p.has("More files changed") || strings.Count(p.body, `class="file-box diff"`) != maxChanges {
		t.Errorf("a commit of many files shows %d of them", strings.Count(p.body, `class="file-box diff"`))
	}
}

// TestRestricted looks at repositories that strangers may see but not read.
func TestRestricted(t *testing.T) {
	s := newSite(t).people()
	gate := hub.GateManual
	rp := s.repo(hub.Model, "lab/gated", hub.Public, map[string]string{"README.md": "secret words"})
	if _, err := rp.Update(t.Context(), repo.Settings{Gated: &gate}); err != nil {
		t.Fatal(err)
	}
	if p := s.browser().get("/lab/gated"); p.status != 200 || p.has("secret words") || !p.has("gated</span>", "The files are restricted") {
		t.Errorf("a gated model: status %d\n%s", p.status, p.text())
	}
	for _, path := range []string{"/lab/gated/blob/main/README.md", "/lab/gated/commit/main"} {
		if p := s.browser().get(path); p.status != 401 || p.has("secret words") || !p.has("/login?next=") {
			t.Errorf("GET %s of a gated model: status %d, want 401\n%s", path, p.status, p.text())
		}
		if p := s.signedIn("eve").get(path); p.status != 403 || p.has("secret words") {
			t.Errorf("GET %s of a gated model as eve: status %d, want 403\n%s", path, p.status, p.text())
		}
	}
	if p := s.browser().get("/lab/gated/tree/main"); p.status != 200 || p.has("secret words") {
		t.Errorf("files of a gated model: status %d\n%s", p.status, p.text())
	}
	s.repo(hub.Space, "lab/demo", hub.Public, map[string]string{"README.md": "---\nsdk: static\n---\nsecret words"})
	ada, b := s.signedIn("ada"), s.browser()
	ada.post("/spaces/lab/demo/settings/visibility", url.Values{"visibility": {"protected"}})
	if p := b.get("/spaces/lab/demo"); p.status != 200 || p.has("secret words") || !p.has("The files are restricted") {
		t.Errorf("a protected Space: status %d\n%s", p.status, p.text())
	}
	if p := b.get("/spaces/lab/demo/blob/main/README.md"); p.status == 200 {
		t.Errorf("a stranger reads a file of a protected Space:\n%s", p.text())
	}
	if p := ada.get("/spaces/lab/demo"); !p.has("secret words") {
		t.Errorf("the owner does not see the card:\n%s", p.text())
	}
}

func TestAssets(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	_, rest, _ := strings.Cut(b.get("/").body, `href="/static/pantry.css`)
	query, _, _ := strings.Cut(rest, `"`)
	p := b.get("/static/pantry.css" + query)
	if p.status != 200 || !strings.Contains(p.header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(p.header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: status %d, headers %v", p.status, p.header)
	}
	b.header.Set("If-None-Match", p.header.Get("ETag"))
	if p := b.get("/static/pantry.css"); p.status != http.StatusNotModified {
		t.Errorf("unchanged style sheet: status %d, want 304", p.status)
	}
}

func TestProfileSpelling(t *testing.T) {
	s := newSite(t).people()
	if p := s.browser().get("/ADA"); p.status != http.StatusSeeOther || p.header.Get("Location") != "/ada" {
		t.Errorf("/ADA: status %d, to %q", p.status, p.header.Get("Location"))
	}
}

func TestNewAccountIsWelcome(t *testing.T) {
	s := newSite(t)
	code, ok, err := s.identity.FirstAdminLink(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	b := s.browser()
	if p := b.get("/setup?code=" + code); p.status != 200 || !p.has("Set up this hub") {
		t.Fatalf("setup page: status %d\n%s", p.status, p.text())
	}
	form := url.Values{"code": {code}, "username": {"root"}, "email": {"root@example.org"}, "password": {password}, "password2": {"other"}}
	if p := b.post("/setup", form); p.status != 400 || !p.has("The two passwords differ.", `value="root"`, `value="root@example.org"`) || p.has(password) {
		t.Errorf("different passwords: status %d\n%s", p.status, p.text())
	}
	form.Set("password2", password)
	if p := b.post("/setup", form); p.status != http.StatusSeeOther {
		t.Fatalf("setup: status %d\n%s", p.status, p.text())
	}
	if p := b.get("/"); !p.has("Hello, root", "The shelves are empty") {
		t.Errorf("home of a new hub:\n%s", p.text())
	}
	if p := s.browser().post("/setup", form); p.status != 403 {
		t.Errorf("second use of the link: status %d, want 403", p.status)
	}
	link, err := s.identity.PasswordLink(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	other := s.browser()
	if p := other.get("/password?code=" + link); !p.has("root", "Set a password") {
		t.Errorf("password page:\n%s", p.text())
	}
	if p := other.post("/password", url.Values{"code": {link}, "password": {"a new one, long"}, "password2": {"a new one, long"}}); p.status != http.StatusSeeOther {
		t.Errorf("set password: status %d\n%s", p.status, p.text())
	}
	if p := b.get("/"); p.has("Hello, root") {
		t.Error("old sessions outlive a new password")
	}
	if p := other.get("/"); !p.has("Hello, root") {
		t.Error("who set the password is not signed in")
	}
}

func TestDevicePage(t *testing.T) {
	s := newSite(t).people()
	device, d, err := s.identity.StartDevice(t.Context(), "hf-cli", "openid profile write-repos", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	path := "/device?user_code=" + d.UserCode
	if p := s.browser().get(path); p.status != http.StatusSeeOther || p.header.Get("Location") != "/login?next="+url.QueryEscape(path) {
		t.Errorf("signed out: status %d, to %q", p.status, p.header.Get("Location"))
	}
	ada := s.signedIn("ada")
	if p := ada.get("/device?user_code=WRONG-CODE"); p.status != 404 || !p.has("wrong or has expired", `value="WRONG-CODE"`) {
		t.Errorf("wrong code: status %d\n%s", p.status, p.text())
	}
	if p := ada.get(path); p.status != 200 || !p.has(d.UserCode, "Create, change and delete", identity.ClientName("hf-cli")) {
		t.Errorf("confirm page: status %d\n%s", p.status, p.text())
	}
	if p := ada.post("/device", url.Values{"user_code": {d.UserCode}, "decision": {"approve"}}); p.status != 200 || !p.has("Connected") {
		t.Fatalf("approve: status %d\n%s", p.status, p.text())
	}
	if _, err := s.identity.PollDevice(t.Context(), device, "hf-cli"); err != nil {
		t.Errorf("the device is not let in: %v", err)
	}
}
