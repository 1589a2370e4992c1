package cas

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// Limits of what a Xet shard may describe.
const (
	// MaxShard is the largest shard in bytes, and how many bytes of shards are
	// held in memory at once.
	MaxShard = 128 << 20

	// maxFile bounds the bytes of a file that a shard describes: one term of 48
	// bytes can claim a gigabyte, all of which is hashed.
	maxFile = 16 << 40
)

// Scope is on whose behalf a client acts.
type Scope struct {
	RepoID    int64
	AccountID int64
}

// ShardUpload is a shard that a client wants to register. It must be closed.
type ShardUpload struct {
	svc   *Service
	shard *xet.Shard
	held  int64 // of svc.shards
}

// Progress reports how many bytes of content have been hashed, of how many.
type Progress func(verified, total int64)

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
	up := &ShardUpload{svc: s, held: n}
	if err := up.read(ctx, sp.reader(), n); err != nil {
		up.Close()
		return nil, fmt.Errorf("read shard: %w", refused(err))
	}
	return up, nil
}

var errShardTooLarge = hub.Errorf(hub.CodeTooLarge, "A shard has at most %d bytes.", MaxShard)

// Close frees the memory of the shard.
func (up *ShardUpload) Close() {
	up.shard = nil
	up.svc.shards.Release(up.held)
	up.held = 0
}

