package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// ErrNotCached is wrapped when a file is needed that is not in the cache, and
// the hub was not to be asked or could not be.
var ErrNotCached = errors.New("not in the cache")

// maxErrorBody bounds what is read of an error's explanation.
const maxErrorBody = 16 << 10

// subject is what a request is about, for messages. path is empty when it is
// about the whole repository.
type subject struct {
	Source
	path string
}

// transient marks an error after which the same request may succeed.
type transient struct {
	error
	after time.Duration // the hub's wish; 0 for none
}

func (t transient) Unwrap() error { return t.error }

// unreachable reports whether err says nothing about the repository: the hub
// could not be asked, or had no time to answer.
func unreachable(err error) bool {
	code := hub.CodeOf(err)
	return code == hub.CodeUnavailable || code == hub.CodeRateLimited
}

// connectionError describes a request that got no answer, or only a part of
// one. ctx is the request's own, which its watchdog may have ended.
func (c *Client) connectionError(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		err = errStalled
	case ctx.Err() != nil:
		return ctx.Err()
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // its URL may carry a signature
	}
	return transient{error: hub.Errorf(hub.CodeUnavailable, "Cannot reach the hub at %s: %v.", c.Endpoint(), err)}
}

// statusError describes an answer of 400 or more and closes it.
func (c *Client) statusError(resp *http.Response, about subject) error {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut explanation is still one
	e := c.explain(resp, about, explanation(resp, body))
	if slices.Contains(transientStatus, resp.StatusCode) {
		return transient{error: e, after: retryAfter(resp.Header)}
	}
	return e
}

var transientStatus = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// explain maps an answer to an error, in the order in which Python's client
// looks: the code first, the status after it.
func (c *Client) explain(resp *http.Response, about subject, said string) *hub.Error {
	signIn := " or needs a token that may read it (HF_TOKEN)"
	if c.token != "" {
		signIn = ", or your token may not read it"
	}
	status := resp.StatusCode
	switch code := resp.Header.Get("X-Error-Code"); {
	case code == "RevisionNotFound":
		return hub.Errorf(hub.CodeRevisionNotFound, "The %s has no revision %q.", about.Source, about.revision())
	case code == "EntryNotFound":
		return hub.Errorf(hub.CodeEntryNotFound, "The %s has no file %q at revision %q.", about.Source, about.path, about.revision())
	case code == "GatedRepo":
		kind := hub.CodeGatedRepo
		if status == http.StatusUnauthorized {
			kind = hub.CodeGatedAnonymous
		}
		return hub.Errorf(kind, "The %s is gated: ask for access at %s/%s%s, then use a token of that account (HF_TOKEN).",
			about.Source, c.Endpoint(), about.repoType().WebPrefix(), about.Name())
	case code == "RepoNotFound", code == "" && status == http.StatusNotFound && about.path == "":
		return hub.Errorf(hub.CodeRepoNotFound, "There is no %s at %s, or it is private%s.", about.Source, c.Endpoint(), signIn)
	case status == http.StatusUnauthorized && c.token == "":
		return hub.Errorf(hub.CodeRepoNotFound, "There is no %s at %s, or it is private%s.", about.Source, c.Endpoint(), signIn)
	case status == http.StatusUnauthorized:
		return hub.Errorf(hub.CodeUnauthenticated, "The hub at %s does not accept the token (HF_TOKEN): %s", c.Endpoint(), said)
	case status == http.StatusForbidden:
		return hub.Errorf(hub.CodeForbidden, "The hub at %s refuses the %s: %s", c.Endpoint(), about.Source, said)
	case status == http.StatusNotFound:
		return hub.Errorf(hub.CodeEntryNotFound, "The %s has no file %q at revision %q.", about.Source, about.path, about.revision())
	case status == http.StatusTooManyRequests:
		return hub.Errorf(hub.CodeRateLimited, "The hub at %s asks for fewer requests: %s", c.Endpoint(), said)
	case status >= 500 || status == http.StatusRequestTimeout:
		return hub.Errorf(hub.CodeUnavailable, "The hub at %s failed: %s", c.Endpoint(), said)
	}
	return hub.Errorf(hub.CodeInvalid, "The hub at %s did not understand the request for the %s: %s", c.Endpoint(), about.Source, said)
}

// explanation is the hub's own text, with the status before it.
func explanation(resp *http.Response, body []byte) string {
	text := resp.Header.Get("X-Error-Message")
	var reply struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if text == "" && json.Unmarshal(body, &reply) == nil {
		if json.Unmarshal(reply.Error, &text) != nil {
			text = string(bytes.TrimSpace(reply.Error))
		}
		text = first(text, reply.Message)
	}
	const enough = 300
	if len(text) > enough {
		text = text[:enough] + "…"
	}
	if id := resp.Header.Get("X-Request-Id"); id != "" && resp.StatusCode >= 500 {
		text += " (request " + strconv.Quote(id) + ")"
	}
	if text == "" {
		return resp.Status
	}
	return resp.Status + ": " + text
}

// rateLimitReset is the seconds until a quota is full again, in the RateLimit
// header of huggingface.co: `"resolvers";r=0;t=240`.
var rateLimitReset = regexp.MustCompile(`;\s*t=(\d{1,9})`)

// retryAfter is how long a hub wants to be left alone, at most maxBackoff.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if m := rateLimitReset.FindStringSubmatch(h.Get("RateLimit")); text == "" && m != nil {
		text = m[1]
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxBackoff)
}
