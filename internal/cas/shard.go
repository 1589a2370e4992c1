package cas

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// Limits of what a Xet shard may describe. A term takes 48 bytes and can claim a
// gigabyte, all of which is hashed.
const (
	// MaxShard is the largest shard in bytes, and how many bytes of shards are
	// held in memory at once.
	MaxShard = 128 << 20

	maxFile   = 1 << 40 // raw bytes of one file
	maxChunks = 1 << 25 // in all terms together

	// A shard whose files have more than freeRaw bytes must have at least one
	// stored byte for every maxGain of them: what a client makes the hub hash is
	// in proportion to what it has sent.
	freeRaw = 64 << 30
	maxGain = 1000
)

// ShardUpload is a shard that a client wants to register: what is left of it
// once it has been checked, without chunks.
type ShardUpload struct {
	svc    *Service
	files  []shardFile
	xorbs  []hub.XetHash // that it describes, in order
	refs   []hub.XetHash // all that it names
	chunks []store.DedupChunk
}

// shardFile is a file to register.
type shardFile struct {
	id    hub.XetHash
	size  int64
	claim hub.SHA256 // what the client says its content is, or zero
	terms []byte     // as they are stored
}

// weight is about how much memory the upload takes while it waits.
func (up *ShardUpload) weight() int64 {
	n := 64*len(up.chunks) + 32*(len(up.xorbs)+len(up.refs))
	for i := range up.files {
		n += 144 + len(up.files[i].terms)
	}
	return int64(n)
}

// ReadShard reads a shard of size bytes (-1 if unknown) and checks what it says
// about xorbs and files against what is stored: that every chunk it mentions is
// here, that the uploader knows their hashes, and that files have the hash they
// should. What is left for Register is to hash content that is new.
func (s *Service) ReadShard(ctx context.Context, r io.Reader, size int64) (*ShardUpload, error) {
	if size > MaxShard {
		return nil, errShardTooLarge
	}
	// The body waits on disk until all of it is here: memory is not for slow
	// clients.
	sp := s.newBuffer()
	defer sp.close()
	n, err := io.Copy(sp, io.LimitReader(r, MaxShard+1))
	if err != nil {
		return nil, fmt.Errorf("receive shard: %w", err)
	}
	if n > MaxShard {
		return nil, errShardTooLarge
	}
	if size >= 0 && n < size {
		return nil, fmt.Errorf("receive shard: %w", io.ErrUnexpectedEOF)
	}
	if err := s.shards.Acquire(ctx, n); err != nil {
		return nil, err
	}
	defer s.shards.Release(n)
	shard, err := xet.ReadShard(sp.reader(), n)
	if err != nil {
		return nil, fmt.Errorf("read shard: %w", refused(err))
	}
	c := &shardCheck{svc: s, shard: shard}
	if err := c.run(ctx); err != nil {
		return nil, fmt.Errorf("read shard: %w", refused(err))
	}
	return c.upload(), nil
}

var errShardTooLarge = hub.Errorf(hub.CodeTooLarge, "A shard has at most %d bytes.", MaxShard)

// shardCheck compares a shard with what is stored.
type shardCheck struct {
	svc    *Service
	shard  *xet.Shard
	chunks []store.DedupChunk // found on the way
}

