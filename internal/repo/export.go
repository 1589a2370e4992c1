package repo

import (
	"context"
	"io"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/content"
	"github.com/pantryhub/pantry/internal/git"
)

// Export writes the objects and refs of the repository to dir as a bare git
// repository. Large files stay pointers.
func (r *Repo) Export(ctx context.Context, dir string) error {
	refs, err := r.svc.db.Read().Refs(ctx, r.ID)
	if err != nil {
		return err
	}
	return git.Export(ctx, r.git(), dir, git.ExportOptions{
		Refs: refs, Head: r.DefaultBranch,
		Open: func(id hub.XetHash) (io.ReadCloser, error) {
			f, err := content.OpenStored(ctx, r.svc.cas, id)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{f.Reader(), f}, nil
		},
	})
}
