package hubapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/card"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// createRepo answers POST /api/repos/create.
func (s *Server) createRepo(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.signedIn(r)
	if err != nil {
		return err
	}
	var body api.CreateRepo
	if err := httpx.DecodeLargeJSON(w, r, &body); err != nil {
		return err
	}
	req, err := decodeCreate(actor, body)
	if err != nil {
		return err
	}
	row, err := s.repos.Create(r.Context(), actor, req)
	if hub.CodeOf(err) == hub.CodeConflict {
		return s.exists(r, actor, err, req.Type, req.ID)
	}
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, s.created(r, row.Type, row.Name, api.WireID(row.ID, row.CreatedAt)))
}

// exists adds the URL of the repository that is in the way to a conflict, in
// the spelling of its owner. Clients with exist_ok read it from the error.
func (s *Server) exists(r *http.Request, actor hub.Actor, err error, t hub.RepoType, id hub.RepoID) error {
	if rp, openErr := s.repos.Open(r.Context(), actor, t, id, authz.See); openErr == nil {
		id = rp.Name
	}
	return &httpx.ExistsError{Err: err, URL: s.base(r) + api.PathOf(t, id)}
}

func (s *Server) created(r *http.Request, t hub.RepoType, id hub.RepoID, wireID string) api.CreatedRepo {
	return api.CreatedRepo{URL: s.base(r) + api.PathOf(t, id), Name: id.String(), ID: wireID}
}

// signedIn returns who is asking, or refuses the anonymous.
func (s *Server) signedIn(r *http.Request) (hub.Actor, error) {
	actor, err := s.actor(r)
	if err == nil && actor.IsAnonymous() {
		err = hub.ErrUnauthenticated
	}
	return actor, err
}

func decodeCreate(actor hub.Actor, body api.CreateRepo) (repo.CreateRequest, error) {
	t, err := hub.ParseRepoType(body.Type)
	if err != nil {
		return repo.CreateRequest{}, err
	}
	id, err := bodyID(actor, body.Organization, body.Name)
	if err != nil {
		return repo.CreateRequest{}, err
	}
	visibility, err := visibility(body.Visibility, body.Private)
	if err != nil {
		return repo.CreateRequest{}, err
	}
	req := repo.CreateRequest{Type: t, ID: id, Visibility: visibility, SDK: body.SDK, License: body.License}
	for _, f := range body.Files {
		op := repo.Operation{Kind: repo.PutFile, Path: f.Path, Content: []byte(f.Content)}
		if f.Encoding == "base64" {
			if op.Content, err = base64.StdEncoding.DecodeString(f.Content); err != nil {
				return repo.CreateRequest{}, hub.Invalidf("The content of %q is not base64.", f.Path)
			}
		}
		req.Files = append(req.Files, op)
	}
	return req, nil
}

// bodyID reads a repository id of a request body: the namespace may be in the
// name, in organization, or the actor's own.
func bodyID(actor hub.Actor, organization, name string) (hub.RepoID, error) {
	if ns, rest, ok := strings.Cut(name, "/"); ok {
		return hub.NewRepoID(ns, rest)
	}
	if organization == "" {
		organization = actor.Name
	}
	return hub.NewRepoID(organization, name)
}

// visibility reads the new and the legacy way to say it.
func visibility(v string, private *bool) (hub.Visibility, error) {
	switch hub.Visibility(v) {
	case hub.Public, hub.Private, hub.Protected:
		return hub.Visibility(v), nil
	case "":
		if private != nil && *private {
			return hub.Private, nil
		}
		return hub.Public, nil
	}
	return "", hub.Invalidf("visibility must be public, private or protected")
}

// deleteRepo answers DELETE /api/repos/delete.
func (s *Server) deleteRepo(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.signedIn(r)
	if err != nil {
		return err
	}
	var body api.RepoRef
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	t, err := hub.ParseRepoType(body.Type)
	if err != nil {
		return err
	}
	id, err := bodyID(actor, body.Organization, body.Name)
	if err != nil {
		return err
	}
	rp, err := s.repos.Open(r.Context(), actor, t, id, authz.Admin)
	if err != nil {
		return notMoved(err)
	}
	if err := rp.Delete(r.Context()); err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, struct{}{})
}

// notMoved turns a former id into an unknown one, where acting on the new
// repository would surprise.
func notMoved(err error) error {
	var moved *repo.MovedError
	if errors.As(err, &moved) {
		return hub.ErrRepoNotFound
	}
	return err
}

// moveRepo answers POST /api/repos/move.
func (s *Server) moveRepo(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.signedIn(r)
	if err != nil {
		return err
	}
	var body api.MoveRepo
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	t, err := hub.ParseRepoType(body.Type)
	if err != nil {
		return err
	}
	from, err := hub.ParseRepoID(body.FromRepo)
	if err != nil {
		return err
	}
	to, err := hub.ParseRepoID(body.ToRepo)
	if err != nil {
		return err
	}
	rp, err := s.repos.Open(r.Context(), actor, t, from, authz.Admin)
	if err != nil {
		return notMoved(err)
	}
	id, err := rp.Move(r.Context(), to)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, s.created(r, t, id, api.WireID(rp.ID, rp.CreatedAt)))
}

// settings answers PUT …/settings.
func (s *Server) settings(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	var body api.Settings
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	set, err := decodeSettings(body)
	if err != nil {
		return err
	}
	row, err := rp.Update(r.Context(), set)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, map[string]any{
		"private": row.Visibility == hub.Private, "visibility": row.Visibility,
		"gated": wireGate(row.Gated), "discussionsDisabled": !row.Discussions,
	})
}

