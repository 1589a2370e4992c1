package hubapi

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/repo"
)

// fileLinks are the header fields by which clients learn of a large file what
// they need to fetch it from the CAS. Each is ready to be put into a header.
type fileLinks struct {
	etag                            string // without quotes
	size, linkedETag, xetHash, link []string
}

// newFileLinks makes the fields of a large file of a commit, for clients that
// know the hub as base.
func newFileLinks(base string, rp *repo.Repo, commit hub.Commit, e hub.Entry) *fileLinks {
	f := &fileLinks{etag: e.LFS.OID.String(), size: []string{strconv.FormatInt(e.LFS.Size, 10)}}
	f.linkedETag = []string{`"` + f.etag + `"`}
	if e.LFS.Xet.IsZero() {
		return f // the empty file: nothing to fetch
	}
	f.xetHash = []string{e.LFS.Xet.String()}
	f.link = []string{"<" + api.XetReadTokenURL(base, rp.Type, rp.Name, commit.OID) + `>; rel="xet-auth", <` +
		api.ReconstructionURL(base, e.LFS.Xet) + `>; rel="xet-reconstruction-info"`}
	return f
}

func (f *fileLinks) set(h http.Header) {
	h["X-Linked-Size"], h["X-Linked-Etag"] = f.size, f.linkedETag
	if f.link != nil {
		h["X-Xet-Hash"], h["Link"] = f.xetHash, f.link
	}
}

// maxLinks bounds the files whose fields are remembered: most requests are for
// the next range of the same file.
const maxLinks = 1024

// linkCache remembers header fields.
type linkCache struct {
	mu    sync.Mutex
	links map[linkKey]*fileLinks
}

// linkKey is everything that the fields are made of.
type linkKey struct {
	base   string
	kind   hub.RepoType
	name   hub.RepoID
	commit hub.OID
	sha    hub.SHA256
	xet    hub.XetHash
	size   int64
}

func (c *linkCache) get(base string, rp *repo.Repo, commit hub.Commit, e hub.Entry) *fileLinks {
	key := linkKey{base, rp.Type, rp.Name, commit.OID, e.LFS.OID, e.LFS.Xet, e.LFS.Size}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.links[key]
	if f == nil {
		if len(c.links) >= maxLinks || c.links == nil {
			c.links = make(map[linkKey]*fileLinks)
		}
		f = newFileLinks(base, rp, commit, e)
		c.links[key] = f
	}
	return f
}
