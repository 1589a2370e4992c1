package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/pantryhub/pantry/hub"
)

// File brings one file into the cache and returns its path there. A revision
// that is a commit id and was downloaded before needs no network; when the hub
// cannot be reached, what the revision was last time is returned.
//
// Errors: hub.ErrRepoNotFound, ErrRevisionNotFound, ErrEntryNotFound,
// ErrGatedRepo, ErrUnauthenticated, ErrForbidden; ErrNotCached when the file
// is not in the cache and the hub is not asked or does not answer.
func (c *Client) File(ctx context.Context, s Source, path string) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	r := c.cacheOf(s)
	cached, isCached, err := c.Cached(s, path)
	if err != nil {
		return "", err
	}
	if _, fixed := s.commit(); isCached && (fixed || c.offline) {
		return cached, nil
	}
	if c.offline {
		return "", c.notCached(s, []string{path}, nil)
	}
	tries := attempts
	if isCached {
		tries = 1 // the copy is better than a wait
	}
	f, commit, err := c.stat(ctx, s, path, tries)
	var gone missing
	switch {
	case errors.As(err, &gone):
		if !gone.commit.IsZero() {
			return "", errors.Join(gone.error, r.setMissing(gone.commit, path), r.setRef(s, gone.commit))
		}
		return "", gone.error
	case unreachable(err) && isCached:
		return cached, nil
	case unreachable(err):
		return "", c.notCached(s, []string{path}, err)
	case err != nil:
		return "", err
	}
	pointer, err := r.pointer(commit, path)
	if err != nil {
		return "", err
	}
	if err := r.setRef(s, commit); err != nil && !readOnly(err) {
		return "", fmt.Errorf("write the cache: %w", err)
	}
	if exists(pointer) {
		return pointer, nil
	}
	c.progress.Begin(1, f.Size)
	return c.fill(ctx, s, commit, f)
}

// Cached is the path of a file in the cache, as of the last time that the
// revision was asked for. It uses no network.
func (c *Client) Cached(s Source, path string) (file string, ok bool, err error) {
	if err := s.check(); err != nil {
		return "", false, err
	}
	r := c.cacheOf(s)
	commit, known := r.ref(s)
	if !known {
		_, err := localPath(path)
		return "", false, err
	}
	pointer, err := r.pointer(commit, path)
	if err != nil || !exists(pointer) {
		return "", false, err
	}
	return pointer, true, nil
}

// Snapshot brings the selected files of a revision into the cache and returns
// the folder that holds them under their names. All are of one commit. When
// the hub cannot be reached, the last commit of the revision serves if all
// that is selected is in the cache.
//
// Errors are those of File.
func (c *Client) Snapshot(ctx context.Context, s Source, sel Selection) (dir string, err error) {
	if err := s.check(); err != nil {
		return "", err
	}
	r := c.cacheOf(s)
	tries := attempts
	if _, ok := c.CachedSnapshot(s); ok {
		tries = 1 // the copy is better than a wait
	}
	commit, entries, err := c.list(ctx, s, r.path(), tries)
	if unreachable(err) {
		return c.cachedSnapshot(s, sel, err)
	}
	if err != nil {
		return "", err
	}
	chosen, err := sel.apply(s, entries)
	if err != nil {
		return "", err
	}
	if err := r.setRef(s, commit); err != nil && !readOnly(err) {
		return "", fmt.Errorf("write the cache: %w", err)
	}
	var missing []entry
	for _, e := range chosen {
		pointer, err := r.pointer(commit, e.Path)
		if err != nil {
			return "", err
		}
		if !exists(pointer) {
			missing = append(missing, e)
		}
	}
	err = c.each(ctx, missing, func(ctx context.Context, f File) error {
		_, err := c.fill(ctx, s, commit, f)
		return err
	})
	if err != nil {
		return "", err
	}
	return r.snapshot(commit), nil
}

// readOnly reports whether err says that a folder may not be written to. Such
// a cache still serves what it holds.
func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// CachedSnapshot is the folder of the last commit of a revision in the cache,
// with whatever was downloaded of it. It uses no network.
func (c *Client) CachedSnapshot(s Source) (dir string, ok bool) {
	if s.check() != nil {
		return "", false
	}
	r := c.cacheOf(s)
	commit, ok := r.ref(s)
	if !ok || !exists(r.snapshot(commit)) {
		return "", false
	}
	return r.snapshot(commit), true
}

