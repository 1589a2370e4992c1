package xet

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pantryhub/pantry/hub"
)

// Plan says how to rebuild a range of a file: fetch these ranges of these xorbs,
// inflate their chunks, put the terms together in order, and drop the first
// Skip bytes and whatever follows the end of the range.
type Plan struct {
	Skip  uint64 // bytes of the first term that precede the range
	Terms []Term
	Fetch []XorbFetch // one for each xorb, in the order of first use
}

// XorbFetch is what to read of one xorb.
type XorbFetch struct {
	Xorb   hub.XetHash
	Ranges []FetchRange // ascending; neither overlapping nor adjacent
}

// FetchRange is a run of chunks and where their records are in the stored xorb.
type FetchRange struct {
	Start, End uint32 // chunks [Start, End)
	From, To   int64  // bytes [From, To)
}

// FileSize is the number of bytes in the terms of a file.
func FileSize(terms []Term) int64 {
	var n int64
	for i := range terms {
		n += int64(terms[i].Size)
	}
	return n
}

// IndexFunc returns the index of a stored xorb.
type IndexFunc func(hub.XetHash) (*Index, error)

// MakePlan plans bytes [from, to) of the file made of terms. The range must lie
// in the file.
func MakePlan(terms []Term, from, to int64, index IndexFunc) (*Plan, error) {
	p := &Plan{}
	var pos int64 // in the file, of the term looked at
	for _, t := range terms {
		begin := pos
		pos += int64(t.Size)
		if pos <= from {
			continue
		}
		if begin >= to {
			break
		}
		x, err := index(t.Xorb)
		if err != nil {
			return nil, err
		}
		if err := x.CheckTerm(t); err != nil {
			return nil, err
		}
		kept, skip := x.cutTerm(t, from-begin, to-begin)
		if len(p.Terms) == 0 {
			p.Skip = skip
		}
		p.Terms = append(p.Terms, kept)
	}
	if err := p.planFetch(index); err != nil {
		return nil, err
	}
	return p, nil
}

// CheckTerm reports whether the chunks of a term are in the xorb and have the
// size that it states.
func (x *Index) CheckTerm(t Term) error {
	if t.Start >= t.End || int64(t.End) > int64(x.Len()) {
		return corruptf("chunks [%d, %d) of a xorb of %d", t.Start, t.End, x.Len())
	}
	if n := x.RawOffset(int(t.End)) - x.RawOffset(int(t.Start)); n != int64(t.Size) {
		return corruptf("chunks [%d, %d) hold %d bytes, the term says %d", t.Start, t.End, n, t.Size)
	}
	return nil
}

// cutTerm drops the chunks of t that lie outside bytes [from, to) of it, and
// returns how many bytes of the first kept chunk precede from.
func (x *Index) cutTerm(t Term, from, to int64) (kept Term, skip uint64) {
	base := x.RawOffset(int(t.Start))
	if from > 0 {
		t.Start = uint32(x.Find(base + from))
		skip = uint64(base + from - x.RawOffset(int(t.Start)))
	}
	if to < int64(t.Size) {
		t.End = uint32(x.Find(base+to-1)) + 1
	}
	t.Size = uint32(x.RawOffset(int(t.End)) - x.RawOffset(int(t.Start)))
	return t, skip
}

// planFetch merges the chunk ranges of the terms, xorb by xorb.
func (p *Plan) planFetch(index IndexFunc) error {
	at := make(map[hub.XetHash]int)
	for _, t := range p.Terms {
		i, ok := at[t.Xorb]
		if !ok {
			i = len(p.Fetch)
			at[t.Xorb] = i
			p.Fetch = append(p.Fetch, XorbFetch{Xorb: t.Xorb})
		}
		p.Fetch[i].Ranges = append(p.Fetch[i].Ranges, FetchRange{Start: t.Start, End: t.End})
	}
	for i := range p.Fetch {
		f := &p.Fetch[i]
		x, err := index(f.Xorb)
		if err != nil {
			return fmt.Errorf("index of %v: %w", f.Xorb, err)
		}
		f.Ranges = mergeRanges(f.Ranges)
		for j := range f.Ranges {
			r := &f.Ranges[j]
			r.From, r.To = x.Offset(int(r.Start)), x.Offset(int(r.End))
		}
	}
	return nil
}

// mergeRanges sorts ranges by start and joins those that overlap or touch.
func mergeRanges(ranges []FetchRange) []FetchRange {
	slices.SortFunc(ranges, func(a, b FetchRange) int { return cmp.Compare(a.Start, b.Start) })
	merged := ranges[:1]
	for _, r := range ranges[1:] {
		last := &merged[len(merged)-1]
		if r.Start > last.End {
			merged = append(merged, r)
			continue
		}
		last.End = max(last.End, r.End)
	}
	return merged
}
