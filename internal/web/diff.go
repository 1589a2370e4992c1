package web

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/repo"
)

// Limits of the differences that one page shows. A commit may touch every file
// of a large repository.
const (
	maxChanges   = 300
	maxDiffFile  = 128 << 10 // bytes of a side
	maxDiffTotal = 1 << 20   // bytes of all sides
	maxDiffLines = 3000      // of all files
	maxLine      = 2000      // bytes shown of a line
	contextLines = 3
)

// changeView is a file that a commit changed.
type changeView struct {
	Path    string
	File    string // where the new version is, "" if it was removed
	Status  string // "added", "removed" or "changed"
	OldSize int64
	NewSize int64
	Large   bool
	Hunks   []hunkView
	Note    string // why there are no hunks
	Added   int
	Removed int
}

type hunkView struct {
	Header string
	Lines  []diffLine
}

type diffLine struct {
	Kind     string // "+", "-" or " "
	Old, New int    // line numbers; 0 for none
	Text     string
}

// differ collects what differs between two commits.
type differ struct {
	rp       *repo.Repo
	header   repoHeader
	old, cur hub.Commit

	changes []changeView
	more    bool
	bytes   int64 // read so far
	lines   int   // shown so far
}

func (d *differ) run(ctx context.Context) error {
	for c, err := range d.rp.Compare(ctx, d.old, d.cur) {
		if err != nil {
			return err
		}
		if len(d.changes) == maxChanges {
			d.more = true
			return nil
		}
		view, err := d.change(ctx, c)
		if err != nil {
			return err
		}
		d.changes = append(d.changes, view)
	}
	return nil
}

// change describes one file.
func (d *differ) change(ctx context.Context, c repo.Change) (changeView, error) {
	view := changeView{Path: c.Path, Status: "changed"}
	if c.Old == nil {
		view.Status = "added"
	} else {
		view.OldSize, view.Large = c.Old.Size, c.Old.LFS != nil
	}
	if c.New == nil {
		view.Status = "removed"
	} else {
		view.NewSize, view.Large = c.New.Size, view.Large || c.New.LFS != nil
		view.File = d.header.sub("blob", d.cur.OID.String(), c.Path)
	}
	switch {
	case view.Large:
		view.Note = "A large file; its content is not compared."
	case view.OldSize > maxDiffFile || view.NewSize > maxDiffFile:
		view.Note = "Too long to compare here."
	case d.bytes+view.OldSize+view.NewSize > maxDiffTotal || d.lines >= maxDiffLines:
		view.Note = "Not compared: this commit changes much."
	default:
		return view, d.compare(ctx, &view, c)
	}
	return view, nil
}

// compare fills in the hunks of a change.
func (d *differ) compare(ctx context.Context, view *changeView, c repo.Change) error {
	old, err := d.text(ctx, c.Old)
	if err != nil {
		return err
	}
	cur, err := d.text(ctx, c.New)
	if err != nil {
		return err
	}
	if !isText(old) || !isText(cur) {
		view.Note = "A binary file."
		return nil
	}
	edits := udiff.Lines(string(old), string(cur))
	u, err := udiff.ToUnifiedDiff("", "", string(old), edits, contextLines)
	if err != nil {
		return fmt.Errorf("compare %q: %w", c.Path, err)
	}
	for _, h := range u.Hunks {
		d.hunk(view, h)
	}
	return nil
}

func (d *differ) text(ctx context.Context, e *hub.Entry) ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	d.bytes += e.Size
	return d.rp.ReadSmall(ctx, *e)
}

func isText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) }

// hunk adds a hunk as far as the page has room, and counts its lines.
func (d *differ) hunk(view *changeView, h *udiff.Hunk) {
	from, to := h.FromLine, h.ToLine
	out := hunkView{}
	for _, l := range h.Lines {
		line := diffLine{Kind: " ", Old: from, New: to, Text: clip(trimEnd(l.Content), maxLine)}
		switch l.Kind {
		case udiff.Insert:
			line.Kind, line.Old = "+", 0
			view.Added++
			to++
		case udiff.Delete:
			line.Kind, line.New = "-", 0
			view.Removed++
			from++
		default:
			from++
			to++
		}
		if d.lines < maxDiffLines {
			out.Lines = append(out.Lines, line)
		} else {
			view.Note = "The rest is not shown: this commit changes much."
		}
		d.lines++
	}
	out.Header = fmt.Sprintf("@@ −%s +%s @@", span(h.FromLine, from), span(h.ToLine, to))
	if len(out.Lines) > 0 {
		view.Hunks = append(view.Hunks, out)
	}
}

// span writes the lines of one side of a hunk as diff does.
func span(from, to int) string {
	if from == to {
		return strconv.Itoa(from-1) + ",0" // the line that nothing follows
	}
	return strconv.Itoa(from) + "," + strconv.Itoa(to-from)
}

// trimEnd removes the line end.
func trimEnd(s string) string {
	if n := len(s); n > 0 && s[n-1] == '\n' {
		s = s[:n-1]
	}
	if n := len(s); n > 0 && s[n-1] == '\r' {
		s = s[:n-1]
	}
	return s
}
