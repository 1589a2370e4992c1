package casapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/sign"
	"github.com/pantryhub/pantry/xet"
)

// Config is what a Server is made of.
type Config struct {
	Key    sign.Key // signs fetch URLs
	Tokens *Tokens

	// Base is the public URL of the hub as this client knows it, without a
	// trailing slash. The server is reached at api.CASURL of it.
	Base func(*http.Request) string

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Server answers Xet clients. The paths it sees have no prefix.
type Server struct {
	cas    *cas.Service
	key    sign.Key
	tokens *Tokens
	base   func(*http.Request) string
	now    func() time.Time
	log    *slog.Logger
	mux    *http.ServeMux
}

// handler answers a request with a valid token.
type handler func(w http.ResponseWriter, r *http.Request, g grant) error

// New makes a Server.
func New(svc *cas.Service, cfg Config) *Server {
	s := &Server{cas: svc, key: cfg.Key, tokens: cfg.Tokens, base: cfg.Base, now: cfg.Now, log: cfg.Logger, mux: http.NewServeMux()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	read := func(h handler, patterns ...string) { s.handle(false, h, patterns) }
	write := func(h handler, patterns ...string) { s.handle(true, h, patterns) }

	// Beside each path of today are those that clients of 2025 use.
	read(s.reconstructV2, "GET /v2/reconstructions/{file}")
	read(s.reconstructV1, "GET /v1/reconstructions/{file}", "GET /reconstructions/{file}", "GET /reconstruction/{file}")
	read(s.reconstructQuery, "GET /v1/reconstructions", "GET /reconstructions")
	read(s.reconstructList, "POST /v1/reconstructions", "POST /reconstructions")
	read(s.dedup, "GET /v1/chunks/{prefix}/{chunk}", "GET /chunks/{prefix}/{chunk}", "GET /chunk/{prefix}/{chunk}")
	read(s.headXorb, "HEAD /v1/xorbs/{prefix}/{xorb}", "HEAD /xorbs/{prefix}/{xorb}", "HEAD /xorb/{prefix}/{xorb}")
	read(s.headFile, "HEAD /v1/files/{file}", "HEAD /files/{file}")
	read(s.chunkHashes, "GET /v2/file-chunk-hashes/{file}")
	write(s.putXorb, "POST /v1/xorbs/{prefix}/{xorb}", "POST /xorbs/{prefix}/{xorb}", "POST /xorb/{prefix}/{xorb}")
	write(s.putShardV1, "POST /v1/shards", "POST /shards", "POST /shard/{prefix}/{shard}")
	write(s.putShardV2, "POST /v2/shards")
	read(s.telemetry, "POST /v1/telemetry")
	s.mux.Handle("GET /fetch/{xorb}", httpx.Handler(s.fetch))
	s.mux.Handle("/", httpx.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		return hub.Errorf(hub.CodeNotFound, "There is no %s %s.", r.Method, r.URL.Path)
	}))
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	httpx.NoteSurface(r.Context(), "cas")
	s.mux.ServeHTTP(w, r)
}

// handle registers a handler that needs a token, for writing if write is set.
func (s *Server) handle(write bool, h handler, patterns []string) {
	checked := httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		g, err := s.tokens.check(r)
		if err != nil {
			return err
		}
		if write && !g.write {
			return hub.Errorf(hub.CodeForbidden, "This Xet access token is for reading only.")
		}
		return h(w, r, g)
	})
	for _, p := range patterns {
		s.mux.Handle(p, checked)
	}
}

// pathHash parses a hash in the path.
func pathHash(r *http.Request, name string) (hub.XetHash, error) {
	return hub.ParseXetHash(r.PathValue(name))
}

// open opens the file in the path, in the repository of the token.
func (s *Server) open(r *http.Request, g grant) (*cas.Reader, error) {
	id, err := pathHash(r, "file")
	if err != nil {
		return nil, err
	}
	return s.cas.OpenIn(r.Context(), g.RepoID, id)
}

// plan makes the plan that a reconstruction request asks for.
func (s *Server) plan(r *http.Request, g grant) (*xet.Plan, *cas.Reader, error) {
	f, err := s.open(r, g)
	if err != nil {
		return nil, nil, err
	}
	want, err := requestedRange(r.Header.Get("Range"), f.Size())
	if err != nil {
		return nil, nil, err
	}
	p, err := f.Plan(want.Start, want.End)
	return p, f, err
}

func (s *Server) reconstructV1(w http.ResponseWriter, r *http.Request, g grant) error {
	p, f, err := s.plan(r, g)
	if err != nil {
		return err
	}
	out, err := p.V1(s.fetchURLs(r, f))
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, out)
}

