package cas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// OpenIn opens a file if a repository holds it, or other chunks of the same
// content. Otherwise it returns hub.ErrNotFound, whether or not the file exists
// elsewhere.
func (s *Service) OpenIn(ctx context.Context, repoID int64, id hub.XetHash) (*Reader, error) {
	if !id.IsZero() {
		err := s.held(ctx, repoID, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, hub.Errorf(hub.CodeNotFound, "There is no file %s in this repository.", id)
		}
		if err != nil {
			return nil, fmt.Errorf("open file: %w", err)
		}
	}
	return s.Open(ctx, id)
}

// held returns store.ErrNotFound unless the repository holds the content of the
// file. The file itself may be another than the repository's, which a listing
// still names: content that was deleted and came again may have been cut
// otherwise.
func (s *Service) held(ctx context.Context, repoID int64, id hub.XetHash) error {
	q := s.db.Read()
	_, err := q.RepoFileByXet(ctx, repoID, id)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	sha, err := q.FileContent(ctx, id)
	if err == nil {
		_, err = q.RepoFile(ctx, repoID, sha)
	}
	return err
}

// Plan says how a Xet client rebuilds bytes [from, to) of the file.
func (r *Reader) Plan(from, to int64) (*xet.Plan, error) {
	p, err := xet.MakePlan(r.file.terms, from, to, r.index)
	if err != nil {
		return nil, fmt.Errorf("plan file %s: %w", r.file.id, asInternal(err))
	}
	return p, nil
}

// BatchPlan is one plan to fetch whatever the plans of several whole files need.
func BatchPlan(readers []*Reader) (files []*xet.Plan, fetch *xet.Plan, err error) {
	if len(readers) == 0 {
		return nil, &xet.Plan{}, nil
	}
	for _, r := range readers {
		p, err := r.Plan(0, r.Size())
		if err != nil {
			return nil, nil, err
		}
		files = append(files, p)
	}
	fetch, err = xet.MergePlans(files, readers[0].index)
	return files, fetch, err
}

// Covers reports whether the file uses every chunk of a xorb, so that whoever
// may read the file may read the whole xorb.
func (r *Reader) Covers(id hub.XetHash) (bool, error) {
	x, err := r.index(id)
	if err != nil {
		return false, asInternal(err)
	}
	used := make([]bool, x.Len())
	for _, t := range r.file.terms {
		if t.Xorb == id {
			for i := t.Start; i < t.End; i++ {
				used[i] = true
			}
		}
	}
	return !slices.Contains(used, false), nil
}

func (r *Reader) index(id hub.XetHash) (*xet.Index, error) {
	x, err := r.svc.xorbs.get(r.ctx, id)
	if err != nil {
		return nil, err
	}
	return x.index, nil
}

// ChunkHashes is what a client needs that replaces ranges of a file: the windows
// of chunks that must be cut anew, and compact hashes of the rest.
type ChunkHashes struct {
	Chunks  int
	Windows []xet.Window
	Gaps    []*xet.Subtree // before, between and after the windows; nil where there is no chunk

	// Verification has the range hash of each term that no window touches.
	Verification []hub.XetHash
}

// chunkWeight is the memory that ChunkHashes takes per chunk, in bytes.
const chunkWeight = 64

// ChunkHashes answers for ascending, disjoint, non-empty ranges of the file.
func (r *Reader) ChunkHashes(dirty []xet.ByteRange) (*ChunkHashes, error) {
	count := int64(0)
	for _, t := range r.file.terms {
		count += int64(t.End - t.Start)
	}
	if count*chunkWeight > MaxShard {
		return nil, hub.Errorf(hub.CodeUnsupported, "The file has too many chunks to be edited in place.")
	}
	if err := r.svc.shards.Acquire(r.ctx, count*chunkWeight); err != nil {
		return nil, err
	}
	defer r.svc.shards.Release(count * chunkWeight)
	chunks, err := r.chunks(int(count))
	if err != nil {
		return nil, fmt.Errorf("chunks of file %s: %w", r.file.id, asInternal(err))
	}
	out := &ChunkHashes{Chunks: len(chunks), Windows: xet.DirtyWindows(chunks, dirty)}
	out.Gaps = gaps(chunks, out.Windows)
	out.Verification, err = r.cleanTerms(out.Windows)
	return out, err
}

