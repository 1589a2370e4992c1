package hubapi

import (
	"encoding/base64"
	"html"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/render"
	"github.com/pantryhub/pantry/internal/repo"
)

// Page sizes of tree listings, the most paths that one paths-info answers, and
// the last page of a history that can be asked for.
const (
	treePage       = 1000
	treePageExpand = 100
	maxPathsInfo   = 2000
	maxPathsForm   = 8 << 20
	maxPage        = 1 << 30 // of a history
)

// tree answers GET …/tree/{rev}[/{path}].
func (s *Server) tree(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	rev, dir := route.Revision()
	expand := httpx.Bool(r, "expand")
	page := treePage
	if expand {
		page = treePageExpand
	}
	limit, err := httpx.Limit(r, page, page)
	if err != nil {
		return err
	}
	after, err := decodeCursor(r)
	if err != nil {
		return err
	}
	commit, err := rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	w.Header().Set("X-Repo-Commit", commit.OID.String())
	entries := make([]hub.Entry, 0, min(limit, 64))
	for e, err := range rp.List(r.Context(), commit, strings.Trim(dir, "/"), httpx.Bool(r, "recursive"), after) {
		if err != nil {
			return err
		}
		if len(entries) == limit {
			last := entries[len(entries)-1].Path
			httpx.NextLink(w, r, s.base(r), map[string]string{"cursor": encodeCursor(last)})
			break
		}
		entries = append(entries, e)
	}
	return s.writeEntries(w, r, rp, commit, entries, expand)
}

func encodeCursor(path string) string { return base64.RawURLEncoding.EncodeToString([]byte(path)) }

func decodeCursor(r *http.Request) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("cursor"))
	if err != nil {
		return "", hub.Invalidf("The cursor is malformed.")
	}
	return string(b), nil
}

