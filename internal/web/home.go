package web

import (
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store"
)

// shelf is a type of repository on the home page and on profiles.
type shelf struct {
	Type  hub.RepoType
	Count int64
	All   string // where the whole list is
	Items []item
}

type homeView struct {
	Base    string
	User    string // for the example of an upload
	Shelves []shelf
	Total   int64
	Yours   []item
}

// shelves are the types that the home page shows.
var shelves = []hub.RepoType{hub.Model, hub.Dataset, hub.Space}

const (
	homeItems = 6
	ownItems  = 5
)

func (s *Server) home(v *visit) error {
	view := homeView{Base: s.base(v.r), User: v.actor.Name}
	for _, t := range shelves {
		sh, err := s.shelf(v, store.Filter{Type: t, Sort: store.SortUpdated, Limit: homeItems}, "/"+t.Plural())
		if err != nil {
			return err
		}
		view.Total += sh.Count
		view.Shelves = append(view.Shelves, sh)
		if v.actor.IsAnonymous() {
			continue
		}
		own, err := s.repos.List(v.r.Context(), v.actor, store.Filter{
			Type: t, Owner: v.actor.Name, Sort: store.SortUpdated, Limit: ownItems, Detail: t == hub.Space})
		if err != nil {
			return err
		}
		view.Yours = append(view.Yours, itemsOf(own)...)
	}
	return s.show(v, "home", "", view)
}

// shelf reads the first repositories of a filter and how many there are.
func (s *Server) shelf(v *visit, f store.Filter, all string) (shelf, error) {
	ctx := v.r.Context()
	n, err := s.repos.Count(ctx, v.actor, f)
	if err != nil {
		return shelf{}, err
	}
	f.Detail = f.Type == hub.Space
	var repos []*repo.Repo
	if n > 0 {
		if repos, err = s.repos.List(ctx, v.actor, f); err != nil {
			return shelf{}, err
		}
	}
	return shelf{Type: f.Type, Count: n, All: all, Items: itemsOf(repos)}, nil
}
