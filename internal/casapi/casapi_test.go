package casapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/sign"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/xet"
)

func randomBytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:n]
}

// clock is a settable time.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// hubServer is a CAS with two repositories, 1 and 2.
type hubServer struct {
	*httptest.Server
	t      *testing.T
	cas    *cas.Service
	db     *store.DB
	tokens *Tokens
	clock  *clock
}

func newHubServer(t *testing.T, b bucket.Bucket) *hubServer {
	t.Helper()
	h := &hubServer{t: t, db: storetest.SQLite(t), clock: &clock{time.Unix(1_800_000_000, 0)}}
	if b == nil {
		var err error
		if b, err = bucket.OpenDir(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	err := h.db.Update(ctx, func(q *store.Q) error {
		for id := range int64(2) {
			name, err := hub.NewRepoID("me", fmt.Sprint("repo", id+1))
			if err != nil {
				return err
			}
			r := store.Repo{ID: id + 1, Type: hub.Model, Name: name, Visibility: hub.Public, DefaultBranch: "main"}
			if err := q.InsertRepo(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.cas, err = cas.New(cas.Config{DB: h.db, Bucket: b, SpoolDir: t.TempDir(), Now: h.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.NewKey(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	h.tokens = NewTokens(key, h.clock.now)
	api := New(h.cas, Config{Key: key, Tokens: h.tokens, Now: h.clock.now, Base: func(*http.Request) string { return h.URL }})
	h.Server = httptest.NewServer(http.StripPrefix("/cas", api))
	t.Cleanup(func() {
		h.Server.Close()
		if err := h.cas.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// call makes a request as a client with a right on a repository; repo 0 sends no
// token. It returns the status and the body.
func (h *hubServer) call(repo int64, write bool, method, path string, body []byte, headers ...string) (*http.Response, []byte) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.URL+"/cas"+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if repo != 0 {
		token, _ := h.tokens.Mint(repo, 7, write)
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return h.do(req, headers)
}

func (h *hubServer) do(req *http.Request, headers []string) (*http.Response, []byte) {
	h.t.Helper()
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return res, got
}

// upload is what a client makes of a file.
type upload struct {
	data  []byte
	xorb  hub.XetHash
	body  []byte
	index *xet.Index
	shard *xet.Shard
	file  hub.XetHash
}

func pack(t testing.TB, data []byte) *upload {
	t.Helper()
	var body bytes.Buffer
	var tree xet.Aggregator
	w := xet.NewXorbWriter(&body, new(xet.Encoder))
	var c xet.Chunker
	for rest := data; len(rest) > 0; {
		n, _ := c.Next(rest)
		hash := xet.ChunkHash(rest[:n])
		if err := w.Add(rest[:n], hash); err != nil {
			t.Fatal(err)
		}
		tree.Add(hash, uint64(n))
		rest = rest[n:]
	}
	x := w.Index()
	u := &upload{data: data, xorb: x.XorbHash(), body: body.Bytes(), index: x, file: tree.FileHash()}
	u.shard = &xet.Shard{
		Files: []xet.ShardFile{{
			Hash:         u.file,
			Terms:        []xet.Term{{Xorb: u.xorb, Start: 0, End: uint32(x.Len()), Size: uint32(len(data))}},
			Verification: []hub.XetHash{x.RangeHash(0, x.Len())},
			SHA256:       sha256.Sum256(data),
		}},
		Xorbs: []xet.ShardXorb{x.ShardXorb(u.xorb)},
	}
	return u
}

// send uploads a file as a client does.
func (h *hubServer) send(repo int64, u *upload) {
	h.t.Helper()
	if res, got := h.call(repo, true, "POST", "/v1/xorbs/default/"+u.xorb.String(), u.body); res.StatusCode != 200 {
		h.t.Fatalf("xorb: %d %s", res.StatusCode, got)
	}
	if res, got := h.call(repo, true, "POST", "/v1/shards", u.shard.AppendUpload(nil)); res.StatusCode != 200 {
		h.t.Fatalf("shard: %d %s", res.StatusCode, got)
	}
}

// download rebuilds a range of a file as a client does, from version 2.
func (h *hubServer) download(repo int64, file hub.XetHash, rng string) (status int, data []byte) {
	h.t.Helper()
	headers := []string{}
	if rng != "" {
		headers = []string{"Range", rng}
	}
	res, got := h.call(repo, false, "GET", "/v2/reconstructions/"+file.String(), nil, headers...)
	if res.StatusCode != 200 {
		return res.StatusCode, nil
	}
	var plan xet.ReconstructionV2
	if err := json.Unmarshal(got, &plan); err != nil {
		h.t.Fatal(err)
	}
	seen := map[string]bool{}
	chunks := map[string][]byte{} // by xorb and chunk number
	for xorb, urls := range plan.Xorbs {
		for _, u := range urls {
			if seen[u.URL] || len(u.Ranges) != 1 {
				h.t.Fatalf("URL %s is not distinct, or has %d ranges", u.URL, len(u.Ranges))
			}
			seen[u.URL] = true
			r := u.Ranges[0]
			res, records := h.fetch(u.URL, fmt.Sprintf("bytes=%d-%d", r.Bytes.Start, r.Bytes.End))
			if res.StatusCode != 206 {
				h.t.Fatalf("fetch %s: %d", u.URL, res.StatusCode)
			}
			for i := r.Chunks.Start; i < r.Chunks.End; i++ {
				head, err := xet.ParseHeader(records)
				if err != nil {
					h.t.Fatal(err)
				}
				raw := make([]byte, head.Raw)
				if err := new(xet.Decoder).Decode(raw, records[xet.HeaderSize:][:head.Payload], head.Scheme); err != nil {
					h.t.Fatal(err)
				}
				chunks[fmt.Sprint(xorb, i)] = raw
				records = records[xet.HeaderSize+head.Payload:]
			}
			if len(records) > 0 {
				h.t.Fatalf("%d bytes behind the records", len(records))
			}
		}
	}
	for _, term := range plan.Terms {
		for i := term.Range.Start; i < term.Range.End; i++ {
			data = append(data, chunks[fmt.Sprint(term.Hash, i)]...)
		}
	}
	return 200, data[plan.OffsetIntoFirstRange:]
}

func (h *hubServer) fetch(url, rng string) (*http.Response, []byte) {
	h.t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if rng == "" {
		return h.do(req, nil)
	}
	return h.do(req, []string{"Range", rng})
}

func TestUploadAndDownload(t *testing.T) {
	for name, b := range map[string]bucket.Bucket{"folder": nil, "memory": bucket.NewMemory()} {
		t.Run(name, func(t *testing.T) {
			h := newHubServer(t, b)
			u := pack(t, bytes.Join([][]byte{randomBytes(1, 1_000_000), bytes.Repeat([]byte("text "), 100_000), randomBytes(2, 300_000)}, nil))
			h.send(1, u)
			size := len(u.data)
			for _, r := range [][2]int{{0, size}, {0, 1}, {size - 1, size}, {500_000, 500_001}, {123_456, 1_234_567}} {
				status, got := h.download(1, u.file, fmt.Sprintf("bytes=%d-%d", r[0], r[1]-1))
				if status != 200 || len(got) < r[1]-r[0] || !bytes.Equal(got[:r[1]-r[0]], u.data[r[0]:r[1]]) {
					t.Errorf("range %v: status %d, %d bytes", r, status, len(got))
				}
			}
			if _, got := h.download(1, u.file, ""); !bytes.Equal(got, u.data) {
				t.Errorf("whole file: %d bytes, want %d", len(got), size)
			}
			file, err := h.cas.ByContent(context.Background(), sha256.Sum256(u.data))
			if err != nil || file.Xet != u.file {
				t.Errorf("ByContent = %+v, %v, want %s", file, err, u.file)
			}
			r, err := h.cas.Open(context.Background(), u.file)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, u.data) {
				t.Errorf("plain read: %v, equal %v", err, bytes.Equal(plain, u.data))
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 500_000))
	other := pack(t, randomBytes(2, 100_000))
	h.send(1, u)
	h.send(2, other)
	shard := u.shard.AppendUpload(nil)
	file, xorb := u.file.String(), u.xorb.String()
	none := xet.ChunkHash([]byte("none")).String()
	const max = "18446744073709551615"
	tests := []struct {
		name    string
		repo    int64
		write   bool
		method  string
		path    string
		body    []byte
		headers []string
		want    int
	}{
		{"no token", 0, false, "GET", "/v2/reconstructions/" + file, nil, nil, 401},
		{"bad token", 0, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Authorization", "Bearer x"}, 401},
		{"read token writes a xorb", 1, false, "POST", "/v1/xorbs/default/" + xorb, u.body, nil, 403},
		{"read token writes a shard", 1, false, "POST", "/v2/shards", shard, nil, 403},
		{"write token reads", 1, true, "GET", "/v2/reconstructions/" + file, nil, nil, 200},
		{"v1", 1, false, "GET", "/v1/reconstructions/" + file, nil, nil, 200},
		{"2025", 1, false, "GET", "/reconstruction/" + file, nil, nil, 200},
		{"late 2025", 1, false, "GET", "/reconstructions/" + file, nil, nil, 200},
		{"file of another repository", 1, false, "GET", "/v2/reconstructions/" + other.file.String(), nil, nil, 404},
		{"no such file", 1, false, "GET", "/v2/reconstructions/" + none, nil, nil, 404},
		{"malformed hash", 1, false, "GET", "/v2/reconstructions/xyz", nil, nil, 400},
		{"empty file", 1, false, "GET", "/v2/reconstructions/" + strings.Repeat("0", 64), nil, nil, 200},
		{"empty file with range", 1, false, "GET", "/v2/reconstructions/" + strings.Repeat("0", 64), nil, []string{"Range", "bytes=0-9"}, 200},
		{"empty file beyond", 1, false, "GET", "/v2/reconstructions/" + strings.Repeat("0", 64), nil, []string{"Range", "bytes=1-9"}, 416},
		{"to the largest number", 1, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Range", "bytes=0-" + max}, 200},
		{"beyond the end", 1, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Range", "bytes=500000-" + max}, 416},
		{"far beyond the end", 1, false, "GET", "/v1/reconstructions/" + file, nil, []string{"Range", "bytes=" + max + "-" + max}, 416},
		{"open end", 1, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Range", "bytes=5-"}, 200},
		{"suffix", 1, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Range", "bytes=-5"}, 200},
		{"malformed range", 1, false, "GET", "/v2/reconstructions/" + file, nil, []string{"Range", "bytes=a-b"}, 400},
		{"batch", 1, false, "GET", "/v1/reconstructions?file_id=" + file + "&file_id=" + file, nil, nil, 200},
		{"batch of 2025", 1, false, "GET", "/reconstructions?file_id=" + file, nil, nil, 200},
		{"batch with a foreign file", 1, false, "GET", "/v1/reconstructions?file_id=" + other.file.String(), nil, nil, 404},
		{"batch by POST", 1, false, "POST", "/v1/reconstructions", []byte(`[{"prefix":"default","hash":"` + file + `"}]`), nil, 200},
		{"chunk", 1, false, "GET", "/v1/chunks/default/" + u.index.Hash(0).String(), nil, nil, 200},
		{"chunk with the documented prefix", 1, false, "GET", "/v1/chunks/default-merkledb/" + u.index.Hash(0).String(), nil, nil, 200},
		{"chunk of 2025", 1, false, "GET", "/chunk/default/" + u.index.Hash(0).String(), nil, nil, 200},
		{"unknown chunk", 1, false, "GET", "/v1/chunks/default/" + none, nil, nil, 404},
		{"head xorb", 1, false, "HEAD", "/v1/xorbs/default/" + xorb, nil, nil, 200},
		{"head no xorb", 1, false, "HEAD", "/v1/xorbs/default/" + none, nil, nil, 404},
		{"head file", 1, false, "HEAD", "/v1/files/" + file, nil, nil, 200},
		{"head foreign file", 1, false, "HEAD", "/v1/files/" + other.file.String(), nil, nil, 404},
		{"xorb again", 1, true, "POST", "/v1/xorbs/default/" + xorb, u.body, nil, 200},
		{"xorb of 2025", 1, true, "POST", "/xorb/default/" + xorb, u.body, nil, 200},
		{"xorb under another name", 1, true, "POST", "/v1/xorbs/default/" + none, u.body, nil, 400},
		{"half a xorb", 1, true, "POST", "/v1/xorbs/default/" + xorb, u.body[:1000], nil, 400},
		{"empty xorb", 1, true, "POST", "/v1/xorbs/default/" + xorb, nil, nil, 400},
		{"shard again", 1, true, "POST", "/v1/shards", shard, nil, 200},
		{"shard of 2025", 1, true, "POST", "/shard/default/" + none, shard, nil, 200},
		{"late shard of 2025", 1, true, "POST", "/shards", shard, nil, 200},
		{"no shard", 1, true, "POST", "/v2/shards", []byte("rubbish"), nil, 400},
		{"telemetry", 1, false, "POST", "/v1/telemetry", []byte("{}"), nil, 200},
		{"dirty ranges", 1, false, "GET", "/v2/file-chunk-hashes/" + file, nil, []string{"X-Range-Dirty", "bytes=0-10,20-30"}, 200},
		{"no dirty ranges", 1, false, "GET", "/v2/file-chunk-hashes/" + file, nil, nil, 400},
		{"dirty ranges beyond the end", 1, false, "GET", "/v2/file-chunk-hashes/" + file, nil, []string{"X-Range-Dirty", "bytes=500000-500001"}, 400},
		{"unknown route", 1, false, "GET", "/v9/what", nil, nil, 404},
	}
	for _, tt := range tests {
		if res, got := h.call(tt.repo, tt.write, tt.method, tt.path, tt.body, tt.headers...); res.StatusCode != tt.want {
			t.Errorf("%s: %s %s = %d %s, want %d", tt.name, tt.method, tt.path, res.StatusCode, got, tt.want)
		}
	}
	res, _ := h.call(1, false, "HEAD", "/v1/xorbs/default/"+xorb, nil)
	if res.ContentLength != int64(len(u.body)) {
		t.Errorf("HEAD xorb: Content-Length %d, want %d", res.ContentLength, len(u.body))
	}
	res, _ = h.call(1, false, "HEAD", "/v1/files/"+file, nil)
	if res.ContentLength != int64(len(u.data)) {
		t.Errorf("HEAD file: Content-Length %d, want %d", res.ContentLength, len(u.data))
	}
	token, _ := h.tokens.Mint(1, 7, false)
	h.clock.t = h.clock.t.Add(tokenTTL)
	if res, _ := h.call(0, false, "GET", "/v2/reconstructions/"+file, nil, "Authorization", "Bearer "+token); res.StatusCode != 401 {
		t.Errorf("expired token: %d, want 401", res.StatusCode)
	}
}

func TestFetchURLs(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 1_000_000))
	h.send(1, u)
	_, got := h.call(1, false, "GET", "/v1/reconstructions/"+u.file.String(), nil, "Range", "bytes=200000-500000")
	var plan xet.ReconstructionV1
	if err := json.Unmarshal(got, &plan); err != nil {
		t.Fatal(err)
	}
	info := plan.FetchInfo[u.xorb.String()][0]
	first, last := info.URLRange.Start, info.URLRange.End
	if first == 0 || last == int64(len(u.body))-1 {
		t.Fatalf("the range %v is not a part of the xorb", info.URLRange)
	}
	whole := u.body[first : last+1]
	rng := func(a, b int64) string { return fmt.Sprintf("bytes=%d-%d", a, b) }
	tests := []struct {
		name, url, rng string
		status         int
		body           []byte
	}{
		{"signed range", info.URL, rng(first, last), 206, whole},
		{"no range", info.URL, "", 200, whole},
		{"part", info.URL, rng(first+10, first+19), 206, whole[10:20]},
		{"before", info.URL, rng(first-1, last), 403, nil},
		{"behind", info.URL, rng(first, last+1), 403, nil},
		{"everything", info.URL, "bytes=0-", 403, nil},
		{"far behind", info.URL, rng(first, 1<<40), 403, nil},
		{"one byte twice", info.URL, rng(first, first+9) + fmt.Sprintf(",%d-%d", first+9, first+19), 400, nil},
		{"the same range twice", info.URL, rng(first, first+9) + fmt.Sprintf(",%d-%d", first, first+9), 400, nil},
		{"descending ranges", info.URL, rng(first+10, first+19) + fmt.Sprintf(",%d-%d", first, first+9), 400, nil},
		{"forged", strings.Replace(info.URL, "sig=", "sig=A", 1), rng(first, last), 403, nil},
		{"no signature", strings.SplitN(info.URL, "?", 2)[0], rng(first, last), 403, nil},
		{"another xorb", strings.Replace(info.URL, u.xorb.String(), u.file.String(), 1), rng(first, last), 403, nil},
	}
	for _, tt := range tests {
		res, body := h.fetch(tt.url, tt.rng)
		if res.StatusCode != tt.status || tt.body != nil && !bytes.Equal(body, tt.body) {
			t.Errorf("%s: %d with %d bytes, want %d with %d", tt.name, res.StatusCode, len(body), tt.status, len(tt.body))
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", first, last, len(u.body)); tt.name == "signed range" && res.Header.Get("Content-Range") != want {
			t.Errorf("Content-Range = %q, want %q", res.Header.Get("Content-Range"), want)
		}
	}

	res, body := h.fetch(info.URL, fmt.Sprintf("bytes=%d-%d,%d-%d", first, first+99, first+100, first+149))
	if res.StatusCode != 206 || !strings.HasPrefix(res.Header.Get("Content-Type"), "multipart/byteranges") {
		t.Fatalf("two ranges: %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	checkMultipart(t, res.Header.Get("Content-Type"), body, [][]byte{whole[:100], whole[100:150]})

	h.clock.t = h.clock.t.Add(fetchTTL)
	if res, _ := h.fetch(info.URL, rng(first, last)); res.StatusCode != 403 {
		t.Errorf("expired URL: %d, want 403", res.StatusCode)
	}
}

func TestShardStream(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 300_000))
	if res, got := h.call(1, true, "POST", "/v1/xorbs/default/"+u.xorb.String(), u.body); string(got) != `{"was_inserted":true}` {
		t.Fatalf("xorb: %d %s", res.StatusCode, got)
	}
	frames := func(body []byte) (out []map[string]any) {
		for line := range bytes.Lines(body) {
			var f map[string]any
			if err := json.Unmarshal(line, &f); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			out = append(out, f)
		}
		return out
	}
	for i, want := range []float64{1, 0} {
		res, got := h.call(1, true, "POST", "/v2/shards", u.shard.AppendUpload(nil))
		all := frames(got)
		last := all[len(all)-1]
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-ndjson" || last["type"] != "result" || last["result"] != want {
			t.Errorf("time %d: %d %s, want result %v", i, res.StatusCode, got, want)
		}
	}
	lie := *u.shard
	lie.Files = []xet.ShardFile{u.shard.Files[0]}
	lie.Files[0].SHA256[0] ^= 1
	_, got := h.call(1, true, "POST", "/v2/shards", lie.AppendUpload(nil))
	all := frames(got)
	if last := all[len(all)-1]; last["type"] != "error" || last["retryable"] != false || last["message"] == "" {
		t.Errorf("wrong SHA-256: %s, want an error that is not retryable", got)
	}
}

func checkMultipart(t *testing.T, contentType string, body []byte, want [][]byte) {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for i, w := range want {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		if err != nil || !bytes.Equal(got, w) || p.Header.Get("Content-Range") == "" {
			t.Errorf("part %d: %d bytes, %v, %v, want %d bytes", i, len(got), p.Header, err, len(w))
		}
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		t.Errorf("behind the last part: %v", err)
	}
}

// TestHostileShards sends shards that lie about everything that they state.
func TestHostileShards(t *testing.T) {
	h := newHubServer(t, nil)
	mine, other := pack(t, randomBytes(1, 400_000)), pack(t, randomBytes(2, 400_000))
	h.send(2, other)
	if res, _ := h.call(1, true, "POST", "/v1/xorbs/default/"+mine.xorb.String(), mine.body); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	tests := map[string]func(*xet.Shard){
		"xorb that is not stored":      func(s *xet.Shard) { s.Xorbs[0].Hash[0] ^= 1 },
		"chunk hash":                   func(s *xet.Shard) { s.Xorbs[0].Chunks[1].Hash[0] ^= 1 },
		"chunk size":                   func(s *xet.Shard) { s.Xorbs[0].Chunks[1].Size++ },
		"missing chunk":                func(s *xet.Shard) { s.Xorbs[0].Chunks = s.Xorbs[0].Chunks[1:] },
		"term of an unknown xorb":      func(s *xet.Shard) { s.Files[0].Terms[0].Xorb[0] ^= 1 },
		"term beyond the end":          func(s *xet.Shard) { s.Files[0].Terms[0].End += 1000 },
		"empty term":                   func(s *xet.Shard) { s.Files[0].Terms[0].End = s.Files[0].Terms[0].Start },
		"term size":                    func(s *xet.Shard) { s.Files[0].Terms[0].Size++ },
		"file hash":                    func(s *xet.Shard) { s.Files[0].Hash[0] ^= 1 },
		"verification":                 func(s *xet.Shard) { s.Files[0].Verification[0][0] ^= 1 },
		"no verification":              func(s *xet.Shard) { s.Files[0].Verification = nil },
		"SHA-256":                      func(s *xet.Shard) { s.Files[0].SHA256[0] ^= 1 },
		"zero hash for a file of data": func(s *xet.Shard) { s.Files[0].Hash = hub.XetHash{} },
		"another's file, by its hash alone": func(s *xet.Shard) {
			s.Files[0].Hash = other.file
			s.Files[0].Terms[0] = other.shard.Files[0].Terms[0]
		},
	}
	for name, edit := range tests {
		s, err := xet.ReadShard(bytes.NewReader(mine.shard.AppendUpload(nil)), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		edit(s)
		if res, got := h.call(1, true, "POST", "/v1/shards", s.AppendUpload(nil)); res.StatusCode != 400 {
			t.Errorf("%s: %d %s, want 400", name, res.StatusCode, got)
		}
		if status, _ := h.download(1, mine.file, ""); status != 404 {
			t.Fatalf("%s: the file is visible", name)
		}
	}
	if status, _ := h.download(1, other.file, ""); status != 404 {
		t.Errorf("another repository's file can be read")
	}
	h.send(1, mine)
	if _, got := h.download(1, mine.file, ""); !bytes.Equal(got, mine.data) {
		t.Errorf("the honest shard does not work")
	}
}

// TestEmptyFileInShard registers a file of no terms, as the Rust client may.
func TestEmptyFileInShard(t *testing.T) {
	h := newHubServer(t, nil)
	s := &xet.Shard{Files: []xet.ShardFile{{Verification: []hub.XetHash{}, SHA256: sha256.Sum256(nil)}}}
	if res, got := h.call(1, true, "POST", "/v1/shards", s.AppendUpload(nil)); res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	if _, err := h.db.Read().RepoFile(context.Background(), 1, sha256.Sum256(nil)); err != nil {
		t.Errorf("the repository does not hold the empty file: %v", err)
	}
}

// TestContentIsHashedIfTheShardDoesNotSay registers a file without a SHA-256.
func TestContentIsHashedIfTheShardDoesNotSay(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 300_000))
	u.shard.Files[0].SHA256 = hub.SHA256{}
	h.send(1, u)
	f, err := h.db.Read().RepoFile(context.Background(), 1, sha256.Sum256(u.data))
	if err != nil || f.Xet != u.file || f.Size != int64(len(u.data)) {
		t.Errorf("repository's file: %+v, %v", f, err)
	}
}

// TestDedupAnswer asks for a chunk and finds the rest of the file by the key in
// the answer.
func TestDedupAnswer(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 3_000_000))
	h.send(1, u)
	res, got := h.call(2, true, "GET", "/v1/chunks/default/"+u.index.Hash(0).String(), nil)
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	s, err := xet.ReadShard(bytes.NewReader(got), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 0 || len(s.Xorbs) != 1 || s.Xorbs[0].Hash != u.xorb {
		t.Fatalf("%d files, %d xorbs", len(s.Files), len(s.Xorbs))
	}
	if s.Footer.Key.IsZero() || s.Footer.Expires <= uint64(h.clock.t.Unix()) {
		t.Errorf("footer %+v has no key or is expired", s.Footer)
	}
	for i, c := range s.Xorbs[0].Chunks {
		if c.Hash != xet.HMAC(u.index.Hash(i), s.Footer.Key) {
			t.Fatalf("chunk %d is not hidden as it should be", i)
		}
	}
	second := u.index.Hash(1)
	if xet.IsGlobalDedup(second) {
		t.Fatal("the second chunk is eligible: choose another seed")
	}
	if res, _ := h.call(2, true, "GET", "/v1/chunks/default/"+second.String(), nil); res.StatusCode != 404 {
		t.Errorf("a chunk that is not eligible: %d, want 404", res.StatusCode)
	}
}

// TestDedupAnswerHidesLoneChunks asks for one file of a shard whose other file is
// a single chunk: whoever learns the name of its xorb knows the chunk's hash, and
// could register the file as his own.
func TestDedupAnswerHidesLoneChunks(t *testing.T) {
	h := newHubServer(t, nil)
	public, secret := pack(t, randomBytes(1, 300_000)), pack(t, []byte("the password is swordfish"))
	both := &xet.Shard{}
	for _, u := range []*upload{public, secret} {
		if res, got := h.call(1, true, "POST", "/v1/xorbs/default/"+u.xorb.String(), u.body); res.StatusCode != 200 {
			t.Fatalf("xorb: %d %s", res.StatusCode, got)
		}
		both.Files = append(both.Files, u.shard.Files...)
		both.Xorbs = append(both.Xorbs, u.shard.Xorbs...)
	}
	if res, got := h.call(1, true, "POST", "/v1/shards", both.AppendUpload(nil)); res.StatusCode != 200 {
		t.Fatalf("shard: %d %s", res.StatusCode, got)
	}
	ask := func(chunk hub.XetHash) []xet.ShardXorb {
		res, got := h.call(2, true, "GET", "/v1/chunks/default/"+chunk.String(), nil)
		if res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, got)
		}
		s, err := xet.ReadShard(bytes.NewReader(got), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return s.Xorbs
	}
	if got := ask(public.index.Hash(0)); len(got) != 1 || got[0].Hash != public.xorb {
		t.Errorf("asked for the public file: %d xorbs, want only its own", len(got))
	}
	if got := ask(secret.index.Hash(0)); len(got) != 2 {
		t.Errorf("asked for the secret chunk by who has it: %d xorbs, want 2", len(got))
	}
}

func TestChunkHashesAnswer(t *testing.T) {
	h := newHubServer(t, nil)
	u := pack(t, randomBytes(1, 20<<20))
	h.send(1, u)
	_, got := h.call(1, false, "GET", "/v2/file-chunk-hashes/"+u.file.String(), nil, "X-Range-Dirty", "bytes=9000000-9000010,5000000-5000001")
	var out chunkHashesJSON
	if err := json.Unmarshal(got, &out); err != nil {
		t.Fatal(err)
	}
	if out.TotalChunks != u.index.Len() || out.FileSize != int64(len(u.data)) || len(out.Windows) != 2 || len(out.HashRanges) != 3 {
		t.Fatalf("%d chunks, %d bytes, %d windows, %d gaps", out.TotalChunks, out.FileSize, len(out.Windows), len(out.HashRanges))
	}
	if !out.HashRanges[0].AtStart || out.HashRanges[0].AtEnd || !out.HashRanges[2].AtEnd {
		t.Errorf("the outer gaps are not marked as start and end")
	}
	if out.GapVerification == nil || len(out.GapVerification) != 0 {
		t.Errorf("gapVerification = %v, want an empty list: the only term is dirty", out.GapVerification)
	}
}

func FuzzParseRanges(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=5-", "bytes=-5", "bytes=0-18446744073709551615", "bytes=1-2,3-4,-1", "bytes=9-1", "bytes=-0", "x=1-2"} {
		f.Add(s, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		if r, err := requestedRange(header, size); err == nil && (r.Start < 0 || r.Start > r.End || r.End > size) {
			t.Errorf("requestedRange(%q, %d) = %v", header, size, r)
		}
		ranges, err := dirtyRanges(header, size)
		if err != nil {
			return
		}
		end := int64(-1)
		for _, r := range ranges {
			if r.Start <= end || r.Start >= r.End || r.End > size {
				t.Errorf("dirtyRanges(%q, %d) = %v", header, size, ranges)
			}
			end = r.End
		}
	})
}

// presigner is a bucket with addresses of its own, as an S3 store has.
type presigner struct{ *bucket.Memory }

func (presigner) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "https://store.example/" + key + "?signed", nil
}

// TestPresignedURLs gives a URL of a whole object only to readers of a file that
// uses every chunk of it.
func TestPresignedURLs(t *testing.T) {
	h := newHubServer(t, presigner{bucket.NewMemory()})
	whole := pack(t, randomBytes(1, 600_000))
	h.send(1, whole)
	// Another file, of repository 2, that uses but a part of the same xorb.
	var tree xet.Aggregator
	half := whole.index.Len() / 2
	for i := range half {
		c := whole.index.Chunk(i)
		tree.Add(c.Hash, uint64(c.Raw))
	}
	size := whole.index.RawOffset(half)
	part := &xet.Shard{Files: []xet.ShardFile{{
		Hash:         tree.FileHash(),
		Terms:        []xet.Term{{Xorb: whole.xorb, Start: 0, End: uint32(half), Size: uint32(size)}},
		Verification: []hub.XetHash{whole.index.RangeHash(0, half)},
		SHA256:       sha256.Sum256(whole.data[:size]),
	}}}
	if res, got := h.call(2, true, "POST", "/v1/shards", part.AppendUpload(nil)); res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	url := func(repo int64, file hub.XetHash, rng string) string {
		_, got := h.call(repo, false, "GET", "/v2/reconstructions/"+file.String(), nil, "Range", rng)
		var plan xet.ReconstructionV2
		if err := json.Unmarshal(got, &plan); err != nil {
			t.Fatal(err)
		}
		return plan.Xorbs[whole.xorb.String()][0].URL
	}
	direct := "https://store.example/xorbs/"
	if got := url(1, whole.file, "bytes=0-"); !strings.HasPrefix(got, direct) {
		t.Errorf("a reader of the whole xorb gets %s", got)
	}
	first, last := url(1, whole.file, "bytes=0-9"), url(1, whole.file, "bytes=599999-599999")
	if !strings.HasPrefix(first, direct) || first == last {
		t.Errorf("two ranges get %s and %s, want two URLs of the object", first, last)
	}
	if got := url(2, part.Files[0].Hash, "bytes=0-"); strings.HasPrefix(got, direct) {
		t.Errorf("a reader of half of the xorb gets all of it: %s", got)
	}
}

func TestTokens(t *testing.T) {
	h := newHubServer(t, nil)
	for _, write := range []bool{false, true} {
		token, exp := h.tokens.Mint(3, 4, write)
		if ttl := exp.Sub(h.clock.t); ttl < 15*time.Minute {
			t.Errorf("a token lives %v, want 15 minutes or more", ttl)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "bearer "+token)
		got, err := h.tokens.check(r)
		if want := (grant{cas.Scope{RepoID: 3, AccountID: 4}, write}); err != nil || got != want {
			t.Errorf("check = %+v, %v, want %+v", got, err, want)
		}
	}
}
