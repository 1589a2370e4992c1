package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/identity"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// askedHub is a hub without a listener, with something to ask for, and who asks.
type askedHub struct {
	*app.App
	log  *bytes.Buffer // what its operator would see
	who  []string      // header lines that say who asks
	file string        // hash of a Xet file of ada/model
}

// Who asks, in askedHub.who: nobody, ada by a token, ada in a browser, and ada's
// Xet client.
const (
	byToken = 1
	byXet   = 3
)

// newAskedHub makes a hub over a database, "" for SQLite in a folder.
func newAskedHub(t testing.TB, database string) *askedHub {
	t.Helper()
	h := &askedHub{log: new(bytes.Buffer)}
	ctx := context.Background()
	cfg := config.Config{
		Storage: config.Storage{Data: t.TempDir(), Database: database, Bucket: "memory:"},
		SignUp:  true, LFSMultipartAbove: 1000, LFSPartSize: 500,
	}
	var err error
	h.App, err = app.NewWith(ctx, cfg, slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelWarn})), bucket.Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	user, err := h.Identity.CreateUser(ctx, identity.NewAccount{Name: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := h.Identity.CreateToken(ctx, user.ID, identity.NewToken{Name: "test", Role: hub.TokenWrite})
	if err != nil {
		t.Fatal(err)
	}
	session, err := h.Identity.StartSession(ctx, user.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	h.who = []string{"", "Authorization: Bearer " + token + "\r\n", "Cookie: " + identity.PlainSessionCookie + "=" + session + "\r\n"}
	h.fill(t)
	return h
}

// fill makes repositories of ada's, one with small files and a large one.
func (h *askedHub) fill(t testing.TB) {
	do := func(who int, request, body string) []byte {
		t.Helper()
		_, w := h.ask(request+" HTTP/1.1\r\nHost: hub\r\n\r\n"+body, who)
		if w == nil || w.Code >= 300 {
			t.Fatalf("%s: %v\n%s", request, w, h.log)
		}
		return w.Body.Bytes()
	}
	do(byToken, "POST /api/repos/create", `{"name":"model","type":"model"}`)
	do(byToken, "POST /api/repos/create", `{"name":"words","type":"dataset"}`)
	do(byToken, "POST /api/repos/create", `{"name":"secret","type":"model","private":true}`)
	var xet api.XetToken
	if err := json.Unmarshal(do(byToken, "GET /api/models/ada/model/xet-write-token/main", ""), &xet); err != nil {
		t.Fatal(err)
	}
	h.who = append(h.who, "Authorization: Bearer "+xet.AccessToken+"\r\n")
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	packed, err := wiretest.PackXet(large)
	if err != nil {
		t.Fatal(err)
	}
	h.file = packed.Hash.String()
	do(byXet, "POST /cas/v1/xorbs/default/"+packed.Xorb.String(), string(packed.Body))
	do(byXet, "POST /cas/v1/shards", string(packed.Shard))
	do(byToken, "POST /api/models/ada/model/commit/main", string(wiretest.Commit{Summary: "add", Files: map[string][]byte{
		"README.md": []byte("---\nlicense: mit\ntags: [a]\n---\n# Model\n"), "dir/a.txt": []byte("0123456789"), "config.json": []byte(`{"model_type":"bert"}`),
	}, Large: map[string][]byte{"weights.bin": large}}.NDJSON()))
}

// ask answers a request that is written as on the wire but for its framing: all
// after the head is its body. It answers nil what net/http would refuse.
func (h *askedHub) ask(text string, who int) (*http.Request, *httptest.ResponseRecorder) {
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok || len(head) > 64<<10 {
		return nil, nil
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n" + h.who[who] + "\r\n")))
	if err != nil || r.Host == "" || r.URL.Host != "" {
		return nil, nil
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(strings.NewReader(body)), int64(len(body)), nil
	r.RemoteAddr = "192.0.2.1:1234"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return r, w
}

// check asks, and fails if the hub does or sends the client to another site.
func (h *askedHub) check(t *testing.T, text string, who int) {
	t.Helper()
	h.log.Reset()
	r, w := h.ask(text, who)
	if w == nil {
		return
	}
	if w.Code == http.StatusInternalServerError || w.Code < 200 {
		t.Fatalf("%q: status %d %s\n%s", text, w.Code, w.Body, h.log)
	}
	to := w.Header().Get("Location")
	if local := strings.TrimPrefix(to, "http://"+r.Host); to != "" && (!strings.HasPrefix(local, "/") || strings.HasPrefix(local, "//") || strings.HasPrefix(local, `/\`)) {
		t.Errorf("%q: sent to %q", text, to)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Code >= 400 && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
		t.Errorf("%q: the error is no JSON: %q", text, w.Body)
	}
}

// seed writes a line of requestSeeds as ask reads it.
func (h *askedHub) seed(line string) string {
	head, body, _ := strings.Cut(strings.ReplaceAll(line, "FILE", h.file), "\n")
	request, headers, ok := strings.Cut(head, " | ")
	if ok {
		headers += "\r\n"
	}
	return request + " HTTP/1.1\r\nHost: hub\r\n" + headers + "\r\n" + body
}

// FuzzRequest: nobody makes the hub fail, whatever is asked for.
func FuzzRequest(f *testing.F) {
	h := newAskedHub(f, "")
	for _, line := range requestSeeds {
		for who := range h.who {
			f.Add(h.seed(line), uint8(who))
		}
	}
	f.Fuzz(func(t *testing.T, text string, who uint8) { h.check(t, text, int(who)%len(h.who)) })
}

// TestNoText: what is no text, or no text for PostgreSQL, is an error of the
// client's or nothing that is found, wherever it is put.
func TestNoText(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			database := ""
			if engine == "postgres" {
				database = storetest.PostgresURL(t)
			}
			h := newAskedHub(t, database)
			for _, line := range requestSeeds {
				for who := range h.who {
					for _, text := range spoiled(h.seed(line)) {
						h.check(t, text, who)
					}
				}
			}
		})
	}
}

// spoiled are copies of a request, each with a NUL or a byte that is no UTF-8
// after one of its words: escaped in the target, as \u0000 in JSON.
func spoiled(text string) []string {
	var all []string
	first, rest, _ := strings.Cut(text, " HTTP/1.1")
	for i := strings.IndexByte(first, ' ') + 2; i <= len(first); i++ {
		if i == len(first) || strings.IndexByte("/?&=%,", first[i]) >= 0 {
			for _, bad := range []string{"%00", "%ff"} {
				all = append(all, first[:i]+bad+first[i:]+" HTTP/1.1"+rest)
			}
		}
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	for i := range body {
		for _, bad := range []string{`\u0000`, "%00", "\xff", "\x00", `\ud800`} {
			if strings.IndexByte(`"=&`, body[i]) >= 0 {
				all = append(all, first+" HTTP/1.1"+head+"\r\n\r\n"+body[:i]+bad+body[i:])
			}
		}
	}
	return all
}

// requestSeeds are requests as "METHOD target | header line", the body in the
// next line.
var requestSeeds = []string{
	"GET /", "GET /models?search=a&license=mit&sort=size&cursor=WzEsMl0", "GET /datasets?author=ada", "GET /ada", "GET /ada/model",
	"GET /ada/model/tree/main/dir", "GET /ada/model/blob/main/README.md", "GET /ada/model/commits/main?p=1", "GET /ada/model/commit/main",
	"GET /ada/model/settings", "POST /ada/model/settings | Content-Type: application/x-www-form-urlencoded\naction=visibility&visibility=private",
	"GET /login?next=/ada", "POST /login | Content-Type: application/x-www-form-urlencoded\nname=ada&password=x&next=//evil",
	"GET /setup?code=x", "GET /password?code=x", "POST /new | Content-Type: application/x-www-form-urlencoded\ntype=model&name=x&owner=ada&visibility=public",
	"POST /settings/tokens | Content-Type: application/x-www-form-urlencoded\nname=x&role=write", "POST /device | Content-Type: application/x-www-form-urlencoded\nuser_code=ABCD-EFGH&decision=approve",
	"GET /static/x.css", "GET /ada/model/", "GET //evil.example/%2e%2e/",
	"GET /ada/model/resolve/main/README.md | Range: bytes=0-3,5-", "HEAD /ada/model/resolve/main/weights.bin | If-None-Match: \"x\"", "GET /ada/model/raw/main/weights.bin",
	"GET /api/models?search=a&author=ada&filter=a,b&sort=likes&direction=-1&limit=2&full=true&expand[]=siblings&num_parameters=min:6B,max:128B&gated=true&apps=vllm",
	"GET /api/datasets?cursor=WzEsMl0&expand=sha", "GET /api/models-tags-by-type?type=license", "GET /api/models/ada/model?blobs=true&securityStatus=1",
	"GET /api/models/ada/model/revision/refs%2Fpr%2F1", "GET /api/models/ada/model/tree/main/dir?recursive=true&expand=1&limit=1&cursor=ZGly",
	"POST /api/models/ada/model/paths-info/main | Content-Type: application/json\n{\"paths\":[\"dir\",\"README.md\"],\"expand\":true}",
	"POST /api/models/ada/model/paths-info/main | Content-Type: application/x-www-form-urlencoded\npaths=dir&expand=true",
	"GET /api/models/ada/model/treesize/main/dir", "GET /api/models/ada/model/refs?include_prs=1", "GET /api/models/ada/model/commits/main?p=1&limit=2&expand[]=formatted",
	"GET /api/models/ada/model/compare/main..main?raw=1", "POST /api/models/ada/model/branch/b%2Fc\n{\"startingPoint\":\"main\",\"overwrite\":true}", "DELETE /api/models/ada/model/branch/b",
	"POST /api/models/ada/model/tag/main\n{\"tag\":\"v1\",\"message\":\"x\"}", "DELETE /api/models/ada/model/tag/v1", "POST /api/models/ada/words/super-squash/main\n{\"message\":\"x\"}",
	"POST /api/models/ada/model/preupload/main\n{\"files\":[{\"path\":\"a.bin\",\"size\":3,\"sample\":\"AAEC\"}],\"gitAttributes\":\"*.x filter=lfs\"}",
	"POST /api/models/ada/model/commit/main?create_pr=1 | Content-Type: application/x-ndjson\n{\"key\":\"header\",\"value\":{\"summary\":\"x\",\"parentCommit\":\"0\"}}",
	"POST /api/models/ada/model/commit/main | Content-Type: application/json\n{\"summary\":\"x\",\"files\":[{\"path\":\"a\",\"content\":\"x\"}],\"deletedFolders\":[{\"path\":\"dir/\"}]}",
	"PUT /api/models/ada/secret/settings\n{\"private\":true,\"gated\":\"manual\",\"discussionsDisabled\":true}", "POST /api/models/ada/model/duplicate\n{\"repository\":\"eve/model\",\"private\":false}",
	"GET /api/models/ada/model/auth-check", "GET /api/models/ada/model/xet-read-token/main", "GET /api/models/ada/model/lfs-files?limit=1&cursor=x&xet=true",
	"POST /api/models/ada/model/lfs-files/batch\n{\"deletions\":{\"sha\":[\"x\"],\"rewriteHistory\":true}}", "GET /api/models/ada/model/safetensors-metadata/main/x", "GET /api/models/ada/model/scan",
	"POST /api/repos/create\n{\"name\":\"x\",\"organization\":\"ada\",\"type\":\"space\",\"sdk\":\"static\",\"private\":true,\"lfsmultipartthresh\":1}",
	"DELETE /api/repos/delete\n{\"name\":\"x\",\"organization\":\"ada\",\"type\":\"space\"}", "POST /api/repos/move\n{\"fromRepo\":\"ada/words\",\"toRepo\":\"ada/other\",\"type\":\"dataset\"}",
	"POST /api/validate-yaml\n{\"content\":\"---\\nlicense: x\\n---\",\"repoType\":\"model\"}", "GET /api/settings/repositories", "GET /api/organizations/ada/settings/repositories",
	"GET /api/whoami-v2", "GET /api/users/ada/avatar", "POST /oauth/device | Content-Type: application/x-www-form-urlencoded\nclient_id=x&scope=y",
	"POST /oauth/token\n{\"grant_type\":\"urn:ietf:params:oauth:grant-type:device_code\",\"device_code\":\"x\",\"client_id\":\"y\"}", "GET /.well-known/openid-configuration",
	"POST /ada/model.git/info/lfs/objects/batch\n{\"operation\":\"upload\",\"transfers\":[\"multipart\",\"xet\"],\"objects\":[{\"oid\":\"" + someSHA + "\",\"size\":2000}],\"hash_algo\":\"sha256\"}",
	"POST /ada/model.git/info/lfs/verify\n{\"oid\":\"" + someSHA + "\",\"size\":3}", "GET /ada/model.git/info/refs?service=git-upload-pack", "PUT /lfs/upload/x\nabc", "GET /lfs/download/x",
	"GET /cas/v1/reconstructions/FILE | Range: bytes=10-200", "GET /cas/v2/reconstructions/FILE", "GET /cas/v1/reconstructions?file_id=FILE&file_id=x", "POST /cas/reconstructions\n[\"FILE\"]",
	"GET /cas/v1/chunks/default/FILE", "HEAD /cas/v1/xorbs/default/FILE", "HEAD /cas/v1/files/FILE", "GET /cas/v2/file-chunk-hashes/FILE?start=1&end=2", "POST /cas/v2/shards\nHFRepoMetaData",
	"POST /cas/v1/xorbs/default/FILE\nx", "GET /cas/fetch/FILE?X=1 | Range: bytes=0-9", "OPTIONS /api/models | Access-Control-Request-Method: POST", "GET /healthz",
}

const someSHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// greedy requests repeat what is cheap once: as long as a head or a JSON body
// may be.
func greedy(file string) []string {
	const inHead, inBody = 60_000, 1_000_000
	repeat := func(n int, s string) string { return strings.Repeat(s, n/len(s)) }
	list := func(n int, s string) string { return "[" + repeat(n, s+",") + s + "]" }
	var all []string
	for _, t := range []string{"/models?search=", "/api/models?search=", "/api/models?filter=", "/api/models?author=", "/ada/model/tree/main/", "/ada/model/blob/main/",
		"/ada/model/resolve/main/", "/api/models/ada/model/tree/main/", "/api/models/ada/model/revision/", "/ada/", "/"} {
		for _, s := range []string{"a", "a,", "a/", "a+", "%25", "%2f", "a%20"} {
			all = append(all, "GET "+t+repeat(inHead, s))
		}
	}
	for _, q := range []string{"/models?license=a", "/models?other=a", "/models?x=a", "/datasets?language=a", "/api/models?search=a", "/api/models?filter=a", "/api/models?apps=vllm", "/api/models?datasets=a",
		"/api/models?expand[]=sha", "/api/models/ada/model?expand[]=siblings", "/cas/v1/reconstructions?file_id=" + file} {
		path, value, _ := strings.Cut(q, "?")
		all = append(all, "GET "+path+"?"+repeat(inHead, value+"&"))
	}
	all = append(all,
		"GET /ada/model/resolve/main/weights.bin | Range: bytes="+repeat(inHead, "1-2,"), "GET /ada/model/resolve/main/README.md | Range: bytes="+repeat(inHead, "1-2,")+"3-4",
		"GET /cas/v1/reconstructions/"+file+" | Range: bytes="+repeat(inHead, "1-2,"), "GET /ada/model/resolve/main/README.md | If-None-Match: "+repeat(inHead, `"a",`), "GET / | Cookie: "+repeat(inHead, "a=b;"),
		"POST /api/models/ada/model/paths-info/main\n{\"paths\":"+list(inBody, `"dir"`)+"}", "POST /api/models/ada/model/paths-info/main\n{\"paths\":"+list(inBody, `"weights.bin"`)+",\"expand\":true}",
		"POST /api/models/ada/model/paths-info/main\n{\"paths\":[\""+repeat(inBody, "a/")+"\"]}", "POST /api/models/ada/model/paths-info/main | Content-Type: application/x-www-form-urlencoded\n"+repeat(inBody, "paths=dir&"),
		"POST /api/models/ada/model/preupload/main\n{\"files\":"+list(inBody, `{"path":"a.bin","size":3,"sample":"AAEC"}`)+"}",
		"POST /api/models/ada/model/preupload/main\n{\"gitAttributes\":\""+repeat(inBody, `*.x filter=lfs\n`)+"\",\"files\":"+list(inBody/10, `{"path":"a.bin","size":3,"sample":"AAEC"}`)+"}",
		"POST /api/models/ada/model/preupload/main\n{\"gitAttributes\":\""+repeat(inBody/2, `*a*a*a*b filter=lfs\n`)+"\",\"files\":"+list(inBody/10, `{"path":"`+repeat(100, "a")+`.bin","size":3,"sample":"AAEC"}`)+"}",
		"POST /api/models/ada/model/preupload/main\n{\"gitIgnore\":\""+repeat(inBody/2, `*a*a*a*b/\n`)+"\",\"files\":"+list(inBody, `{"path":"`+repeat(4000, "a/")+`a.bin","size":3,"sample":"AAEC"}`)+"}",
		"POST /api/models/ada/model/lfs-files/batch\n{\"deletions\":{\"sha\":"+list(inBody, `"`+someSHA+`"`)+"}}", "POST /ada/model.git/info/lfs/objects/batch\n{\"operation\":\"download\",\"objects\":"+list(inBody, `{"oid":"`+someSHA+`","size":2000}`)+"}",
		"POST /ada/model.git/info/lfs/objects/batch\n{\"operation\":\"upload\",\"transfers\":[\"multipart\"],\"objects\":"+list(inBody, `{"oid":"`+someSHA+`","size":2000000}`)+"}",
		"POST /cas/reconstructions\n"+list(inBody, `"`+file+`"`), "POST /api/validate-yaml\n{\"repoType\":\"model\",\"content\":\"---\\n"+repeat(inBody/2, "a: b\\n")+"---\"}",
		"POST /api/validate-yaml\n{\"repoType\":\"model\",\"content\":\"---\\ntags: "+repeat(inBody/2, "[")+"\\n---\"}", "POST /api/validate-yaml\n{\"repoType\":\"model\",\"content\":\"---\\na: &a [1]\\nb: "+list(inBody/2, "*a")+"\\n---\"}",
		"POST /login | Content-Type: application/x-www-form-urlencoded\n"+repeat(inBody, "name=a&"), "POST /oauth/token\n{\"client_id\":\""+repeat(inBody, "a")+"\"}",
		"POST /api/models/ada/model/branch/"+repeat(inHead, "a/")+"\n{}", "POST /api/models/ada/model/commit/main | Content-Type: application/x-ndjson\n{\"key\":\"header\",\"value\":{\"summary\":\"x\"}}\n"+repeat(inBody, "{\"key\":\"deletedFolder\",\"value\":{\"path\":\"dir/\"}}\n"),
		"POST /api/models/ada/model/commit/main | Content-Type: application/x-ndjson\n{\"key\":\"header\",\"value\":{\"summary\":\"x\"}}\n{\"key\":\"file\",\"value\":{\"path\":\""+repeat(2000, "a/")+"b\",\"content\":\"\"}}\n",
	)
	return all
}

// TestGreedy: no request keeps the hub, or its database, busy for long.
func TestGreedy(t *testing.T) {
	const long = 15 * time.Second // an honest request takes a millisecond, the worst of these a second
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			database := ""
			if engine == "postgres" {
				database = storetest.PostgresURL(t)
			}
			h := newAskedHub(t, database)
			for _, line := range greedy(h.file) {
				for who := range h.who {
					start := time.Now()
					h.check(t, h.seed(line), who)
					if d := time.Since(start); d > long {
						t.Errorf("%.100s… took %v", line, d)
					} else if d > 100*time.Millisecond {
						t.Logf("%.100s… took %v", line, d)
					}
				}
			}
		})
	}
}
