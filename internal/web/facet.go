package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store"
)

// filterGroup is a kind of label that lists are filtered by: a query key, and
// which labels belong to it.
type filterGroup struct {
	key    string
	title  string // of its facet; "" has none
	prefix string // of its labels
	among  map[string]bool
}

// filterGroups are the kinds of a type, in the order of their facets. The last
// takes any label.
func filterGroups(t hub.RepoType) []filterGroup {
	other := filterGroup{key: "other"}
	license := filterGroup{key: "license", title: "Licenses", prefix: "license:"}
	switch t {
	case hub.Model:
		return []filterGroup{
			{key: "pipeline_tag", title: "Tasks", among: knownTasks},
			{key: "library", title: "Libraries", among: knownLibraries},
			license, other,
		}
	case hub.Dataset:
		return []filterGroup{
			{key: "task_categories", title: "Tasks", prefix: "task_categories:"},
			{key: "modality", title: "Modalities", prefix: "modality:"},
			{key: "format", title: "Formats", prefix: "format:"},
			{key: "size_categories", title: "Rows", prefix: "size_categories:"},
			{key: "language", title: "Languages", prefix: "language:"},
			license, other,
		}
	case hub.Space:
		return []filterGroup{{key: "sdk", title: "SDKs", among: knownSDKs}, license, other}
	}
	return []filterGroup{license, other}
}

// holds reports whether a label is of the group, and what it is called there.
func (g filterGroup) holds(label string) (string, bool) {
	if g.among != nil {
		return label, g.among[label]
	}
	value, ok := strings.CutPrefix(label, g.prefix)
	return value, ok && g.prefix != ""
}

// labelsFor is how long the labels in use are kept: counting them reads all.
const labelsFor = 20 * time.Second

// labelCache keeps the labels of the public repositories of a type.
type labelCache struct {
	repos *repo.Service
	kept  *otter.Cache[hub.RepoType, []store.LabelCount]
}

func newLabelCache(repos *repo.Service) (*labelCache, error) {
	kept, err := otter.New(&otter.Options[hub.RepoType, []store.LabelCount]{
		MaximumSize: len(hub.RepoTypes), ExpiryCalculator: otter.ExpiryWriting[hub.RepoType, []store.LabelCount](labelsFor),
	})
	if err != nil {
		return nil, fmt.Errorf("cache of labels: %w", err)
	}
	return &labelCache{repos, kept}, nil
}

// of returns the labels of a type, the most used first.
func (l *labelCache) of(ctx context.Context, t hub.RepoType) ([]store.LabelCount, error) {
	// Others may wait for this answer, so it does not end with this request.
	return l.kept.Get(context.WithoutCancel(ctx), t, otter.LoaderFunc[hub.RepoType, []store.LabelCount](
		func(ctx context.Context, t hub.RepoType) ([]store.LabelCount, error) {
			return l.repos.Labels(ctx, t, "", knownInLabels)
		}))
}

// facetsOf sorts the labels that are in use into the facets of a list. Numbers
// are those of the whole list, so they are left out once it is filtered.
func facetsOf(t hub.RepoType, q url.Values, labels []store.LabelCount) []facet {
	groups := filterGroups(t)
	filtered := len(activeOf(t, q)) > 0 || q.Get("search") != "" || q.Get("author") != ""
	var out []facet
	for _, g := range groups {
		if g.title == "" {
			continue
		}
		var values []facetValue
		for _, l := range labels {
			value, ok := g.holds(l.Label)
			if !ok || len(values) == facetLimit {
				continue
			}
			fv := facetValue{Text: value, Count: l.Count, On: q.Get(g.key) == value}
			fv.Path = with(t, q, g.key, value)
			if fv.On {
				fv.Path = with(t, q, g.key, "")
			}
			if filtered {
				fv.Count = 0
			}
			values = append(values, fv)
		}
		if len(values) == 0 {
			continue
		}
		n := min(facetValues, len(values))
		out = append(out, facet{Title: g.title, Values: values[:n], More: values[n:]})
	}
	return out
}

// activeOf lists the filters that are on.
func activeOf(t hub.RepoType, q url.Values) []activeFilter {
	var out []activeFilter
	for _, g := range filterGroups(t) {
		for _, value := range q[g.key] {
			if value != "" {
				out = append(out, activeFilter{Kind: kindNames[g.key], Text: value, Without: without(t, q, g.key, value)})
			}
		}
	}
	if author := q.Get("author"); author != "" {
		out = append(out, activeFilter{Kind: "owner", Text: author, Without: with(t, q, "author", "")})
	}
	return out
}

// kindNames are how people call the query keys.
var kindNames = map[string]string{
	"pipeline_tag": "task", "task_categories": "task", "library": "library", "license": "license", "modality": "modality",
	"format": "format", "size_categories": "rows", "language": "language", "sdk": "sdk", "other": "label",
}

// without is the list without one value of a parameter.
func without(t hub.RepoType, q url.Values, key, value string) string {
	c := url.Values{}
	for k, values := range q {
		c[k] = values
	}
	c[key] = slices.DeleteFunc(slices.Clone(q[key]), func(s string) bool { return s == value })
	if len(c[key]) == 0 {
		c.Del(key)
	}
	return with(t, c, "cursor", "")
}

// chip is a label on a repository's page.
type chip struct {
	Key  string // of a label such as "dataset:a/b", "" for none
	Text string
	Kind string // "task", "library", "license" or "", for its looks
	Path string
}

// chipsOf turns labels into chips that lead to the list of their kind.
func chipsOf(t hub.RepoType, labels []string) []chip {
	groups := filterGroups(t)
	var out []chip
	for _, l := range labels {
		if strings.HasPrefix(l, "region:") {
			continue // of storage: this hub has one place
		}
		c := chip{Text: l, Path: listPath(t, "other", l)}
		if key, value, ok := strings.Cut(l, ":"); ok {
			c.Key, c.Text = key, value
		}
		for _, g := range groups {
			if value, ok := g.holds(l); ok {
				c = chip{Text: value, Kind: kindNames[g.key], Path: listPath(t, g.key, value)}
				break
			}
		}
		out = append(out, c)
	}
	// The task leads, then the library; the rest stays in its order.
	slices.SortStableFunc(out, func(a, b chip) int { return chipRank(a) - chipRank(b) })
	return out
}

func chipRank(c chip) int {
	switch c.Kind {
	case "task":
		return 0
	case "library", "sdk":
		return 1
	case "license":
		return 3
	}
	return 2
}
