package git

import (
	"fmt"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/hub"
)

// DefaultCacheBytes is the size of a cache when none is chosen.
const DefaultCacheBytes = 32 << 20

// Cache keeps parsed trees and commits of all repositories, bounded by their
// size in memory (large trees apart, by a bound of their own). Objects never change, so nothing is ever invalidated; the
// trees and commits of a deleted repository age out. It is safe for concurrent
// use. A nil *Cache caches nothing.
type Cache struct {
	entries *otter.Cache[cacheKey, cached]
	// large holds the last large trees on their own: a cache that admits by
	// frequency turns away a large newcomer, and the tree that a commit just
	// wrote is what the next commit reads.
	large recent
}

// recent keeps the last few large trees, of at most maxLarge bytes together.
type recent struct {
	mu    sync.Mutex
	trees []recentTree // oldest first
	bytes int
}

type recentTree struct {
	key    cacheKey
	tree   *Tree
	weight int
}

const (
	largeTree = 128 << 10 // bytes of a tree that the main cache would not take
	maxLarge  = 24 << 20
)

func (r *recent) get(key cacheKey) *Tree {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.trees {
		if t.key == key {
			copy(r.trees[i:], r.trees[i+1:])
			r.trees[len(r.trees)-1] = t
			return t.tree
		}
	}
	return nil
}

func (r *recent) put(key cacheKey, tree *Tree, weight int) {
	if weight > maxLarge || r.get(key) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trees = append(r.trees, recentTree{key, tree, weight})
	for r.bytes += weight; r.bytes > maxLarge; r.trees = r.trees[1:] {
		r.bytes -= r.trees[0].weight
	}
}

type cacheKey struct {
	repo int64
	oid  hub.OID
}

// cached is a tree or a commit.
type cached struct {
	tree   *Tree
	commit *commit
}

// commit is a parsed commit. committed orders histories; listings show the
// author's date.
type commit struct {
	hub.Commit
	committed int64 // Unix seconds
}

// NewCache makes a cache of at most maxBytes, DefaultCacheBytes if it is 0.
func NewCache(maxBytes int64) (*Cache, error) {
	if maxBytes == 0 {
		maxBytes = DefaultCacheBytes
	}
	if maxBytes < 0 {
		return nil, fmt.Errorf("git cache of %d bytes", maxBytes)
	}
	c, err := otter.New(&otter.Options[cacheKey, cached]{
		MaximumWeight: uint64(maxBytes),
		Weigher:       func(_ cacheKey, v cached) uint32 { return v.weight() },
	})
	if err != nil {
		return nil, fmt.Errorf("git cache: %w", err)
	}
	return &Cache{entries: c}, nil
}

// Bytes of the structs below, and of a cache entry around them.
const (
	entryWeight    = 64
	lfsWeight      = 80
	overheadWeight = 256
)

func (v cached) weight() uint32 {
	n := overheadWeight
	if v.tree != nil {
		for i := range v.tree.Entries {
			e := &v.tree.Entries[i]
			n += entryWeight + len(e.Name)
			if e.LFS != nil {
				n += lfsWeight
			}
		}
	}
	if v.commit != nil {
		n += len(v.commit.Message) + len(v.commit.Title) + len(hub.OID{})*len(v.commit.Parents)
	}
	return uint32(min(n, 1<<31))
}

func (c *Cache) get(repo int64, oid hub.OID) cached {
	if c == nil {
		return cached{}
	}
	key := cacheKey{repo, oid}
	if v, ok := c.entries.GetIfPresent(key); ok {
		return v
	}
	return cached{tree: c.large.get(key)}
}

func (c *Cache) put(repo int64, oid hub.OID, v cached) {
	if c == nil {
		return
	}
	key := cacheKey{repo, oid}
	if w := int(v.weight()); w >= largeTree {
		c.large.put(key, v.tree, w)
		return
	}
	c.entries.Set(key, v)
}