// chunks lists the chunks of the file.
func (r *Reader) chunks(count int) ([]xet.Node, error) {
	nodes := make([]xet.Node, 0, count)
	for _, t := range r.file.terms {
		x, err := r.index(t.Xorb)
		if err != nil {
			return nil, err
		}
		if err := x.CheckTerm(t); err != nil {
			return nil, err
		}
		for i := int(t.Start); i < int(t.End); i++ {
			c := x.Chunk(i)
			nodes = append(nodes, xet.Node{Hash: c.Hash, Size: uint64(c.Raw)})
		}
	}
	return nodes, nil
}

// gaps makes the subtrees of the chunks outside the windows.
func gaps(chunks []xet.Node, windows []xet.Window) []*xet.Subtree {
	out := make([]*xet.Subtree, 0, len(windows)+1)
	start := 0
	add := func(end int) {
		var t *xet.Subtree
		if end > start {
			t = xet.NewSubtree(chunks[start:end], start == 0, end == len(chunks))
		}
		out = append(out, t)
	}
	for _, w := range windows {
		add(w.Start)
		start = w.End
	}
	add(len(chunks))
	return out
}

// cleanTerms are the range hashes of the terms outside the windows.
func (r *Reader) cleanTerms(windows []xet.Window) ([]hub.XetHash, error) {
	var out []hub.XetHash
	for i, t := range r.file.terms {
		start, end := r.file.start(i), r.file.ends[i]
		for len(windows) > 0 && windows[0].Bytes.End <= start {
			windows = windows[1:]
		}
		if len(windows) > 0 && windows[0].Bytes.Start < end {
			continue
		}
		x, err := r.index(t.Xorb)
		if err != nil {
			return nil, err
		}
		out = append(out, x.RangeHash(int(t.Start), int(t.End)))
	}
	return out, nil
}

const (
	// dedupTTL is how long a client may use an answer to a dedup query. What it
	// was told of must not be collected before.
	dedupTTL = 7 * 24 * time.Hour

	// touchEvery bounds how often a query marks the xorbs in its answer.
	touchEvery = 24 * time.Hour
)

// DedupShard answers a global dedup query: a shard of the xorb that holds the
// chunk and its neighbours, with chunk hashes hidden from those who do not have
// the chunks. hub.ErrNotFound means that the client should upload the chunk.
func (s *Service) DedupShard(ctx context.Context, chunk hub.XetHash) ([]byte, error) {
	q := s.db.Read()
	id, err := q.DedupXorb(ctx, chunk)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("dedup query: %w", err)
	}
	rows, err := q.XorbsAround(ctx, id, neighboursBefore, neighbours)
	if err != nil {
		return nil, fmt.Errorf("dedup query: %w", err)
	}
	now := s.now()
	if err := s.touchStale(ctx, rows, now); err != nil {
		return nil, fmt.Errorf("dedup query: %w", err)
	}
	shard := &xet.Shard{}
	for _, row := range rows {
		x, err := s.xorbs.get(ctx, row.Hash)
		if errors.Is(err, hub.ErrNotFound) {
			continue // just collected
		}
		if err != nil {
			return nil, fmt.Errorf("dedup query: %w", err)
		}
		if x.index.Len() == 1 && x.id != chunk {
			continue // its name, which is not hidden, is the hash of its chunk
		}
		shard.Xorbs = append(shard.Xorbs, x.index.ShardXorb(x.id))
	}
	shard.Hide(s.dedupKey)
	return shard.AppendDedup(nil, xet.ShardFooter{
		Key: s.dedupKey, Created: uint64(now.Unix()), Expires: uint64(now.Add(dedupTTL).Unix()),
	}), nil
}

// touchStale marks the xorbs that have not been marked lately.
func (s *Service) touchStale(ctx context.Context, rows []store.Xorb, now time.Time) error {
	var stale []hub.XetHash
	for _, row := range rows {
		if now.Sub(row.TouchedAt) > touchEvery {
			stale = append(stale, row.Hash)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	return s.db.Update(ctx, func(q *store.Q) error {
		_, err := q.TouchXorbs(ctx, stale, now)
		return err
	})
}
