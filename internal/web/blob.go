package web

import (
	"context"
	"html/template"
	"path"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/render"
	"github.com/pantryhub/pantry/internal/repo"
)

type blobView struct {
	Repo     repoHeader
	Refs     refMenu
	Crumbs   []crumb
	Name     string
	File     string // its path, to copy
	Size     int64
	Lines    int64
	Commit   *commitLine
	Download string
	Raw      string
	History  string
	Large    *largeView

	// What is shown of the content: one of them, or none for a binary file.
	Kind     string // "image", "video", "audio", "card", "code", "tensors", "binary", "large", "gone"
	Media    string
	Code     template.HTML
	Card     template.HTML
	Source   bool // Code is the source of Card
	SwitchTo string
	Tensors  *tensorView
}

// largeView is what is known of a file that is stored in chunks.
type largeView struct {
	SHA256      string
	Xet         string
	PointerSize int64
}

// blob shows a file.
func (s *Server) blob(v *visit, rv *repoVisit) error {
	ctx := v.r.Context()
	rev, file := rv.revision()
	commit, err := rv.rp.Resolve(ctx, hub.Revision(rev))
	if err != nil {
		return err
	}
	e, err := rv.rp.Entry(ctx, commit, file)
	if err != nil {
		return err
	}
	header := s.header(v, rv, "Files")
	if e.Kind == hub.DirEntry {
		v.redirect(header.sub("tree", rev, file))
		return nil
	}
	view := newBlobView(header, e, rev)
	if view.Refs, err = s.refs(ctx, rv, header, "blob", rev, file); err != nil {
		return err
	}
	last, err := rv.rp.LastCommits(ctx, commit, []hub.Entry{e})
	if err != nil {
		return err
	}
	if c, ok := last[e.Path]; ok {
		view.Commit = lineOf(header, c)
	}
	view.Source = v.r.URL.Query().Get("source") != ""
	if err := view.read(ctx, s.renderer, rv.rp, e, rev); err != nil {
		return err
	}
	return s.showRepo(v, rv, "blob", file, view)
}

func newBlobView(h repoHeader, e hub.Entry, rev string) blobView {
	view := blobView{
		Repo: h, Crumbs: crumbsOf(h, rev, e.Path), Name: path.Base(e.Path), File: e.Path, Size: e.Size,
		Media: h.sub("resolve", rev, e.Path), Download: h.sub("resolve", rev, e.Path) + "?download=true",
		Raw: h.sub("raw", rev, e.Path), History: h.sub("commits", rev, ""),
	}
	if e.LFS != nil {
		view.Large = &largeView{SHA256: e.LFS.OID.String(), PointerSize: e.LFS.PointerSize}
		if !e.LFS.Xet.IsZero() {
			view.Large.Xet = e.LFS.Xet.String()
		}
	}
	return view
}

// mediaKinds are the files that a browser shows by itself.
var mediaKinds = map[string]string{
	".png": "image", ".jpg": "image", ".jpeg": "image", ".gif": "image", ".webp": "image", ".avif": "image", ".bmp": "image", ".ico": "image",
	".mp4": "video", ".webm": "video", ".wav": "audio", ".mp3": "audio", ".flac": "audio", ".ogg": "audio",
}

// read decides how the content is shown, and reads what the page itself shows.
func (b *blobView) read(ctx context.Context, rd *renderer, rp *repo.Repo, e hub.Entry, rev string) error {
	var err error
	ext := strings.ToLower(path.Ext(e.Path))
	switch b.Kind = mediaKinds[ext]; {
	case b.Kind != "":
		return nil
	case ext == ".safetensors":
		b.Kind, err = "tensors", b.tensors(ctx, rp, e, safetensorsTable)
	case ext == ".gguf":
		b.Kind, err = "tensors", b.tensors(ctx, rp, e, ggufTable)
	case e.Size > render.MaxCode:
		b.Kind = "large"
	default:
		err = b.text(ctx, rd, rp, e, rev)
	}
	if hub.CodeOf(err) == hub.CodeEntryNotFound {
		b.Kind = "gone"
		return nil
	}
	return err
}

// tensors shows the header of a checkpoint.
func (b *blobView) tensors(ctx context.Context, rp *repo.Repo, e hub.Entry, read func(checkpoint) (*tensorView, error)) error {
	f, err := rp.OpenFile(ctx, e)
	if err != nil {
		return err
	}
	defer f.Close()
	b.Tensors, err = read(f)
	return err
}

// text shows a text file: Markdown as a card, anything else as code.
func (b *blobView) text(ctx context.Context, rd *renderer, rp *repo.Repo, e hub.Entry, rev string) error {
	code, err := rd.code(ctx, rp, e)
	if err != nil {
		return err
	}
	if !code.text {
		b.Kind = "binary"
		return nil
	}
	b.Kind, b.Code, b.Lines = "code", code.html, code.lines
	if !strings.EqualFold(path.Ext(e.Path), ".md") {
		return nil
	}
	b.SwitchTo = b.Repo.sub("blob", rev, e.Path)
	if b.Source {
		return nil
	}
	b.Kind, b.SwitchTo = "card", b.SwitchTo+"?source=1"
	b.Card, err = rd.card(ctx, rp, e, b.Repo, rev)
	return err
}
