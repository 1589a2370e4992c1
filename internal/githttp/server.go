package githttp

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/lfs"
	"github.com/pantryhub/pantry/internal/repo"
)

// Config is what a Server is made of.
type Config struct {
	Repos   *repo.Service
	LFS     *lfs.Service
	Actor   func(*http.Request) (hub.Actor, error)
	Base    func(*http.Request) string // public URL as this client knows it
	MintXet api.MintXet
	// Challenge makes a handler\'s 401 ask for a user name and password.
	Challenge func(httpx.Handler) httpx.Handler
	// MultipartAbove is the size over which an upload is split into parts of
	// PartSize, for clients that can.
	MultipartAbove int64
	PartSize       int64
}

// Server answers git and LFS requests.
type Server struct {
	Config
	transfers *http.ServeMux
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{Config: cfg, transfers: http.NewServeMux()}
	handle := func(pattern string, h httpx.Handler) { s.transfers.Handle(pattern, h) }
	handle("PUT /lfs/upload/{token}", s.putObject)
	handle("PUT /lfs/part/{token}", s.putPart)
	handle("POST /lfs/complete/{token}", s.complete)
	handle("GET /lfs/download/{token}", s.download)
	return s
}

// ServeTransfer answers the signed URLs below /lfs/.
func (s *Server) ServeTransfer(w http.ResponseWriter, r *http.Request) {
	httpx.NoteSurface(r.Context(), "lfs")
	if _, pattern := s.transfers.Handler(r); pattern == "" {
		httpx.WriteError(w, r, hub.Errorf(hub.CodeNotFound, "There is no such transfer URL."))
		return
	}
	s.transfers.ServeHTTP(w, r)
}

// ServeRepo answers /{id}.git/….
func (s *Server) ServeRepo(w http.ResponseWriter, r *http.Request, route api.Route) {
	httpx.NoteSurface(r.Context(), "lfs")
	s.Challenge(func(w http.ResponseWriter, r *http.Request) error {
		switch r.Method + " " + route.Verb + "/" + route.Tail() {
		case "POST info/lfs/objects/batch":
			return s.batch(w, r, route)
		case "POST info/lfs/verify":
			return s.verify(w, r, route)
		}
		if strings.HasPrefix(route.Tail(), "lfs/locks") {
			return hub.Errorf(hub.CodeNotFound, "This hub does not offer file locking.")
		}
		return hub.Errorf(hub.CodeUnsupported, "This hub does not speak the git protocol yet. Use the hf command or the HTTP API.")
	}).ServeHTTP(w, r)
}

// open finds the repository. The anonymous are asked for credentials instead
// of being told that a private repository is missing, as git needs it.
func (s *Server) open(w http.ResponseWriter, r *http.Request, route api.Route, right authz.Right) (*repo.Repo, error) {
	actor, err := s.Actor(r)
	if err != nil {
		return nil, err
	}
	id, err := route.ID()
	if err != nil {
		return nil, hub.ErrRepoNotFound
	}
	rp, err := s.Repos.Open(r.Context(), actor, route.Type, id, right)
	var moved *repo.MovedError
	switch {
	case errors.As(err, &moved):
		w.Header().Set("Location", s.Base(r)+route.Moved(moved.To, r.URL.RawQuery))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil, nil
	case err != nil && actor.IsAnonymous():
		w.Header().Set("X-Error-Code", api.ErrorHeader(hub.CodeOf(err)))
		return nil, hub.ErrUnauthenticated
	}
	return rp, err
}

const (
	lfsMediaType = "application/vnd.git-lfs+json"
	maxObjects   = 10_000
	maxParts     = 100_000 // of a batch: each has a URL in the reply
)

// batch answers the LFS batch API.
func (s *Server) batch(w http.ResponseWriter, r *http.Request, route api.Route) error {
	var req api.LFSBatch
	if err := httpx.DecodeJSON(w, r, &req); err != nil {
		return err
	}
	if len(req.Objects) > maxObjects {
		return hub.Errorf(hub.CodeTooLarge, "At most %d objects per request.", maxObjects)
	}
	if req.HashAlgo != "" && req.HashAlgo != "sha256" && req.HashAlgo != "sha_256" {
		return hub.Errorf(hub.CodeConflict, "This hub knows objects by sha256 only.")
	}
	right := authz.Read
	switch req.Operation {
	case "upload":
		right = authz.Write
	case "download":
	default:
		return hub.Errorf(hub.CodeUnprocessable, "operation must be upload or download")
	}
	rp, err := s.open(w, r, route, right)
	if rp == nil || err != nil {
		return err
	}
	objects, reply := parseObjects(req.Objects)
	held, err := s.LFS.Held(r.Context(), rp.ID, objects)
	if err != nil {
		return err
	}
	out := api.LFSBatchReply{Transfer: s.transfer(req, objects), Objects: reply, HashAlgo: "sha256"}
	if out.Transfer == "multipart" && s.countParts(objects) > maxParts {
		return hub.Errorf(hub.CodeTooLarge, "The objects have over %d parts. Upload them through Xet, or ask for fewer at once.", maxParts)
	}
	for i := range reply {
		if reply[i].Error != nil {
			continue
		}
		file, ok := held[objects[i].SHA256]
		switch {
		case req.Operation == "upload" && !ok:
			reply[i].Actions = s.uploadActions(r, rp, out.Transfer, objects[i])
		case req.Operation == "download" && ok:
			reply[i].Size = file.Size
			reply[i].Actions = map[string]api.LFSAction{"download": {
				Href: s.Base(r) + "/lfs/download/" + s.LFS.GetToken(rp.ID, objects[i].SHA256), ExpiresIn: int(lfs.Lifetime.Seconds()),
			}}
		case req.Operation == "download":
			reply[i].Error = &api.LFSError{Code: http.StatusNotFound, Message: "The object is not in this repository."}
		}
	}
	return httpx.JSONAs(w, http.StatusOK, out, lfsMediaType)
}

