package hubapi

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// fileSurface is what the metrics call the URLs of files.
const fileSurface = "resolve"

// ServeFile answers the resolve and raw URLs.
func (s *Server) ServeFile(w http.ResponseWriter, r *http.Request, route api.Route) {
	httpx.NoteSurface(r.Context(), fileSurface)
	httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			return unknownRoute(r)
		}
		version, exact := s.version() // before anything is read
		rp, err := s.open(w, r, route, authz.Read)
		if rp == nil || err != nil {
			return err
		}
		f := &knownFile{route: route, version: version, rp: rp}
		if err := s.find(w, r, f); err != nil {
			return err
		}
		if exact {
			s.known.put(fileKey{r.Host, r.RequestURI}, f)
		}
		return s.sendFile(w, r, rp, f)
	}).ServeHTTP(w, r)
}

// find looks up the file that the route of f names in its repository.
func (s *Server) find(w http.ResponseWriter, r *http.Request, f *knownFile) (err error) {
	var rev hub.Revision
	rev, f.path = f.route.Revision()
	commit, err := f.rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // clients note that the file is missing at this commit
			w.Header().Set("X-Repo-Commit", commit.OID.String())
		}
	}()
	if f.entry, err = f.rp.Entry(r.Context(), commit, f.path); err != nil {
		return err
	}
	if f.entry.Kind != hub.FileEntry {
		return hub.Errorf(hub.CodeEntryNotFound, "%q is a folder.", f.path)
	}
	raw := f.route.Verb == "raw"
	switch {
	case f.entry.LFS == nil:
		f.etag, f.size = f.entry.OID.String(), f.entry.Size
	case raw:
		f.etag, f.size = f.entry.OID.String(), f.entry.LFS.PointerSize
	default:
		// The row and not the listing says whether the repository still holds
		// the content, and by which file id.
		if f.held, err = f.rp.Held(r.Context(), f.entry); err != nil {
			return err
		}
		f.large, f.etag, f.size = true, f.held.SHA256.String(), f.held.Size
	}
	f.describe(s.base(r), commit.OID, dispositionFor(r))
	return nil
}

// sendFile answers GET and HEAD of /{id}/resolve/{rev}/{path} and …/raw/….
func (s *Server) sendFile(w http.ResponseWriter, r *http.Request, rp *repo.Repo, f *knownFile) error {
	h := w.Header()
	if f.large && strings.Contains(r.Header.Get("Accept"), api.XetFileInfo) && !f.held.Xet.IsZero() {
		f.links.Set(h)
		return xetFileInfo(w, f)
	}
	if cond := r.Header.Get("If-None-Match"); cond != "" && httpx.ETagMatches(cond, f.etag) {
		f.send(w)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	part, result := httpx.RequestRange(r, f.size, f.etag)
	if result == httpx.RangeInvalid {
		f.set(h)
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(f.size, 10))
		return hub.ErrRange
	}
	if f.route.Verb != "raw" && (result == httpx.RangeAll || part.Start == 0) {
		rp.CountDownload(f.path, s.address(r))
	}
	if r.Method == http.MethodHead {
		f.send(w)
		httpx.WriteRangeStatus(w, part, result, f.size)
		return nil
	}
	content, err := f.open(r.Context(), rp)
	if err != nil {
		f.set(h)
		return err
	}
	defer content.Close()
	f.send(w)
	httpx.WriteRangeStatus(w, part, result, f.size)
	if result == httpx.RangeAll {
		part = httpx.Range{Length: f.size}
	}
	httpx.SendRange(w, content, part)
	return nil
}

// open opens what is to be sent.
func (f *knownFile) open(ctx context.Context, rp *repo.Repo) (*repo.File, error) {
	if f.large {
		return rp.OpenHeld(ctx, f.held)
	}
	return rp.OpenPointer(ctx, f.entry)
}

// send has a response sent with all fields of the file.
func (f *knownFile) send(w http.ResponseWriter) {
	f.links.Send(w)
	f.fields.Send(w)
}

// set sets all fields of the file, for an error that may change some.
func (f *knownFile) set(h http.Header) {
	f.links.Set(h)
	f.fields.Set(h)
}

// xetFileInfo is the answer to a client that asked for the hash instead of
// the bytes.
func xetFileInfo(w http.ResponseWriter, f *knownFile) error {
	h := w.Header()
	h.Set("ETag", quoted(f.etag))
	h.Set("Vary", "Accept")
	return httpx.JSONAs(w, http.StatusOK, map[string]any{"hash": f.held.Xet.String(), "size": f.size}, api.XetFileInfo)
}

// quoted is an entity tag as header fields have it.
func quoted(etag string) string { return `"` + etag + `"` }

// dispositionFor is the kind of Content-Disposition that a request asks for, "" for
// none.
func dispositionFor(r *http.Request) string {
	switch {
	case r.URL.RawQuery == "":
		return "inline"
	case r.URL.Query().Get("noContentDisposition") == "1":
		return ""
	case httpx.Bool(r, "download"):
		return "attachment"
	}
	return "inline"
}

// disposition is the Content-Disposition of a file of that name.
func disposition(kind, name string) string {
	return kind + "; filename*=UTF-8''" + url.PathEscape(name) + `; filename="` + asciiName(name) + `";`
}

// asciiName is a file name for clients that do not read filename*.
func asciiName(name string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '_'
		}
		return c
	}, name)
}

// fileTypes are the types that a browser shows and cannot run.
var fileTypes = map[string]string{
	".json": "application/json", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".bmp": "image/bmp", ".ico": "image/x-icon",
	".pdf": "application/pdf", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg",
	".mp4": "video/mp4", ".webm": "video/webm", ".csv": "text/csv; charset=utf-8",
}

var textTypes = map[string]bool{
	"": true, ".txt": true, ".md": true, ".py": true, ".yaml": true, ".yml": true, ".toml": true, ".html": true,
	".htm": true, ".js": true, ".css": true, ".svg": true, ".xml": true, ".jsonl": true, ".tsv": true, ".sh": true,
	".ts": true, ".go": true, ".rs": true, ".c": true, ".h": true, ".cpp": true, ".java": true, ".jinja": true,
	".ini": true, ".cfg": true, ".gitattributes": true, ".gitignore": true, ".log": true, ".rst": true, ".tex": true,
}

func contentType(file string) string {
	ext := strings.ToLower(path.Ext(file))
	if t, ok := fileTypes[ext]; ok {
		return t
	}
	if textTypes[ext] {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
