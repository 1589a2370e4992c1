package hubapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// subject is a repository whose info is being written, with what has been
// looked up for it so far.
type subject struct {
	ctx    context.Context
	rp     *repo.Repo
	commit *hub.Commit // at the asked revision; nil if not looked up or empty
	blobs  bool        // siblings carry sizes and ids
	files  []hub.Entry
	got    bool // files were listed

	derived map[string]json.RawMessage
}

// property computes one field of repo info; false leaves it out.
type property func(*subject) (any, bool, error)

// head returns the commit that the info is about: the one asked for, else the
// head of the default branch. It is nil for an empty repository.
func (s *subject) head() (*hub.Commit, error) {
	if s.commit != nil || s.rp.Head.IsZero() {
		return s.commit, nil
	}
	c, err := s.rp.Resolve(s.ctx, "")
	if err != nil {
		return nil, err
	}
	s.commit = &c
	return s.commit, nil
}

// list lists the files, once.
func (s *subject) list() ([]hub.Entry, error) {
	if s.got {
		return s.files, nil
	}
	c, err := s.head()
	if err != nil || c == nil {
		return nil, err
	}
	s.files, err = s.rp.Files(s.ctx, *c)
	s.got = err == nil
	return s.files, err
}

// derivedField is a field that was computed from the files at head, kept as
// JSON under its wire name.
func derivedField(name string) property {
	return func(s *subject) (any, bool, error) {
		if s.derived == nil {
			raw := s.rp.Catalog.Derived
			if len(raw) == 0 {
				var err error
				if raw, err = s.rp.DerivedJSON(s.ctx); err != nil {
					return nil, false, err
				}
			}
			if err := json.Unmarshal(raw, &s.derived); err != nil {
				return nil, false, err
			}
		}
		v, ok := s.derived[name]
		return v, ok, nil
	}
}

// plain is a property that is always there and costs nothing.
func plain(f func(*repo.Repo) any) property {
	return func(s *subject) (any, bool, error) { return f(s.rp), true, nil }
}

// nonEmpty is plain, left out when it is the empty string.
func nonEmpty(f func(*repo.Repo) string) property {
	return func(s *subject) (any, bool, error) {
		v := f(s.rp)
		return v, v != "", nil
	}
}

// empty is a list that nothing fills yet.
func empty(*subject) (any, bool, error) { return []any{}, true, nil }

func sha(s *subject) (any, bool, error) {
	c, err := s.head()
	if err != nil || c == nil {
		return nil, false, err
	}
	return c.OID.String(), true, nil
}

func siblings(s *subject) (any, bool, error) {
	files, err := s.list()
	if err != nil {
		return nil, false, err
	}
	out := make([]api.Sibling, len(files))
	for i, f := range files {
		out[i] = api.Sibling{RFilename: f.Path}
		if !s.blobs {
			continue
		}
		out[i].Size, out[i].BlobID = &files[i].Size, f.OID.String()
		if f.LFS != nil {
			out[i].LFS = &api.SiblingLFS{SHA256: f.LFS.OID.String(), Size: f.LFS.Size, PointerSize: f.LFS.PointerSize}
		}
	}
	return out, true, nil
}

// common are the properties of every type.
var common = map[string]property{
	"author":        plain(func(r *repo.Repo) any { return r.Name.Namespace }),
	"cardData":      derivedField("cardData"),
	"createdAt":     plain(func(r *repo.Repo) any { return api.Time(r.CreatedAt) }),
	"disabled":      plain(func(r *repo.Repo) any { return r.Disabled }),
	"lastModified":  plain(func(r *repo.Repo) any { return api.Time(r.UpdatedAt) }),
	"likes":         plain(func(r *repo.Repo) any { return r.Likes }),
	"private":       plain(func(r *repo.Repo) any { return r.Visibility == hub.Private }),
	"visibility":    plain(func(r *repo.Repo) any { return r.Visibility }),
	"resourceGroup": func(*subject) (any, bool, error) { return nil, false, nil },
	"sha":           sha,
	"siblings":      siblings,
	"tags":          plain(func(r *repo.Repo) any { return orEmpty(r.Catalog.Labels) }),
	"trendingScore": plain(func(r *repo.Repo) any { return r.Likes }),
	"usedStorage":   plain(func(r *repo.Repo) any { return r.UsedStorage }),
	"xetEnabled":    plain(func(*repo.Repo) any { return true }),
}

