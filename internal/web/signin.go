package web

import (
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/identity"
)

type signInView struct {
	Form form
	Next string
	Code string // of a one-time link
	User string // whose password is set
	Base string
}

// next is where a form leads on to.
func (v *visit) next() string {
	return localPath(v.form.Or("next", v.r.URL.Query().Get("next")))
}

func (s *Server) showLogin(v *visit) error {
	if !v.actor.IsAnonymous() && v.form.Error == "" {
		v.redirect(v.next())
		return nil
	}
	return s.showForm(v, "login", "Sign in", signInView{Form: v.form, Next: v.next()})
}

func (s *Server) login(v *visit) error {
	a, err := s.identity.SignIn(v.r.Context(), v.form.Get("username"), v.r.PostForm.Get("password"), s.address(v.r))
	if v.refuse(err) {
		return s.showLogin(v)
	}
	if err != nil {
		return err
	}
	return s.enter(v, a)
}

// enter starts a session for an account and goes on.
func (s *Server) enter(v *visit, a hub.Account) error {
	if err := s.auth.SignIn(v.w, v.r, a.ID); err != nil {
		return err
	}
	v.redirect(v.next())
	return nil
}

func (s *Server) logout(v *visit) error {
	if err := s.auth.SignOut(v.w, v.r); err != nil {
		return err
	}
	v.redirect("/")
	return nil
}

func (s *Server) showJoin(v *visit) error {
	if !s.identity.OpenSignUp() {
		return hub.Errorf(hub.CodeForbidden, "Accounts on this hub are made by its administrator.")
	}
	return s.showForm(v, "join", "Create an account", signInView{Form: v.form, Next: v.next()})
}

func (s *Server) join(v *visit) error {
	n, err := readAccount(v.form)
	var a hub.Account
	if err == nil {
		a, err = s.identity.SignUp(v.r.Context(), n, s.address(v.r))
	}
	if v.refuse(err) {
		return s.showJoin(v)
	}
	if err != nil {
		return err
	}
	return s.enter(v, a)
}

func readAccount(f form) (identity.NewAccount, error) {
	n := identity.NewAccount{
		Name: strings.TrimSpace(f.Get("username")), FullName: strings.TrimSpace(f.Get("fullname")),
		Email: strings.TrimSpace(f.Get("email")), Password: f.Get("password"),
	}
	return n, samePassword(f)
}

func samePassword(f form) error {
	if f.Get("password") != f.Get("password2") {
		return hub.Invalidf("The two passwords differ.")
	}
	return nil
}

// code is the secret of a one-time link.
func (v *visit) code() string { return v.form.Or("code", v.r.URL.Query().Get("code")) }

// showSetup shows the page behind the link that makes the first administrator.
func (s *Server) showSetup(v *visit) error {
	if err := s.identity.FirstAdminCode(v.r.Context(), v.code(), s.address(v.r)); err != nil {
		return err
	}
	return s.showForm(v, "setup", "Set up this hub", signInView{Form: v.form, Code: v.code(), Base: s.base(v.r)})
}

func (s *Server) setup(v *visit) error {
	n, err := readAccount(v.form)
	var a hub.Account
	if err == nil {
		a, err = s.identity.RedeemFirstAdmin(v.r.Context(), v.code(), n, s.address(v.r))
	}
	if v.refuse(err) {
		return s.showSetup(v)
	}
	if err != nil {
		return err
	}
	return s.enter(v, a)
}

// showPassword shows the page behind a password link.
func (s *Server) showPassword(v *visit) error {
	a, err := s.identity.PasswordCode(v.r.Context(), v.code(), s.address(v.r))
	if err != nil {
		return err
	}
	return s.showForm(v, "password", "Set a password", signInView{Form: v.form, Code: v.code(), User: a.Name})
}

func (s *Server) password(v *visit) error {
	err := samePassword(v.form)
	var a hub.Account
	if err == nil {
		a, err = s.identity.RedeemPassword(v.r.Context(), v.code(), v.form.Get("password"), s.address(v.r))
	}
	if v.refuse(err) {
		return s.showPassword(v)
	}
	if err != nil {
		return err
	}
	return s.enter(v, a)
}
