package web

import (
	"slices"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store"
)

type createView struct {
	Form       form
	Type       hub.RepoType
	Types      []choice
	Namespaces []string
	Licenses   []string
	SDKs       []choice
	Visible    []choice
}

var creatable = []choice{
	{"model", "Model", "Weights, configuration, tokenizer"},
	{"dataset", "Dataset", "Tables, text, images, audio"},
	{"space", "Space", "A demo that runs in the browser"},
}

var sdkChoices = []choice{
	{"gradio", "Gradio", "A Python app"}, {"docker", "Docker", "Any container"}, {"static", "Static", "HTML and JavaScript"},
}

// namespaces are where an actor may have repositories: his own name, his
// organizations, and first, if it is given, current.
func namespaces(a hub.Actor, current string) []string {
	var out []string
	for org := range a.Orgs {
		if authz.MayCreateIn(a, org) && !strings.EqualFold(org, current) {
			out = append(out, org)
		}
	}
	slices.Sort(out)
	if !strings.EqualFold(a.Name, current) {
		out = append([]string{a.Name}, out...)
	}
	if current != "" {
		out = append([]string{current}, out...)
	}
	return out
}

func (s *Server) showCreate(v *visit) error {
	t, err := hub.ParseRepoType(v.form.Or("type", v.r.URL.Query().Get("type")))
	if err != nil || t == hub.Kernel { // kernels come from their own tool
		t = hub.Model
	}
	return s.showForm(v, "new", "New repository", createView{
		Form: v.form, Type: t, Types: creatable, Namespaces: namespaces(v.actor, ""), Licenses: licenses, SDKs: sdkChoices,
		Visible: visibilities(hub.Model),
	})
}

// create makes a repository.
func (s *Server) create(v *visit) error {
	req, err := readCreate(v.form)
	var row store.Repo
	if err == nil {
		row, err = s.repos.Create(v.r.Context(), v.actor, req)
	}
	if v.refuse(err) {
		return s.showCreate(v)
	}
	if err != nil {
		return err
	}
	v.redirect(api.PathOf(row.Type, row.Name))
	return nil
}

func readCreate(f form) (repo.CreateRequest, error) {
	t, err := hub.ParseRepoType(f.Get("type"))
	if err != nil {
		return repo.CreateRequest{}, err
	}
	id, err := hub.NewRepoID(f.Get("namespace"), strings.TrimSpace(f.Get("name")))
	if err != nil {
		return repo.CreateRequest{}, err
	}
	req := repo.CreateRequest{Type: t, ID: id, Visibility: hub.Public}
	if f.Get("visibility") == string(hub.Private) {
		req.Visibility = hub.Private
	}
	if l := f.Get("license"); l != "" {
		if !slices.Contains(licenses, l) {
			return repo.CreateRequest{}, hub.Invalidf("Choose a license from the list.")
		}
		req.License = l
	}
	if t == hub.Space {
		req.SDK = f.Get("sdk")
	}
	return req, nil
}