// list is the commit of a revision and its files, sorted. The listing of a
// commit never changes: it is kept below dir. tries is how often a hub that
// does not answer is asked for the commit.
func (c *Client) list(ctx context.Context, s Source, dir string, tries int) (hub.OID, []entry, error) {
	commit, err := c.commit(ctx, s, tries)
	if err != nil {
		return hub.OID{}, nil, err
	}
	if entries, ok := readTree(dir, commit); ok {
		return commit, entries, nil
	}
	entries, err := c.tree(ctx, s, commit)
	if err != nil {
		return hub.OID{}, nil, err
	}
	sortEntries(entries)
	if err := writeTree(dir, commit, entries); err != nil && !readOnly(err) {
		return hub.OID{}, nil, fmt.Errorf("write the cache: %w", err)
	}
	return commit, entries, nil
}

// each runs f for all files, several at once, after announcing them. The first
// error ends the others.
func (c *Client) each(ctx context.Context, entries []entry, f func(context.Context, File) error) error {
	if len(entries) == 0 {
		return nil
	}
	var bytes int64
	for _, e := range entries {
		bytes += e.Size
	}
	c.progress.Begin(len(entries), bytes)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers)
	for _, e := range entries {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, e.File)
		})
	}
	return group.Wait()
}

// cachedSnapshot is the folder of the last commit of a revision, if it holds
// all that is selected; why says what is wrong with the hub. A cache without
// a listing of the commit is only asked for the files that are named.
func (c *Client) cachedSnapshot(s Source, sel Selection, why error) (string, error) {
	r := c.cacheOf(s)
	commit, ok := r.ref(s)
	if !ok || !exists(r.snapshot(commit)) {
		return "", c.notCached(s, sel.Files, why)
	}
	wanted := sel.Files
	if entries, ok := readTree(r.path(), commit); ok {
		chosen, err := sel.apply(s, entries)
		if err != nil {
			return "", err
		}
		wanted = nil
		for _, e := range chosen {
			wanted = append(wanted, e.Path)
		}
	}
	var missing []string
	for _, path := range wanted {
		pointer, err := r.pointer(commit, path)
		if err != nil {
			return "", err
		}
		if !exists(pointer) {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return "", c.notCached(s, missing, why)
	}
	return r.snapshot(commit), nil
}

// notCached says which files are missing, and why they cannot be had: the hub
// gave an error, or is not asked.
func (c *Client) notCached(s Source, files []string, why error) error {
	what := fmt.Sprintf("The %s at revision %q", s, s.revision())
	if n := len(files); n > 0 {
		const few = 3
		names := strings.Join(files[:min(n, few)], ", ")
		if n > few {
			names = fmt.Sprintf("%s and %d more", names, n-few)
		}
		what = fmt.Sprintf("%s of the %s at revision %q", names, s, s.revision())
	}
	reason := "Offline mode is on (HF_HUB_OFFLINE)."
	if !c.offline && why != nil {
		reason = hub.MessageOf(why)
	}
	return &hub.Error{Code: hub.CodeUnavailable, Err: ErrNotCached,
		Message: fmt.Sprintf("%s is not in the cache (%s). %s", what, filepath.Clean(c.cache), reason)}
}

func sortEntries(entries []entry) {
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
}

// CopyTo brings the selected files of a revision into a folder of the user's,
// under their names, and remembers in dir/.cache/huggingface what they are,
// as Python's local_dir does: a second call downloads only what has changed.
// Files that are in the cache are copied from there.
//
// Errors are those of File; without the hub there is no copy.
func (c *Client) CopyTo(ctx context.Context, dir string, s Source, sel Selection) error {
	w, err := newWorkDir(dir)
	if err != nil {
		return err
	}
	commit, entries, err := c.list(ctx, s, w.meta, attempts)
	if err != nil {
		return err
	}
	chosen, err := sel.apply(s, entries)
	if err != nil {
		return err
	}
	if err := c.cacheOf(s).setRef(s, commit); err != nil && !readOnly(err) {
		return fmt.Errorf("write the cache: %w", err)
	}
	var stale []entry
	for _, e := range chosen {
		if isBookkeeping(e.Path) {
			continue
		}
		current, err := w.current(commit, e.File)
		if err != nil {
			return err
		}
		if !current {
			stale = append(stale, e)
		}
	}
	return c.each(ctx, stale, func(ctx context.Context, f File) error { return c.put(ctx, w, s, commit, f) })
}
