package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

const (
	listItems     = 30
	maxWords      = 8    // of a search
	maxLabels     = 20   // filters at once
	facetValues   = 12   // shown of a facet before "more"
	facetLimit    = 200  // shown at all
	knownInLabels = 1000 // of which facets are made
)

type listView struct {
	Type    hub.RepoType
	Plural  string
	Count   int64
	Search  string
	Author  string
	Sort    string
	Sorts   []option
	Facets  []facet
	Active  []activeFilter
	Hidden  []field // of the search form: what else is filtered
	Items   []item
	Next    string // "" on the last page
	First   string // "" on the first page
	CanMake bool
}

type option struct{ Value, Text string }

type field struct{ Name, Value string }

// activeFilter is a filter that is on, with the list without it.
type activeFilter struct{ Kind, Text, Without string }

// facet is a group of filters.
type facet struct {
	Title  string
	Values []facetValue // the first few
	More   []facetValue
}

type facetValue struct {
	Text  string
	Count int64 // 0: not shown
	Path  string
	On    bool
}

// sortOption is an order of a list and the name that URLs give it.
type sortOption struct {
	option
	sort store.Sort
}

var sortOptions = []sortOption{
	{option{"updated", "Recently updated"}, store.SortUpdated},
	{option{"created", "Recently created"}, store.SortCreated},
	{option{"downloads", "Most downloads"}, store.SortDownloads},
	{option{"likes", "Most likes"}, store.SortLikes},
	{option{"parameters", "Most parameters"}, store.SortParameters},
	{option{"size", "Largest"}, store.SortMainSize},
}

func sortsOf(t hub.RepoType) []sortOption {
	return slices.DeleteFunc(slices.Clone(sortOptions), func(o sortOption) bool {
		return o.sort == store.SortParameters && t != hub.Model
	})
}

// list shows the repositories of a type.
func (s *Server) list(v *visit, t hub.RepoType) error {
	q := readQuery(t, v.r.URL.Query())
	f, sort := readFilter(t, q)
	ctx := v.r.Context()
	repos, err := s.repos.List(ctx, v.actor, f)
	if err != nil {
		return err
	}
	view := listView{Type: t, Plural: t.Plural(), Search: q.Get("search"), Author: f.Owner, Sort: sort, CanMake: v.actor.Write}
	if len(repos) == f.Limit {
		repos = repos[:listItems]
		view.Next = with(t, q, "cursor", encodeCursor(f.Sort.CursorOf(repos[listItems-1].Repo)))
	}
	if f.After != nil {
		view.First = with(t, q, "cursor", "")
	}
	view.Items = itemsOf(repos)
	if view.Count, err = s.repos.Count(ctx, v.actor, f); err != nil {
		return err
	}
	labels, err := s.labels.of(ctx, t)
	if err != nil {
		return err
	}
	view.Facets = facetsOf(t, q, labels)
	view.Active = activeOf(t, q)
	for _, o := range sortsOf(t) {
		view.Sorts = append(view.Sorts, o.option)
	}
	view.Hidden = hiddenOf(q)
	title := strings.ToUpper(t.Plural()[:1]) + t.Plural()[1:]
	return s.write(v, http.StatusOK, "list", frame{Title: title, Nav: t.Plural(), Body: view})
}

// readQuery keeps of a query what a list understands. A page repeats it in
// hundreds of links, so that neither the number of its values nor their lengths
// may be left to whoever asks.
func readQuery(t hub.RepoType, q url.Values) url.Values {
	c := url.Values{}
	for key, most := range map[string]int{"search": 200, "author": 96, "sort": 20, "cursor": 100} {
		if value := clip(q.Get(key), most); value != "" {
			c.Set(key, value)
		}
	}
	labels := 0
	for _, g := range filterGroups(t) {
		for _, value := range q[g.key] {
			if value = clip(value, 200); value != "" && labels < maxLabels {
				c.Add(g.key, value)
				labels++
			}
		}
	}
	return c
}

// readFilter makes a filter of what readQuery left. What it cannot read does not
// filter: a page is better than an error.
func readFilter(t hub.RepoType, q url.Values) (f store.Filter, sort string) {
	f = store.Filter{Type: t, Owner: q.Get("author"), Sort: store.SortUpdated, Limit: listItems + 1, Detail: t == hub.Space}
	sort = "updated"
	for _, o := range sortsOf(t) {
		if o.Value == q.Get("sort") {
			f.Sort, sort = o.sort, o.Value
		}
	}
	words := strings.Fields(q.Get("search"))
	f.Search = words[:min(len(words), maxWords)]
	for _, g := range filterGroups(t) {
		for _, value := range q[g.key] {
			f.Labels = append(f.Labels, g.prefix+value)
		}
	}
	f.After = decodeCursor(q.Get("cursor"))
	return f, sort
}

func encodeCursor(c store.Cursor) string {
	b, _ := json.Marshal([2]int64{c.Value, c.ID}) // integers always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor returns nil for a cursor that is none: the first page.
func decodeCursor(s string) *store.Cursor {
	var pair [2]int64
	b, err := base64.RawURLEncoding.DecodeString(s)
	if s == "" || err != nil || json.Unmarshal(b, &pair) != nil {
		return nil
	}
	return &store.Cursor{Value: pair[0], ID: pair[1]}
}

// clip shortens what only filters, and makes it text.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// with is the list with a query parameter set, or removed if value is "", and
// without a cursor unless that is it.
func with(t hub.RepoType, q url.Values, key, value string) string {
	c := url.Values{}
	for k, values := range q {
		c[k] = values
	}
	c.Del("cursor")
	c.Del(key)
	if value != "" {
		c.Set(key, value)
	}
	if len(c) == 0 {
		return "/" + t.Plural()
	}
	return "/" + t.Plural() + "?" + c.Encode()
}

// hiddenOf is what a search form must send besides its own fields.
func hiddenOf(q url.Values) []field {
	var out []field
	for k, values := range q {
		if k == "search" || k == "sort" || k == "cursor" {
			continue
		}
		for _, value := range values {
			out = append(out, field{k, value})
		}
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.Name+"\x00"+a.Value, b.Name+"\x00"+b.Value) })
	return out
}
