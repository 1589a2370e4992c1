package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Dir keeps objects as files below a folder: key "xorbs/ab/abcd" is the file
// xorbs/ab/abcd. Several processes may use one folder at the same time.
//
// An object is written to .tmp, synced, and then linked to its name, which
// succeeds for exactly one of several writers; then its folder is synced. A
// crash leaves at most a file in .tmp.
type Dir struct {
	root string

	// lock is held shared for as long as the Dir lives; whoever gets it
	// exclusively knows that no writer is under way and may sweep .tmp.
	lock *os.File

	durable sync.Map  // folders below root whose names are known to be on disk
	pieces  sync.Pool // *piece
}

const (
	tmpName  = ".tmp"
	lockName = "lock"
)

// OpenDir opens the bucket in the folder root, which is made if absent. What
// interrupted writers left behind is swept, unless another process has the
// folder open.
func OpenDir(root string) (*Dir, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	d := &Dir{root: root}
	d.pieces.New = func() any { return new(piece) }
	if err := os.MkdirAll(d.abs(tmpName), 0o700); err != nil {
		return nil, fmt.Errorf("bucket: %w", spaceError(err))
	}
	if err := cmp.Or(syncDir(filepath.Dir(root)), syncDir(root)); err != nil {
		return nil, fmt.Errorf("bucket: open %s: %w", root, err)
	}
	if err := d.sweep(); err != nil {
		return nil, fmt.Errorf("bucket: sweep %s: %w", d.abs(tmpName), err)
	}
	return d, nil
}

// sweep removes the files in .tmp if nobody else has the folder open, and
// takes the shared lock.
func (d *Dir) sweep() (err error) {
	d.lock, err = os.OpenFile(d.abs(path.Join(tmpName, lockName)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if lockAlone(d.lock) {
		entries, err := os.ReadDir(d.abs(tmpName))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() == lockName {
				continue
			}
			if err := os.Remove(d.abs(path.Join(tmpName, e.Name()))); err != nil {
				return err
			}
		}
	}
	return lockShared(d.lock)
}

// Put implements Bucket.
func (d *Dir) Put(ctx context.Context, key string, r io.Reader, size int64) (bool, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return false, err
	}
	created, err := d.put(ctx, key, r, size)
	if err != nil {
		return false, fmt.Errorf("bucket: put %s: %w", key, spaceError(err))
	}
	return created, nil
}

func (d *Dir) put(ctx context.Context, key string, r io.Reader, size int64) (created bool, err error) {
	folder := path.Dir(key)
	if _, err := os.Lstat(d.abs(key)); err == nil {
		// Its writer may not have come to syncing the folder yet.
		return false, syncDir(d.abs(folder))
	}
	src, err := newSource(ctx, r, size)
	if err != nil {
		return false, err
	}
	s, err := d.Stage(ctx)
	if err != nil {
		return false, err
	}
	defer s.Discard()
	if err := s.readFrom(src); err != nil {
		return false, err
	}
	return s.commit(key, size)
}

// publish gives the finished file tmp its name, or returns fs.ErrExist. Where
// the file system has no hard links it is renamed, which may replace an object
// by its own bytes.
func publish(tmp, name string) error {
	err := os.Link(tmp, name)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) {
		return os.Rename(tmp, name)
	}
	return err
}

// makeDir makes the folder rel and its parents, and returns when their names
// are on disk.
func (d *Dir) makeDir(rel string) error {
	if rel == "." {
		return nil
	}
	if _, ok := d.durable.Load(rel); ok {
		return nil
	}
	parent := path.Dir(rel)
	if err := d.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(d.abs(rel), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(d.abs(parent)); err != nil {
		return err
	}
	d.durable.Store(rel, true)
	return nil
}

// Open implements Bucket.
func (d *Dir) Open(ctx context.Context, key string) (Object, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return nil, err
	}
	f, err := os.Open(d.abs(key))
	if err != nil {
		return nil, fmt.Errorf("bucket: open %s: %w", key, missing(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("bucket: open %s: %w", key, err)
	}
	return dirObject{f, info.Size()}, nil
}

// Stat implements Bucket.
func (d *Dir) Stat(ctx context.Context, key string) (Info, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return Info{}, err
	}
	info, err := os.Lstat(d.abs(key))
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotExist
	}
	if err != nil {
		return Info{}, fmt.Errorf("bucket: stat %s: %w", key, missing(err))
	}
	return Info{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// Delete implements Bucket. Folders stay, so that a writer never loses the one
// it is about to link into.
func (d *Dir) Delete(ctx context.Context, key string) error {
	_, err := d.Stat(ctx, key)
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(d.abs(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bucket: delete %s: %w", key, err)
	}
	return nil
}

// List implements Bucket.
func (d *Dir) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	w := dirWalk{dir: d, prefix: prefix, after: after, limit: limit}
	start, _ := path.Split(prefix)
	if err := w.walk(ctx, start); err != nil {
		return nil, fmt.Errorf("bucket: list %s: %w", prefix, err)
	}
	return w.found, nil
}

// Presign implements Bucket: a folder has no address of its own.
func (d *Dir) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", CheckKey(key)
}

// Check implements Bucket: it writes and removes a file.
func (d *Dir) Check(ctx context.Context) error {
	const probe = "probe"
	s, err := d.Stage(ctx)
	if err != nil {
		return err
	}
	defer s.Discard()
	if _, err = io.WriteString(s, probe); err == nil {
		err = s.sync(int64(len(probe)))
	}
	if err != nil {
		return fmt.Errorf("bucket: check %s: %w", d.root, spaceError(err))
	}
	return nil
}

func (d *Dir) abs(rel string) string { return filepath.Join(d.root, filepath.FromSlash(rel)) }

// dirWalk collects objects in key order, skipping folders that cannot hold any
// that are asked for.
type dirWalk struct {
	dir           *Dir
	prefix, after string
	limit         int
	found         []Info
}

// walk visits the folder at, "" or ending in a slash.
func (w *dirWalk) walk(ctx context.Context, at string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(w.dir.abs(at))
	if errors.Is(missing(err), ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Byte order of keys, in which "a.b" comes before "a/b".
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(listName(a), listName(b))
	})
	for _, e := range entries {
		if len(w.found) >= w.limit {
			return nil
		}
		if err := w.visit(ctx, at+listName(e), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *dirWalk) visit(ctx context.Context, key string, e fs.DirEntry) error {
	switch {
	case strings.HasPrefix(e.Name(), "."):
		return nil
	case e.IsDir():
		wanted := strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)
		passed := key < w.after && !strings.HasPrefix(w.after, key)
		if !wanted || passed {
			return nil
		}
		return w.walk(ctx, key)
	case !e.Type().IsRegular() || !strings.HasPrefix(key, w.prefix) || key <= w.after:
		return nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	w.found = append(w.found, Info{Key: key, Size: info.Size(), ModTime: info.ModTime()})
	return nil
}

// listName is the name of an entry as it appears in keys.
func listName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

type dirObject struct {
	f    *os.File
	size int64
}

func (o dirObject) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, off) }
func (o dirObject) Close() error                            { return o.f.Close() }
func (o dirObject) Size() int64                             { return o.size }
func (o dirObject) File() *os.File                          { return o.f }

func syncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// missing turns the file system's ways to say that a file is not there into
// ErrNotExist.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return ErrNotExist
	}
	return err
}

// spaceError marks the file system's refusals for want of space.
func spaceError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