func (up *ShardUpload) read(ctx context.Context, r io.Reader, size int64) (err error) {
	if up.shard, err = xet.ReadShard(r, size); err != nil {
		return err
	}
	for i := range up.shard.Xorbs {
		if err := up.checkXorb(ctx, &up.shard.Xorbs[i]); err != nil {
			return err
		}
	}
	for i := range up.shard.Files {
		if err := up.checkFile(ctx, &up.shard.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// xorb is a stored xorb that the shard mentions.
func (up *ShardUpload) xorb(ctx context.Context, id hub.XetHash) (*xorb, error) {
	x, err := up.svc.xorbs.get(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, hub.Invalidf("The shard refers to the xorb %s, which is not stored here. Upload it first.", id)
	}
	return x, err
}

// checkXorb compares the description of a xorb with what is stored.
func (up *ShardUpload) checkXorb(ctx context.Context, d *xet.ShardXorb) error {
	x, err := up.xorb(ctx, d.Hash)
	if err != nil {
		return err
	}
	if len(d.Chunks) != x.index.Len() {
		return hub.Invalidf("The shard describes %d chunks of the xorb %s, which has %d.", len(d.Chunks), d.Hash, x.index.Len())
	}
	for i, c := range d.Chunks {
		if is := x.index.Chunk(i); is.Hash != c.Hash || is.Raw != int(c.Size) {
			return hub.Invalidf("The shard describes chunk %d of the xorb %s otherwise than it is.", i, d.Hash)
		}
	}
	return nil
}

// checkFile checks that the terms of a file exist, that the uploader knows their
// chunks, and that they make up the file.
func (up *ShardUpload) checkFile(ctx context.Context, f *xet.ShardFile) error {
	if len(f.Verification) != len(f.Terms) {
		return hub.Invalidf("The file %s has no verification entries.", f.Hash)
	}
	if f.Size() > maxFile {
		return hub.Errorf(hub.CodeTooLarge, "The file %s is too large.", f.Hash)
	}
	var tree xet.Aggregator
	for i, t := range f.Terms {
		if err := ctx.Err(); err != nil {
			return err
		}
		x, err := up.xorb(ctx, t.Xorb)
		if err != nil {
			return err
		}
		if err := x.index.CheckTerm(t); err != nil {
			return fmt.Errorf("file %s: term %d: %w", f.Hash, i, err)
		}
		if x.index.RangeHash(int(t.Start), int(t.End)) != f.Verification[i] {
			return hub.Invalidf("The verification of term %d of the file %s is wrong.", i, f.Hash)
		}
		for c := int(t.Start); c < int(t.End); c++ {
			chunk := x.index.Chunk(c)
			tree.Add(chunk.Hash, uint64(chunk.Raw))
		}
	}
	if tree.FileHash() != f.Hash {
		return hub.Invalidf("The terms of the file %s do not make it up.", f.Hash)
	}
	return nil
}

// Register makes the files of the shard exist in a repository. Content that has
// not been hashed here yet is hashed first. It reports false if everything was
// known. Nothing is visible until everything is.
func (up *ShardUpload) Register(ctx context.Context, scope Scope, progress Progress) (created bool, err error) {
	sums, err := up.contents(ctx, progress)
	if err == nil {
		created, err = up.commit(ctx, scope, sums)
	}
	if err != nil {
		return false, fmt.Errorf("register shard: %w", err)
	}
	return created, nil
}

// contents returns the SHA-256 of each file.
func (up *ShardUpload) contents(ctx context.Context, progress Progress) ([]hub.SHA256, error) {
	files := up.shard.Files
	sums := make([]hub.SHA256, len(files))
	var todo []int
	var verified, total int64
	for i := range files {
		sha, err := up.knownContent(ctx, &files[i])
		if err != nil {
			return nil, err
		}
		if sums[i] = sha; sha.IsZero() {
			todo = append(todo, i)
			total += files[i].Size()
		}
	}
	for _, i := range todo {
		sum, err := up.hash(ctx, &files[i], func(n int64) {
			verified += n
			progress(verified, total)
		})
		if err != nil {
			return nil, err
		}
		if err := sameContent(&files[i], sum); err != nil {
			return nil, err
		}
		sums[i] = sum
	}
	return sums, nil
}

// knownContent is the SHA-256 of a file that has been hashed before, or zero.
func (up *ShardUpload) knownContent(ctx context.Context, f *xet.ShardFile) (hub.SHA256, error) {
	if f.Hash.IsZero() {
		return emptyFile.SHA256, sameContent(f, emptyFile.SHA256)
	}
	sha, err := up.svc.db.Read().FileContent(ctx, f.Hash)
	if errors.Is(err, store.ErrNotFound) {
		return hub.SHA256{}, nil
	}
	if err != nil {
		return hub.SHA256{}, err
	}
	return sha, sameContent(f, sha)
}

// sameContent compares what the uploader says about a file's content with what
// it is.
func sameContent(f *xet.ShardFile, sha hub.SHA256) error {
	if f.SHA256.IsZero() || f.SHA256 == sha {
		return nil
	}
	return hub.Invalidf("The file %s has the SHA-256 %s, not %s.", f.Hash, sha, f.SHA256)
}

// hash reads a file that is not registered yet.
func (up *ShardUpload) hash(ctx context.Context, f *xet.ShardFile, progress func(n int64)) (hub.SHA256, error) {
	r := &Reader{ctx: ctx, svc: up.svc, file: newFile(f.Hash, f.Terms)}
	h := sha256.New()
	if _, err := r.WriteRange(&progressWriter{h, progress}, 0, r.Size()); err != nil {
		return hub.SHA256{}, err
	}
	return hub.SHA256(h.Sum(nil)), nil
}

type progressWriter struct {
	w        io.Writer
	progress func(n int64)
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.progress(int64(n))
	return n, err
}

// commit is the one transaction that makes everything visible.
func (up *ShardUpload) commit(ctx context.Context, scope Scope, sums []hub.SHA256) (created bool, err error) {
	now := up.svc.now()
	err = up.svc.db.Update(ctx, func(q *store.Q) error {
		created = false
		if err := up.commitXorbs(ctx, q, now); err != nil {
			return err
		}
		for i := range up.shard.Files {
			f := &up.shard.Files[i]
			isNew, err := up.commitFile(ctx, q, f, sums[i], now)
			if err != nil {
				return err
			}
			linked, err := q.LinkRepoFile(ctx, store.NewRepoFile{
				RepoID: scope.RepoID, AccountID: scope.AccountID, SHA256: sums[i], Xet: f.Hash, Size: f.Size(),
			}, now)
			if err != nil {
				return err
			}
			created = created || isNew || linked
		}
		return nil
	})
	return created, err
}

func (up *ShardUpload) commitXorbs(ctx context.Context, q *store.Q, now time.Time) error {
	shard := store.NewID()
	ids := make(map[hub.XetHash]bool)
	for seq := range up.shard.Xorbs {
		d := &up.shard.Xorbs[seq]
		ids[d.Hash] = true
		if err := q.SetXorbShard(ctx, d.Hash, shard, seq); err != nil {
			return err
		}
		var chunks []hub.XetHash
		for _, c := range d.Chunks {
			if c.GlobalDedup || xet.IsGlobalDedup(c.Hash) {
				chunks = append(chunks, c.Hash)
			}
		}
		if err := q.PutDedupChunks(ctx, d.Hash, chunks); err != nil {
			return err
		}
	}
	for i := range up.shard.Files {
		for _, t := range up.shard.Files[i].Terms {
			ids[t.Xorb] = true
		}
	}
	return touchAll(ctx, q, slices.Collect(maps.Keys(ids)), now)
}

func (up *ShardUpload) commitFile(ctx context.Context, q *store.Q, f *xet.ShardFile, sha hub.SHA256, now time.Time) (created bool, err error) {
	if f.Hash.IsZero() {
		return false, nil // the empty file has no rows
	}
	created, err = q.PutFile(ctx, store.CASFile{Hash: f.Hash, Size: f.Size(), Terms: appendTerms(nil, f.Terms)}, now)
	if err != nil {
		return false, err
	}
	if err := q.PutContent(ctx, sha, f.Hash, now); err != nil {
		return false, err
	}
	first, err := up.xorb(ctx, f.Terms[0].Xorb)
	if err != nil {
		return false, err
	}
	return created, q.PutDedupChunks(ctx, first.id, []hub.XetHash{first.index.Hash(int(f.Terms[0].Start))})
}
