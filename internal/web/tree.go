package web

import (
	"context"
	"encoding/base64"
	"html/template"
	"path"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
)

// treeItems is how many entries of a folder one page shows.
const treeItems = 500

type treeView struct {
	Repo    repoHeader
	Refs    refMenu
	Crumbs  []crumb
	Commit  *commitLine // the newest of the revision
	History string
	Up      string // the folder above, "" at the top
	Entries []entryView
	Next    string
	Hints   fileHints
	Readme  template.HTML
	Name    string // of the readme
	Empty   bool   // the branch has no commit
}

type crumb struct{ Name, Path string } // Path is "" for the last

type entryView struct {
	Name     string
	Path     string
	Dir      bool
	Size     int64
	Large    bool // stored in chunks
	Download string
	Commit   *commitLine
}

// commitLine is a commit in one line.
type commitLine struct {
	Title  string
	Author string
	Short  string
	Path   string
	Date   time.Time
}

func lineOf(h repoHeader, c hub.Commit) *commitLine {
	id := c.OID.String()
	title := c.Title
	if title == "" {
		title = "(no message)"
	}
	return &commitLine{Title: title, Author: c.Author, Short: id[:8], Path: h.sub("commit", id, ""), Date: c.Date}
}

// revision is the revision and path of a route; the default branch if it names
// none.
func (rv *repoVisit) revision() (rev, file string) {
	r, file := rv.route.Revision()
	if r == "" {
		return rv.rp.DefaultBranch, ""
	}
	return string(r), file
}

// tree shows a folder.
func (s *Server) tree(v *visit, rv *repoVisit) error {
	ctx := v.r.Context()
	rev, dir := rv.revision()
	dir = strings.Trim(dir, "/")
	view := treeView{Repo: s.header(v, rv, "Files"), Hints: hintsOf(rv, s.base(v.r))}
	view.History = view.Repo.sub("commits", rev, "")
	var err error
	if view.Refs, err = s.refs(ctx, rv, view.Repo, "tree", rev, ""); err != nil {
		return err
	}
	commit, err := rv.rp.Resolve(ctx, hub.Revision(rev))
	if hub.CodeOf(err) == hub.CodeRevisionNotFound && rev == rv.rp.DefaultBranch {
		view.Empty, view.Crumbs = true, crumbsOf(view.Repo, rev, "")
		return s.showRepo(v, rv, "tree", "Files", view)
	}
	if err != nil {
		return err
	}
	view.Commit = lineOf(view.Repo, commit)
	if dir != "" {
		view.Up = view.Repo.sub("tree", rev, hub.Dir(dir))
	}
	entries, err := view.list(ctx, rv, commit, rev, dir, v.r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	view.Crumbs = crumbsOf(view.Repo, rev, dir) // of a folder that is there: the way to any other may be endless
	if err := view.readme(ctx, s.renderer, rv, entries, rev); err != nil {
		return err
	}
	title := "Files"
	if dir != "" {
		title = dir
	}
	return s.showRepo(v, rv, "tree", title, view)
}

// list fills in a page of the entries of a folder, folders first.
func (t *treeView) list(ctx context.Context, rv *repoVisit, c hub.Commit, rev, dir, cursor string) ([]hub.Entry, error) {
	after, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, hub.Invalidf("The cursor is malformed.")
	}
	var entries []hub.Entry
	for e, err := range rv.rp.List(ctx, c, dir, false, string(after)) {
		if err != nil {
			return nil, err
		}
		if len(entries) == treeItems {
			last := entries[treeItems-1].Path
			t.Next = t.Repo.sub("tree", rev, dir) + "?after=" + base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		entries = append(entries, e)
	}
	last, err := rv.rp.LastCommits(ctx, c, entries)
	if err != nil {
		return nil, err
	}
	for _, kind := range []hub.EntryKind{hub.DirEntry, hub.FileEntry} {
		for _, e := range entries {
			if e.Kind == kind {
				t.Entries = append(t.Entries, t.entry(e, rev, last))
			}
		}
	}
	return entries, nil
}

func (t *treeView) entry(e hub.Entry, rev string, last map[string]hub.Commit) entryView {
	view := entryView{Name: path.Base(e.Path), Dir: e.Kind == hub.DirEntry, Size: e.Size, Large: e.LFS != nil}
	if view.Dir {
		view.Path = t.Repo.sub("tree", rev, e.Path)
	} else {
		view.Path = t.Repo.sub("blob", rev, e.Path)
		view.Download = t.Repo.sub("resolve", rev, e.Path) + "?download=true"
	}
	if c, ok := last[e.Path]; ok {
		view.Commit = lineOf(t.Repo, c)
	}
	return view
}

// readme renders the README.md of the folder.
func (t *treeView) readme(ctx context.Context, rd *renderer, rv *repoVisit, entries []hub.Entry, rev string) error {
	if !rv.rp.Allowed(authz.Read) {
		return nil
	}
	for _, e := range entries {
		name := path.Base(e.Path)
		if e.Kind != hub.FileEntry || !strings.EqualFold(name, readmeFile) {
			continue
		}
		var err error
		t.Name = name
		t.Readme, err = rd.card(ctx, rv.rp, e, t.Repo, rev)
		return err
	}
	return nil
}

// crumbsOf are the folders on the way to a path; the first is the repository.
func crumbsOf(h repoHeader, rev, file string) []crumb {
	crumbs := []crumb{{h.Name, h.sub("tree", rev, "")}}
	if file == "" {
		crumbs[0].Path = ""
		return crumbs
	}
	segments := strings.Split(file, "/")
	for i, name := range segments {
		c := crumb{name, h.sub("tree", rev, strings.Join(segments[:i+1], "/"))}
		if i == len(segments)-1 {
			c.Path = ""
		}
		crumbs = append(crumbs, c)
	}
	return crumbs
}
