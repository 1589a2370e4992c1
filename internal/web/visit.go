package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/ratelimit"
)

// visit is one request for a page and who makes it.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	actor hub.Actor
	form  form
}

// pageHandler answers a visit or returns an error, which becomes an error page.
// It must not return an error after it has begun the body.
type pageHandler func(*visit) error

// maxForm bounds the body of a form.
const maxForm = 64 << 10

// page finds out who visits, and refuses what does not come from a browser on a
// page of this hub.
func (s *Server) page(h pageHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		if err := s.visit(v, h); err != nil {
			s.writeError(v, err)
		}
	})
}

func (s *Server) visit(v *visit, h pageHandler) error {
	grant, err := s.auth.Grant(v.r)
	if err != nil {
		return err
	}
	v.actor = grant.Actor
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		return h(v)
	}
	if err := s.auth.CheckOrigin(v.r); err != nil {
		return err
	}
	if len(v.r.Header["Authorization"]) > 0 {
		return errTokenOnPage
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return hub.Invalidf("The form is malformed.")
	}
	v.form.Values = v.r.PostForm
	return h(v)
}

// errTokenOnPage answers requests that come with an access token where only a
// person in a browser may act: a token must not be able to make another.
var errTokenOnPage = hub.Errorf(hub.CodeForbidden, "Pages are for browsers. Use the API with an access token.")

// signedIn sends visitors who are not signed in to the sign-in page, and back
// afterwards.
func signedIn(h pageHandler) pageHandler {
	return func(v *visit) error {
		if len(v.r.Header["Authorization"]) > 0 {
			return errTokenOnPage
		}
		if !v.actor.IsAnonymous() {
			return h(v)
		}
		next := "/"
		if v.r.Method == http.MethodGet {
			next = v.r.URL.RequestURI()
		}
		v.redirect("/login?next=" + url.QueryEscape(next))
		return nil
	}
}

// redirect sends the browser to another page of the hub.
func (v *visit) redirect(path string) {
	http.Redirect(v.w, v.r, localPath(path), http.StatusSeeOther)
}

// localPath returns target if it is a path on this hub, "/" otherwise. Browsers
// read "//host" and "/\host" as other sites, and drop tabs and line ends.
func localPath(target string) string {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsRune(target, '\\') ||
		strings.ContainsFunc(target, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(target)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
		return "/"
	}
	return target
}

// form is what a form was sent with, to show it again, and what is wrong.
type form struct {
	Values url.Values
	Error  string
	code   hub.Code
}

// Get returns the value that a field was sent with.
func (f form) Get(name string) string { return f.Values.Get(name) }

// Or returns the value that a field was sent with, or def.
func (f form) Or(name, def string) string {
	if f.Values.Has(name) {
		return f.Values.Get(name)
	}
	return def
}

// refuse notes an error that the person at the form can act on, and reports
// whether it is one. Other errors are the hub's.
func (v *visit) refuse(err error) bool {
	if err == nil || hub.CodeOf(err) == hub.CodeInternal {
		return false
	}
	v.retryAfter(err)
	v.form.code, v.form.Error = httpx.Describe(v.r, err)
	return true
}

func (v *visit) retryAfter(err error) {
	var limited *ratelimit.Exceeded
	if errors.As(err, &limited) {
		v.w.Header().Set("Retry-After", strconv.Itoa(limited.RetryAfter()))
	}
}

// frame is what a page shows around its content.
type frame struct {
	Title  string
	Nav    string // the entry of the main menu that is current
	Actor  hub.Actor
	SignUp bool   // anybody may join
	Fresh  bool   // the hub waits for its first account
	Next   string // where signing in leads back to
	Narrow bool   // a page with one small form
	Body   any
}

// show writes a page: the template name with body as its data.
func (s *Server) show(v *visit, name, title string, body any) error {
	return s.write(v, http.StatusOK, name, frame{Title: title, Body: body})
}

// showForm is show for a page with one form: refused values have the status of
// their error.
func (s *Server) showForm(v *visit, name, title string, body any) error {
	status := http.StatusOK
	if v.form.Error != "" {
		status = api.Status(v.form.code)
	}
	return s.write(v, status, name, frame{Title: title, Body: body, Narrow: true})
}

func (s *Server) write(v *visit, status int, name string, f frame) error {
	f.Actor = v.actor
	ready, err := s.identity.Ready(v.r.Context())
	if err != nil {
		return err
	}
	f.Fresh, f.SignUp = !ready, ready && s.identity.OpenSignUp()
	if v.r.Method == http.MethodGet {
		f.Next = v.r.URL.RequestURI()
	}
	var out bytes.Buffer
	if err := s.templates[name].ExecuteTemplate(&out, "layout", f); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	h.Del("Access-Control-Allow-Origin") // pages are not for other sites' scripts
	v.w.WriteHeader(status)
	v.w.Write(out.Bytes()) // the browser is gone if this fails
	return nil
}

// errorView is the content of an error page.
type errorView struct {
	Status    int
	Heading   string
	Message   string
	RequestID string
	SignIn    bool   // signing in may help
	Next      string // where it leads back to
}

// headings are what error pages are called.
var headings = map[int]string{
	http.StatusNotFound:            "Not on this shelf",
	http.StatusForbidden:           "This jar is sealed",
	http.StatusUnauthorized:        "Sign in first",
	http.StatusTooManyRequests:     "Slow down a little",
	http.StatusInternalServerError: "Something broke",
	http.StatusServiceUnavailable:  "The hub is busy",
	http.StatusInsufficientStorage: "The shelves are full",
}

// writeError answers with an error page.
func (s *Server) writeError(v *visit, err error) {
	v.retryAfter(err)
	code, message := httpx.Describe(v.r, err)
	status := api.Status(code)
	view := errorView{
		Status: status, Heading: headings[status], Message: message, RequestID: httpx.RequestID(v.r.Context()),
		SignIn: v.actor.IsAnonymous() && (status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusUnauthorized),
	}
	if v.r.Method == http.MethodGet {
		view.Next = v.r.URL.RequestURI()
	}
	if view.Heading == "" {
		view.Heading = http.StatusText(status)
	}
	if code == hub.CodeRepoNotFound {
		view.Message = "There is no such repository, or it is private."
	}
	if name := api.ErrorHeader(code); name != "" {
		v.w.Header().Set("X-Error-Code", name)
	}
	if err := s.write(v, status, "error", frame{Title: view.Heading, Body: view, Narrow: true}); err != nil {
		httpx.WriteError(v.w, v.r, err)
	}
}
