package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestFirstAccount follows the link that an empty hub prints: it makes the
// first account, an administrator's, and works once.
func TestFirstAccount(t *testing.T) {
	h := serve(t)
	printed, err := os.ReadFile(h.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(regexp.QuoteMeta(h.URL) + `/setup\?code=\S+`).FindString(string(printed))
	if link == "" {
		t.Fatalf("serve printed no link for the first account:\n%s", printed)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	if page := fetch(t, browser, "GET", link, nil); page.StatusCode != http.StatusOK {
		t.Fatalf("GET the link: %s", page.Status)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"code": u.Query()["code"], "username": {"root-user"},
		"password": {"a long enough password"}, "password2": {"a long enough password"},
	}
	wrong := url.Values{"code": {"wrong"}, "username": {"mallory"}, "password": form["password"], "password2": form["password"]}
	if reply := fetch(t, browser, "POST", h.URL+"/setup", wrong); reply.StatusCode < 400 {
		t.Errorf("POST with a wrong code: %s, want a refusal", reply.Status)
	}
	if reply := fetch(t, browser, "POST", h.URL+"/setup", form); reply.StatusCode != http.StatusOK {
		t.Fatalf("POST the form: %s", reply.Status)
	}
	if reply := fetch(t, browser, "GET", h.URL+"/settings/tokens", nil); reply.Request.URL.Path != "/settings/tokens" {
		t.Errorf("the new administrator is not signed in: was sent to %s", reply.Request.URL)
	}
	again := url.Values{"code": form["code"], "username": {"second"}, "password": form["password"], "password2": form["password"]}
	if reply := fetch(t, &http.Client{}, "POST", h.URL+"/setup", again); reply.StatusCode < 400 {
		t.Errorf("POST the form a second time: %s, want a refusal", reply.Status)
	}
	if reply := fetch(t, &http.Client{}, "GET", h.URL+"/root-user", nil); reply.StatusCode != http.StatusOK {
		t.Errorf("GET the profile: %s", reply.Status)
	}
}

// fetch sends a request as a browser on the hub's own page would.
func fetch(t *testing.T, c *http.Client, method, target string, form url.Values) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}
