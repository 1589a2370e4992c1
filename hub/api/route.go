package api

import (
	"net/url"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// Surface is which part of the hub a repository URL addresses.
type Surface uint8

// The surfaces.
const (
	Web Surface = iota // /{prefix}{id}/…: pages, resolve, raw
	API                // /api/{type}s/{id}/…
	Git                // /{prefix}{id}.git/…: git and LFS
)

// Route is a parsed repository URL. Every part is percent-decoded exactly once;
// nothing is cleaned, since file names may hold "//", "%" and "?".
type Route struct {
	Surface Surface
	Type    hub.RepoType
	// Namespace and Name are as they came; they need not be a valid id. Name is
	// the only segment of a legacy id such as gpt2, with Namespace empty.
	Namespace, Name string
	Verb            string   // "resolve", "tree", …; "" for the repository itself
	Rest            []string // the segments after the verb, decoded
	rawRest         string   // the same, still encoded
}

// ID returns the repository id, or an error when the segments are none.
func (r Route) ID() (hub.RepoID, error) {
	if r.Namespace == "" {
		return hub.ParseRepoID(r.Name)
	}
	return hub.NewRepoID(r.Namespace, r.Name)
}

// webVerbs are the words that may follow an id in a web URL. They are no
// repository names, so that "/gpt2/resolve/…" can be told from "/ns/name".
var webVerbs = map[string]bool{
	"resolve": true, "raw": true, "blob": true, "tree": true, "commits": true, "commit": true,
	"blame": true, "edit": true, "upload": true, "settings": true, "discussions": true, "info": true,
	"git-upload-pack": true, "git-receive-pack": true, "ask-access": true, "agents.md": true,
}

// ReservedRepoName reports whether a name cannot be given to a repository,
// because URLs use the word.
func ReservedRepoName(name string) bool { return webVerbs[strings.ToLower(name)] }

// ParseRoute parses the escaped path of a URL (url.URL.EscapedPath). It
// reports false for paths that do not address a repository.
func ParseRoute(escaped string) (Route, bool) {
	segs := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	r := Route{Type: hub.Model}
	switch {
	case segs[0] == "api":
		t, ok := hub.ParseRepoTypePlural(at(segs, 1))
		if !ok {
			return Route{}, false
		}
		r.Surface, r.Type, segs = API, t, segs[2:]
	default:
		if t, ok := hub.ParseRepoTypePlural(segs[0]); ok && t != hub.Model {
			r.Type, segs = t, segs[1:]
		}
	}
	rest, ok := r.takeID(segs)
	if !ok {
		return Route{}, false
	}
	if len(rest) > 0 {
		if r.Verb, ok = unescape(rest[0]); !ok || r.Verb == "" {
			return Route{}, false
		}
		rest = rest[1:]
	}
	r.rawRest = strings.Join(rest, "/")
	for _, s := range rest {
		d, ok := unescape(s)
		if !ok {
			return Route{}, false
		}
		r.Rest = append(r.Rest, d)
	}
	return r, true
}

// takeID reads one or two id segments and returns what follows.
func (r *Route) takeID(segs []string) (rest []string, ok bool) {
	first, ok := unescape(at(segs, 0))
	if !ok || first == "" {
		return nil, false
	}
	second, ok := unescape(at(segs, 1))
	if !ok {
		return nil, false
	}
	legacy := len(segs) == 1 || second == "" || webVerbs[second] || r.Surface == API && apiVerbs[second]
	if legacy {
		r.Name = first
		return trimEmpty(segs[1:]), true
	}
	r.Namespace, r.Name = first, second
	if base, isGit := strings.CutSuffix(second, ".git"); isGit && r.Surface == Web {
		r.Surface, r.Name = Git, base
	}
	return trimEmpty(segs[2:]), true
}

// apiVerbs are the verbs that follow a legacy one-segment id below /api.
var apiVerbs = map[string]bool{
	"tree": true, "revision": true, "refs": true, "commits": true, "paths-info": true, "resolve": true,
	"xet-read-token": true, "xet-write-token": true, "preupload": true, "commit": true, "auth-check": true,
}

// trimEmpty drops the empty segment that a trailing slash after the id leaves.
func trimEmpty(segs []string) []string {
	if len(segs) == 1 && segs[0] == "" {
		return nil
	}
	return segs
}

func at(segs []string, i int) string {
	if i < len(segs) {
		return segs[i]
	}
	return ""
}

func unescape(s string) (string, bool) {
	d, err := url.PathUnescape(s)
	return d, err == nil && !strings.ContainsRune(d, 0)
}

// Revision splits Rest into a revision and a path. The revision is one encoded
// segment ("refs%2Fpr%2F1"), or three when it is written out ("refs/pr/1").
func (r Route) Revision() (rev hub.Revision, path string) {
	n := 1
	if at(r.Rest, 0) == "refs" && len(r.Rest) >= 3 {
		n = 3
	}
	n = min(n, len(r.Rest))
	return hub.Revision(strings.Join(r.Rest[:n], "/")), strings.Join(r.Rest[n:], "/")
}

// Tail is everything after the verb as one decoded path: for routes whose
// only argument may hold slashes (a branch to delete, a comparison).
func (r Route) Tail() string { return strings.Join(r.Rest, "/") }

// PathOf is the URL path of the repository's web page, escaped.
func PathOf(t hub.RepoType, id hub.RepoID) string {
	return "/" + t.WebPrefix() + id.String()
}

// Moved is this route's URL with another id, for redirects to a repository's
// new name. What follows the id stays as it was encoded.
func (r Route) Moved(id hub.RepoID, query string) string {
	var b strings.Builder
	switch r.Surface {
	case API:
		b.WriteString("/api/" + r.Type.Plural() + "/" + id.String())
	case Git:
		b.WriteString(PathOf(r.Type, id) + ".git")
	case Web:
		b.WriteString(PathOf(r.Type, id))
	}
	if r.Verb != "" {
		b.WriteString("/" + url.PathEscape(r.Verb))
	}
	if r.rawRest != "" {
		b.WriteString("/" + r.rawRest)
	}
	if query != "" {
		b.WriteString("?" + query)
	}
	return b.String()
}

// EscapePath escapes a file path for a URL, keeping the slashes.
func EscapePath(p string) string {
	segs := strings.Split(p, "/")
	for i, s := range segs {
		segs[i] = url.PathEscape(s)
	}
	return strings.Join(segs, "/")
}

// CASURL is the base of the Xet service below a hub's public URL.
func CASURL(base string) string { return base + "/cas" }

// XetReadTokenURL is where a client gets a token to read files of a commit.
func XetReadTokenURL(base string, t hub.RepoType, id hub.RepoID, commit hub.OID) string {
	return base + "/api/" + t.Plural() + "/" + id.String() + "/xet-read-token/" + commit.String()
}

// XetWriteTokenURL is where a client gets a token to upload to a revision.
func XetWriteTokenURL(base string, t hub.RepoType, id hub.RepoID, rev string) string {
	return base + "/api/" + t.Plural() + "/" + id.String() + "/xet-write-token/" + url.PathEscape(rev)
}

// ReconstructionURL is where a client gets the terms of a file.
func ReconstructionURL(base string, file hub.XetHash) string {
	return CASURL(base) + "/v1/reconstructions/" + file.String()
}

// XetFileInfo is the media type by which a client asks resolve for the Xet
// hash of a file instead of its bytes.
const XetFileInfo = "application/vnd.xet-fileinfo+json"
