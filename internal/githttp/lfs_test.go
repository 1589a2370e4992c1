package githttp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// newHub starts a hub that splits uploads over 2 MiB into parts of 1 MiB, with
// ada's public model and private secret.
func newHub(t *testing.T) (h *hubtest.Hub, ada *wiretest.Client) {
	t.Helper()
	h = hubtest.Start(t, hubtest.Options{Bucket: "memory:", Configure: func(c *config.Config) {
		c.LFSMultipartAbove, c.LFSPartSize = 2<<20, 1<<20
	}})
	ada = wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))
	for _, repo := range []string{"ada/model", "ada/secret"} {
		must(t)(ada.Create(t.Context(), repo))
	}
	must(t)(ada.JSON(t.Context(), "PUT", "/api/models/ada/secret/settings", map[string]any{"private": true}))
	return h, ada
}

func must(t *testing.T) func(wiretest.Reply, error) wiretest.Reply {
	return func(r wiretest.Reply, err error) wiretest.Reply {
		t.Helper()
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestStatuses(t *testing.T) {
	h, ada := newHub(t)
	data := []byte("stored already")
	if err := ada.UploadLFS(t.Context(), "ada/model", data); err != nil {
		t.Fatal(err)
	}
	sha := wiretest.SHA256(data)
	who := map[string]*wiretest.Client{
		"nobody": ada.As(""), "ada": ada, "reader": ada.As(h.Token("ada", hub.TokenRead)), "eve": ada.As(h.User("eve", hub.TokenWrite)), "forged": ada.As("hf_x"),
	}
	batch := func(op string) string {
		return fmt.Sprintf(`{"operation":%q,"objects":[{"oid":%q,"size":%d}]}`, op, sha, len(data))
	}
	const model, secret = "/ada/model.git/info/lfs/", "/ada/secret.git/info/lfs/"
	tests := []struct {
		name, who, method, target, body string
		status                          int
		code                            string
	}{
		{"download", "nobody", "POST", model + "objects/batch", batch("download"), 200, ""},
		{"download without .git", "nobody", "POST", "/ada/model/info/lfs/objects/batch", batch("download"), 200, ""},
		{"upload, nobody", "nobody", "POST", model + "objects/batch", batch("upload"), 401, ""},
		{"upload, reader", "reader", "POST", model + "objects/batch", batch("upload"), 403, ""},
		{"upload, other", "eve", "POST", model + "objects/batch", batch("upload"), 403, ""},
		{"upload, forged", "forged", "POST", model + "objects/batch", batch("upload"), 401, ""},
		{"private, nobody", "nobody", "POST", secret + "objects/batch", batch("download"), 401, "RepoNotFound"},
		{"private, other", "eve", "POST", secret + "objects/batch", batch("download"), 404, "RepoNotFound"},
		{"missing, nobody", "nobody", "POST", "/ada/nope.git/info/lfs/objects/batch", batch("download"), 401, "RepoNotFound"},
		{"missing, ada", "ada", "POST", "/ada/nope.git/info/lfs/objects/batch", batch("download"), 404, "RepoNotFound"},
		{"other operation", "ada", "POST", model + "objects/batch", batch("verify"), 422, ""},
		{"no JSON", "ada", "POST", model + "objects/batch", `{"operation"`, 400, ""},
		{"wrong JSON", "ada", "POST", model + "objects/batch", `{"operation":"upload","objects":[{"size":"x"}]}`, 400, ""},
		{"other hash", "ada", "POST", model + "objects/batch", `{"operation":"upload","hash_algo":"sha512","objects":[]}`, 409, ""},
		{"too many", "ada", "POST", model + "objects/batch", `{"operation":"upload","objects":[` + strings.TrimSuffix(strings.Repeat("{},", 10_001), ",") + `]}`, 413, ""},
		{"too many parts", "ada", "POST", model + "objects/batch", fmt.Sprintf(`{"operation":"upload","transfers":["multipart"],"objects":[{"oid":%q,"size":9223372036854775807}]}`, strings.Repeat("1", 64)), 413, ""},
		{"too many parts together", "ada", "POST", model + "objects/batch", fmt.Sprintf(`{"operation":"upload","transfers":["multipart"],"objects":[%s]}`,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"oid":%q,"size":60000000000},`, strings.Repeat("1", 64)), 2), ",")), 413, ""},
		{"verify", "ada", "POST", model + "verify", fmt.Sprintf(`{"oid":%q,"size":%d}`, sha, len(data)), 200, ""},
		{"verify another size", "ada", "POST", model + "verify", fmt.Sprintf(`{"oid":%q,"size":1}`, sha), 422, ""},
		{"verify what is missing", "ada", "POST", model + "verify", fmt.Sprintf(`{"oid":%q,"size":1}`, strings.Repeat("1", 64)), 404, ""},
		{"verify in another repository", "ada", "POST", secret + "verify", fmt.Sprintf(`{"oid":%q,"size":%d}`, sha, len(data)), 404, ""},
		{"verify, reader", "reader", "POST", model + "verify", fmt.Sprintf(`{"oid":%q,"size":1}`, sha), 403, ""},
		{"locks", "ada", "POST", model + "locks/verify", `{}`, 404, ""},
		{"forged transfer", "nobody", "PUT", "/lfs/upload/AAAA", "x", 403, ""},
		{"forged part", "nobody", "PUT", "/lfs/part/AAAA", "x", 403, ""},
		{"forged completion", "nobody", "POST", "/lfs/complete/AAAA", "{}", 403, ""},
		{"forged download", "nobody", "GET", "/lfs/download/AAAA", "", 403, ""},
		{"no transfer", "nobody", "GET", "/lfs/nope/x", "", 404, ""},
		{"another method", "nobody", "POST", "/lfs/upload/AAAA", "x", 404, ""},
	}
	for _, tt := range tests {
		got, err := who[tt.who].Do(t.Context(), tt.method, tt.target, strings.NewReader(tt.body), "Content-Type", "application/vnd.git-lfs+json")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.Status != tt.status || got.Header.Get("X-Error-Code") != tt.code {
			t.Errorf("%s: status %d, code %q, want %d, %q: %.200s", tt.name, got.Status, got.Header.Get("X-Error-Code"), tt.status, tt.code, got.Body)
		}
		if (got.Status == 401) != strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: status %d with WWW-Authenticate %q", tt.name, got.Status, got.Header.Get("WWW-Authenticate"))
		}
		var body api.ErrorBody
		if got.Status >= 400 && (got.Decode(&body) != nil || body.Error == "") {
			t.Errorf("%s: body %q is no JSON with an error", tt.name, got.Body)
		}
	}
}

// TestBatchReplies checks the shape that clients depend on, object by object.
func TestBatchReplies(t *testing.T) {
	h, ada := newHub(t)
	stored, fresh, big := []byte("stored already"), []byte("new"), make([]byte, 2<<20+10)
	if err := ada.UploadLFS(t.Context(), "ada/model", stored); err != nil {
		t.Fatal(err)
	}
	ask := func(op string, transfers ...string) (reply struct {
		Transfer string
		Objects  []map[string]json.RawMessage
	}) {
		t.Helper()
		req := api.LFSBatch{Operation: op, Transfers: transfers, HashAlgo: "sha_256"}
		for _, data := range [][]byte{stored, fresh, big} {
			req.Objects = append(req.Objects, api.LFSObject{OID: wiretest.SHA256(data), Size: int64(len(data))})
		}
		req.Objects = append(req.Objects, api.LFSObject{OID: "../../x", Size: 3}, api.LFSObject{OID: wiretest.SHA256(nil), Size: -1})
		got := must(t)(ada.JSON(t.Context(), "POST", "/ada/model.git/info/lfs/objects/batch", req))
		if kind := got.Header.Get("Content-Type"); kind != "application/vnd.git-lfs+json" {
			t.Errorf("Content-Type %q", kind)
		}
		if err := got.Decode(&reply); err != nil || len(reply.Objects) != len(req.Objects) {
			t.Fatalf("%d objects, %v: %s", len(reply.Objects), err, got.Body)
		}
		return reply
	}
	for _, tt := range []struct {
		op        string
		transfers []string
		transfer  string
		have      string // of each object: a for actions, e for an error, - for neither
	}{
		{"upload", []string{"basic"}, "basic", "-aaee"},
		{"upload", nil, "basic", "-aaee"},
		{"upload", []string{"basic", "multipart"}, "multipart", "-aaee"},
		{"upload", []string{"basic", "multipart", "xet"}, "xet", "-aaee"},
		{"download", []string{"basic", "multipart", "xet"}, "basic", "aeeee"},
	} {
		reply := ask(tt.op, tt.transfers...)
		have := ""
		for _, o := range reply.Objects {
			_, actions := o["actions"]
			_, failed := o["error"]
			switch {
			case actions && !failed:
				have += "a"
			case failed && !actions:
				have += "e"
			case !failed:
				have += "-"
			}
		}
		if reply.Transfer != tt.transfer || have != tt.have {
			t.Errorf("%s by %v: transfer %s, objects %s, want %s, %s", tt.op, tt.transfers, reply.Transfer, have, tt.transfer, tt.have)
		}
	}
	actions, err := ada.LFSActions(t.Context(), "ada/model", big, "basic", "multipart")
	if err != nil {
		t.Fatal(err)
	}
	header := actions["upload"].Header
	if header["chunk_size"] != "1048576" || len(header) != 4 {
		t.Errorf("multipart header %v, want chunk_size and three parts", header)
	}
	for _, href := range []any{actions["upload"].Href, actions["verify"].Href, header["1"], header["3"]} {
		if s, _ := href.(string); !strings.HasPrefix(s, h.URL+"/") {
			t.Errorf("href %v is not absolute", href)
		}
	}
}

// TestTransfers moves bytes by each transfer, and refuses wrong ones.
func TestTransfers(t *testing.T) {
	_, ada := newHub(t)
	nobody := ada.As("")
	small, big := bytes.Repeat([]byte("small "), 1000), bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	put := func(href string, data []byte) int {
		t.Helper()
		got, err := nobody.Do(t.Context(), "PUT", href, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	actions, err := ada.LFSActions(t.Context(), "ada/model", small, "basic")
	if err != nil {
		t.Fatal(err)
	}
	href := actions["upload"].Href
	for _, tt := range []struct {
		name string
		data []byte
		want int
	}{
		{"nothing", nil, 422}, {"too short", small[1:], 422}, {"too long", append(small[:len(small):len(small)], 'x'), 422},
		{"other bytes", bytes.ToUpper(small), 422}, {"the right ones", small, 200}, {"again", small, 200}, {"a claim afterwards", []byte("x"), 422},
	} {
		if got := put(href, tt.data); got != tt.want {
			t.Errorf("PUT of %s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	if err := ada.UploadLFS(t.Context(), "ada/model", big); err != nil {
		t.Fatalf("in parts: %v", err)
	}
	for _, data := range [][]byte{small, big} {
		reply := must(t)(ada.JSON(t.Context(), "POST", "/ada/model.git/info/lfs/objects/batch", api.LFSBatch{
			Operation: "download", Objects: []api.LFSObject{{OID: wiretest.SHA256(data), Size: int64(len(data))}},
		}))
		var batch api.LFSBatchReply
		if err := reply.Decode(&batch); err != nil {
			t.Fatal(err)
		}
		href := batch.Objects[0].Actions["download"].Href
		if got := must(t)(nobody.Get(t.Context(), href)); !bytes.Equal(got.Body, data) {
			t.Errorf("download of %d bytes gives %d, other ones", len(data), len(got.Body))
		}
		got := must(t)(nobody.Get(t.Context(), href, "Range", "bytes=10-19"))
		if got.Status != 206 || !bytes.Equal(got.Body, data[10:20]) {
			t.Errorf("range: status %d, %q", got.Status, got.Body)
		}
	}
}
