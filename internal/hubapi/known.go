package hubapi

import (
	"net/http"
	"strings"
	"sync"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// knownFile is what a URL of a file names, and the header fields that say so.
type knownFile struct {
	route   api.Route
	version uint64     // of the database, from before it was looked up
	rp      *repo.Repo // as the one who asked sees it

	path  string
	entry hub.Entry
	large bool           // the answer is the content of a large file
	held  repo.LargeFile // which is this one
	size  int64
	etag  string // without quotes

	links  httpx.Fields // by which clients learn what they need to fetch a large file from the CAS
	fields httpx.Fields // the others
}

// Bounds of the files that are known.
const (
	maxKnown = 1024
	maxURL   = 1 << 10 // bytes of a host and a target
)

// knownFiles remembers what URLs of files name: most requests are for the next
// range of the same file. Like the rows of package repo, that is believed only
// while nothing at all was written to the database. Who may read the file is
// asked anew, except for those who are not signed in: what they see is in the
// database alone.
type knownFiles struct {
	mu    sync.Mutex
	files map[fileKey]*knownFile
}

// fileKey is a URL as it was asked for, with the host, which answers name.
type fileKey struct{ host, target string }

func (k *knownFiles) get(key fileKey) *knownFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.files[key]
}

func (k *knownFiles) put(key fileKey, f *knownFile) {
	if len(key.host)+len(key.target) > maxURL {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.files) >= maxKnown || k.files == nil {
		k.files = make(map[fileKey]*knownFile)
	}
	k.files[fileKey{strings.Clone(key.host), strings.Clone(key.target)}] = f
}

// ServeKnown answers a request for a file that was asked for before, as ServeFile
// would. It reports false if it is not known what the URL names.
func (s *Server) ServeKnown(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	f := s.known.get(fileKey{r.Host, r.RequestURI})
	if f == nil {
		return false
	}
	if version, exact := s.version(); !exact || version != f.version {
		return false
	}
	httpx.NoteSurface(r.Context(), fileSurface)
	if err := s.serveKnown(w, r, f); err != nil {
		httpx.WriteError(w, r, err)
	}
	return true
}

func (s *Server) serveKnown(w http.ResponseWriter, r *http.Request, f *knownFile) error {
	actor, err := s.actor(r)
	if err != nil {
		return err
	}
	rp := f.rp
	if !actor.IsAnonymous() || !rp.Actor.IsAnonymous() {
		if rp, err = s.openAs(w, r, actor, f.route, authz.Read); rp == nil || err != nil {
			return err
		}
		if rp.ID != f.rp.ID { // made anew under its name since the version was read
			return hub.ErrRepoNotFound
		}
	}
	return s.sendFile(w, r, rp, f)
}
