// Package bucket keeps large immutable objects under content-addressed keys:
// in a folder, in any S3 store, or in memory. It knows keys and bytes, nothing
// of repositories, Xet or SQL.
//
// Keys are slash-separated paths of [a-z0-9._-] segments. An object is written
// once and never changed, so Put is idempotent, and a reader never sees part
// of an object: it appears whole or not at all.
package bucket

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Errors of every bucket. ErrNoSpace wraps the disk's or store's refusal.
var (
	ErrNotExist = errors.New("bucket: no such object")
	ErrNoSpace  = errors.New("bucket: no space left")
)

// Bucket stores immutable objects. Implementations are safe for concurrent
// use and pass buckettest.Run.
type Bucket interface {
	// Put stores size bytes of r under key and returns when they are durable.
	// If the key exists the stored object is kept and created is false; r may
	// then be left unread. A short or failing r stores nothing.
	Put(ctx context.Context, key string, r io.Reader, size int64) (created bool, err error)

	// Open opens an object for reading. The caller closes it. ErrNotExist if
	// there is none.
	Open(ctx context.Context, key string) (Object, error)

	// Stat describes an object, or ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error

	// List returns up to limit objects whose keys begin with prefix and sort
	// after the key after (exclusive, "" from the start), in key order.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)

	// Presign returns a URL from which anybody can GET the object until the
	// time to live has passed, or "" where the store cannot be reached by
	// clients directly (a folder).
	Presign(ctx context.Context, key string, ttl time.Duration) (string, error)

	// Check reports whether the store can be reached and written.
	Check(ctx context.Context) error
}

// Object is an open object. ReadAt is safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64

	// File is the object as a file, for sendfile, or nil where it is not one.
	// It must not be closed or seeked by the caller.
	File() *os.File
}

// Info describes an object.
type Info struct {
	Key     string
	Size    int64
	ModTime time.Time
}
