package web

import (
	"net/http"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/repo"
)

type settingsView struct {
	Repo       repoHeader
	Form       form
	Section    string // whose form was refused
	Saved      bool
	Visibility hub.Visibility
	Visible    []choice
	Namespaces []string
	Storage    int64
}

// choice is an option of a form with its explanation.
type choice struct{ Value, Text, About string }

func visibilities(t hub.RepoType) []choice {
	out := []choice{{"public", "Public", "Everybody can see it and download its files."}}
	if t == hub.Space {
		out = append(out, choice{"protected", "Protected", "Everybody can use the app; only you and your organization see the files."})
	}
	return append(out, choice{"private", "Private", "Only you, or the members of its organization, know that it exists."})
}

func (s *Server) showSettings(v *visit, rv *repoVisit) error {
	if rv.route.Tail() != "" {
		return hub.ErrNotFound
	}
	return s.settingsPage(v, rv, "")
}

// settingsPage shows the settings; section is the form that was refused.
func (s *Server) settingsPage(v *visit, rv *repoVisit, section string) error {
	view := settingsView{
		Repo: s.header(v, rv, "Settings"), Form: v.form, Section: section, Saved: v.r.URL.Query().Get("saved") != "",
		Visibility: rv.rp.Visibility, Visible: visibilities(rv.rp.Type), Storage: rv.rp.UsedStorage,
		Namespaces: namespaces(v.actor, rv.rp.Name.Namespace),
	}
	status := http.StatusOK
	if section != "" {
		status = api.Status(v.form.code)
	}
	return s.write(v, status, "reposettings", frame{Title: "Settings · " + view.Repo.ID, Nav: rv.rp.Type.Plural(), Body: view})
}

// changeSettings answers the forms of the settings page.
func (s *Server) changeSettings(v *visit, rv *repoVisit) error {
	section := rv.route.Tail()
	change, ok := map[string]func(*visit, *repoVisit) (string, error){
		"visibility": setVisibility, "rename": renameRepo, "delete": deleteRepo,
	}[section]
	if !ok {
		return hub.ErrNotFound
	}
	next, err := change(v, rv)
	if v.refuse(err) {
		return s.settingsPage(v, rv, section)
	}
	if err != nil {
		return err
	}
	v.redirect(next)
	return nil
}

// setVisibility and the others below return where to go on.
func setVisibility(v *visit, rv *repoVisit) (string, error) {
	visibility := hub.Visibility(v.form.Get("visibility"))
	switch visibility {
	case hub.Public, hub.Private, hub.Protected:
	default:
		return "", hub.Invalidf("Choose who can see the repository.")
	}
	_, err := rv.rp.Update(v.r.Context(), repo.Settings{Visibility: &visibility})
	return api.PathOf(rv.rp.Type, rv.rp.Name) + "/settings?saved=1", err
}

func renameRepo(v *visit, rv *repoVisit) (string, error) {
	to, err := hub.NewRepoID(v.form.Get("namespace"), strings.TrimSpace(v.form.Get("name")))
	if err != nil {
		return "", err
	}
	moved, err := rv.rp.Move(v.r.Context(), to)
	return api.PathOf(rv.rp.Type, moved) + "/settings?saved=1", err
}

func deleteRepo(v *visit, rv *repoVisit) (string, error) {
	if strings.TrimSpace(v.form.Get("confirm")) != rv.rp.Name.String() {
		return "", hub.Invalidf("Type %s to confirm.", rv.rp.Name)
	}
	return "/" + rv.rp.Name.Namespace, rv.rp.Delete(v.r.Context())
}
