package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/card"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/safetensors"
)

// repoVisit is a visit to a page of a repository.
type repoVisit struct {
	rp      *repo.Repo
	route   api.Route
	details details
}

// details is the JSON object that repo info is made of.
type details struct {
	card.Derived
	Safetensors *safetensors.Summary `json:"safetensors"`
	GGUF        *gguf.Summary        `json:"gguf"`
}

// decodeDetails reads stored details. They come from the hub itself; broken
// ones show less.
func decodeDetails(text []byte) details {
	var d details
	if json.Unmarshal(text, &d) != nil {
		return details{}
	}
	return d
}

// openRepo finds the repository of a route for the visitor. For a moved one it
// redirects and returns nil without an error.
func (s *Server) openRepo(v *visit, route api.Route, right authz.Right) (*repoVisit, error) {
	id, err := route.ID()
	if err != nil {
		return nil, hub.ErrRepoNotFound // an id that cannot exist does not
	}
	rp, err := s.repos.Open(v.r.Context(), v.actor, route.Type, id, right)
	var moved *repo.MovedError
	switch {
	case errors.As(err, &moved):
		http.Redirect(v.w, v.r, localPath(route.Moved(moved.To, v.r.URL.RawQuery)), http.StatusTemporaryRedirect)
		return nil, nil
	case err != nil:
		return nil, err
	}
	text, err := rp.DerivedJSON(v.r.Context())
	if err != nil {
		return nil, err
	}
	return &repoVisit{rp: rp, route: route, details: decodeDetails(text)}, nil
}

// repoHeader is the top of every page of a repository.
type repoHeader struct {
	item
	ID       string
	Tabs     []tab
	Chips    []chip
	More     []chip // behind a switch
	Disabled bool
	Write    bool // the visitor may commit
	Base     string
}

// tab is a page of a repository in its menu.
type tab struct {
	Name, Icon, Path string
	On               bool
}

const shownChips = 14

// header describes the repository; current is the name of the page's tab.
func (s *Server) header(v *visit, rv *repoVisit, current string) repoHeader {
	rp := rv.rp
	h := repoHeader{
		item: itemOf(rp), ID: rp.Name.String(), Disabled: rp.Disabled, Write: rp.Allowed(authz.Write), Base: s.base(v.r),
	}
	h.Tabs = []tab{
		{Name: "Card", Icon: string(rp.Type), Path: h.Path},
		{Name: "Files", Icon: "folder", Path: h.sub("tree", rp.DefaultBranch, "")},
		{Name: "Commits", Icon: "commit", Path: h.sub("commits", rp.DefaultBranch, "")},
	}
	if rp.Allowed(authz.Admin) {
		h.Tabs = append(h.Tabs, tab{Name: "Settings", Icon: "settings", Path: h.Path + "/settings"})
	}
	for i := range h.Tabs {
		h.Tabs[i].On = h.Tabs[i].Name == current
	}
	if rp.Type == hub.Space {
		h.dress(rv.details)
	}
	h.Chips = chipsOf(rp.Type, rp.Catalog.Labels)
	if len(h.Chips) > shownChips {
		h.Chips, h.More = h.Chips[:shownChips], h.Chips[shownChips:]
	}
	return h
}

// sub is the path of a page of the repository: a verb, then segments that are
// escaped whole, such as a revision, then a file path.
func (h repoHeader) sub(verb, rev, file string) string {
	p := h.Path + "/" + verb + "/" + url.PathEscape(rev)
	if file != "" {
		p += "/" + api.EscapePath(file)
	}
	return p
}

// showRepo writes a page of a repository.
func (s *Server) showRepo(v *visit, rv *repoVisit, name, title string, body any) error {
	full := rv.rp.Name.String()
	if title != "" {
		full = title + " · " + full
	}
	return s.write(v, http.StatusOK, name, frame{Title: full, Nav: rv.rp.Type.Plural(), Body: body})
}

// refOption is a branch or tag in the menu of revisions.
type refOption struct {
	Name, Path string
	On         bool
}

// refMenu is the menu of revisions of a page.
type refMenu struct {
	Current  string
	Commit   bool // Current is a commit, not a name
	Branches []refOption
	Tags     []refOption
}

const maxRefs = 200

// refs lists the revisions that a page can be seen at.
func (s *Server) refs(ctx context.Context, rv *repoVisit, h repoHeader, verb, rev, file string) (refMenu, error) {
	refs, err := rv.rp.Refs(ctx)
	if err != nil {
		return refMenu{}, err
	}
	m := refMenu{Current: rev}
	add := func(list []hub.Ref, prefix string) (out []refOption) {
		for _, r := range list[:min(len(list), maxRefs)] {
			name := r.Name[len(prefix):]
			out = append(out, refOption{Name: name, Path: h.sub(verb, name, file), On: name == rev})
		}
		return out
	}
	m.Branches = add(refs.Branches, hub.BranchPrefix)
	m.Branches = append(m.Branches, add(refs.Converts, "")...)
	m.Branches = append(m.Branches, add(refs.PullRequests, "")...)
	m.Tags = add(refs.Tags, hub.TagPrefix)
	if _, err := hub.ParseOID(rev); err == nil {
		m.Current, m.Commit = rev[:8], true
	}
	return m, nil
}
