package repo

import (
	"context"
	"fmt"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// rowCache remembers the rows that every file request needs. A remembered row
// is used only while nothing at all was written to the database since it was
// read, so an answer is never older than the last acknowledged change. Where
// other processes write too (PostgreSQL) nothing is remembered.
type rowCache struct {
	db    *store.DB
	repos *otter.Cache[repoKey, versioned[store.Found]]
	files *otter.Cache[fileKey, versioned[store.RepoFile]]
}

// versioned is a row with the version of the database that it was read at.
type versioned[V any] struct {
	row     V
	version uint64
}

type repoKey struct {
	kind hub.RepoType
	key  string
}

type fileKey struct {
	repoID int64
	sha    hub.SHA256
}

const (
	maxRepoRows = 2_000
	maxFileRows = 10_000
)

func newRowCache(db *store.DB) (*rowCache, error) {
	repos, err := otter.New(&otter.Options[repoKey, versioned[store.Found]]{MaximumSize: maxRepoRows})
	if err != nil {
		return nil, fmt.Errorf("row cache: %w", err)
	}
	files, err := otter.New(&otter.Options[fileKey, versioned[store.RepoFile]]{MaximumSize: maxFileRows})
	if err != nil {
		return nil, fmt.Errorf("row cache: %w", err)
	}
	return &rowCache{db: db, repos: repos, files: files}, nil
}

// repo is store.FindRepo.
func (c *rowCache) repo(ctx context.Context, t hub.RepoType, id hub.RepoID) (store.Found, error) {
	return current(c.db, c.repos, repoKey{t, id.Key()}, func() (store.Found, error) {
		return c.db.Read().FindRepo(ctx, t, id)
	})
}

// file is store.RepoFile.
func (c *rowCache) file(ctx context.Context, repoID int64, sha hub.SHA256) (store.RepoFile, error) {
	return current(c.db, c.files, fileKey{repoID, sha}, func() (store.RepoFile, error) {
		return c.db.Read().RepoFile(ctx, repoID, sha)
	})
}

// current returns the row under a key as of now: the remembered one if nothing
// was written since, else what read returns.
func current[K comparable, V any](db *store.DB, cache *otter.Cache[K, versioned[V]], key K, read func() (V, error)) (V, error) {
	version, exact := db.Version()
	if !exact {
		return read()
	}
	if v, ok := cache.GetIfPresent(key); ok && v.version == version {
		return v.row, nil
	}
	row, err := read()
	if err == nil {
		cache.Set(key, versioned[V]{row: row, version: version}) // of before the read, so never too new
	}
	return row, err
}
