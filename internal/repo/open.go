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

// File is the open content of a path.
type File = content.File

// OpenFile opens the content of a file entry. The caller closes it.
func (r *Repo) OpenFile(ctx context.Context, e hub.Entry) (*File, error) {
	if e.LFS == nil {
		o, err := r.git().Object(ctx, e.OID)
		if err != nil {
			return nil, err
		}
		return content.OpenObject(ctx, r.svc.cas, o)
	}
	f, err := r.Held(ctx, e)
	if err != nil {
		return nil, err
	}
	return r.OpenHeld(ctx, f)
}

// OpenHeld opens a large file that Held returned. The caller closes it.
func (r *Repo) OpenHeld(ctx context.Context, f LargeFile) (*File, error) {
	return content.OpenStored(ctx, r.svc.cas, f.Xet)
}

// Held returns the large file of an entry as the repository holds it, or
// hub.ErrEntryNotFound if it was purged while history names it.
func (r *Repo) Held(ctx context.Context, e hub.Entry) (LargeFile, error) {
	f, err := r.svc.rows.file(ctx, r.ID, e.LFS.OID)
	if errors.Is(err, store.ErrNotFound) {
		return LargeFile{}, hub.Errorf(hub.CodeEntryNotFound, "The content of %s was deleted from this repository.", e.Path)
	}
	return f, err
}

// OpenPointer opens what git holds for an entry: the pointer of a large file,
// the content of any other.
func (r *Repo) OpenPointer(ctx context.Context, e hub.Entry) (*File, error) {
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
