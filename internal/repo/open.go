package repo

import (
	"context"
	"errors"
	"io"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/content"
	"github.com/pantryhub/pantry/internal/store"
)

// maxSmall bounds the files that the hub reads whole: cards, configurations.
const maxSmall = 16 << 20

// OpenFile opens the content of a file entry. The caller closes it.
func (r *Repo) OpenFile(ctx context.Context, e hub.Entry) (*content.File, error) {
	if e.LFS == nil {
		o, err := r.git().Object(ctx, e.OID)
		if err != nil {
			return nil, err
		}
		return content.OpenObject(ctx, r.svc.cas, o)
	}
	// The row, not the listing, says whether the repository still holds it:
	// large files can be purged while history names them.
	f, err := r.svc.db.Read().RepoFile(ctx, r.ID, e.LFS.OID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.Errorf(hub.CodeEntryNotFound, "The content of %s was deleted from this repository.", e.Path)
	}
	if err != nil {
		return nil, err
	}
	return content.OpenStored(ctx, r.svc.cas, f.Xet)
}

// OpenPointer opens what git holds for an entry: the pointer of a large file,
// the content of any other.
func (r *Repo) OpenPointer(ctx context.Context, e hub.Entry) (*content.File, error) {
	o, err := r.git().Object(ctx, e.OID)
	if err != nil {
		return nil, err
	}
	return content.OpenObject(ctx, r.svc.cas, o)
}

// ReadSmall reads a file whole; over maxSmall is an error.
func (r *Repo) ReadSmall(ctx context.Context, e hub.Entry) ([]byte, error) {
	if e.Size > maxSmall {
		return nil, hub.Errorf(hub.CodeTooLarge, "%s is over %d bytes.", e.Path, maxSmall)
	}
	f, err := r.OpenFile(ctx, e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f.Reader())
}

// readObject reads a blob whole; over maxSmall is an error.
func (s *Service) readObject(ctx context.Context, o store.GitObject) ([]byte, error) {
	if o.Size > maxSmall {
		return nil, hub.Errorf(hub.CodeTooLarge, "The file is over %d bytes.", maxSmall)
	}
	f, err := content.OpenObject(ctx, s.cas, o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f.Reader())
}