// counted are the properties of types whose downloads count.
var counted = map[string]property{
	"downloads":        plain(func(r *repo.Repo) any { return r.Downloads }),
	"downloadsAllTime": plain(func(r *repo.Repo) any { return r.DownloadsAll }),
	"gated":            plain(func(r *repo.Repo) any { return wireGate(r.Gated) }),
}

// properties are the fields that may be asked for by expand, by type: one
// table of the differences between types.
var properties = map[hub.RepoType]map[string]property{
	hub.Model: merge(common, counted, map[string]property{
		"baseModels":               derivedField("baseModels"),
		"childrenModelCount":       empty,
		"config":                   derivedField("config"),
		"evalResults":              empty,
		"gguf":                     derivedField("gguf"),
		"gitalyUid":                func(*subject) (any, bool, error) { return nil, false, nil },
		"inference":                func(*subject) (any, bool, error) { return nil, false, nil },
		"inferenceProviderMapping": empty,
		"library_name":             nonEmpty(func(r *repo.Repo) string { return r.Catalog.LibraryName }),
		"mask_token":               derivedField("mask_token"),
		"model-index":              derivedField("model-index"),
		"pipeline_tag":             nonEmpty(func(r *repo.Repo) string { return r.Catalog.PipelineTag }),
		"safetensors":              derivedField("safetensors"),
		"spaces":                   empty,
		"transformersInfo":         derivedField("transformersInfo"),
		"widgetData":               derivedField("widgetData"),
	}),
	hub.Dataset: merge(common, counted, map[string]property{
		"citation":          derivedField("citation"),
		"description":       derivedField("description"),
		"mainSize":          plain(func(r *repo.Repo) any { return r.Catalog.MainSize }),
		"paperswithcode_id": derivedField("paperswithcode_id"),
	}),
	hub.Space: merge(common, map[string]property{
		"datasets":  derivedField("datasets"),
		"models":    derivedField("models"),
		"region":    func(*subject) (any, bool, error) { return nil, false, nil },
		"runtime":   spaceRuntime,
		"sdk":       nonEmpty(func(r *repo.Repo) string { return r.Catalog.SDK }),
		"subdomain": plain(func(r *repo.Repo) any { return subdomain(r.Name) }),
		"title":     derivedField("title"),
	}),
	hub.Kernel: merge(common, counted),
}

// detailFields are what info shows when nothing in particular is asked for.
var detailFields = map[hub.RepoType][]string{
	hub.Model: {"author", "sha", "lastModified", "createdAt", "private", "disabled", "gated", "downloads", "likes",
		"library_name", "pipeline_tag", "tags", "cardData", "config", "transformersInfo", "siblings", "spaces",
		"safetensors", "gguf", "mask_token", "widgetData", "model-index", "usedStorage", "inference"},
	hub.Dataset: {"author", "sha", "lastModified", "createdAt", "private", "disabled", "gated", "downloads", "likes",
		"tags", "cardData", "citation", "description", "paperswithcode_id", "siblings", "usedStorage"},
	hub.Space: {"author", "sha", "lastModified", "createdAt", "private", "disabled", "likes", "tags", "cardData",
		"sdk", "siblings", "subdomain", "runtime", "models", "datasets", "title", "usedStorage"},
	hub.Kernel: {"author", "sha", "lastModified", "createdAt", "private", "disabled", "gated", "downloads", "likes",
		"tags", "cardData", "siblings", "usedStorage"},
}