func decodeSettings(body api.Settings) (repo.Settings, error) {
	var set repo.Settings
	if body.Visibility != nil || body.Private != nil {
		text := ""
		if body.Visibility != nil {
			text = *body.Visibility
		}
		v, err := visibility(text, body.Private)
		if err != nil {
			return set, err
		}
		set.Visibility = &v
	}
	if len(body.Gated) > 0 && string(body.Gated) != "null" {
		g, err := decodeGate(body.Gated)
		if err != nil {
			return set, err
		}
		set.Gated = &g
	}
	if body.DiscussionsDisabled != nil {
		open := !*body.DiscussionsDisabled
		set.Discussions = &open
	}
	return set, nil
}

func decodeGate(raw json.RawMessage) (hub.Gate, error) {
	switch string(raw) {
	case "false":
		return hub.NotGated, nil
	case `"auto"`:
		return hub.GateAuto, nil
	case `"manual"`:
		return hub.GateManual, nil
	}
	return "", hub.Invalidf(`gated must be false, "auto" or "manual"`)
}

// wireGate is false or the kind of gate.
func wireGate(g hub.Gate) any {
	if g == hub.NotGated {
		return false
	}
	return g
}

// duplicate answers POST …/duplicate.
func (s *Server) duplicate(w http.ResponseWriter, r *http.Request, _ api.Route, rp *repo.Repo) error {
	var body api.Duplicate
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	to, err := bodyID(rp.Actor, "", body.Repository)
	if err != nil {
		return err
	}
	v := rp.Visibility
	if body.Visibility != "" || body.Private != nil {
		if v, err = visibility(body.Visibility, body.Private); err != nil {
			return err
		}
	}
	row, err := rp.Duplicate(r.Context(), to, v)
	if hub.CodeOf(err) == hub.CodeConflict {
		return s.exists(r, rp.Actor, err, rp.Type, to)
	}
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, s.created(r, row.Type, row.Name, api.WireID(row.ID, row.CreatedAt)))
}

// authCheck answers GET …/auth-check[/write]: the right to read was checked.
func (s *Server) authCheck(w http.ResponseWriter, _ *http.Request, route api.Route, rp *repo.Repo) error {
	switch route.Tail() {
	case "":
	case "write":
		if err := rp.Require(authz.Write); err != nil {
			return err
		}
	default:
		return hub.Errorf(hub.CodeNotFound, "There is no auth-check/%s.", route.Tail())
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// scan answers GET …/scan: nothing scans yet, which is said as such.
func (s *Server) scan(w http.ResponseWriter, _ *http.Request, _ api.Route, _ *repo.Repo) error {
	return httpx.JSON(w, http.StatusOK, map[string]any{"scansDone": false, "filesWithIssues": []any{}})
}

// validateYAML answers POST /api/validate-yaml, 400 when there are errors.
func (s *Server) validateYAML(w http.ResponseWriter, r *http.Request) error {
	var body api.ValidateYAML
	if err := httpx.DecodeJSON(w, r, &body); err != nil {
		return err
	}
	t, err := hub.ParseRepoType(body.RepoType)
	if err != nil {
		return err
	}
	report := card.Validate(t, []byte(body.Content))
	status := http.StatusOK
	if len(report.Errors) > 0 {
		status = http.StatusBadRequest
	}
	return httpx.JSON(w, status, report)
}

// agentHarnesses answers GET /api/agent-harnesses, which every Python process
// may ask while it builds its User-Agent: none are known.
func (s *Server) agentHarnesses(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "max-age=86400")
	return httpx.JSON(w, http.StatusOK, map[string]any{"standardEnvVars": []string{}, "harnesses": struct{}{}})
}

// telemetry answers HEAD /api/telemetry/…: nothing is recorded.
func (s *Server) telemetry(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// spaceTemplates answers GET /api/spaces/templates: this hub ships none.
func (s *Server) spaceTemplates(w http.ResponseWriter, _ *http.Request) error {
	return httpx.JSON(w, http.StatusOK, map[string]any{"templates": []any{}})
}

// ownRepositories answers GET /api/settings/repositories.
func (s *Server) ownRepositories(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.signedIn(r)
	if err != nil {
		return err
	}
	return s.storedRepositories(w, r, actor, actor.Name)
}

// orgRepositories answers GET /api/organizations/{org}/settings/repositories.
func (s *Server) orgRepositories(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.signedIn(r)
	if err != nil {
		return err
	}
	return s.storedRepositories(w, r, actor, r.PathValue("org"))
}

func (s *Server) storedRepositories(w http.ResponseWriter, r *http.Request, actor hub.Actor, namespace string) error {
	if actor.RoleIn(namespace) == "" && !actor.Admin {
		return hub.Errorf(hub.CodeForbidden, "You are no member of %q.", namespace)
	}
	types := hub.RepoTypes
	if t := r.URL.Query().Get("type"); t != "" {
		one, err := hub.ParseRepoType(t)
		if err != nil {
			return err
		}
		types = []hub.RepoType{one}
	}
	out := []api.StoredRepo{}
	for _, t := range types {
		rows, err := s.repos.Owned(r.Context(), actor, t, namespace, r.URL.Query()["search"])
		if err != nil {
			return err
		}
		for _, row := range rows {
			out = append(out, api.StoredRepo{
				ID: row.Name.String(), Type: row.Type, UpdatedAt: api.Time(row.UpdatedAt),
				Visibility: string(row.Visibility), Storage: row.UsedStorage,
			})
		}
	}
	return httpx.JSON(w, http.StatusOK, out)
}