// parseObjects checks the objects of a batch; each reply keeps the spelling of
// its request.
func parseObjects(asked []api.LFSObject) ([]lfs.Object, []api.LFSObjectReply) {
	objects := make([]lfs.Object, len(asked))
	reply := make([]api.LFSObjectReply, len(asked))
	for i, o := range asked {
		reply[i] = api.LFSObjectReply{OID: o.OID, Size: o.Size, Authenticated: true}
		sha, err := hub.ParseSHA256(o.OID)
		if err != nil || o.Size < 0 {
			reply[i].Error = &api.LFSError{Code: http.StatusUnprocessableEntity, Message: "The object id or size is invalid."}
			continue
		}
		objects[i] = lfs.Object{SHA256: sha, Size: o.Size}
	}
	return objects, reply
}

// transfer chooses how the objects travel: Xet for clients that speak it,
// parts when an object is too large for one request, else one PUT. Downloads
// are always basic.
func (s *Server) transfer(req api.LFSBatch, objects []lfs.Object) string {
	if req.Operation != "upload" {
		return "basic"
	}
	offered := func(name string) bool {
		for _, t := range req.Transfers {
			if t == name {
				return true
			}
		}
		return false
	}
	if offered("xet") {
		return "xet"
	}
	for _, o := range objects {
		if o.Size > s.MultipartAbove && offered("multipart") {
			return "multipart"
		}
	}
	return "basic"
}

// countParts adds up the parts of the objects that are split.
func (s *Server) countParts(objects []lfs.Object) int64 {
	var n int64
	for _, o := range objects {
		if o.Size > s.MultipartAbove {
			n += min(lfs.CountParts(o.Size, s.PartSize), maxParts+1)
		}
	}
	return n
}

func (s *Server) uploadActions(r *http.Request, rp *repo.Repo, transfer string, o lfs.Object) map[string]api.LFSAction {
	base := s.Base(r)
	upload := lfs.Upload{Object: o, RepoID: rp.ID, AccountID: rp.Actor.ID}
	actions := map[string]api.LFSAction{}
	expires := int(lfs.Lifetime.Seconds())
	switch {
	case transfer == "xet":
		token, exp := s.MintXet(rp.ID, rp.Actor.ID, true)
		actions["upload"] = api.LFSAction{
			Href: api.XetWriteTokenURL(base, rp.Type, rp.Name, rp.DefaultBranch),
			Header: map[string]any{
				"X-Xet-Cas-Url": api.CASURL(base), "X-Xet-Access-Token": token,
				"X-Xet-Token-Expiration": strconv.FormatInt(exp.Unix(), 10), "X-Xet-Session-Id": httpx.RequestID(r.Context()),
			},
		}
		return actions
	case transfer == "multipart" && o.Size > s.MultipartAbove:
		upload = s.LFS.NewMultipart(upload, s.PartSize)
		header := map[string]any{"chunk_size": strconv.FormatInt(s.PartSize, 10)}
		for part := uint32(1); part <= upload.Parts(); part++ {
			header[strconv.Itoa(int(part))] = base + "/lfs/part/" + s.LFS.PartToken(upload, part)
		}
		actions["upload"] = api.LFSAction{Href: base + "/lfs/complete/" + s.LFS.CompleteToken(upload), Header: header, ExpiresIn: expires}
	default:
		actions["upload"] = api.LFSAction{Href: base + "/lfs/upload/" + s.LFS.PutToken(upload), ExpiresIn: expires}
	}
	actions["verify"] = api.LFSAction{Href: base + api.PathOf(rp.Type, rp.Name) + ".git/info/lfs/verify", ExpiresIn: expires}
	return actions
}

// verify answers whether an uploaded object is there.
func (s *Server) verify(w http.ResponseWriter, r *http.Request, route api.Route) error {
	var o api.LFSObject
	if err := httpx.DecodeJSON(w, r, &o); err != nil {
		return err
	}
	rp, err := s.open(w, r, route, authz.Write)
	if rp == nil || err != nil {
		return err
	}
	sha, err := hub.ParseSHA256(o.OID)
	if err != nil {
		return err
	}
	f, err := rp.HasLargeFile(r.Context(), sha)
	if err != nil {
		return err
	}
	if f.Size != o.Size {
		return hub.Errorf(hub.CodeUnprocessable, "The object has %d bytes, not %d.", f.Size, o.Size)
	}
	return httpx.JSONAs(w, http.StatusOK, struct{}{}, lfsMediaType)
}

func (s *Server) putObject(w http.ResponseWriter, r *http.Request) error {
	if err := s.LFS.Put(r.Context(), r.PathValue("token"), r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) putPart(w http.ResponseWriter, r *http.Request) error {
	etag, err := s.LFS.PutPart(r.Context(), r.PathValue("token"), r.Body)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+etag+`"`)
	w.WriteHeader(http.StatusOK)
	return nil
}

// complete joins the parts. The list of entity tags in the body is not needed:
// the object's SHA-256 says whether the parts are the right ones.
func (s *Server) complete(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 16<<20)); err != nil {
		return err
	}
	if err := s.LFS.Complete(r.Context(), r.PathValue("token")); err != nil {
		return err
	}
	return httpx.JSONAs(w, http.StatusOK, struct{}{}, lfsMediaType)
}

// download answers a signed GET of an object, with ranges.
func (s *Server) download(w http.ResponseWriter, r *http.Request) error {
	f, sha, err := s.LFS.Open(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", `"`+sha.String()+`"`)
	return httpx.ServeRange(w, r, f, sha.String())
}
