package cas

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/xet"
)

// Bounds of the caches, in bytes of memory and open objects.
const (
	xorbCacheBytes = 48 << 20 // about 1,000 full xorbs: 64 GiB of files
	fileCacheBytes = 16 << 20
	maxOpenObjects = 256
)

// xorb is a stored xorb: where it is, what is in it, and a way to find chunks.
type xorb struct {
	id    hub.XetHash
	key   string // of the object in the bucket
	index *xet.Index

	// table finds chunks by hash: slots hold chunk numbers plus one, 0 if free.
	// It is made when first needed.
	once  sync.Once
	table []uint16
}

func newXorb(id hub.XetHash, key string, index *xet.Index) *xorb {
	return &xorb{id: id, key: key, index: index}
}

// slot is where the search for a chunk begins.
func slot(h hub.XetHash, mask uint64) uint64 { return binary.LittleEndian.Uint64(h[:8]) & mask }

// find is the first chunk with this hash, or false.
func (x *xorb) find(h hub.XetHash) (int, bool) {
	x.once.Do(x.fill)
	mask := uint64(len(x.table) - 1)
	for i := slot(h, mask); ; i = (i + 1) & mask {
		n := int(x.table[i]) - 1
		if n < 0 {
			return 0, false
		}
		if x.index.Hash(n) == h {
			return n, true
		}
	}
}

func (x *xorb) fill() {
	n := x.index.Len()
	x.table = make([]uint16, 1<<bits.Len(uint(2*n)))
	mask := uint64(len(x.table) - 1)
	for c := range n {
		h := x.index.Hash(c)
		i := slot(h, mask)
		for x.table[i] != 0 && x.index.Hash(int(x.table[i])-1) != h {
			i = (i + 1) & mask
		}
		if x.table[i] == 0 {
			x.table[i] = uint16(c + 1)
		}
	}
}

// weight is about how much memory a xorb takes.
func (x *xorb) weight() uint32 { return uint32(256 + 56*x.index.Len()) }

// cache keeps what load returns, up to a weight. Concurrent gets of one key load
// it once.
type cache[V any] struct {
	entries *otter.Cache[hub.XetHash, V]
	load    func(context.Context, hub.XetHash) (V, error)
}

type (
	xorbCache = cache[*xorb]
	fileCache = cache[*file]
)

func newCache[V any](limit uint64, weight func(V) uint32, load func(context.Context, hub.XetHash) (V, error)) (*cache[V], error) {
	entries, err := otter.New(&otter.Options[hub.XetHash, V]{
		MaximumWeight: limit,
		Weigher:       func(_ hub.XetHash, v V) uint32 { return weight(v) },
	})
	return &cache[V]{entries, load}, err
}

func newXorbCache(load func(context.Context, hub.XetHash) (*xorb, error)) (*xorbCache, error) {
	return newCache(xorbCacheBytes, (*xorb).weight, load)
}

func newFileCache(load func(context.Context, hub.XetHash) (*file, error)) (*fileCache, error) {
	return newCache(fileCacheBytes, func(f *file) uint32 { return uint32(128 + 56*len(f.terms)) }, load)
}

func (c *cache[V]) get(ctx context.Context, id hub.XetHash) (V, error) {
	if v, ok := c.entries.GetIfPresent(id); ok {
		return v, nil
	}
	return c.entries.Get(ctx, id, otter.LoaderFunc[hub.XetHash, V](c.load))
}

// drop forgets an entry: whoever finds its object gone loads it again.
func (c *cache[V]) drop(id hub.XetHash) { c.entries.Invalidate(id) }

// objectCache keeps objects of the bucket open between uses.
type objectCache struct {
	bucket bucket.Bucket

	mu   sync.Mutex
	open map[string]*object
	tick uint64 // counts uses, to find the one longest ago
}

// object is an open object. refs and used are guarded by the cache's mutex.
type object struct {
	bucket.Object
	key  string
	refs int
	used uint64

	// once guards data, the object mapped into memory.
	once sync.Once
	data []byte
}

// mapped is the object in memory, or nil if it cannot be mapped. The bytes are
// for the kernel only: they must be given to a system call, which fails where
// the disk does; Go code that reads them would crash. They are valid until the
// object is released.
func (o *object) mapped() []byte {
	o.once.Do(func() {
		if f := o.File(); f != nil {
			o.data, _ = mapFile(f, o.Size()) // what cannot be mapped is read
		}
	})
	return o.data
}

// Close implements io.Closer.
func (o *object) Close() error {
	if o.data != nil {
		unmapFile(o.data)
	}
	return o.Object.Close()
}

func newObjectCache(b bucket.Bucket) *objectCache {
	return &objectCache{bucket: b, open: make(map[string]*object)}
}

// get opens an object, or returns the open one. It must be released.
func (c *objectCache) get(ctx context.Context, key string) (*object, error) {
	if o := c.reuse(key); o != nil {
		return o, nil
	}
	opened, err := c.bucket.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tick++
	if o := c.open[key]; o != nil { // somebody else was faster
		opened.Close()
		o.refs++
		o.used = c.tick
		return o, nil
	}
	if len(c.open) >= maxOpenObjects {
		c.evict()
	}
	o := &object{Object: opened, key: key, refs: 1, used: c.tick}
	c.open[key] = o
	return o, nil
}

func (c *objectCache) reuse(key string) *object {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.open[key]
	if o == nil {
		return nil
	}
	c.tick++
	o.refs++
	o.used = c.tick
	return o
}

// evict closes the unused object that was used longest ago, if any is unused.
func (c *objectCache) evict() {
	var oldest *object
	for _, o := range c.open {
		if o.refs == 0 && (oldest == nil || o.used < oldest.used) {
			oldest = o
		}
	}
	if oldest != nil {
		delete(c.open, oldest.key)
		oldest.Close()
	}
}

func (c *objectCache) release(o *object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.refs--
	if o.refs == 0 && len(c.open) > maxOpenObjects {
		delete(c.open, o.key)
		o.Close()
	}
}

func (c *objectCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, o := range c.open {
		if o.refs > 0 {
			return fmt.Errorf("cas: object %s is still in use", key)
		}
		delete(c.open, key)
		o.Close()
	}
	return nil
}
