package web

import (
	"net/url"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/repo"
)

// item is a repository as lists show it.
type item struct {
	Type      hub.RepoType
	Path      string
	Namespace string
	Name      string
	Title     string // of a Space, if it has one
	Emoji     string // of a Space
	Colors    string // classes of a Space's card, "" for none
	About     string // of a Space, in its own words
	Task      string
	Library   string
	SDK       string
	Params    int64
	Size      int64
	Downloads int64
	Likes     int64
	Updated   time.Time
	Private   bool
	Protected bool
	Gated     bool
}

func itemOf(rp *repo.Repo) item {
	it := item{
		Type: rp.Type, Path: api.PathOf(rp.Type, rp.Name), Namespace: rp.Name.Namespace, Name: rp.Name.Name,
		Task: rp.Catalog.PipelineTag, Library: rp.Catalog.LibraryName, SDK: rp.Catalog.SDK,
		Params: rp.Catalog.Parameters, Size: rp.Catalog.MainSize,
		Downloads: rp.Downloads, Likes: rp.Likes, Updated: rp.UpdatedAt,
		Private: rp.Visibility == hub.Private, Protected: rp.Visibility == hub.Protected, Gated: rp.Gated != hub.NotGated,
	}
	if rp.Type == hub.Dataset {
		it.Task = labelWith(rp.Catalog.Labels, "task_categories:")
	}
	if rp.Type == hub.Space {
		it.dress(decodeDetails(rp.Catalog.Derived))
	}
	return it
}

// dress adds what a Space's card says about its looks.
func (it *item) dress(d details) {
	it.Title, it.Emoji, it.About = d.Title, d.Emoji, d.ShortDescription
	if spaceColors[d.ColorFrom] && spaceColors[d.ColorTo] {
		it.Colors = "from-" + d.ColorFrom + " to-" + d.ColorTo
	}
}

// spaceColors are the colours that the style sheet knows.
var spaceColors = map[string]bool{
	"red": true, "yellow": true, "green": true, "blue": true, "indigo": true, "purple": true, "pink": true, "gray": true,
}

// labelWith is the rest of the first label with a prefix, "" if there is none.
func labelWith(labels []string, prefix string) string {
	for _, l := range labels {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			return rest
		}
	}
	return ""
}

func itemsOf(repos []*repo.Repo) []item {
	items := make([]item, len(repos))
	for i, rp := range repos {
		items[i] = itemOf(rp)
	}
	return items
}

// listPath is the list of a type with one filter.
func listPath(t hub.RepoType, key, value string) string {
	return "/" + t.Plural() + "?" + url.Values{key: {value}}.Encode()
}
