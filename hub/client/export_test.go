package client

import (
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

// SetStall changes how long a hub may send nothing.
func (c *Client) SetStall(d time.Duration) { c.stall = d }

// CloseIdleConnections lets the hub stop at once.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Token is the token that was found.
func (c *Client) Token() string { return c.token }

// SetClock changes what time it is.
func (b *Bar) SetClock(now func() time.Time) { b.now = now }

// Glob reports whether a pattern matches a path.
func Glob(pattern, path string) bool { return matches(patterns([]string{pattern}), path) }

// LocalPath is the path of a file below a folder.
var LocalPath = localPath

// WriteTree and ReadTree keep a listing below dir.
func WriteTree(dir string, commit hub.OID, lines []api.TreeEntry) error {
	var entries []entry
	for _, line := range lines {
		e, err := newEntry(line)
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	return writeTree(dir, commit, entries)
}

// ReadTree reads what WriteTree wrote.
func ReadTree(dir string, commit hub.OID) ([]api.TreeEntry, bool) {
	entries, ok := readTree(dir, commit)
	var lines []api.TreeEntry
	for _, e := range entries {
		lines = append(lines, api.TreeEntry{Type: hub.FileEntry, Path: e.Path, OID: e.blob, Size: e.Size, LFS: e.lfs, XetHash: e.xet})
	}
	return lines, ok
}
