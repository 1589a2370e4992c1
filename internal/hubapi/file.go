package hubapi

import (
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// file answers GET and HEAD of /{id}/resolve/{rev}/{path} and …/raw/….
func (s *Server) file(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	rev, file := route.Revision()
	commit, err := rp.Resolve(r.Context(), rev)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("X-Repo-Commit", commit.OID.String()) // on errors too: clients note that the file is missing at this commit
	e, err := rp.Entry(r.Context(), commit, file)
	if err != nil {
		return err
	}
	if e.Kind != hub.FileEntry {
		return hub.Errorf(hub.CodeEntryNotFound, "%q is a folder.", file)
	}
	raw := route.Verb == "raw"
	var (
		headers *fileHeaders
		held    repo.LargeFile
		size    = e.Size
	)
	switch {
	case e.LFS == nil:
		headers = describe(file, e.OID.String(), size)
	case raw:
		size = e.LFS.PointerSize
		headers = describe(file, e.OID.String(), size)
	default:
		// The row and not the listing says whether the repository still holds
		// the content, and by which file id.
		if held, err = rp.Held(r.Context(), e); err != nil {
			return err
		}
		e.LFS = &hub.LFSInfo{OID: held.SHA256, Size: held.Size, PointerSize: e.LFS.PointerSize, Xet: held.Xet}
		headers = s.links.get(s.base(r), rp, commit, e)
		if strings.Contains(r.Header.Get("Accept"), api.XetFileInfo) && !e.LFS.Xet.IsZero() {
			headers.setLinks(h)
			return xetFileInfo(w, e)
		}
	}
	headers.set(h, r)
	if cond := r.Header.Get("If-None-Match"); cond != "" && httpx.ETagMatches(cond, headers.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	part, result := httpx.RequestRange(r, size, headers.etag)
	if result == httpx.RangeInvalid {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return hub.ErrRange
	}
	if !raw && (result == httpx.RangeAll || part.Start == 0) {
		rp.CountDownload(file, s.address(r))
	}
	if r.Method == http.MethodHead {
		httpx.WriteRangeStatus(w, part, result, size)
		return nil
	}
	var f *repo.File
	if e.LFS != nil && !raw {
		f, err = rp.OpenHeld(r.Context(), held)
	} else {
		f, err = rp.OpenPointer(r.Context(), e)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	httpx.WriteRangeStatus(w, part, result, size)
	if result == httpx.RangeAll {
		part = httpx.Range{Length: size}
	}
	httpx.SendRange(w, f, part)
	return nil
}

// xetFileInfo is the answer to a client that asked for the hash instead of
// the bytes.
func xetFileInfo(w http.ResponseWriter, e hub.Entry) error {
	h := w.Header()
	h.Set("ETag", `"`+e.LFS.OID.String()+`"`)
	h.Set("Vary", "Accept")
	return httpx.JSONAs(w, http.StatusOK, map[string]any{"hash": e.LFS.Xet.String(), "size": e.LFS.Size}, api.XetFileInfo)
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
