package hubapi

import (
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// fileHeaders are the header fields that describe a file, and those by which
// clients learn of a large one what they need to fetch it from the CAS. Each is
// ready to be put into a header, under its canonical name.
type fileHeaders struct {
	name string // without folders
	etag string // without quotes

	quotedETag, size, contentType, disposition []string

	linkedETag, xetHash, link []string // of a large file; nil of what there is not
}

// describe makes the fields of any file of a repository.
func describe(file, etag string, size int64) *fileHeaders {
	name := path.Base(file)
	return &fileHeaders{
		name: name, etag: etag, quotedETag: []string{`"` + etag + `"`}, size: []string{strconv.FormatInt(size, 10)},
		contentType: []string{contentType(file)}, disposition: []string{disposition("inline", name)},
	}
}

// describeLarge makes the fields of a large file of a commit, for clients that
// know the hub as base.
func describeLarge(base string, rp *repo.Repo, commit hub.Commit, e hub.Entry) *fileHeaders {
	f := describe(e.Path, e.LFS.OID.String(), e.LFS.Size)
	f.linkedETag = f.quotedETag
	if e.LFS.Xet.IsZero() {
		return f // the empty file: nothing to fetch
	}
	f.xetHash = []string{e.LFS.Xet.String()}
	f.link = []string{"<" + api.XetReadTokenURL(base, rp.Type, rp.Name, commit.OID) + `>; rel="xet-auth", <` +
		api.ReconstructionURL(base, e.LFS.Xet) + `>; rel="xet-reconstruction-info"`}
	return f
}

// setLinks sets the fields about the file in the CAS.
func (f *fileHeaders) setLinks(h http.Header) {
	h["X-Linked-Size"] = f.size
	if f.linkedETag != nil {
		h["X-Linked-Etag"] = f.linkedETag
	}
	if f.link != nil {
		h["X-Xet-Hash"], h["Link"] = f.xetHash, f.link
	}
}

// Values of fields that are the same for all files.
var (
	acceptRanges   = []string{"bytes"}
	securityPolicy = []string{"default-src 'none'; sandbox"}
)

// set sets all fields. The bytes of the file are a stranger's: a browser must
// not run them with the hub's authority, so types that can hold scripts are
// served as plain text and everything is sandboxed.
func (f *fileHeaders) set(h http.Header, r *http.Request) {
	f.setLinks(h)
	h["Etag"], h["Accept-Ranges"], h["Content-Type"], h["Content-Security-Policy"] = f.quotedETag, acceptRanges, f.contentType, securityPolicy
	value := f.disposition
	if r.URL.RawQuery != "" {
		if r.URL.Query().Get("noContentDisposition") == "1" {
			return
		}
		if httpx.Bool(r, "download") {
			value = []string{disposition("attachment", f.name)}
		}
	}
	h["Content-Disposition"] = value
}

// disposition is the Content-Disposition of a file of that name.
func disposition(kind, name string) string {
	return kind + "; filename*=UTF-8''" + url.PathEscape(name) + `; filename="` + asciiName(name) + `";`
}

// maxLinks bounds the files whose fields are remembered: most requests are for
// the next range of the same file.
const maxLinks = 1024

// linkCache remembers header fields.
type linkCache struct {
	mu    sync.Mutex
	links map[linkKey]*fileHeaders
}

// linkKey is everything that the fields are made of.
type linkKey struct {
	base   string
	kind   hub.RepoType
	name   hub.RepoID
	commit hub.OID
	path   string
	sha    hub.SHA256
	xet    hub.XetHash
	size   int64
}

func (c *linkCache) get(base string, rp *repo.Repo, commit hub.Commit, e hub.Entry) *fileHeaders {
	key := linkKey{base, rp.Type, rp.Name, commit.OID, e.Path, e.LFS.OID, e.LFS.Xet, e.LFS.Size}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.links[key]
	if f == nil {
		if len(c.links) >= maxLinks || c.links == nil {
			c.links = make(map[linkKey]*fileHeaders)
		}
		e.Path = strings.Clone(e.Path) // it is part of a request
		key.path = e.Path
		f = describeLarge(base, rp, commit, e)
		c.links[key] = f
	}
	return f
}
