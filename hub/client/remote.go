package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// FS is a commit of a repository as a read-only file system. Nothing is
// downloaded but what is read: files implement io.ReaderAt, io.Seeker and
// io.Reader by ranged requests, and keep what they have read ahead while they
// are open. It is for looking into large files; Snapshot is for using them.
//
// ctx bounds every read. Errors are those of File, within an fs.PathError.
func (c *Client) FS(ctx context.Context, s Source) (*RemoteFS, error) {
	files, commit, err := c.Files(ctx, s)
	if err != nil {
		return nil, err
	}
	s.Revision = hub.Revision(commit.String())
	r := &RemoteFS{client: c, ctx: ctx, source: s, files: map[string]File{}, dirs: map[string][]fs.DirEntry{".": nil}}
	for _, f := range files {
		if !fs.ValidPath(f.Path) {
			continue
		}
		r.files[f.Path] = f
		r.add(path.Dir(f.Path), remoteInfo{name: path.Base(f.Path), size: f.Size})
	}
	for _, list := range r.dirs {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	return r, nil
}

// RemoteFS is a commit as a file system: an fs.FS and fs.ReadDirFS.
type RemoteFS struct {
	client *Client
	ctx    context.Context
	source Source
	files  map[string]File
	dirs   map[string][]fs.DirEntry
}

// Source is the repository, with the commit as its revision.
func (r *RemoteFS) Source() Source { return r.source }

// add enters a file or folder into its folder's list, and the folder into its
// own parent's.
func (r *RemoteFS) add(dir string, info remoteInfo) {
	if _, known := r.dirs[dir]; !known {
		r.add(path.Dir(dir), remoteInfo{name: path.Base(dir), dir: true})
	}
	r.dirs[dir] = append(r.dirs[dir], fs.FileInfoToDirEntry(info))
}

// Open implements fs.FS.
func (r *RemoteFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if f, ok := r.files[name]; ok {
		return &RemoteFile{fs: r, file: f}, nil
	}
	if list, ok := r.dirs[name]; ok {
		return &remoteDir{info: remoteInfo{name: path.Base(name), dir: true}, rest: list}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (r *RemoteFS) ReadDir(name string) ([]fs.DirEntry, error) {
	list, ok := r.dirs[name]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(list), nil
}

// remoteInfo is a file or folder as fs describes it. Commits do not date
// their files.
type remoteInfo struct {
	name string
	size int64
	dir  bool
}

func (i remoteInfo) Name() string       { return i.name }
func (i remoteInfo) Size() int64        { return i.size }
func (i remoteInfo) ModTime() time.Time { return time.Time{} }
func (i remoteInfo) IsDir() bool        { return i.dir }
func (i remoteInfo) Sys() any           { return nil }
func (i remoteInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// remoteDir is an open folder.
type remoteDir struct {
	info remoteInfo
	rest []fs.DirEntry
}

func (d *remoteDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *remoteDir) Close() error               { return nil }
func (d *remoteDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("is a directory")}
}

func (d *remoteDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	list := slices.Clone(d.rest[:min(n, len(d.rest))])
	d.rest = d.rest[len(list):]
	return list, nil
}

const (
	// firstWindow is what the first read fetches: enough for the header of most
	// checkpoints. Each further one fetches twice as much, up to maxWindow, since
	// headers are read from the front.
	firstWindow = 256 << 10
	maxWindow   = 8 << 20
)

// RemoteFile is an open file of a RemoteFS. It is safe for use by several
// goroutines.
type RemoteFile struct {
	fs   *RemoteFS
	file File

	mu     sync.Mutex
	at     int64  // of Read and Seek
	window []byte // bytes of the file from start
	start  int64
	next   int64 // size of the next window
}

// Stat implements fs.File.
func (f *RemoteFile) Stat() (fs.FileInfo, error) {
	return remoteInfo{name: path.Base(f.file.Path), size: f.file.Size}, nil
}

// Close implements fs.File.
func (f *RemoteFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window = nil
	return nil
}

// Read implements io.Reader.
func (f *RemoteFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(p, f.at)
	f.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *RemoteFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.file.Size
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: f.file.Path, Err: fs.ErrInvalid}
	}
	f.at = offset
	return offset, nil
}

// ReadAt implements io.ReaderAt.
func (f *RemoteFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readAt(p, off)
}

// readAt fills p from the window, which moves when it lacks the bytes.
func (f *RemoteFile) readAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.file.Path, Err: fs.ErrInvalid}
	}
	for n < len(p) {
		at := off + int64(n)
		if at >= f.file.Size {
			return n, io.EOF
		}
		if at < f.start || at >= f.start+int64(len(f.window)) {
			if err := f.fetch(at, int64(len(p)-n)); err != nil {
				return n, &fs.PathError{Op: "read", Path: f.file.Path, Err: err}
			}
		}
		n += copy(p[n:], f.window[at-f.start:])
	}
	return n, nil
}

// fetch moves the window to at. It holds at least want bytes, as long as that
// is less than maxWindow and they are in the file.
func (f *RemoteFile) fetch(at, want int64) error {
	size := max(f.next, firstWindow)
	f.next = min(2*size, maxWindow)
	size = min(max(size, min(want, maxWindow)), f.file.Size-at)
	window := make([]byte, size)
	c := f.fs.client
	err := retry(f.fs.ctx, attempts, func() (bool, error) {
		resp, err := c.send(f.fs.ctx, request{
			method: http.MethodGet, url: c.resolveURL(f.fs.source, f.fs.source.revision(), f.file.Path),
			about: subject{f.fs.source, f.file.Path}, from: at, to: at + size,
		})
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		whole := resp.StatusCode == http.StatusOK && at == 0 && size == f.file.Size
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !whole && (resp.StatusCode != http.StatusPartialContent || !ok || from != at || total != f.file.Size) {
			return false, c.notAHub(fmt.Sprintf("asked for bytes %d to %d of %s it answers %s", at, at+size, f.file.Path, resp.Status))
		}
		_, err = io.ReadFull(resp.Body, window)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = c.connectionError(f.fs.ctx, err)
		}
		return false, err
	})
	if err != nil {
		return err
	}
	f.window, f.start = window, at
	return nil
}