func (s *Server) reconstructV2(w http.ResponseWriter, r *http.Request, g grant) error {
	p, f, err := s.plan(r, g)
	if err != nil {
		return err
	}
	out, err := p.V2(s.fetchURLs(r, f))
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// maxBatch bounds the files of a batch.
const maxBatch = 1000

// reconstructQuery answers a batch whose files are in the query.
func (s *Server) reconstructQuery(w http.ResponseWriter, r *http.Request, g grant) error {
	return s.reconstructBatch(w, r, g, r.URL.Query()["file_id"])
}

// reconstructList answers a batch whose files are in the body.
func (s *Server) reconstructList(w http.ResponseWriter, r *http.Request, g grant) error {
	var keys []struct {
		Hash string `json:"hash"`
	}
	if err := httpx.DecodeJSON(w, r, &keys); err != nil {
		return err
	}
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.Hash
	}
	return s.reconstructBatch(w, r, g, ids)
}

func (s *Server) reconstructBatch(w http.ResponseWriter, r *http.Request, g grant, ids []string) error {
	if len(ids) == 0 || len(ids) > maxBatch {
		return hub.Invalidf("A batch has 1 to %d files.", maxBatch)
	}
	readers := make([]*cas.Reader, len(ids))
	for i, text := range ids {
		id, err := hub.ParseXetHash(text)
		if err != nil {
			return err
		}
		if readers[i], err = s.cas.OpenIn(r.Context(), g.RepoID, id); err != nil {
			return err
		}
	}
	files, fetch, err := cas.BatchPlan(readers)
	if err != nil {
		return err
	}
	out := xet.ReconstructionBatch{Files: map[string][]xet.TermJSON{}, FetchInfo: map[string][]xet.FetchInfo{}}
	for i, p := range files {
		out.Files[ids[i]] = p.TermsJSON()
	}
	if err := fetch.AddFetchInfo(out.FetchInfo, s.fetchURLs(r, readers...)); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// dedup answers a global dedup query.
func (s *Server) dedup(w http.ResponseWriter, r *http.Request, _ grant) error {
	chunk, err := pathHash(r, "chunk")
	if err != nil {
		return err
	}
	shard, err := s.cas.DedupShard(r.Context(), chunk)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(shard)))
	w.Write(shard) // the client is gone if this fails
	return nil
}

func (s *Server) headXorb(w http.ResponseWriter, r *http.Request, _ grant) error {
	id, err := pathHash(r, "xorb")
	if err != nil {
		return err
	}
	x, err := s.cas.Xorb(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Length", strconv.FormatInt(x.Size(), 10))
	return nil
}

func (s *Server) headFile(w http.ResponseWriter, r *http.Request, g grant) error {
	f, err := s.open(r, g)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Length", strconv.FormatInt(f.Size(), 10))
	return nil
}

// putXorb takes in a xorb.
func (s *Server) putXorb(w http.ResponseWriter, r *http.Request, _ grant) error {
	id, err := pathHash(r, "xorb")
	if err != nil {
		return err
	}
	if r.ContentLength > xet.MaxXorbUpload {
		return hub.Errorf(hub.CodeTooLarge, "A xorb has at most %d bytes.", xet.MaxXorbUpload)
	}
	inserted, err := s.cas.PutXorb(r.Context(), id, r.Body)
	if err != nil {
		// Clients that are still sending would see a broken connection, and try
		// again, instead of this error.
		io.CopyN(io.Discard, r.Body, xet.MaxXorbUpload)
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct {
		WasInserted bool `json:"was_inserted"`
	}{inserted})
}

// telemetry reads what clients report about themselves, and forgets it.
func (s *Server) telemetry(w http.ResponseWriter, r *http.Request, _ grant) error {
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// fetchURLs makes fetch URLs for a reader of the given files.
func (s *Server) fetchURLs(r *http.Request, files ...*cas.Reader) xet.FetchURL {
	base := api.CASURL(s.base(r))
	direct := make(map[hub.XetHash]string) // presigned URLs by xorb
	return func(f xet.XorbFetch, part xet.FetchRange) (string, error) {
		u, ok := direct[f.Xorb]
		if !ok {
			var err error
			if u, err = s.directURL(r.Context(), f.Xorb, files); err != nil {
				return "", err
			}
			direct[f.Xorb] = u
		}
		if u != "" {
			return u + "#" + strconv.FormatUint(uint64(part.Start), 10), nil // a URL of its own for each range
		}
		return base + s.fetchPath(f.Xorb, part.From, part.To), nil
	}
}

// directURL is a URL at the object store, or "". It opens the whole object, so
// only those get it who may read every chunk in it.
func (s *Server) directURL(ctx context.Context, id hub.XetHash, files []*cas.Reader) (string, error) {
	x, err := s.cas.Xorb(ctx, id)
	if err != nil {
		return "", err
	}
	u, err := x.Presign(ctx, fetchTTL)
	if err != nil || u == "" {
		return "", err
	}
	for _, f := range files {
		if all, err := f.Covers(id); all || err != nil {
			return u, err
		}
	}
	return "", nil
}
