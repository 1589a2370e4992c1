package repo

import (
	"context"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// List returns one page of repositories. Private ones are listed for those
// who may read them.
func (s *Service) List(ctx context.Context, actor hub.Actor, f store.Filter) ([]*Repo, error) {
	f, err := s.visibleTo(ctx, actor, f)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().ListRepos(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]*Repo, len(rows))
	for i, row := range rows {
		out[i] = &Repo{Found: row, Actor: actor, svc: s}
	}
	return out, nil
}

// Count returns how many repositories a filter holds for the actor.
func (s *Service) Count(ctx context.Context, actor hub.Actor, f store.Filter) (int64, error) {
	f, err := s.visibleTo(ctx, actor, f)
	if err != nil {
		return 0, err
	}
	return s.db.Read().CountRepos(ctx, f)
}

// Limits of a filter: every word and label is a condition of the query, and a
// database plans thousands of them for minutes.
const (
	maxConditions = 32
	maxWord       = 256 // bytes; no id is longer
)

// visibleTo limits a filter to what the actor may see.
func (s *Service) visibleTo(ctx context.Context, actor hub.Actor, f store.Filter) (store.Filter, error) {
	if len(f.Search)+len(f.Labels) > maxConditions {
		return f, hub.Invalidf("A list is filtered by at most %d words and labels.", maxConditions)
	}
	for _, word := range f.Search {
		if len(word) > maxWord {
			return f, hub.Invalidf("A word to search for has at most %d bytes.", maxWord)
		}
	}
	f.All, f.Viewer = actor.Admin, nil
	if actor.Admin || actor.IsAnonymous() {
		return f, nil
	}
	f.Viewer = []int64{actor.ID}
	if len(actor.Orgs) == 0 {
		return f, nil
	}
	orgs, err := s.db.Read().Memberships(ctx, actor.ID)
	if err != nil {
		return f, err
	}
	for _, m := range orgs {
		f.Viewer = append(f.Viewer, m.Org.ID)
	}
	return f, nil
}

// maxOwned bounds how many repositories of one namespace are listed at once.
const maxOwned = 10_000

// Owned lists every repository of a namespace, most recently changed first.
func (s *Service) Owned(ctx context.Context, actor hub.Actor, t hub.RepoType, namespace string, search []string) ([]*Repo, error) {
	return s.List(ctx, actor, store.Filter{
		Type: t, Owner: namespace, Search: search, Sort: store.SortUpdated, Limit: maxOwned,
	})
}

// Labels lists the labels in use that begin with prefix, the most used first.
func (s *Service) Labels(ctx context.Context, t hub.RepoType, prefix string, limit int) ([]store.LabelCount, error) {
	return s.db.Read().Labels(ctx, t, prefix, limit)
}
