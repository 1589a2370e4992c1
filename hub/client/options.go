package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// DefaultEndpoint is the hub that is asked when nothing names another.
const DefaultEndpoint = "https://huggingface.co"

const (
	defaultWorkers = 8
	// stallTimeout is how long a hub may send nothing before the connection is
	// given up and, as a rule, tried again.
	stallTimeout = 30 * time.Second
	// maxTokenFile bounds the token file, which holds some forty bytes.
	maxTokenFile = 64 << 10
)

// Options says which hub, as whom, and where to. The zero value takes
// everything from the environment.
type Options struct {
	// Endpoint is the hub's URL; HF_ENDPOINT, or huggingface.co.
	Endpoint string
	// Token is an access token; HF_TOKEN, or the file that `hf auth login`
	// wrote. Anonymous ignores all three.
	Token     string
	Anonymous bool
	// CacheDir is the folder of repositories; HF_HUB_CACHE, or HF_HOME/hub.
	CacheDir string
	// Offline asks no hub: what is not in the cache is an error that wraps
	// ErrNotCached. HF_HUB_OFFLINE=1 sets it too.
	Offline bool
	// Workers is how many files are downloaded at once; 8.
	Workers int
	// HTTP sends the requests; its redirect policy is replaced. By default an
	// HTTP/1.1 client with the proxy of the environment.
	HTTP *http.Client
	// Progress is told how downloads go; nil for nobody.
	Progress Progress
	// Env looks up environment variables; os.Getenv.
	Env func(string) string
}

// Client downloads from one hub. It is safe for use by several goroutines.
type Client struct {
	endpoint *url.URL // without a trailing slash
	token    string
	cache    string
	offline  bool
	workers  int
	http     *http.Client
	progress Progress
	stall    time.Duration
}

// New makes a client. It reads the environment and the token file, and
// touches nothing else.
func New(o Options) (*Client, error) {
	env := o.Env
	if env == nil {
		env = os.Getenv
	}
	endpoint, err := parseEndpoint(first(o.Endpoint, env("HF_ENDPOINT"), DefaultEndpoint))
	if err != nil {
		return nil, err
	}
	c := &Client{
		endpoint: endpoint, offline: o.Offline || truthy(env("HF_HUB_OFFLINE")) || truthy(env("TRANSFORMERS_OFFLINE")),
		workers: o.Workers, progress: o.Progress, stall: stallTimeout,
	}
	if c.workers <= 0 {
		c.workers = defaultWorkers
	}
	if c.progress == nil {
		c.progress = silent{}
	}
	if c.cache, err = cacheDir(o.CacheDir, env); err != nil {
		return nil, err
	}
	if c.token, err = findToken(o, env); err != nil {
		return nil, err
	}
	c.http = httpClient(o.HTTP, c.workers)
	return c, nil
}

// Endpoint is the URL of the hub that the client asks.
func (c *Client) Endpoint() string { return c.endpoint.String() }

// CacheDir is the folder that holds the cache.
func (c *Client) CacheDir() string { return c.cache }

func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, hub.Invalidf("HF_ENDPOINT: %q is not the URL of a hub, such as https://huggingface.co", s)
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u, nil
}

// httpClient leaves redirects to the caller, who decides which of them see the
// token. The default speaks HTTP/1.1, one connection a file: parallel streams
// of one HTTP/2 connection share its window.
func httpClient(given *http.Client, workers int) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ForceAttemptHTTP2 = false
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		t.MaxIdleConnsPerHost = workers
		c.Transport = t
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// hfHome is where huggingface_hub keeps everything.
func hfHome(env func(string) string) (string, error) {
	if home := env("HF_HOME"); home != "" {
		return expand(home, env)
	}
	if base := env("XDG_CACHE_HOME"); base != "" {
		return expand(filepath.Join(base, "huggingface"), env)
	}
	return expand(filepath.Join("~", ".cache", "huggingface"), env)
}

func cacheDir(given string, env func(string) string) (string, error) {
	dir := first(given, env("HF_HUB_CACHE"), env("HUGGINGFACE_HUB_CACHE"))
	if dir == "" {
		home, err := hfHome(env)
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, "hub")
	}
	dir, err := expand(dir, env)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// expand replaces $NAME and a leading ~, as Python's os.path does.
func expand(path string, env func(string) string) (string, error) {
	path = os.Expand(path, env)
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, `~\`) {
		return path, nil
	}
	home := env("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("find the cache: %w", err)
		}
	}
	return filepath.Join(home, path[1:]), nil
}

func findToken(o Options, env func(string) string) (string, error) {
	if o.Anonymous {
		return "", nil
	}
	if t := first(o.Token, strings.TrimSpace(env("HF_TOKEN")), strings.TrimSpace(env("HUGGING_FACE_HUB_TOKEN"))); t != "" {
		return checkToken(t)
	}
	if truthy(env("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return "", nil
	}
	path := env("HF_TOKEN_PATH")
	if path == "" {
		home, err := hfHome(env)
		if err != nil {
			return "", nil // no home, no token file
		}
		path = filepath.Join(home, "token")
	}
	path, err := expand(path, env)
	if err != nil {
		return "", nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return checkToken(strings.TrimSpace(string(text)))
}

// checkToken refuses what cannot be a header, without repeating it.
func checkToken(t string) (string, error) {
	if strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", hub.Invalidf("The access token (HF_TOKEN) holds blanks or characters beyond ASCII.")
	}
	return t, nil
}

// truthy reads a variable as huggingface_hub does.
func truthy(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