func (c *shardCheck) run(ctx context.Context) error {
	if err := c.checkSize(ctx); err != nil {
		return err
	}
	for i := range c.shard.Xorbs {
		if err := c.checkXorb(ctx, &c.shard.Xorbs[i]); err != nil {
			return err
		}
	}
	for i := range c.shard.Files {
		if err := c.checkFile(ctx, &c.shard.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// upload is what remains of the shard.
func (c *shardCheck) upload() *ShardUpload {
	up := &ShardUpload{svc: c.svc, chunks: c.chunks}
	for i := range c.shard.Xorbs {
		up.xorbs = append(up.xorbs, c.shard.Xorbs[i].Hash)
	}
	named := make(map[hub.XetHash]bool)
	name := func(id hub.XetHash) {
		if !named[id] {
			named[id] = true
			up.refs = append(up.refs, id)
		}
	}
	for _, id := range up.xorbs {
		name(id)
	}
	for i := range c.shard.Files {
		f := &c.shard.Files[i]
		for k := range f.Terms {
			name(f.Terms[k].Xorb)
		}
		up.files = append(up.files, shardFile{id: f.Hash, size: f.Size(), claim: f.SHA256, terms: appendTerms(nil, f.Terms)})
	}
	return up
}

// checkSize refuses shards that would keep the hub busy out of proportion. It
// comes before all work that grows with what terms claim.
func (c *shardCheck) checkSize(ctx context.Context) error {
	var raw, chunks int64
	for i := range c.shard.Files {
		f := &c.shard.Files[i]
		size := f.Size()
		if size > maxFile {
			return hub.Errorf(hub.CodeTooLarge, "The file %s has %d bytes. The most is %d.", f.Hash, size, int64(maxFile))
		}
		raw += size
		for k := range f.Terms {
			chunks += int64(f.Terms[k].End) - int64(f.Terms[k].Start)
		}
		if chunks > maxChunks {
			return hub.Errorf(hub.CodeTooLarge, "The files of a shard have at most %d chunks.", maxChunks)
		}
	}
	if raw <= freeRaw {
		return nil
	}
	stored, err := c.storedBytes(ctx)
	if err != nil {
		return err
	}
	if raw/maxGain > stored {
		return hub.Errorf(hub.CodeTooLarge, "The files of the shard have %d bytes, made of only %d that are stored.", raw, stored)
	}
	return nil
}

// storedBytes is how many bytes the records of the chunks have that the files
// use, each counted once.
func (c *shardCheck) storedBytes(ctx context.Context) (n int64, err error) {
	used := make(map[hub.XetHash][]bool)
	for i := range c.shard.Files {
		for _, t := range c.shard.Files[i].Terms {
			x, err := c.term(ctx, t)
			if err != nil {
				return 0, err
			}
			seen := used[t.Xorb]
			if seen == nil {
				seen = make([]bool, x.index.Len())
				used[t.Xorb] = seen
			}
			for k := int(t.Start); k < int(t.End); k++ {
				if !seen[k] {
					seen[k] = true
					n += x.index.Offset(k+1) - x.index.Offset(k)
				}
			}
		}
	}
	return n, nil
}

// xorb is a stored xorb that the shard mentions.
func (c *shardCheck) xorb(ctx context.Context, id hub.XetHash) (*xorb, error) {
	x, err := c.svc.xorbs.get(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, hub.Invalidf("The shard refers to the xorb %s, which is not stored here. Upload it first.", id)
	}
	return x, err
}

// term is the stored xorb of a term, which lies within it.
func (c *shardCheck) term(ctx context.Context, t xet.Term) (*xorb, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x, err := c.xorb(ctx, t.Xorb)
	if err != nil {
		return nil, err
	}
	return x, x.index.CheckTerm(t)
}

// checkXorb compares the description of a xorb with what is stored.
func (c *shardCheck) checkXorb(ctx context.Context, d *xet.ShardXorb) error {
	x, err := c.xorb(ctx, d.Hash)
	if err != nil {
		return err
	}
	if len(d.Chunks) != x.index.Len() {
		return hub.Invalidf("The shard describes %d chunks of the xorb %s, which has %d.", len(d.Chunks), d.Hash, x.index.Len())
	}
	for i, k := range d.Chunks {
		if is := x.index.Chunk(i); is.Hash != k.Hash || is.Raw != int(k.Size) {
			return hub.Invalidf("The shard describes chunk %d of the xorb %s otherwise than it is.", i, d.Hash)
		}
	}
	c.chunks = appendEligible(c.chunks, d.Hash, x.index)
	return nil
}

// checkFile checks that the terms of a file exist, that the uploader knows their
// chunks, and that they make up the file.
func (c *shardCheck) checkFile(ctx context.Context, f *xet.ShardFile) error {
	if len(f.Verification) != len(f.Terms) {
		return hub.Invalidf("The file %s has no verification entries.", f.Hash)
	}
	var tree xet.Aggregator
	for i, t := range f.Terms {
		x, err := c.term(ctx, t)
		if err != nil {
			return fmt.Errorf("file %s: term %d: %w", f.Hash, i, err)
		}
		if x.index.RangeHash(int(t.Start), int(t.End)) != f.Verification[i] {
			return hub.Invalidf("The verification of term %d of the file %s is wrong.", i, f.Hash)
		}
		for k := int(t.Start); k < int(t.End); k++ {
			chunk := x.index.Chunk(k)
			tree.Add(chunk.Hash, uint64(chunk.Raw))
		}
		if i == 0 { // by its first chunk a file is recognised
			c.chunks = append(c.chunks, store.DedupChunk{Chunk: x.index.Hash(int(t.Start)), Xorb: x.id})
		}
	}
	if tree.FileHash() != f.Hash {
		return hub.Invalidf("The terms of the file %s do not make it up.", f.Hash)
	}
	return nil
}