// listFields are what a list shows of each repository, and fullFields what is
// added by full.
var (
	listFields = map[hub.RepoType][]string{
		hub.Model:   {"private", "downloads", "likes", "tags", "pipeline_tag", "library_name", "createdAt", "trendingScore"},
		hub.Dataset: {"author", "disabled", "gated", "lastModified", "private", "sha", "description", "downloads", "likes", "tags", "createdAt", "trendingScore"},
		hub.Space:   {"private", "likes", "tags", "sdk", "createdAt", "trendingScore"},
		hub.Kernel:  {"author", "sha", "lastModified", "private", "gated", "downloads", "likes", "tags", "createdAt"},
	}
	fullFields = map[hub.RepoType][]string{
		hub.Model:   {"author", "sha", "lastModified", "gated", "disabled", "siblings"},
		hub.Dataset: {"siblings", "cardData"},
		hub.Space:   {"author", "sha", "lastModified", "disabled", "siblings", "cardData", "subdomain"},
		hub.Kernel:  {"siblings"},
	}
)

func merge(tables ...map[string]property) map[string]property {
	out := map[string]property{}
	for _, t := range tables {
		for k, v := range t {
			out[k] = v
		}
	}
	return out
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// spaceRuntime: Spaces are stored, and run in a later version.
func spaceRuntime(s *subject) (any, bool, error) {
	return map[string]any{
		"stage": "STOPPED", "hardware": map[string]any{"current": nil, "requested": nil}, "storage": nil, "gcTimeout": nil,
	}, true, nil
}

// subdomain is a Space's host label: namespace and name in lower case, with
// dashes for everything else.
func subdomain(id hub.RepoID) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(id.Namespace+"-"+id.Name))
}

// object writes the named fields of a repository.
func (s *subject) object(fields []string) (map[string]any, error) {
	r := s.rp
	out := make(map[string]any, len(fields)+3)
	out["_id"] = api.WireID(r.ID, r.CreatedAt)
	out["id"] = r.Name.String()
	if r.Type == hub.Model {
		out["modelId"] = r.Name.String()
	}
	for _, f := range fields {
		v, ok, err := properties[r.Type][f](s)
		if err != nil {
			return nil, err
		}
		if ok {
			out[f] = v
		}
	}
	return out, nil
}

// expandFields checks the fields that a client asked for.
func expandFields(t hub.RepoType, asked []string) ([]string, error) {
	for _, f := range asked {
		if _, ok := properties[t][f]; !ok {
			names := make([]string, 0, len(properties[t]))
			for n := range properties[t] {
				names = append(names, n)
			}
			return nil, hub.Invalidf(`"expand" must be one of [%s]`, strings.Join(sorted(names), ", "))
		}
	}
	return asked, nil
}

// info answers GET /api/{type}s/{id} and …/revision/{rev}.
func (s *Server) info(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	fields, err := expandFields(rp.Type, httpx.List(r, "expand"))
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		fields = detailFields[rp.Type]
	}
	sub := &subject{ctx: r.Context(), rp: rp, blobs: httpx.Bool(r, "blobs")}
	if route.Verb == "revision" {
		rev, _ := route.Revision()
		if err := sub.at(rev); err != nil {
			return err
		}
	}
	out, err := sub.object(fields)
	if err != nil {
		return err
	}
	if httpx.Bool(r, "securityStatus") {
		out["securityRepoStatus"] = map[string]any{"scansDone": false, "filesWithIssues": []any{}}
	}
	return httpx.JSON(w, http.StatusOK, out)
}

// at makes the info be about a revision, and computes from its files what is
// stored only for the head.
func (s *subject) at(rev hub.Revision) error {
	c, err := s.rp.Resolve(s.ctx, rev)
	if err != nil {
		return err
	}
	s.commit = &c
	if c.OID == s.rp.Head || s.rp.Require(authz.Read) != nil {
		return nil
	}
	catalog, err := s.rp.Derive(s.ctx, c)
	if err != nil {
		return err
	}
	s.rp.Catalog = catalog
	s.rp.UpdatedAt = c.Date
	return nil
}
