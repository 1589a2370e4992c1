// Package bucket keeps large immutable objects under content-addressed keys:
// in a folder, in any S3 store, or in memory. It knows keys and bytes, nothing
// of repositories, Xet or SQL, and imports nothing else of this module.
//
// Keys are slash-separated paths of [a-z0-9._-] segments (CheckKey). An object
// is written once and never changed, so Put is idempotent, and a reader never
// sees part of an object: it appears whole or not at all.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Errors of every bucket. ErrNoSpace wraps the disk's or store's refusal.
var (
	ErrNotExist = errors.New("bucket: no such object")
	ErrNoSpace  = errors.New("bucket: no space left")
	ErrBadKey   = errors.New("bucket: malformed key")
)

// Bucket stores immutable objects. Implementations are safe for concurrent
// use and pass buckettest.Run. Every method refuses a malformed key with
// ErrBadKey.
type Bucket interface {
	// Put stores the bytes of r under key and returns when they are durable.
	// r must yield exactly size bytes and then io.EOF: one that is shorter,
	// longer or fails stores nothing. If the key exists the stored object is
	// kept and created is false; r may then be left unread. Of several
	// concurrent Puts of a key one reports created.
	Put(ctx context.Context, key string, r io.Reader, size int64) (created bool, err error)

	// Open opens an object for reading, or returns ErrNotExist. The caller
	// closes it. The context bounds the opening, not the reads that follow.
	Open(ctx context.Context, key string) (Object, error)

	// Stat describes an object, or ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes an object; a missing one is no error. After a power
	// loss a deleted object may be back.
	Delete(ctx context.Context, key string) error

	// List returns up to limit objects whose keys begin with prefix and sort
	// after the key after (exclusive, "" from the start), in byte order of
	// their keys.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)

	// Presign returns a URL from which anybody can GET the object until the
	// time to live has passed, or "" where the store cannot be reached by
	// clients directly (a folder). It does not look whether the object exists.
	Presign(ctx context.Context, key string, ttl time.Duration) (string, error)

	// Check reports whether the store can be reached and written.
	Check(ctx context.Context) error
}

// Object is an open object. ReadAt is safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64

	// File is the object as a file, to be mapped, or nil where it is not one.
	// It must not be closed or seeked by the caller.
	File() *os.File
}

// Info describes an object.
type Info struct {
	Key     string
	Size    int64
	ModTime time.Time // when it was stored
}

// maxKey bounds a key: every store takes a name of this many bytes.
const maxKey = 512

// CheckKey reports whether key may name an object: one or more segments of
// [a-z0-9._-], joined by slashes, none of which begins with a dot. Upper case
// is left out because some file systems fold it. No key may be a folder of
// another ("a" beside "a/b"): a folder cannot hold both.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: %d bytes long", ErrBadKey, len(key))
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || !validSegment(segment) {
			return fmt.Errorf("%w: %q", ErrBadKey, key)
		}
	}
	return nil
}

// checkPrefix is CheckKey for the beginning of a key, which may end anywhere.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(strings.TrimSuffix(prefix, "/"))
}

func validSegment(s string) bool {
	if s[0] == '.' || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