func (s *Server) writeEntries(w http.ResponseWriter, r *http.Request, rp *repo.Repo, commit hub.Commit, entries []hub.Entry, expand bool) error {
	var last map[string]hub.Commit
	if expand {
		var err error
		if last, err = rp.LastCommits(r.Context(), commit, entries); err != nil {
			return err
		}
	}
	out := make([]api.TreeEntry, len(entries))
	for i, e := range entries {
		out[i] = api.NewTreeEntry(e)
		if c, ok := last[e.Path]; ok {
			out[i].LastCommit = &api.LastCommit{ID: c.OID.String(), Title: c.Title, Date: api.Time(c.Date)}
		}
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// pathsInfo answers POST …/paths-info/{rev}. Python sends a form, JavaScript
// JSON. Paths that do not exist are left out.
func (s *Server) pathsInfo(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	req, err := decodePathsInfo(w, r)
	if err != nil {
		return err
	}
	if len(req.Paths) > maxPathsInfo {
		return hub.Invalidf("At most %d paths per request.", maxPathsInfo)
	}
	rev, _ := route.Revision()
	commit, err := rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	entries := make([]hub.Entry, 0, len(req.Paths))
	for _, p := range req.Paths {
		e, err := rp.Entry(r.Context(), commit, strings.TrimSuffix(p, "/"))
		switch {
		case err == nil && e.Path != "":
			entries = append(entries, e)
		case err == nil, hub.CodeOf(err) == hub.CodeEntryNotFound, hub.CodeOf(err) == hub.CodeInvalid:
		default:
			return err
		}
	}
	return s.writeEntries(w, r, rp, commit, entries, req.Expand)
}

func decodePathsInfo(w http.ResponseWriter, r *http.Request) (api.PathsInfo, error) {
	var req api.PathsInfo
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t == "application/json" {
		err := httpx.DecodeLargeJSON(w, r, &req)
		return req, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxPathsForm)
	if err := r.ParseForm(); err != nil {
		return req, hub.Invalidf("The form is malformed.")
	}
	req.Paths = append(r.PostForm["paths"], r.PostForm["paths[]"]...)
	req.Expand = strings.EqualFold(r.PostForm.Get("expand"), "true")
	return req, nil
}

// treeSize answers GET …/treesize/{rev}/{path}.
func (s *Server) treeSize(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	rev, path := route.Revision()
	commit, err := rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	path = strings.Trim(path, "/")
	size, err := rp.TreeSize(r.Context(), commit, path)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, map[string]any{"path": "/" + path, "size": size})
}

// refs answers GET …/refs.
func (s *Server) refs(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	refs, err := rp.Refs(r.Context())
	if err != nil {
		return err
	}
	reply := api.Refs{
		Branches: wireRefs(refs.Branches, hub.BranchPrefix),
		Tags:     wireRefs(refs.Tags, hub.TagPrefix),
		Converts: wireRefs(refs.Converts, hub.ConvertPrefix),
	}
	if httpx.Bool(r, "include_prs") {
		prs := wireRefs(refs.PullRequests, hub.PRPrefix)
		reply.PullRequests = &prs
	}
	return httpx.JSON(w, http.StatusOK, reply)
}

func wireRefs(refs []hub.Ref, prefix string) []api.Ref {
	out := make([]api.Ref, len(refs))
	for i, ref := range refs {
		out[i] = api.Ref{Name: strings.TrimPrefix(ref.Name, prefix), Ref: ref.Name, TargetCommit: ref.Target.String()}
	}
	return out
}

// commits answers GET …/commits/{rev}.
func (s *Server) commits(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	limit, err := httpx.Limit(r, 50, 1000)
	if err != nil {
		return err
	}
	page := 0
	if p := r.URL.Query().Get("p"); p != "" {
		if page, err = strconv.Atoi(p); err != nil || page < 0 || page > maxPage {
			return hub.Invalidf("p must be a page number")
		}
	}
	rev, _ := route.Revision()
	head, err := rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	formatted := contains(httpx.List(r, "expand"), "formatted")
	out := []api.Commit{}
	total := 0
	for c, err := range rp.Log(r.Context(), head.OID) {
		if err != nil {
			return err
		}
		if total >= page*limit && len(out) < limit {
			out = append(out, wireCommit(c, formatted))
		}
		total++
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	if total > (page+1)*limit {
		httpx.NextLink(w, r, s.base(r), map[string]string{"p": strconv.Itoa(page + 1)})
	}
	return httpx.JSON(w, http.StatusOK, out)
}

func wireCommit(c hub.Commit, formatted bool) api.Commit {
	out := api.Commit{
		ID: c.OID.String(), Title: c.Title, Message: c.Message, Date: api.Time(c.Date),
		Authors: []api.CommitAuthor{{User: c.Author, Avatar: ""}},
	}
	if formatted {
		out.Formatted = &api.FormattedCommit{Title: html.EscapeString(c.Title), Message: formatMessage(c.Message)}
	}
	return out
}

// formatMessage renders the body of a commit message as a card's text.
func formatMessage(text string) string {
	out, err := render.Card([]byte(text), render.Options{})
	if err != nil {
		return html.EscapeString(text)
	}
	return string(out)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// compare answers GET …/compare/{a..b}: the changed paths.
func (s *Server) compare(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	from, to, ok := strings.Cut(route.Tail(), "..")
	if !ok {
		return hub.Invalidf("Compare two revisions: {base}..{head}.")
	}
	base, err := rp.Resolve(r.Context(), hub.Revision(from))
	if err != nil {
		return err
	}
	head, err := rp.Resolve(r.Context(), hub.Revision(strings.TrimPrefix(to, ".")))
	if err != nil {
		return err
	}
	if httpx.Bool(r, "raw") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return rp.WriteDiff(r.Context(), w, base, head)
	}
	out := []api.Change{}
	for c, err := range rp.Compare(r.Context(), base, head) {
		if err != nil {
			return err
		}
		out = append(out, api.NewChange(c.Path, c.Old, c.New))
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// createBranch answers POST …/branch/{name}.
func (s *Server) createBranch(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	var req api.CreateBranch
	if err := httpx.DecodeJSON(w, r, &req); err != nil {
		return err
	}
	err := rp.CreateBranch(r.Context(), repo.BranchRequest{
		Name: route.Tail(), Start: hub.Revision(req.StartingPoint), Empty: req.EmptyBranch, Overwrite: req.Overwrite,
	})
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// deleteBranch answers DELETE …/branch/{name}.
func (s *Server) deleteBranch(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	if err := rp.DeleteBranch(r.Context(), route.Tail()); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// createTag answers POST …/tag/{rev}.
func (s *Server) createTag(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	var req api.CreateTag
	if err := httpx.DecodeJSON(w, r, &req); err != nil {
		return err
	}
	err := rp.CreateTag(r.Context(), repo.TagRequest{Name: req.Tag, Revision: hub.Revision(route.Tail()), Message: req.Message})
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// deleteTag answers DELETE …/tag/{tag}.
func (s *Server) deleteTag(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	if err := rp.DeleteTag(r.Context(), route.Tail()); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// superSquash answers POST …/super-squash/{rev}.
func (s *Server) superSquash(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	var req api.SuperSquash
	if err := httpx.DecodeJSON(w, r, &req); err != nil {
		return err
	}
	commit, err := rp.SuperSquash(r.Context(), hub.Revision(route.Tail()), req.Message)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, map[string]string{"commitId": commit.OID.String()})
}
