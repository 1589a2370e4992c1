package nn

import (
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Attention is softmax(q·kᵀ·Scale + bias)·v, with several query heads to one
// key/value head if there are fewer of those.
//
// Source: Vaswani et al. 2017, "Attention Is All You Need"; Ainslie et al.
// 2023, "GQA".
type Attention struct {
	Heads, KVHeads, Dim int
	Scale               float32
	SoftCap             float32 // scores become cap·tanh(score/cap); 0: no cap
	// Window is how many tokens a causal query sees, itself included; 0: all.
	Window int
	// Radius is how far to either side a query of an encoder sees; 0: all.
	Radius int
	// OneWay: a query of an encoder sees no key behind it.
	OneWay bool
}

// NewAttention has the usual scale, 1/√dim.
func NewAttention(heads, kvHeads, dim int) Attention {
	return Attention{Heads: heads, KVHeads: kvHeads, Dim: dim, Scale: float32(1 / math.Sqrt(float64(dim)))}
}

// RelativeBias is added to a head's scores by the distance key − query:
// Heads[h][Zero+distance].
type RelativeBias struct {
	Heads [][]float32
	Zero  int
}

// Limits of a part of the work.
const (
	maxQueries = 64      // tokens
	maxScores  = 1 << 19 // numbers
)

// Causal attends from the new tokens of a batch to themselves and what their
// sequences remember, after it has written their keys and values to layer of
// the KV. q is (tokens, heads·dim), k and v (tokens, kvHeads·dim); so is the
// result. bias may be nil.
func (a *Attention) Causal(ws *Workspace, b *Batch, layer int, q, k, v tensor.Tensor, bias *RelativeBias) tensor.Tensor {
	row := 0
	for i := range b.Segments {
		s := &b.Segments[i]
		for t := range s.Tokens {
			for h := range a.KVHeads {
				s.KV.put(layer, 0, h, s.KV.length+t, k.Row(row)[h*a.Dim:(h+1)*a.Dim])
				s.KV.put(layer, 1, h, s.KV.length+t, v.Row(row)[h*a.Dim:(h+1)*a.Dim])
			}
			row++
		}
	}
	t := &ws.attention
	t.begin(ws, a, q, bias)
	row = 0
	for i := range b.Segments {
		s := &b.Segments[i]
		t.add(span{queries: row, n: len(s.Tokens), position: s.KV.length, keys: s.KV.length + len(s.Tokens), kv: s.KV, layer: layer, causal: true})
		row += len(s.Tokens)
	}
	return t.run(ws)
}

// Full attends in both directions within each sequence of an encoder. bounds
// are the sequences' offsets in q, k and v: sequence i is rows bounds[i] to
// bounds[i+1].
func (a *Attention) Full(ws *Workspace, bounds []int, q, k, v tensor.Tensor, bias *RelativeBias) tensor.Tensor {
	return a.Cross(ws, bounds, bounds, q, k, v, bias)
}

// Cross attends from each sequence of queries to the keys and values of the
// memory at the same place in memoryBounds.
func (a *Attention) Cross(ws *Workspace, bounds, memoryBounds []int, q, k, v tensor.Tensor, bias *RelativeBias) tensor.Tensor {
	t := &ws.attention
	t.begin(ws, a, q, bias)
	for i := range len(bounds) - 1 {
		lo, hi := memoryBounds[i], memoryBounds[i+1]
		t.add(span{queries: bounds[i], n: bounds[i+1] - bounds[i], keys: hi - lo, causal: a.OneWay, k: k.Slice(lo, hi), v: v.Slice(lo, hi)})
	}
	return t.run(ws)
}

// span is the attention of one sequence.
type span struct {
	queries  int // first row in q
	n        int // rows
	position int // of the first query among the keys
	keys     int
	causal   bool

	kv    *KV // of a decoder, or
	layer int
	k, v  tensor.Tensor // (keys, kvHeads·dim) of an encoder

	block  int // query tokens of a part
	blocks int // parts of one key/value head
}

// attentionTask is the work of one call: spans cut into parts of one key/value
// head and a few query tokens.
type attentionTask struct {
	a      *Attention
	q, out tensor.Tensor
	bias   *RelativeBias
	spans  []span
	parts  int

	busy  atomic.Uint64 // bit i: slots[i] is in use
	slots [][]float32
	slot  int // numbers of a slot
}

func (t *attentionTask) begin(ws *Workspace, a *Attention, q tensor.Tensor, bias *RelativeBias) {
	t.a, t.q, t.bias = a, q, bias
	t.out = ws.Arena.New(q.Rows(), a.Heads*a.Dim)
	t.spans, t.parts, t.slot = t.spans[:0], 0, 0
}

func (t *attentionTask) add(s span) {
	if s.n == 0 {
		return
	}
	group := t.a.Heads / t.a.KVHeads
	s.block = max(1, min(maxQueries, maxScores/(group*max(s.keys, 1)), s.n))
	s.blocks = (s.n + s.block - 1) / s.block
	t.spans = append(t.spans, s)
	t.parts += s.blocks * t.a.KVHeads
	rows := s.block * group
	t.slot = max(t.slot, rows*s.keys+3*rows*t.a.Dim)
}

func (t *attentionTask) run(ws *Workspace) tensor.Tensor {
	mark := ws.Arena.Mark()
	threads := min(ws.Pool.Threads(), t.parts, 64)
	t.slots = t.slots[:0]
	for range threads {
		t.slots = append(t.slots, ws.Arena.Floats(t.slot))
	}
	t.busy.Store(0)
	if t.parts == 1 {
		t.Part(0)
	} else {
		ws.Pool.Run(t.parts, t)
	}
	ws.Arena.Release(mark)
	return t.out
}

// take reserves a slot; there are as many as parts that can run at a time.
func (t *attentionTask) take() int {
	for {
		busy := t.busy.Load()
		if i := bits.TrailingZeros64(^busy); i < len(t.slots) && t.busy.CompareAndSwap(busy, busy|1<<i) {
			return i
		}
	}
}

// Part implements kernel.Task.
func (t *attentionTask) Part(i int) {
	slot := t.take()
	defer t.busy.And(^(uint64(1) << slot))
	for s := range t.spans {
		sp := &t.spans[s]
		if n := sp.blocks * t.a.KVHeads; i >= n {
			i -= n
			continue
		}
		first := i % sp.blocks * sp.block
		t.attend(sp, i/sp.blocks, first, min(sp.block, sp.n-first), t.slots[slot])
		return
	}
}

// attend computes n query tokens from first on, for the query heads that share
// key/value head. A row of the scores is one (token, head) pair.
func (t *attentionTask) attend(s *span, head, first, n int, slot []float32) {
	a := t.a
	group := a.Heads / a.KVHeads
	rows := n * group
	lo, hi := t.visible(s, first)
	_, hi2 := t.visible(s, first+n-1)
	hi = max(hi, hi2)
	keys := hi - lo

	cut := func(n int) []float32 { p := slot[:n]; slot = slot[n:]; return p }
	q, out, sum := cut(rows*a.Dim), cut(rows*a.Dim), cut(rows*a.Dim)
	scores := cut(rows * keys)
	for r := range rows {
		at := (head*group + r%group) * a.Dim
		copy(q[r*a.Dim:(r+1)*a.Dim], t.q.Row(s.queries + first + r/group)[at:at+a.Dim])
	}
	kernel.Scale(q, a.Scale)
	t.score(s, head, scores, q, rows, lo, hi)
	for r := range rows {
		t.normalize(s, head*group+r%group, first+r/group, scores[r*keys:(r+1)*keys], lo)
	}
	clear(out)
	t.mix(s, head, out, sum, scores, rows, lo, hi)
	for r := range rows {
		at := (head*group + r%group) * a.Dim
		copy(t.out.Row(s.queries + first + r/group)[at:at+a.Dim], out[r*a.Dim:(r+1)*a.Dim])
	}
}

// visible is the range of keys that query token i of a span sees.
func (t *attentionTask) visible(s *span, i int) (lo, hi int) {
	p := s.position + i
	switch {
	case s.causal && t.a.Window > 0:
		return max(0, p-t.a.Window+1), p + 1
	case s.causal:
		return 0, p + 1
	case t.a.Radius > 0:
		return max(0, p-t.a.Radius), min(s.keys, p+t.a.Radius+1)
	}
	return 0, s.keys
}

// score writes q·kᵀ for keys lo to hi: (rows, keys).
func (t *attentionTask) score(s *span, head int, scores, q []float32, rows, lo, hi int) {
	d, keys := t.a.Dim, hi-lo
	if s.kv == nil {
		ld := s.k.Cols()
		kernel.GemmNT(scores, keys, q, d, s.k.Data[lo*ld+head*d:], ld, rows, keys, d)
		return
	}
	for at := lo; at < hi; {
		n := min(PageTokens-at%PageTokens, hi-at)
		page, from := s.kv.pages[at/PageTokens], s.kv.at(s.layer, 0, head)+at%PageTokens*d
		if s.kv.exact {
			kernel.GemmNT(scores[at-lo:], keys, q, d, page.full[from:], d, rows, n, d)
		} else {
			kernel.GemmNTF16(scores[at-lo:], keys, q, d, page.half[from:], d, rows, n, d)
		}
		at += n
	}
}

// normalize turns a row of scores into weights; what the query does not see
// becomes 0.
func (t *attentionTask) normalize(s *span, head, query int, row []float32, lo int) {
	from, to := t.visible(s, query)
	from, to = from-lo, to-lo
	clear(row[:from])
	clear(row[to:])
	row = row[from:to]
	if limit := t.a.SoftCap; limit > 0 {
		kernel.Scale(row, 1/limit)
		kernel.Tanh(row)
		kernel.Scale(row, limit)
	}
	if t.bias != nil {
		zero := t.bias.Zero + from + lo - s.position - query
		kernel.Add(row, t.bias.Heads[head][zero:zero+len(row)])
	}
	kernel.Softmax(row)
}

// mix adds weights·v for keys lo to hi to out: (rows, dim).
func (t *attentionTask) mix(s *span, head int, out, sum, weights []float32, rows, lo, hi int) {
	d, keys := t.a.Dim, hi-lo
	if s.kv == nil {
		ld := s.v.Cols()
		kernel.GemmNN(out, d, weights, keys, s.v.Data[lo*ld+head*d:], ld, rows, d, keys)
		return
	}
	for at := lo; at < hi; {
		n := min(PageTokens-at%PageTokens, hi-at)
		page, from := s.kv.pages[at/PageTokens], s.kv.at(s.layer, 1, head)+at%PageTokens*d
		if s.kv.exact {
			kernel.GemmNN(sum, d, weights[at-lo:], keys, page.full[from:], d, rows, d, n)
			kernel.Add(out, sum)
		} else {
			kernel.GemmNNAddF16(out, d, weights[at-lo:], keys, page.half[from:], d, rows, d, n)
		}
		at += n
	}
}
