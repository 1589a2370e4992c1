package repo

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aymanbagabas/go-udiff"

	"github.com/pantryhub/pantry/hub"
)

// Limits of a textual difference: what is over them is named, not shown.
const (
	maxDiffFile  = 1 << 20
	maxDiffTotal = 16 << 20
)

// WriteDiff writes the difference between two commits as `git diff` does.
func (r *Repo) WriteDiff(ctx context.Context, w io.Writer, base, head hub.Commit) error {
	left := int64(maxDiffTotal)
	for c, err := range r.Compare(ctx, base, head) {
		if err != nil {
			return err
		}
		if err := r.writeFileDiff(ctx, w, c, &left); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repo) writeFileDiff(ctx context.Context, w io.Writer, c Change, left *int64) error {
	from, to := "a/"+c.Path, "b/"+c.Path
	if _, err := fmt.Fprintf(w, "diff --git %s %s\nindex %s..%s\n", from, to, oidOf(c.Old), oidOf(c.New)); err != nil {
		return err
	}
	if c.Old == nil {
		from = "/dev/null"
	}
	if c.New == nil {
		to = "/dev/null"
	}
	before, okBefore, err := r.diffText(ctx, c.Old, left)
	if err != nil {
		return err
	}
	after, okAfter, err := r.diffText(ctx, c.New, left)
	if err != nil {
		return err
	}
	if !okBefore || !okAfter {
		_, err = fmt.Fprintf(w, "Binary files %s and %s differ\n", from, to)
		return err
	}
	_, err = io.WriteString(w, udiff.Unified(from, to, before, after))
	return err
}

func oidOf(e *hub.Entry) hub.OID {
	if e == nil {
		return hub.OID{}
	}
	return e.OID
}

// diffText reads one side of a difference: of a large file its pointer, as git
// has it. ok is false for what is not text or over the limits.
func (r *Repo) diffText(ctx context.Context, e *hub.Entry, left *int64) (text string, ok bool, err error) {
	if e == nil {
		return "", true, nil
	}
	f, err := r.OpenPointer(ctx, *e)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	if f.Size() > min(maxDiffFile, *left) {
		return "", false, nil
	}
	*left -= f.Size()
	b, err := io.ReadAll(f.Reader())
	return string(b), bytes.IndexByte(b, 0) < 0, err
}
