package hub

import (
	"fmt"
	"strings"
)

// RepoType is the kind of a repository. The zero value is invalid.
type RepoType string

// The repository types, in the spelling of the wire (repo_type).
const (
	Model   RepoType = "model"
	Dataset RepoType = "dataset"
	Space   RepoType = "space"
	Kernel  RepoType = "kernel"
)

// RepoTypes lists every type, in the order in which pages show them.
var RepoTypes = []RepoType{Model, Dataset, Space, Kernel}

// ParseRepoType parses the singular wire spelling ("model"). The empty string
// is a model, as clients omit the type for models.
func ParseRepoType(s string) (RepoType, error) {
	switch t := RepoType(s); t {
	case "":
		return Model, nil
	case Model, Dataset, Space, Kernel:
		return t, nil
	}
	return "", Invalidf("unknown repo type %q", s)
}

// ParseRepoTypePlural parses the plural that API paths use ("models").
func ParseRepoTypePlural(s string) (RepoType, bool) {
	for _, t := range RepoTypes {
		if t.Plural() == s {
			return t, true
		}
	}
	return "", false
}

// Plural is the path segment below /api: "models", "datasets", ….
func (t RepoType) Plural() string { return string(t) + "s" }

// WebPrefix is what precedes the id in web, resolve and git URLs: empty for a
// model, "datasets/" and so on for the others.
func (t RepoType) WebPrefix() string {
	if t == Model {
		return ""
	}
	return t.Plural() + "/"
}

func (t RepoType) String() string {
	if t == "" {
		return "RepoType(invalid)"
	}
	return string(t)
}

// RepoID names a repository within its type: "namespace/name". Case is kept
// for display; Key is what is compared.
type RepoID struct {
	Namespace string
	Name      string
}

// Limits of an id, as the clients check them.
const maxRepoName = 96

// reservedNamespaces cannot be account names: they are the first segment of a
// route of the hub itself.
var reservedNamespaces = map[string]bool{
	"api": true, "datasets": true, "models": true, "spaces": true, "kernels": true, "buckets": true,
	"oauth": true, "login": true, "logout": true, "join": true, "settings": true, "new": true,
	"device": true, "docs": true, "static": true, "healthz": true, "metrics": true, "cas": true,
	"setup": true, "search": true, "collections": true, "organizations": true, "v1": true, "v2": true,
	"resolve": true, "raw": true, "tree": true, "blob": true, "lfs": true, "admin": true, "users": true,
	"favicon.ico": true, "robots.txt": true, "papers": true, "posts": true, "tasks": true, "me": true, "password": true,
}

// ParseRepoID parses "namespace/name". A single segment is not a repository
// of this hub: it is reported as ErrRepoNotFound, because clients send legacy
// names such as "gpt2".
func ParseRepoID(s string) (RepoID, error) {
	ns, name, ok := strings.Cut(s, "/")
	if !ok {
		return RepoID{}, fmt.Errorf("parse repo id %q: %w", s, ErrRepoNotFound)
	}
	return NewRepoID(ns, name)
}

// NewRepoID checks both segments against the grammar of the Hub: 1 to 96
// characters of A–Z a–z 0–9 . _ -, no "--" or "..", not beginning or ending
// with "-" or ".", not ending in ".git".
func NewRepoID(namespace, name string) (RepoID, error) {
	for _, seg := range []string{namespace, name} {
		if err := checkSegment(seg); err != nil {
			return RepoID{}, err
		}
	}
	return RepoID{Namespace: namespace, Name: name}, nil
}

func checkSegment(s string) error {
	switch {
	case len(s) == 0 || len(s) > maxRepoName:
		return Invalidf("a repository name has 1 to %d characters, got %d", maxRepoName, len(s))
	case !wellFormed(s):
		return Invalidf("%q is not a valid name: use letters, digits, '.', '_' and '-', and neither begin nor end with '.' or '-'", s)
	case strings.Contains(s, "--") || strings.Contains(s, ".."):
		return Invalidf("%q is not a valid name: '--' and '..' are forbidden", s)
	case strings.HasSuffix(strings.ToLower(s), ".git"):
		return Invalidf("%q is not a valid name: it must not end in .git", s)
	}
	return nil
}

// wellFormed reports whether a segment that is not empty has only characters of
// names, and neither begins nor ends with one that only separates. Every request
// for a file comes here, so it is not a regular expression.
func wellFormed(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case c == '.' || c == '-':
			if i == 0 || i == len(s)-1 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Key is the id in the form that is compared and indexed: ids are matched
// without regard to case.
func (id RepoID) Key() string { return strings.ToLower(id.Namespace + "/" + id.Name) }

// IsZero reports whether the id is the invalid zero value.
func (id RepoID) IsZero() bool { return id == RepoID{} }

func (id RepoID) String() string {
	if id.IsZero() {
		return "RepoID(invalid)"
	}
	return id.Namespace + "/" + id.Name
}

// Visibility says who sees a repository.
type Visibility string

// The visibilities. Protected applies to Spaces: the app is public, the files
// are private.
const (
	Public    Visibility = "public"
	Private   Visibility = "private"
	Protected Visibility = "protected"
)

// Gate says whether downloads need acceptance.
type Gate string

// The gates. Auto grants on request, Manual by a maintainer's hand.
const (
	NotGated   Gate = ""
	GateAuto   Gate = "auto"
	GateManual Gate = "manual"
)
