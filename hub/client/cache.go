package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

// repoCache is a repository's folder in the cache.
type repoCache struct {
	root   string // the whole cache
	folder string // the repository's folder in it
}

func (c *Client) cacheOf(s Source) repoCache { return repoCache{root: c.cache, folder: s.folder()} }

func (r repoCache) path(elem ...string) string {
	return filepath.Join(append([]string{r.root, r.folder}, elem...)...)
}

func (r repoCache) snapshot(commit hub.OID) string { return r.path("snapshots", commit.String()) }

func (r repoCache) pointer(commit hub.OID, path string) (string, error) {
	local, err := localPath(path)
	if err != nil {
		return "", err
	}
	return filepath.Join(r.snapshot(commit), local), nil
}

func (r repoCache) blob(etag string) string { return r.path("blobs", etag) }

func (r repoCache) lockPath(etag string) string {
	return filepath.Join(r.root, ".locks", r.folder, etag+".lock")
}

// ref is the commit that a revision was when it was last asked for.
func (r repoCache) ref(s Source) (hub.OID, bool) {
	if oid, ok := s.commit(); ok {
		return oid, true
	}
	text, err := os.ReadFile(r.path("refs", filepath.FromSlash(string(s.revision()))))
	if err != nil {
		return hub.OID{}, false
	}
	oid, err := hub.ParseOID(string(text))
	return oid, err == nil
}

// setRef remembers which commit a revision is.
func (r repoCache) setRef(s Source, commit hub.OID) error {
	if known, ok := r.ref(s); ok && known == commit {
		return nil
	}
	return replaceFile(r.path("refs", filepath.FromSlash(string(s.revision()))), []byte(commit.String()))
}

// setMissing remembers that a commit has no such file.
func (r repoCache) setMissing(commit hub.OID, path string) error {
	local, err := localPath(path)
	if err != nil {
		return err
	}
	mark := r.path(".no_exist", commit.String(), local)
	if err := os.MkdirAll(filepath.Dir(mark), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}

// prepare makes the folders that a file of a commit needs, and tags the cache
// so that backups leave it out.
func (r repoCache) prepare(pointer string) error {
	for _, dir := range []string{r.path("blobs"), filepath.Dir(pointer)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("prepare the cache: %w", err)
		}
	}
	return tagCacheDir(r.root)
}

const cacheDirTag = "Signature: 8a477f597d28d172789f06886806bc55\n" +
	"# This file is a cache directory tag created by huggingface_hub.\n" +
	"# For information about cache directory tags, see:\n" +
	"#\thttps://bford.info/cachedir/\n"

func tagCacheDir(dir string) error {
	tag := filepath.Join(dir, "CACHEDIR.TAG")
	if _, err := os.Lstat(tag); err == nil {
		return nil
	}
	if err := os.WriteFile(tag, []byte(cacheDirTag), 0o666); err != nil {
		return fmt.Errorf("tag the cache: %w", err)
	}
	return nil
}

// fill downloads a file of a commit into the cache, unless it is there, and
// returns its path in the commit's snapshot.
func (c *Client) fill(ctx context.Context, s Source, commit hub.OID, f File) (string, error) {
	r := c.cacheOf(s)
	pointer, err := r.pointer(commit, f.Path)
	if err != nil {
		return "", err
	}
	if err := r.prepare(pointer); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, r.lockPath(f.ETag))
	if err != nil {
		return "", err
	}
	defer unlock()
	blob, fresh := r.blob(f.ETag), false
	if !exists(blob) {
		part := blob + ".incomplete"
		if err := c.download(ctx, s, commit, f, part); err != nil {
			return "", err
		}
		if err := os.Rename(part, blob); err != nil && !exists(blob) { // one without locks may have been first
			return "", err
		}
		fresh = true
	} else {
		c.progress.Advance(f.Path, f.Size)
	}
	if !exists(pointer) {
		if err := link(blob, pointer, fresh); err != nil {
			return "", err
		}
	}
	c.progress.Finish(f.Path)
	return pointer, nil
}

// exists reports whether there is a file behind all links.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// link makes pointer name a blob. Where the system has no links, the pointer
// becomes the file: moved there if nothing else can name it yet, else copied.
func link(blob, pointer string, fresh bool) error {
	if err := os.Remove(pointer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(pointer), blob)
	if err != nil {
		return err
	}
	err = os.Symlink(target, pointer)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		if made, readErr := os.Readlink(pointer); readErr == nil && made == target {
			return nil // by one who does not see our lock
		}
		return err
	case fresh:
		return os.Rename(blob, pointer)
	}
	return copyFile(blob, pointer)
}

// readTree is the listing of a commit as the cache remembers it.
func readTree(dir string, commit hub.OID) ([]entry, bool) {
	text, err := os.ReadFile(treePath(dir, commit))
	if err != nil {
		return nil, false
	}
	var t treeFile
	if json.Unmarshal(text, &t) != nil || t.Version != treeVersion {
		return nil, false
	}
	entries := make([]entry, 0, len(t.Files))
	for path, f := range t.Files {
		wire := api.TreeEntry{Type: hub.FileEntry, Path: path, OID: f.Blob, Size: f.Size, XetHash: f.Xet}
		if f.SHA256 != "" {
			wire.LFS = &api.TreeLFS{OID: f.SHA256, Size: f.LFSSize}
		}
		e, err := newEntry(wire)
		if err != nil {
			return nil, false
		}
		entries = append(entries, e)
	}
	sortEntries(entries)
	return entries, true
}

// treeVersion is the layout of trees/<commit>.json that is read and written.
const treeVersion = 1

type treeFile struct {
	Version int                 `json:"format_version"`
	Files   map[string]treeLine `json:"files"`
}

type treeLine struct {
	Size    int64  `json:"size"`
	Blob    string `json:"blob_id"`
	SHA256  string `json:"lfs_sha256,omitempty"`
	LFSSize int64  `json:"lfs_size,omitempty"`
	Xet     string `json:"xet_hash,omitempty"`
}

func treePath(dir string, commit hub.OID) string {
	return filepath.Join(dir, "trees", commit.String()+".json")
}

// writeTree remembers the listing of a commit below dir, byte for byte as
// Python's json.dump(indent=1) writes it.
func writeTree(dir string, commit hub.OID, entries []entry) error {
	t := treeFile{Version: treeVersion, Files: make(map[string]treeLine, len(entries))}
	for _, e := range entries {
		line := treeLine{Size: e.Size, Blob: e.blob, Xet: e.xet}
		if e.lfs != nil {
			line.SHA256, line.LFSSize = e.lfs.OID, e.lfs.Size
		}
		if e.xet != "" && !isXetHash(e.xet) {
			return nil // Python drops a listing with such a hash
		}
		t.Files[e.Path] = line
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(t); err != nil {
		return err
	}
	return replaceFile(treePath(dir, commit), escapeNonASCII(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

// escapeNonASCII writes every character beyond ~ as \uXXXX.
func escapeNonASCII(text []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(text) {
		switch {
		case r <= '~':
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.Bytes()
}

// replaceFile writes a file so that readers see all of it or none.
func replaceFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	var suffix [4]byte
	rand.Read(suffix[:])
	temp := path + "." + hex.EncodeToString(suffix[:]) + ".tmp"
	if err := os.WriteFile(temp, text, 0o666); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// isXetHash reports whether Python takes s for a Xet hash.
func isXetHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
