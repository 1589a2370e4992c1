package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

const (
	maxReply = 256 << 20 // bytes of one JSON answer
	maxFiles = 2_000_000 // of one repository
	maxPages = 100_000   // of one listing
)

// File is a file of a repository at a commit.
type File struct {
	Path string
	Size int64 // bytes
	// ETag is the name of the content: the SHA-256 of a large file, the git
	// object id of a small one.
	ETag string
}

// entry is a File with all that the cache's listing of a commit records.
type entry struct {
	File
	blob string       // git object id; of the pointer, for a large file
	lfs  *api.TreeLFS // nil for a small file
	xet  string       // Xet hash of a large file; "" if the hub has none
}

// Commit asks which commit the revision is now.
func (c *Client) Commit(ctx context.Context, s Source) (hub.OID, error) {
	return c.commit(ctx, s, attempts)
}

func (c *Client) commit(ctx context.Context, s Source, tries int) (hub.OID, error) {
	if err := s.check(); err != nil {
		return hub.OID{}, err
	}
	if oid, ok := s.commit(); ok {
		return oid, nil
	}
	target := c.apiURL(s, "revision", s.revision())
	if s.repoType() != hub.Kernel { // which has no fields to choose from
		target += "?expand=sha"
	}
	var info struct {
		SHA string `json:"sha"`
	}
	if _, err := c.getJSON(ctx, request{method: http.MethodGet, url: target, about: subject{Source: s}}, tries, &info); err != nil {
		return hub.OID{}, err
	}
	oid, err := hub.ParseOID(info.SHA)
	if err != nil {
		return hub.OID{}, c.notAHub("it names no commit")
	}
	return oid, nil
}

// Files lists the files of the revision, in the hub's order, and the commit
// that it is.
func (c *Client) Files(ctx context.Context, s Source) ([]File, hub.OID, error) {
	commit, err := c.Commit(ctx, s)
	if err != nil {
		return nil, hub.OID{}, err
	}
	entries, err := c.tree(ctx, s, commit)
	if err != nil {
		return nil, hub.OID{}, err
	}
	files := make([]File, len(entries))
	for i, e := range entries {
		files[i] = e.File
	}
	return files, commit, nil
}

// tree lists a commit. Every path is one that may become a file on this
// machine.
func (c *Client) tree(ctx context.Context, s Source, commit hub.OID) ([]entry, error) {
	base := c.apiURL(s, "tree", hub.Revision(commit.String()))
	query := "recursive=true&expand=false"
	var all []entry
	for range maxPages {
		var page []api.TreeEntry
		header, err := c.getJSON(ctx, request{method: http.MethodGet, url: base + "?" + query, about: subject{Source: s}}, attempts, &page)
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			if t.Type != hub.FileEntry {
				continue
			}
			e, err := newEntry(t)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
		if len(all) > maxFiles {
			return nil, hub.Errorf(hub.CodeTooLarge, "The %s has more than %d files.", s, maxFiles)
		}
		next, ok := nextQuery(header)
		if !ok {
			return all, nil
		}
		query = next
	}
	return nil, c.notAHub("its listing does not end")
}

func newEntry(t api.TreeEntry) (entry, error) {
	if _, err := localPath(t.Path); err != nil {
		return entry{}, err
	}
	e := entry{File: File{Path: t.Path, Size: t.Size, ETag: t.OID}, blob: t.OID, lfs: t.LFS, xet: t.XetHash}
	_, err := hub.ParseOID(t.OID)
	if t.LFS != nil {
		e.ETag, e.Size = t.LFS.OID, t.LFS.Size
		_, err = hub.ParseSHA256(t.LFS.OID)
	}
	if e.Size < 0 || err != nil { // by any other id a file could not be verified, and an empty one is not even fetched
		return entry{}, hub.Invalidf("the hub describes the file %q without a size or an id", t.Path)
	}
	return e, nil
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// nextQuery is the query of the next page. The rest of the link is not used:
// a hub behind a proxy may name itself otherwise, and the token must not go
// where a header points.
func nextQuery(h http.Header) (string, bool) {
	for _, line := range h.Values("Link") {
		if m := nextLink.FindStringSubmatch(line); m != nil {
			u, err := url.Parse(m[1])
			return u.RawQuery, err == nil
		}
	}
	return "", false
}

// safeETag matches ETags that may be file names.
var safeETag = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,127}$`)

// stat asks for the headers of a file: its commit, size and ETag. tries is how
// often a hub that does not answer is asked.
func (c *Client) stat(ctx context.Context, s Source, path string, tries int) (File, hub.OID, error) {
	var resp *http.Response
	err := retry(ctx, tries, func() (bool, error) {
		var err error
		resp, err = c.sendStat(ctx, s, path)
		return false, err
	})
	if err != nil {
		return File{}, hub.OID{}, err
	}
	resp.Body.Close()
	commit, err := hub.ParseOID(resp.Header.Get("X-Repo-Commit"))
	if err != nil {
		return File{}, hub.OID{}, c.notAHub("its answer has no X-Repo-Commit")
	}
	f := File{Path: path, ETag: normalizeETag(first(resp.Header.Get("X-Linked-Etag"), resp.Header.Get("Etag")))}
	if !safeETag.MatchString(f.ETag) {
		return File{}, hub.OID{}, c.notAHub("its answer has no ETag")
	}
	size := resp.Header.Get("X-Linked-Size")
	if size == "" && resp.StatusCode == http.StatusOK {
		size = resp.Header.Get("Content-Length")
	}
	if f.Size, err = strconv.ParseInt(size, 10, 64); err != nil || f.Size < 0 {
		return File{}, hub.OID{}, c.notAHub("its answer has no size")
	}
	return f, commit, nil
}

// missing is the answer that a file is not in a commit.
type missing struct {
	error
	commit hub.OID // zero if the hub does not say
}

func (m missing) Unwrap() error { return m.error }

func (c *Client) sendStat(ctx context.Context, s Source, path string) (*http.Response, error) {
	var commit hub.OID
	resp, err := c.send(ctx, request{
		method: http.MethodHead, url: c.resolveURL(s, s.revision(), path), about: subject{s, path},
		refused: func(h http.Header) { commit, _ = hub.ParseOID(h.Get("X-Repo-Commit")) },
	})
	if hub.CodeOf(err) == hub.CodeEntryNotFound {
		return nil, missing{err, commit}
	}
	return resp, err
}

// normalizeETag strips the quotes and the mark of a weak ETag.
func normalizeETag(s string) string { return strings.Trim(strings.TrimPrefix(s, "W/"), `"`) }

func (c *Client) notAHub(why string) error {
	return hub.Errorf(hub.CodeUnavailable, "%s does not answer as a hub does: %s. Is HF_ENDPOINT right?", c.Endpoint(), why)
}

// getJSON asks for a JSON value and returns the headers beside it. An answer
// that is cut short is asked for again.
func (c *Client) getJSON(ctx context.Context, r request, tries int, into any) (http.Header, error) {
	var header http.Header
	err := retry(ctx, tries, func() (bool, error) {
		resp, err := c.send(ctx, r)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
		if err != nil {
			return false, err
		}
		if len(body) > maxReply {
			return false, fmt.Errorf("the answer of %s is longer than %d bytes", c.Endpoint(), maxReply)
		}
		header = resp.Header
		if err := json.Unmarshal(body, into); err != nil {
			return false, c.notAHub("its answer is not the JSON that was asked for")
		}
		return false, nil
	})
	return header, err
}
