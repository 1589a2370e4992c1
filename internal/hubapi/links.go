package hubapi

import (
	"path"
	"strconv"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
)

// describe makes the header fields of a file of a commit, for clients that know
// the hub as base and want it to be shown in some way (see dispositionFor).
func (f *knownFile) describe(base string, commit hub.OID, shown string) {
	size := strconv.FormatInt(f.size, 10)
	links := []string{"X-Repo-Commit", commit.String(), "X-Linked-Size", size}
	if f.large {
		links = append(links, "X-Linked-Etag", quoted(f.etag))
	}
	if f.large && !f.held.Xet.IsZero() { // there is nothing to fetch of an empty one
		links = append(links, "X-Xet-Hash", f.held.Xet.String(), "Link",
			"<"+api.XetReadTokenURL(base, f.rp.Type, f.rp.Name, commit)+`>; rel="xet-auth", <`+
				api.ReconstructionURL(base, f.held.Xet)+`>; rel="xet-reconstruction-info"`)
	}
	f.links = httpx.NewFields(links...)

	// The bytes of the file are a stranger's: a browser must not run them with
	// the hub's authority, so types that can hold scripts are served as plain
	// text and everything is sandboxed.
	fields := []string{
		"Etag", quoted(f.etag), "Accept-Ranges", "bytes", "Content-Type", contentType(f.path),
		"Content-Security-Policy", "default-src 'none'; sandbox",
	}
	if shown != "" {
		fields = append(fields, "Content-Disposition", disposition(shown, path.Base(f.path)))
	}
	f.fields = httpx.NewFields(fields...)
}
