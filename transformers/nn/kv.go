package nn

import "github.com/pantryhub/pantry/internal/kernel"

// PageTokens is how many tokens a page of a KV holds.
const PageTokens = 256

// KVShape is what a network keeps of each token.
type KVShape struct {
	Layers int
	Heads  int // key/value heads
	Dim    int // numbers per head
}

func (s KVShape) pageNumbers() int { return s.Layers * 2 * s.Heads * PageTokens * s.Dim }

// KV is the memory of one sequence: keys and values of every layer and token,
// in F16, or in F32 where exactness matters more than memory. It grows by
// pages, which sequences with the same beginning share. It is used by one
// forward pass at a time.
type KV struct {
	shape  KVShape
	exact  bool
	length int
	pages  []*page
	shared int // pages[:shared] belong to other sequences too and are read-only
}

// page holds [layer][key, value][head][token][dim].
type page struct {
	half []uint16
	full []float32
}

// NewKV is an empty memory in F16.
func NewKV(shape KVShape) *KV { return &KV{shape: shape} }

// NewExactKV is an empty memory in F32.
func NewExactKV(shape KVShape) *KV { return &KV{shape: shape, exact: true} }

// Len is the number of tokens that are remembered.
func (kv *KV) Len() int { return kv.length }

// Bytes is the memory that is held, shared pages included.
func (kv *KV) Bytes() int64 {
	width := int64(2)
	if kv.exact {
		width = 4
	}
	return int64(len(kv.pages)) * int64(kv.shape.pageNumbers()) * width
}

// Truncate forgets all but the first n tokens.
func (kv *KV) Truncate(n int) {
	if n >= kv.length {
		return
	}
	kv.length = max(n, 0)
	kv.pages = kv.pages[:(kv.length+PageTokens-1)/PageTokens]
	kv.shared = min(kv.shared, len(kv.pages))
}

// Fork is a second sequence that begins with the same n tokens. Pages are
// shared; whoever writes to a shared page first copies it.
func (kv *KV) Fork(n int) *KV {
	n = min(n, kv.length)
	held := (n + PageTokens - 1) / PageTokens
	kv.shared = max(kv.shared, held)
	return &KV{shape: kv.shape, exact: kv.exact, length: n, shared: held, pages: append([]*page(nil), kv.pages[:held]...)}
}

// reserve makes room for n more tokens, and the pages they go to its own.
func (kv *KV) reserve(n int) {
	first := kv.length / PageTokens
	for i := first; i < kv.shared; i++ {
		kv.pages[i] = kv.pages[i].clone(kv.shape, kv.length-i*PageTokens)
	}
	kv.shared = min(kv.shared, first)
	for len(kv.pages)*PageTokens < kv.length+n {
		kv.pages = append(kv.pages, newPage(kv.shape, kv.exact))
	}
}

// clone copies the first n tokens of a page.
func (p *page) clone(s KVShape, n int) *page {
	c := newPage(s, p.full != nil)
	for block := 0; block < s.pageNumbers(); block += PageTokens * s.Dim {
		if p.full != nil {
			copy(c.full[block:block+n*s.Dim], p.full[block:])
		} else {
			copy(c.half[block:block+n*s.Dim], p.half[block:])
		}
	}
	return c
}

func newPage(s KVShape, exact bool) *page {
	if exact {
		return &page{full: make([]float32, s.pageNumbers())}
	}
	return &page{half: make([]uint16, s.pageNumbers())}
}

// commit counts n written tokens. Segments call it through Batch.Commit once
// all layers have run.
func (kv *KV) commit(n int) { kv.length += n }

// at is the offset in a page of what a head keeps: kind 0 is keys, 1 values.
func (kv *KV) at(layer, kind, head int) int {
	return ((layer*2+kind)*kv.shape.Heads + head) * PageTokens * kv.shape.Dim
}

// put writes the numbers of one token and head.
func (kv *KV) put(layer, kind, head, position int, x []float32) {
	p := kv.pages[position/PageTokens]
	at := kv.at(layer, kind, head) + position%PageTokens*kv.shape.Dim
	if kv.exact {
		copy(p.full[at:at+kv.shape.Dim], x)
		return
	}
	kernel.F32ToF16(p.half[at:at+kv.shape.Dim], x)
}

// Segment is the part of a batch that belongs to one sequence: new tokens
// behind those that KV remembers.
type Segment struct {
	KV     *KV
	Tokens []uint32
	// AllLogits asks for the output of every token, not just the last.
	AllLogits bool
	// Total is the length of the whole text if Tokens are a part of one that is
	// read in pieces; 0 if they end it. Some ropes depend on it.
	Total int
	// Memory is what an encoder made of the input, for decoders that look at
	// one; nil otherwise.
	Memory *Memory
}

// Batch is what one forward pass of a decoder works on: one or more sequences,
// their tokens seen as one list.
type Batch struct {
	Segments  []Segment
	ids       []uint32
	positions []uint32
	outputs   []int
}

// Tokens is the number of new tokens of all segments.
func (b *Batch) Tokens() int {
	n := 0
	for i := range b.Segments {
		n += len(b.Segments[i].Tokens)
	}
	return n
}

// Longest is the length of the longest sequence after the pass.
func (b *Batch) Longest() int {
	n := 0
	for i := range b.Segments {
		n = max(n, b.Segments[i].KV.length+len(b.Segments[i].Tokens))
	}
	return n
}

// Begin makes room in every KV and returns the ids of all segments, one behind
// the other.
func (b *Batch) Begin() []uint32 {
	b.ids = b.ids[:0]
	for i := range b.Segments {
		s := &b.Segments[i]
		s.KV.reserve(len(s.Tokens))
		b.ids = append(b.ids, s.Tokens...)
	}
	return b.ids
}

// Positions lists the position of each token in its sequence.
func (b *Batch) Positions() []uint32 {
	b.positions = b.positions[:0]
	for i := range b.Segments {
		s := &b.Segments[i]
		for t := range s.Tokens {
			b.positions = append(b.positions, uint32(s.KV.length+t))
		}
	}
	return b.positions
}

// Outputs lists the rows whose logits are asked for, in order.
func (b *Batch) Outputs() []int {
	b.outputs = b.outputs[:0]
	row := 0
	for i := range b.Segments {
		s := &b.Segments[i]
		for t := range s.Tokens {
			if s.AllLogits || t == len(s.Tokens)-1 {
				b.outputs = append(b.outputs, row+t)
			}
		}
		row += len(s.Tokens)
	}
	return b.outputs
}

// Commit counts the batch's tokens in every KV. Until then a pass has no
// effect: one that was given up can be repeated.
func (b *Batch) Commit() {
	for i := range b.Segments {
		b.Segments[i].KV.commit(len(b.Segments[i].Tokens))
	}
}
