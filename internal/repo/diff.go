package repo

import (
	"context"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/hub"
)

// WriteDiff writes the changed paths between two commits as `git diff --raw`
// does: modes are left out, ids are full.
func (r *Repo) WriteDiff(ctx context.Context, w io.Writer, base, head hub.Commit) error {
	for c, err := range r.Compare(ctx, base, head) {
		if err != nil {
			return err
		}
		status, before, after := "M", hub.OID{}, hub.OID{}
		if c.Old != nil {
			before = c.Old.OID
		} else {
			status = "A"
		}
		if c.New != nil {
			after = c.New.OID
		} else {
			status = "D"
		}
		if _, err := fmt.Fprintf(w, ":%s %s %s\t%s\n", before, after, status, c.Path); err != nil {
			return err
		}
	}
	return nil
}
