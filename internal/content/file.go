package content

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// File is the open content of a path. ReadAt is safe for concurrent use.
type File struct {
	size   int64
	small  *bytes.Reader // nil when the bytes are in the CAS
	stored *cas.Reader
}

// OpenObject opens a blob, wherever its bytes are. The caller closes it.
func OpenObject(ctx context.Context, c *cas.Service, o store.GitObject) (*File, error) {
	if o.Xet != nil {
		return OpenStored(ctx, c, *o.Xet)
	}
	data, err := git.Inflate(o.Data, o.Size, o.Size)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", o.OID, err)
	}
	return &File{size: o.Size, small: bytes.NewReader(data)}, nil
}

// OpenStored opens a file of the CAS. The caller closes it.
func OpenStored(ctx context.Context, c *cas.Service, id hub.XetHash) (*File, error) {
	stored, err := c.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &File{size: stored.Size(), stored: stored}, nil
}

// Size is the number of bytes.
func (f *File) Size() int64 { return f.size }

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if f.stored != nil {
		return f.stored.ReadAt(p, off)
	}
	return f.small.ReadAt(p, off)
}

// WriteRange writes n bytes from off on, by the fastest way that w offers.
func (f *File) WriteRange(w io.Writer, off, n int64) (int64, error) {
	if f.stored != nil {
		return f.stored.WriteRange(w, off, n)
	}
	return io.Copy(w, io.NewSectionReader(f.small, off, n))
}

// Reader reads the file from its beginning.
func (f *File) Reader() io.ReadSeeker { return io.NewSectionReader(f, 0, f.size) }

// Close releases the file.
func (f *File) Close() error {
	if f.stored != nil {
		return f.stored.Close()
	}
	return nil
}
