package cas

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// How much of what is stored an upload looks at. A hit on the dedup index brings
// in the xorb and its neighbours in the shard that it came with: what follows
// them in the file will mostly be found there. The number of xorbs that one
// upload searches is bounded; 64 hold 4 GiB.
const (
	neighboursBefore = 4
	neighbours       = 48
	maxSearched      = 64
)

// lookup finds a chunk among those that the session knows, and in the dedup
// index if the chunk is eligible for it.
func (in *ingest) lookup(ctx context.Context, h hub.XetHash) (place, bool, error) {
	if at, ok := in.find(h); ok {
		return at, true, nil
	}
	first := in.tree.Count() == 1
	if !first && !xet.IsGlobalDedup(h) {
		return place{}, false, nil
	}
	if err := in.learn(ctx, h); err != nil {
		return place{}, false, err
	}
	at, ok := in.find(h)
	return at, ok, nil
}

// find finds a chunk among those that the session knows: best the one that
// follows the last term, then in the new xorbs, then in the found ones.
func (in *ingest) find(h hub.XetHash) (place, bool) {
	if len(in.terms) > 0 {
		last := &in.terms[len(in.terms)-1]
		x := in.xorbs[last.xorb].index
		if x != nil && last.end < x.Len() && x.Hash(last.end) == h {
			return place{last.xorb, last.end}, true
		}
	}
	if at, ok := in.places[word(h)]; ok && in.xorbs[at.xorb].index.Hash(at.chunk) == h {
		return at, true
	}
	for _, i := range slices.Backward(in.known) {
		if c, ok := in.xorbs[i].found.find(h); ok {
			return place{i, c}, true
		}
	}
	return place{}, false
}

// learn asks the dedup index for a chunk, and brings in the xorbs around it.
func (in *ingest) learn(ctx context.Context, h hub.XetHash) error {
	q := in.svc.db.Read()
	id, err := q.DedupXorb(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := q.XorbsAround(ctx, id, neighboursBefore, neighbours)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, row := range rows {
		if err := in.search(ctx, row.Hash); err != nil {
			return err
		}
	}
	return in.search(ctx, id) // again: the newest is looked at first
}

// search adds a xorb to those that are searched, or moves it to the end.
func (in *ingest) search(ctx context.Context, id hub.XetHash) error {
	at := slices.IndexFunc(in.known, func(i int) bool { return in.xorbs[i].id == id })
	if at >= 0 {
		i := in.known[at]
		in.known = append(slices.Delete(in.known, at, at+1), i)
		return nil
	}
	x, err := in.svc.xorbs.get(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return nil // just collected
	}
	if err != nil {
		return err
	}
	if len(in.known) == maxSearched {
		in.forget(in.known[0])
		in.known = slices.Delete(in.known, 0, 1)
	}
	in.known = append(in.known, len(in.xorbs))
	in.xorbs = append(in.xorbs, &sessionXorb{id: id, index: x.index, found: x})
	return nil
}

// forget frees a found xorb. Terms need only its name; the last one and a run
// under way go on without it.
func (in *ingest) forget(i int) { in.xorbs[i].index, in.xorbs[i].found = nil, nil }

// fragmentation watches how many chunks the latest terms have on average. Short
// terms make a file slow to read, so when the average is low, a run of known
// chunks that is shorter still is stored anew. The numbers are those of the Rust
// client.
type fragmentation struct {
	lengths []int // of the latest terms
	total   int   // chunks in them
	strict  bool  // a run was refused lately: the average must recover first
}

const (
	watchedTerms    = 128
	chunksPerTerm   = 8
	chunksTolerated = 4
)

func (f *fragmentation) add(n int) {
	f.lengths = append(f.lengths, n)
	f.total += n
	if len(f.lengths) > watchedTerms {
		f.total -= f.lengths[0]
		f.lengths = f.lengths[1:]
	}
}

func (f *fragmentation) extend(n int) {
	f.lengths[len(f.lengths)-1] += n
	f.total += n
}

// need is how many chunks a run must have to be worth a term.
func (f *fragmentation) need() int {
	if len(f.lengths) < watchedTerms {
		return 1
	}
	average := float64(f.total) / float64(len(f.lengths))
	target := float64(chunksTolerated)
	if f.strict {
		target = chunksPerTerm
	}
	if average >= target {
		f.strict = false
		return 1
	}
	return int(math.Ceil(average))
}

// run is a run of known chunks that is not yet long enough to be worth a term.
// Their bytes are kept until it is, or ends.
type run struct {
	at     place
	need   int
	chunks []freshChunk // empty when there is no run
	active bool
}

func (r *run) begin(at place, need int) { *r = run{at: at, need: need, active: true} }

// continueRun takes a chunk that continues the run under way. One that does not
// ends the run, and is left to the caller.
func (in *ingest) continueRun(ctx context.Context, c *freshChunk) (taken bool, err error) {
	r := &in.deferred
	if !r.active {
		return false, nil
	}
	x, next := in.xorbs[r.at.xorb].index, r.at.chunk+len(r.chunks)
	if x == nil || next >= x.Len() || x.Hash(next) != c.hash {
		return false, in.rejectRun(ctx)
	}
	if len(r.chunks)+1 < r.need {
		r.chunks = append(r.chunks, freshChunk{Job: xet.Job{Chunk: slices.Clone(c.Chunk)}, hash: c.hash})
		return true, nil
	}
	in.refer(r.at, len(r.chunks)+1)
	*r = run{}
	return true, nil
}

// rejectRun stores the chunks of a run that was too short.
func (in *ingest) rejectRun(ctx context.Context) error {
	held := in.deferred.chunks
	if !in.deferred.active {
		return nil
	}
	in.deferred = run{}
	in.frag.strict = true
	for i := range held {
		if err := in.pack(ctx, &held[i]); err != nil {
			return err
		}
	}
	return nil
}
