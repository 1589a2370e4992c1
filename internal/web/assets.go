package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
)

//go:embed static
var staticFiles embed.FS

// asset is a file that pages load: style sheet, script, picture.
type asset struct {
	content []byte
	hash    string // in its URL, so that browsers may keep it for ever
}

// assets are the files that pages load, by name.
type assets map[string]asset

func loadAssets() (assets, error) {
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	a := assets{}
	for _, e := range entries {
		content, err := fs.ReadFile(staticFiles, "static/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("static files: %w", err)
		}
		sum := sha256.Sum256(content)
		a[e.Name()] = asset{content, hex.EncodeToString(sum[:6])}
	}
	return a, nil
}

// url is where a page finds the current version of an asset.
func (a assets) url(name string) string { return "/static/" + name + "?v=" + a[name].hash }

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) error {
	file, ok := a[r.PathValue("name")]
	if !ok {
		return hub.ErrNotFound
	}
	h := w.Header()
	h.Set("Content-Type", assetTypes[path.Ext(r.PathValue("name"))])
	h.Set("ETag", `"`+file.hash+`"`)
	if r.URL.Query().Get("v") == file.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if cond := r.Header.Get("If-None-Match"); cond != "" && httpx.ETagMatches(cond, file.hash) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(file.content)))
	w.Write(file.content) // the browser is gone if this fails
	return nil
}
