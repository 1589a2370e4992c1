package wiretest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Client is one user of a hub. It follows no redirects.
type Client struct {
	URL   string // of the hub, without a trailing slash
	Token string // "" for the anonymous
	HTTP  *http.Client
}

// New makes a client with connections of its own, which are closed after the
// test: a server that stops waits for those it has never had a request from.
func New(t testing.TB, url, token string) *Client {
	c := &Client{URL: url, Token: token, HTTP: &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// As is the same client with another token.
func (c *Client) As(token string) *Client { return &Client{URL: c.URL, Token: token, HTTP: c.HTTP} }

// Reply is a response with its whole body.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// OK reports a status of success.
func (r Reply) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Err is nil for a status of success, else a *StatusError.
func (r Reply) Err() error {
	if r.OK() {
		return nil
	}
	return &StatusError{Reply: r}
}

// Decode reads the body as JSON.
func (r Reply) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("body %.200q: %w", r.Body, err)
	}
	return nil
}

// StatusError is an answer other than success.
type StatusError struct{ Reply Reply }

func (e *StatusError) Error() string {
	return fmt.Sprintf("status %d (request %s): %.300s", e.Reply.Status, e.Reply.Header.Get("X-Request-Id"), e.Reply.Body)
}

// Do sends one request. The target is a path with its query, percent-encoded
// as it is to be sent, or a whole URL. Headers are pairs of name and value.
func (c *Client) Do(ctx context.Context, method, target string, body io.Reader, headers ...string) (Reply, error) {
	if strings.HasPrefix(target, "/") {
		target = c.URL + target
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return Reply{}, err
	}
	if c.Token != "" && strings.HasPrefix(target, c.URL+"/") {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Reply{}, fmt.Errorf("read the body of a %d: %w", res.StatusCode, err)
	}
	return Reply{Status: res.StatusCode, Header: res.Header, Body: b}, nil
}

// Get sends a GET.
func (c *Client) Get(ctx context.Context, target string, headers ...string) (Reply, error) {
	return c.Do(ctx, http.MethodGet, target, nil, headers...)
}

// JSON sends v as JSON.
func (c *Client) JSON(ctx context.Context, method, target string, v any) (Reply, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Reply{}, err
	}
	return c.Do(ctx, method, target, bytes.NewReader(b), "Content-Type", "application/json")
}
