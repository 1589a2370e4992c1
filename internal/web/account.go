package web

import (
	"strconv"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/identity"
)

type accountView struct {
	Form    form
	Tab     string
	Saved   string // what was done
	Account hub.Account
	Orgs    []orgView
}

// savedNotes are what the account page says after a change.
var savedNotes = map[string]string{"password": "Your password was changed. Other browsers are signed out."}

func (s *Server) showAccount(v *visit) error {
	a, err := s.identity.AccountByID(v.r.Context(), v.actor.ID)
	if err != nil {
		return err
	}
	view := accountView{Form: v.form, Tab: "account", Account: a, Saved: savedNotes[v.r.URL.Query().Get("saved")]}
	if view.Orgs, err = s.orgsOf(v, a); err != nil {
		return err
	}
	return s.showForm(v, "account", "Account", view)
}

// changePassword ends all sessions, so this browser gets a new one.
func (s *Server) changePassword(v *visit) error {
	err := samePassword(v.form)
	if err == nil {
		err = s.identity.ChangePassword(v.r.Context(), v.actor.ID, v.form.Get("old"), v.form.Get("password"), s.address(v.r))
	}
	if v.refuse(err) {
		return s.showAccount(v)
	}
	if err != nil {
		return err
	}
	if err := s.auth.SignIn(v.w, v.r, v.actor.ID); err != nil {
		return err
	}
	v.redirect("/settings/account?saved=password")
	return nil
}

// endSessions signs the user out everywhere, here as well.
func (s *Server) endSessions(v *visit) error {
	if err := s.identity.EndSessions(v.r.Context(), v.actor.ID); err != nil {
		return err
	}
	if err := s.auth.SignOut(v.w, v.r); err != nil {
		return err
	}
	v.redirect("/login")
	return nil
}

type tokensView struct {
	Form   form
	Tab    string
	Base   string
	Tokens []tokenView
	New    string // the text of a token that was just made; shown this once
}

type tokenView struct {
	ID       int64
	Name     string
	Role     string
	Hint     string
	App      bool // given to an app that the user let in
	Created  time.Time
	LastUsed time.Time // zero: never
	Expires  time.Time // zero: never
}

func (s *Server) showTokens(v *visit) error { return s.tokensPage(v, "") }

func (s *Server) tokensPage(v *visit, fresh string) error {
	list, err := s.identity.Tokens(v.r.Context(), v.actor.ID)
	if err != nil {
		return err
	}
	view := tokensView{Form: v.form, Tab: "tokens", Base: s.base(v.r), New: fresh}
	for _, t := range list {
		if !t.LastUsedAt.IsZero() && t.LastUsedAt.Before(t.CreatedAt) {
			t.LastUsedAt = t.CreatedAt // uses are noted to five minutes
		}
		view.Tokens = append(view.Tokens, tokenView{
			ID: t.ID, Name: t.Name, Role: string(t.Role), Hint: t.Hint, App: t.Kind == identity.OAuthToken,
			Created: t.CreatedAt, LastUsed: t.LastUsedAt, Expires: t.ExpiresAt,
		})
	}
	return s.showForm(v, "tokens", "Access tokens", view)
}

// lifetimes are the choices of how long a token is good, in days.
var lifetimes = map[string]int{"": 0, "30": 30, "90": 90, "365": 365}

// createToken makes a token and shows it: the page after a redirect could not.
func (s *Server) createToken(v *visit) error {
	n := identity.NewToken{Name: v.form.Get("name"), Role: hub.TokenRole(v.form.Get("role"))}
	days, ok := lifetimes[v.form.Get("days")]
	if days > 0 {
		n.ExpiresAt = s.now().AddDate(0, 0, days)
	}
	var text string
	var err error = hub.Invalidf("Choose a lifetime from the list.")
	if ok {
		text, _, err = s.identity.CreateToken(v.r.Context(), v.actor.ID, n)
	}
	if v.refuse(err) {
		return s.showTokens(v)
	}
	if err != nil {
		return err
	}
	v.form = form{}
	return s.tokensPage(v, text)
}

func (s *Server) revokeToken(v *visit) error {
	id, err := strconv.ParseInt(v.form.Get("id"), 10, 64)
	if err != nil {
		return hub.Invalidf("There is no such token.")
	}
	if err := s.identity.RevokeToken(v.r.Context(), v.actor.ID, id); err != nil && hub.CodeOf(err) != hub.CodeNotFound {
		return err
	}
	v.redirect("/settings/tokens")
	return nil
}
