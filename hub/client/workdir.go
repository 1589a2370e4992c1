package client

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// workDir is a folder of the user's that files are downloaded into:
//
//	dir/<path>                                          the file
//	dir/.cache/huggingface/download/<path>.metadata     commit, ETag and time of it
//	dir/.cache/huggingface/download/<path>.lock
//	dir/.cache/huggingface/trees/<commit>.json
type workDir struct {
	dir  string
	meta string // dir/.cache/huggingface
}

func newWorkDir(dir string) (workDir, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return workDir{}, err
	}
	w := workDir{dir: dir, meta: filepath.Join(dir, ".cache", "huggingface")}
	if err := os.MkdirAll(w.meta, 0o777); err != nil {
		return workDir{}, err
	}
	if err := tagCacheDir(w.meta); err != nil {
		return workDir{}, err
	}
	ignore := filepath.Join(w.meta, ".gitignore")
	if _, err := os.Lstat(ignore); err == nil {
		return w, nil
	}
	return w, os.WriteFile(ignore, []byte("*"), 0o666)
}

// isBookkeeping reports whether a file of a repository would overwrite what
// the folder's own records are: someone uploaded such a folder whole.
func isBookkeeping(path string) bool {
	const records = ".cache/huggingface/"
	return len(path) > len(records) && strings.EqualFold(path[:len(records)], records)
}

// workFile is where a file and what is known of it lie.
type workFile struct {
	path, metadata, lock string
}

func (w workDir) file(path string) (workFile, error) {
	local, err := localPath(path)
	if err != nil {
		return workFile{}, err
	}
	known := filepath.Join(w.meta, "download", local)
	return workFile{path: filepath.Join(w.dir, local), metadata: known + ".metadata", lock: known + ".lock"}, nil
}

// part is where a file grows until it is whole.
func (p workFile) part(etag string) string {
	name := sha1.Sum([]byte(filepath.Base(p.metadata)))
	return filepath.Join(filepath.Dir(p.metadata), base64.URLEncoding.EncodeToString(name[:])+"."+etag+".incomplete")
}

// clockSlack is by how much a file may be younger than its metadata and still
// count as untouched.
const clockSlack = time.Second

// known is the ETag that the file had when it was downloaded; false when that
// is not known or the file was written to since.
func (p workFile) known() (etag string, ok bool) {
	text, err := os.ReadFile(p.metadata)
	if err != nil {
		return "", false
	}
	lines := strings.Split(string(text), "\n")
	info, err := os.Stat(p.path)
	if err != nil || len(lines) < 3 {
		return "", false
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(lines[2]), 64)
	if err != nil {
		return "", false
	}
	at := time.UnixMicro(int64(seconds * 1e6))
	return strings.TrimSpace(lines[1]), !info.ModTime().Add(-clockSlack).After(at)
}

// remember writes what the file is now.
func (p workFile) remember(commit hub.OID, etag string) error {
	now := strconv.FormatFloat(float64(time.Now().UnixMicro())/1e6, 'f', -1, 64)
	return replaceFile(p.metadata, fmt.Appendf(nil, "%s\n%s\n%s\n", commit, etag, now))
}

// current reports whether the folder holds the file as it is in the commit,
// and if so remembers the commit.
func (w workDir) current(commit hub.OID, f File) (bool, error) {
	p, err := w.file(f.Path)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(p.path)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil
	}
	etag, ok := p.known()
	if !ok && len(f.ETag) == 2*sha256.Size && info.Size() == f.Size {
		if etag, err = fileSHA256(p.path); err != nil {
			return false, err
		}
		ok = true
	}
	if !ok || etag != f.ETag || info.Size() != f.Size {
		return false, nil
	}
	return true, p.remember(commit, f.ETag)
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// put brings a file into the folder, in place of what is there.
func (c *Client) put(ctx context.Context, w workDir, s Source, commit hub.OID, f File) error {
	p, err := w.file(f.Path)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(p.path), filepath.Dir(p.metadata)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	unlock, err := lock(ctx, p.lock)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.putLocked(ctx, p, s, commit, f); err != nil {
		return err
	}
	c.progress.Finish(f.Path)
	return p.remember(commit, f.ETag)
}

func (c *Client) putLocked(ctx context.Context, p workFile, s Source, commit hub.OID, f File) error {
	at := s
	at.Revision = hub.Revision(commit.String())
	cached, ok, err := c.Cached(at, f.Path)
	if err != nil {
		return err
	}
	if err := os.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if ok {
		c.progress.Advance(f.Path, f.Size)
		return copyFile(cached, p.path)
	}
	part := p.part(f.ETag)
	if err := c.download(ctx, s, commit, f, part); err != nil {
		return err
	}
	return os.Rename(part, p.path)
}
