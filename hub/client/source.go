package client

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

// Source is a repository at a revision. A zero Type is a model, a zero
// Revision the default branch.
type Source struct {
	Type hub.RepoType
	// ID names the repository. Its namespace is empty for the one-word ids of
	// huggingface.co's early days, such as gpt2.
	ID       hub.RepoID
	Revision hub.Revision
}

// ParseSource reads what people write for a repository: "ada/bert", "gpt2",
// "datasets/ada/words", each with "@revision" behind and "hf://" before it.
func ParseSource(text string) (Source, error) {
	rest := strings.TrimPrefix(text, "hf://")
	s := Source{Type: hub.Model}
	if kind, tail, ok := strings.Cut(rest, "/"); ok {
		if t, ok := hub.ParseRepoTypePlural(kind); ok {
			s.Type, rest = t, tail
		}
	}
	rest, revision, _ := strings.Cut(rest, "@")
	s.Revision = hub.Revision(revision)
	ns, name, ok := strings.Cut(rest, "/")
	if !ok {
		ns, name = "", rest
	}
	id, err := hub.NewRepoID(first(ns, name), name)
	if err != nil {
		return Source{}, err
	}
	id.Namespace = ns
	s.ID = id
	return s, s.check()
}

// variant matches what may stand behind the colon of a model's name.
var variant = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// CutVariant splits the name of a repository with several forms of one model,
// "ada/llama-gguf:Q4_K_M", into what ParseSource reads and the word behind the
// colon, "" if there is none.
func CutVariant(text string) (repo, word string) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || !variant.MatchString(text[i+1:]) {
		return text, ""
	}
	return text[:i], text[i+1:]
}

// IsPath reports whether a text means a file or folder of this machine, also one
// that is not there, and not a repository.
func IsPath(text string) bool {
	ext := strings.ToLower(filepath.Ext(text))
	return filepath.IsAbs(text) || strings.HasPrefix(text, ".") || strings.HasPrefix(text, "~") || strings.HasSuffix(text, string(filepath.Separator)) ||
		!strings.HasPrefix(text, "hf://") && (ext == ".gguf" || ext == ".safetensors")
}

// check refuses revisions that are no names of refs or commits: they become
// paths in the cache.
func (s Source) check() error {
	rev := string(s.revision())
	if s.ID.Name == "" {
		return hub.Invalidf("no repository is named")
	}
	if strings.ContainsAny(rev, "\\:*?\"<>|\x00") || !filepath.IsLocal(filepath.FromSlash(rev)) || filepath.ToSlash(filepath.Clean(rev)) != rev {
		return hub.Invalidf("%q is not a revision", rev)
	}
	return nil
}

func (s Source) repoType() hub.RepoType {
	if s.Type == "" {
		return hub.Model
	}
	return s.Type
}

func (s Source) revision() hub.Revision {
	if s.Revision == "" {
		return hub.DefaultBranch
	}
	return s.Revision
}

// commit is the revision if it is a full commit id.
func (s Source) commit() (hub.OID, bool) {
	oid, err := hub.ParseOID(string(s.Revision))
	return oid, err == nil
}

// Name is the id as people write it.
func (s Source) Name() string {
	if s.ID.Namespace == "" {
		return s.ID.Name
	}
	return s.ID.String()
}

// String is the kind and the id: "model ada/bert".
func (s Source) String() string { return s.repoType().String() + " " + s.Name() }

// folder is the name of the repository's folder in the cache.
func (s Source) folder() string {
	return s.repoType().Plural() + "--" + strings.ReplaceAll(s.Name(), "/", "--")
}

func (c *Client) apiURL(s Source, verb string, rev hub.Revision) string {
	return c.Endpoint() + "/api/" + s.repoType().Plural() + "/" + s.Name() + "/" + verb + "/" + url.PathEscape(string(rev))
}

func (c *Client) resolveURL(s Source, rev hub.Revision, path string) string {
	return c.Endpoint() + "/" + s.repoType().WebPrefix() + s.Name() + "/resolve/" + url.PathEscape(string(rev)) + "/" + api.EscapePath(path)
}

// driveOrRoot matches a segment that Windows reads as a drive or a root.
var driveOrRoot = regexp.MustCompile(`^(?:[A-Za-z]:|\\)`)

// localPath turns the path of a file in a repository, as a hub sent it, into a
// path below a folder of this machine. It refuses what would leave the folder
// here or, if the folder is carried there, on Windows.
func localPath(path string) (string, error) {
	if _, err := hub.ParsePath(path); err != nil {
		return "", err
	}
	for seg := range strings.SplitSeq(path, "/") {
		if driveOrRoot.MatchString(seg) {
			return "", hub.Invalidf("the file name %q is not safe to write to a disk", path)
		}
		for part := range strings.SplitSeq(seg, `\`) {
			if part == ".." {
				return "", hub.Invalidf("the file name %q is not safe to write to a disk", path)
			}
		}
	}
	local := filepath.FromSlash(path)
	if !filepath.IsLocal(local) {
		return "", hub.Invalidf("the file name %q is not safe to write to a disk", path)
	}
	return local, nil
}
