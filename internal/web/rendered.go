package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/render"
	"github.com/pantryhub/pantry/internal/repo"
)

// renderedBytes bounds the HTML that is kept. Highlighting a source file takes
// ten milliseconds and more.
const renderedBytes = 16 << 20

// renderer turns files into HTML and keeps what it made.
type renderer struct {
	kept *otter.Cache[renderKey, rendered]
}

// renderKey names a piece of HTML: what it was made from, and, for a card,
// where its links are relative to.
type renderKey struct {
	oid  hub.OID
	name string
	base string // "" for code
}

type rendered struct {
	html  template.HTML
	lines int64
	text  bool // false: the file is no text
}

func newRenderer() (*renderer, error) {
	kept, err := otter.New(&otter.Options[renderKey, rendered]{
		MaximumWeight: renderedBytes,
		Weigher:       func(k renderKey, r rendered) uint32 { return uint32(200 + len(k.name) + len(k.base) + len(r.html)) },
	})
	if err != nil {
		return nil, fmt.Errorf("cache of rendered files: %w", err)
	}
	return &renderer{kept}, nil
}

// get returns what is kept under a key, or makes it. Large files are not kept:
// their content can be deleted while history names it.
func (rd *renderer) get(ctx context.Context, rp *repo.Repo, e hub.Entry, key renderKey, make func([]byte) (rendered, error)) (rendered, error) {
	if r, ok := rd.kept.GetIfPresent(key); ok && e.LFS == nil {
		return r, nil
	}
	text, err := rp.ReadSmall(ctx, e)
	if err != nil {
		return rendered{}, err
	}
	r, err := make(text)
	if err == nil && e.LFS == nil {
		rd.kept.Set(key, r)
	}
	return r, err
}

// code renders a file of up to render.MaxCode bytes as source code.
func (rd *renderer) code(ctx context.Context, rp *repo.Repo, e hub.Entry) (rendered, error) {
	name := path.Base(e.Path)
	return rd.get(ctx, rp, e, renderKey{oid: e.OID, name: name}, func(text []byte) (rendered, error) {
		html, ok := render.Code(name, text)
		lines := int64(bytes.Count(text, []byte("\n")))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		return rendered{html, lines, ok}, nil
	})
}

// card renders a Markdown file; links in it are relative to its folder. A file
// that is gone or too large has no card.
func (rd *renderer) card(ctx context.Context, rp *repo.Repo, e hub.Entry, h repoHeader, rev string) (template.HTML, error) {
	dir := hub.Dir(e.Path)
	key := renderKey{oid: e.OID, name: e.Path, base: h.sub("blob", rev, "")}
	r, err := rd.get(ctx, rp, e, key, func(text []byte) (rendered, error) {
		html, err := render.Card(text, render.Options{
			Link:  func(target string) string { return relativeTo(h, "blob", rev, dir, target) },
			Media: func(target string) string { return relativeTo(h, "resolve", rev, dir, target) },
		})
		return rendered{html: html}, err
	})
	if code := hub.CodeOf(err); err != nil && (code == hub.CodeTooLarge || code == hub.CodeEntryNotFound) {
		return "", nil
	}
	return r.html, err
}

// relativeTo is the URL of what a card in a folder calls by a relative path.
func relativeTo(h repoHeader, verb, rev, dir, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	file := path.Join("/", dir, u.Path)[1:] // cannot climb out of the repository
	if file == "" {
		return h.sub("tree", rev, "")
	}
	if verb == "blob" && strings.HasSuffix(u.Path, "/") {
		verb = "tree"
	}
	out := h.sub(verb, rev, file)
	if u.Fragment != "" {
		out += "#" + u.EscapedFragment()
	}
	return out
}
