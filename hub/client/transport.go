package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

const (
	maxRedirects = 20
	attempts     = 6 // of one request that makes no progress
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 60 * time.Second
)

// userAgent is how the client introduces itself.
const userAgent = "pantry; hf_hub/go"

// request is one question to a hub.
type request struct {
	method string
	url    string
	about  subject
	from   int64 // first byte wanted
	to     int64 // the byte behind the last one wanted; 0 for the end
	// refused, if not nil, sees the headers of an answer of 400 or more.
	refused func(http.Header)
}

// send asks once, following redirects. The answer's status is below 400.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	if c.offline {
		return nil, hub.Errorf(hub.CodeUnavailable, "Offline mode is on (HF_HUB_OFFLINE): the hub at %s is not asked.", c.Endpoint())
	}
	ctx, watch := c.newWatchdog(ctx)
	resp, err := c.follow(ctx, r)
	if err != nil {
		watch.stop()
		return nil, err
	}
	watch.body, resp.Body = resp.Body, watch
	if resp.StatusCode >= 400 {
		if r.refused != nil {
			r.refused(resp.Header)
		}
		return nil, c.statusError(resp, r.about)
	}
	return resp, nil
}

// follow sends a request and then, for as long as it is redirected, the next.
// The token goes to the endpoint only, and not again once a redirect has left
// it. A HEAD stops at a redirect to a storage host: it carries the file's
// headers itself.
func (c *Client) follow(ctx context.Context, r request) (*http.Response, error) {
	at, err := url.Parse(r.url)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	trusted := sameOrigin(at, c.endpoint)
	for range maxRedirects {
		resp, err := c.http.Do(c.newRequest(ctx, r, at, trusted))
		if err != nil {
			return nil, c.connectionError(ctx, err)
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode/100 != 3 || location == "" {
			return resp, nil
		}
		next, err := at.Parse(location)
		if err != nil {
			resp.Body.Close()
			return nil, hub.Errorf(hub.CodeUnavailable, "The hub at %s redirects to no URL.", c.Endpoint())
		}
		if r.method == http.MethodHead && !sameOrigin(next, at) && resp.Header.Get("X-Repo-Commit") != "" {
			return resp, nil
		}
		io.CopyN(io.Discard, resp.Body, maxErrorBody) // so that the connection can be used again
		resp.Body.Close()
		if at.Scheme == "https" && next.Scheme != "https" || next.Scheme != "https" && next.Scheme != "http" {
			return nil, hub.Errorf(hub.CodeUnavailable, "The hub at %s redirects to %s://%s, which is not safe.", c.Endpoint(), next.Scheme, next.Host)
		}
		trusted = trusted && sameOrigin(next, at)
		at = next
	}
	return nil, hub.Errorf(hub.CodeUnavailable, "The hub at %s redirects more than %d times.", c.Endpoint(), maxRedirects)
}

func (c *Client) newRequest(ctx context.Context, r request, at *url.URL, trusted bool) *http.Request {
	req := (&http.Request{Method: r.method, URL: at, Host: at.Host, Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file
	if c.token != "" && trusted {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	switch {
	case r.to > 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.from, r.to-1))
	case r.from > 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", r.from))
	}
	return req
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// retry calls f until it succeeds, fails for good, or has failed tries times
// in a row without progress. It waits twice as long after each failure.
func retry(ctx context.Context, tries int, f func() (progress bool, err error)) error {
	backoff := firstBackoff
	for failed := 1; ; failed++ {
		progress, err := f()
		var again transient
		if err == nil || !errors.As(err, &again) {
			return err
		}
		if progress {
			failed, backoff = 1, firstBackoff
		}
		if failed >= tries {
			return again.error
		}
		wait := max(backoff/2+rand.N(backoff/2), again.after)
		backoff = min(2*backoff, maxBackoff)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

var errStalled = errors.New("nothing came for too long")

// watchdog ends a request when nothing has come for a while. It is the body of
// the response.
type watchdog struct {
	body   io.ReadCloser
	timer  *time.Timer
	after  time.Duration
	cancel context.CancelCauseFunc
	broken func(error) error // describes a failed read
}

func (c *Client) newWatchdog(ctx context.Context) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	after := c.stall
	w := &watchdog{after: after, cancel: cancel}
	w.broken = func(err error) error { return c.connectionError(ctx, err) }
	w.timer = time.AfterFunc(after, func() { cancel(errStalled) })
	return ctx, w
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// Read implements io.Reader.
func (w *watchdog) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.timer.Reset(w.after)
	}
	if err != nil && err != io.EOF {
		err = w.broken(err)
	}
	return n, err
}

// Close implements io.Closer.
func (w *watchdog) Close() error {
	w.stop()
	return w.body.Close()
}
