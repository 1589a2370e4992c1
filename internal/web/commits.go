package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

const (
	commitItems = 50
	maxPage     = 1000 // the history is walked from its beginning for each page
)

type commitsView struct {
	Repo  repoHeader
	Refs  refMenu
	Days  []dayView
	Newer string
	Older string
	Empty bool
}

// dayView is the commits of one day.
type dayView struct {
	Day     time.Time
	Commits []commitView
}

type commitView struct {
	commitLine
	OID     string
	Message string // below the title
	Files   string // the tree at this commit
}

// commits shows the history of a revision.
func (s *Server) commits(v *visit, rv *repoVisit) error {
	ctx := v.r.Context()
	rev, _ := rv.revision()
	view := commitsView{Repo: s.header(v, rv, "Commits")}
	var err error
	if view.Refs, err = s.refs(ctx, rv, view.Repo, "commits", rev, ""); err != nil {
		return err
	}
	head, err := rv.rp.Resolve(ctx, hub.Revision(rev))
	if hub.CodeOf(err) == hub.CodeRevisionNotFound && rev == rv.rp.DefaultBranch {
		view.Empty = true
		return s.showRepo(v, rv, "commits", "Commits", view)
	}
	if err != nil {
		return err
	}
	page, _ := strconv.Atoi(v.r.URL.Query().Get("p"))
	page = min(max(page, 0), maxPage)
	self := view.Repo.sub("commits", rev, "")
	if page > 0 {
		view.Newer = self + "?p=" + strconv.Itoa(page-1)
	}
	n := 0
	for c, err := range rv.rp.Log(ctx, head.OID) {
		if err != nil {
			return err
		}
		n++
		if n > (page+1)*commitItems {
			view.Older = self + "?p=" + strconv.Itoa(page+1)
			break
		}
		if n > page*commitItems {
			view.add(c)
		}
	}
	return s.showRepo(v, rv, "commits", "Commits", view)
}

func (view *commitsView) add(c hub.Commit) {
	day := c.Date.UTC().Truncate(24 * time.Hour)
	if n := len(view.Days); n == 0 || !view.Days[n-1].Day.Equal(day) {
		view.Days = append(view.Days, dayView{Day: day})
	}
	d := &view.Days[len(view.Days)-1]
	d.Commits = append(d.Commits, viewOfCommit(view.Repo, c))
}

// maxMessage bounds how much of a commit message is shown.
const maxMessage = 4000

func viewOfCommit(h repoHeader, c hub.Commit) commitView {
	id := c.OID.String()
	return commitView{
		commitLine: *lineOf(h, c), OID: id, Message: strings.TrimSpace(clip(c.Message, maxMessage)), Files: h.sub("tree", id, ""),
	}
}

type changesView struct {
	Repo    repoHeader
	Commit  commitView
	Parents []commitLine
	Changes []changeView
	Added   int
	Removed int
	More    bool // there are changes that are not shown
}

// commit shows one commit and what it changed against its first parent.
func (s *Server) commit(v *visit, rv *repoVisit) error {
	ctx := v.r.Context()
	rev, _ := rv.revision()
	c, err := rv.rp.Resolve(ctx, hub.Revision(rev))
	if err != nil {
		return err
	}
	view := changesView{Repo: s.header(v, rv, "Commits")}
	view.Commit = viewOfCommit(view.Repo, c)
	var parent hub.Commit // the zero commit has the empty tree
	for i, oid := range c.Parents {
		p, err := rv.rp.Resolve(ctx, hub.Revision(oid.String()))
		if err != nil {
			return err
		}
		if i == 0 {
			parent = p
		}
		view.Parents = append(view.Parents, *lineOf(view.Repo, p))
	}
	d := differ{rp: rv.rp, header: view.Repo, old: parent, cur: c}
	if err := d.run(ctx); err != nil {
		return err
	}
	view.Changes, view.More = d.changes, d.more
	for _, ch := range d.changes {
		view.Added += ch.Added
		view.Removed += ch.Removed
	}
	title := view.Commit.Title
	return s.write(v, http.StatusOK, "commit", frame{Title: title + " · " + rv.rp.Name.String(), Nav: rv.rp.Type.Plural(), Body: view})
}
