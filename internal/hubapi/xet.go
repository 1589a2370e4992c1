package hubapi

import (
	"net/http"
	"strconv"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// xetReadToken answers GET …/xet-read-token/{rev}.
func (s *Server) xetReadToken(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	return s.xetToken(w, r, rp, false)
}

// xetWriteToken answers GET …/xet-write-token/{rev}. The revision may be the
// text "None"; a token is for the repository whatever its revision.
func (s *Server) xetWriteToken(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	return s.xetToken(w, r, rp, true)
}

// xetToken sends the token both as headers and as JSON: each client reads one.
func (s *Server) xetToken(w http.ResponseWriter, r *http.Request, rp *repo.Repo, write bool) error {
	text, exp := s.mint(rp.ID, rp.Actor.ID, write)
	token := api.XetToken{CASURL: api.CASURL(s.base(r)), AccessToken: text, Expires: exp.Unix()}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Xet-Cas-Url", token.CASURL)
	h.Set("X-Xet-Access-Token", token.AccessToken)
	h.Set("X-Xet-Token-Expiration", strconv.FormatInt(token.Expires, 10))
	return httpx.JSON(w, http.StatusOK, token)
}

// lfsFiles answers GET …/lfs-files.
func (s *Server) lfsFiles(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	limit, err := httpx.Limit(r, 1000, 1000)
	if err != nil {
		return err
	}
	var after hub.SHA256
	if c := r.URL.Query().Get("cursor"); c != "" {
		if after, err = hub.ParseSHA256(c); err != nil {
			return hub.Invalidf("The cursor is malformed.")
		}
	}
	files, err := rp.LargeFiles(r.Context(), after, limit)
	if err != nil {
		return err
	}
	out := make([]api.LFSFile, len(files))
	for i, f := range files {
		out[i] = api.LFSFile{
			FileOID: f.SHA256.String(), OID: f.SHA256.String(), Filename: f.Path, Size: f.Size,
			PushedAt: api.Time(f.CreatedAt), XetHash: f.Xet.String(), Ref: hub.BranchPrefix + rp.DefaultBranch,
		}
	}
	if len(files) == limit {
		httpx.NextLink(w, r, s.base(r), map[string]string{"cursor": files[limit-1].SHA256.String()})
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// maxLFSBatch is how many large files one request may delete or copy.
const maxLFSBatch = 1000

// changeLFSFiles answers POST …/lfs-files/batch and …/lfs-files/duplicate.
func (s *Server) changeLFSFiles(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	switch route.Tail() {
	case "batch":
		return s.deleteLFSFiles(w, r, rp)
	case "duplicate":
		return s.duplicateLFSFiles(w, r, rp)
	}
	return unknownRoute(r)
}

func (s *Server) deleteLFSFiles(w http.ResponseWriter, r *http.Request, rp *repo.Repo) error {
	var body api.LFSDeletions
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	shas, err := parseSHAs(body.Deletions.SHA)
	if err != nil {
		return err
	}
	if err := rp.DeleteLargeFiles(r.Context(), shas, body.Deletions.RewriteHistory); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

func parseSHAs(texts []string) ([]hub.SHA256, error) {
	if len(texts) > maxLFSBatch {
		return nil, hub.Invalidf("At most %d files per request.", maxLFSBatch)
	}
	shas := make([]hub.SHA256, len(texts))
	for i, t := range texts {
		var err error
		if shas[i], err = hub.ParseSHA256(t); err != nil {
			return nil, err
		}
	}
	return shas, nil
}

// deleteLFSFile answers DELETE …/lfs-files/{sha}.
func (s *Server) deleteLFSFile(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	shas, err := parseSHAs([]string{route.Tail()})
	if err != nil {
		return err
	}
	if err := rp.DeleteLargeFiles(r.Context(), shas, httpx.Bool(r, "rewriteHistory")); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// duplicateLFSFiles lets another repository hold this one's large files.
func (s *Server) duplicateLFSFiles(w http.ResponseWriter, r *http.Request, rp *repo.Repo) error {
	var body api.LFSDuplicate
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	t, err := hub.ParseRepoType(body.Target.Type)
	if err != nil {
		return err
	}
	id, err := hub.ParseRepoID(body.Target.Name)
	if err != nil {
		return err
	}
	texts := make([]string, len(body.Files))
	for i, f := range body.Files {
		texts[i] = f.SHA256
	}
	shas, err := parseSHAs(texts)
	if err != nil {
		return err
	}
	missing, err := rp.ShareLargeFiles(r.Context(), t, id, shas)
	if err != nil {
		return notMoved(err)
	}
	reply := api.LFSDuplicateReply{Failed: []api.LFSDuplicateFailure{}}
	for _, sha := range missing {
		reply.Failed = append(reply.Failed, api.LFSDuplicateFailure{SHA256: sha.String(), Error: "The file is not in the source repository."})
	}
	return httpx.JSON(w, http.StatusOK, reply)
}
