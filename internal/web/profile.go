package web

import (
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/store"
)

type profileView struct {
	Name     string
	FullName string
	Org      bool
	Avatar   string
	Joined   time.Time
	Orgs     []orgView
	Shelves  []shelf
	Total    int64
	Create   bool // the visitor may add repositories
}

type orgView struct{ Name, Avatar, Role string }

const profileItems = 12

// profile shows a user or an organization.
func (s *Server) profile(v *visit, name string) error {
	a, err := s.identity.Account(v.r.Context(), name)
	if err != nil {
		if hub.CodeOf(err) == hub.CodeNotFound || hub.CodeOf(err) == hub.CodeInvalid {
			return hub.Errorf(hub.CodeNotFound, "There is no user or organization of this name.")
		}
		return err
	}
	if a.Name != name {
		v.redirect("/" + a.Name)
		return nil
	}
	view := profileView{
		Name: a.Name, FullName: a.FullName, Org: a.Kind == hub.OrgAccount, Avatar: avatar(a.Name), Joined: a.CreatedAt,
		Create: authz.MayCreateIn(v.actor, a.Name),
	}
	if view.Orgs, err = s.orgsOf(v, a); err != nil {
		return err
	}
	for _, t := range hub.RepoTypes {
		sh, err := s.shelf(v, store.Filter{Type: t, Owner: a.Name, Sort: store.SortUpdated, Limit: profileItems}, listPath(t, "author", a.Name))
		if err != nil {
			return err
		}
		view.Total += sh.Count
		if sh.Count > 0 {
			view.Shelves = append(view.Shelves, sh)
		}
	}
	return s.show(v, "profile", a.Name, view)
}

func (s *Server) orgsOf(v *visit, a hub.Account) ([]orgView, error) {
	if a.Kind == hub.OrgAccount {
		return nil, nil
	}
	members, err := s.identity.OrgsOf(v.r.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	orgs := make([]orgView, len(members))
	for i, m := range members {
		orgs[i] = orgView{m.Org.Name, avatar(m.Org.Name), string(m.Role)}
	}
	return orgs, nil
}

// avatar is the picture of an account.
func avatar(name string) string { return "/api/avatars/" + name + ".svg" }
