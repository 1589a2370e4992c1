package web

import (
	"context"
	"errors"
	"html/template"
	"slices"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store"
)

const readmeFile = "README.md"

type cardView struct {
	Repo     repoHeader
	Card     template.HTML // "" without one
	HasCard  bool          // there is a README.md, perhaps without text
	Closed   bool          // the visitor may not read files
	Empty    bool          // there are no files but .gitattributes
	CardFile string        // where the card can be read as a file
	License  string
	DTypes   []share
	Params   int64
	GGUF     *ggufView
	Bases    *relation
	Links    []relation // other repositories that the card names
	Derived  *derivedView
	Endpoint string // what tells every tool of this hub
	Snippets []snippet
	Fill     fillHints
}

// share is a part of a whole, in percent.
type share struct {
	Name  string
	Count int64
}

type ggufView struct {
	Architecture string
	Context      uint64
	Template     string // chat template
}

// relation is a list of repositories that this one names.
type relation struct {
	Title string
	Items []linked
}

// linked is another repository; Path is "" if this hub does not have it.
type linked struct{ ID, Path string }

// derivedView says how many repositories name this one.
type derivedView struct {
	Count int64
	Path  string
}

// card shows a repository: its card and what is known of it.
func (s *Server) card(v *visit, rv *repoVisit) error {
	ctx, d := v.r.Context(), rv.details
	view := cardView{Repo: s.header(v, rv, "Card"), License: d.License}
	view.CardFile = view.Repo.sub("blob", rv.rp.DefaultBranch, readmeFile)
	if err := view.read(ctx, s.renderer, rv); err != nil {
		return err
	}
	view.describe(d)
	var err error
	if view.Bases, view.Links, err = s.relations(ctx, v.actor, d); err != nil {
		return err
	}
	if view.Derived, err = s.derivedFrom(ctx, v.actor, rv); err != nil {
		return err
	}
	view.Endpoint, view.Snippets = "export HF_ENDPOINT="+s.base(v.r), snippetsOf(rv)
	view.Fill = fillHintsOf(rv, s.base(v.r))
	return s.showRepo(v, rv, "repo", "", view)
}

// read renders the card of the default branch.
func (c *cardView) read(ctx context.Context, rd *renderer, rv *repoVisit) error {
	if !rv.rp.Allowed(authz.Read) {
		c.Closed = true
		return nil
	}
	commit, err := rv.rp.Resolve(ctx, "")
	if hub.CodeOf(err) == hub.CodeRevisionNotFound {
		c.Empty = true
		return nil
	}
	if err != nil {
		return err
	}
	c.Empty = rv.rp.Catalog.MainSize == 0 || onlyAttributes(ctx, rv.rp, commit)
	e, err := rv.rp.Entry(ctx, commit, readmeFile)
	if hub.CodeOf(err) == hub.CodeEntryNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	c.HasCard = true
	c.Card, err = rd.card(ctx, rv.rp, e, c.Repo, rv.rp.DefaultBranch)
	return err
}

// onlyAttributes reports whether a commit holds nothing but what a new
// repository holds.
func onlyAttributes(ctx context.Context, rp *repo.Repo, c hub.Commit) bool {
	for e, err := range rp.List(ctx, c, "", false, "") {
		if err != nil || e.Path != ".gitattributes" {
			return false
		}
	}
	return true
}

// describe fills the side panel.
func (c *cardView) describe(d details) {
	if d.Safetensors != nil {
		c.Params = d.Safetensors.Total
		for name, n := range d.Safetensors.Parameters {
			c.DTypes = append(c.DTypes, share{name, n})
		}
		slices.SortFunc(c.DTypes, compareShares)
	}
	if d.GGUF != nil {
		c.GGUF = &ggufView{d.GGUF.Architecture, d.GGUF.ContextLength, clip(d.GGUF.ChatTemplate, 8000)}
		if c.Params == 0 {
			c.Params = d.GGUF.Total
		}
	}
}

// maxLinked bounds how many repositories a panel looks up.
const maxLinked = 8

// relationTitles are what the relation of a model to its bases is called.
var relationTitles = map[string]string{
	"finetune": "Fine-tuned from", "adapter": "Adapter for", "quantized": "Quantised from", "merge": "Merged from",
}

// relations lists the repositories that a card names.
func (s *Server) relations(ctx context.Context, actor hub.Actor, d details) (bases *relation, others []relation, err error) {
	if d.BaseModels != nil && len(d.BaseModels.Models) > 0 {
		bases = &relation{Title: relationTitles[d.BaseModels.Relation]}
		if bases.Title == "" {
			bases.Title = "Made from"
		}
		var ids []string
		for _, m := range d.BaseModels.Models {
			ids = append(ids, m.ID)
		}
		if bases.Items, err = s.lookUp(ctx, actor, hub.Model, ids); err != nil {
			return nil, nil, err
		}
	}
	for _, g := range []struct {
		title string
		t     hub.RepoType
		ids   []string
	}{{"Datasets", hub.Dataset, d.Datasets}, {"Models", hub.Model, d.Models}} {
		if len(g.ids) == 0 {
			continue
		}
		items, err := s.lookUp(ctx, actor, g.t, g.ids)
		if err != nil {
			return nil, nil, err
		}
		others = append(others, relation{g.title, items})
	}
	return bases, others, nil
}

func (s *Server) lookUp(ctx context.Context, actor hub.Actor, t hub.RepoType, ids []string) ([]linked, error) {
	var out []linked
	for _, name := range ids[:min(len(ids), maxLinked)] {
		l := linked{ID: name}
		id, err := hub.ParseRepoID(name)
		if err == nil {
			var moved *repo.MovedError
			switch _, err := s.repos.Open(ctx, actor, t, id, authz.See); {
			case err == nil, errors.As(err, &moved):
				l.Path = api.PathOf(t, id)
			case hub.CodeOf(err) == hub.CodeInternal:
				return nil, err
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// derivedFrom counts the models that name this repository as what they were
// made from.
func (s *Server) derivedFrom(ctx context.Context, actor hub.Actor, rv *repoVisit) (*derivedView, error) {
	label := map[hub.RepoType]string{hub.Model: "base_model:", hub.Dataset: "dataset:"}[rv.rp.Type]
	if label == "" {
		return nil, nil
	}
	label += rv.rp.Name.String()
	n, err := s.repos.Count(ctx, actor, store.Filter{Type: hub.Model, Labels: []string{label}})
	if n == 0 || err != nil {
		return nil, err
	}
	return &derivedView{n, listPath(hub.Model, "other", label)}, nil
}
