package generate

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// Vocabulary is the bytes of all tokens, ordered so that a constraint finds
// those that may come next. It is safe for use by several goroutines; make one
// per tokenizer.
type Vocabulary struct {
	tokens [][]byte   // by id
	sorted []uint32   // ids of the tokens that are not empty, in the order of their bytes
	nodes  []trieNode // of the trie of all tokens, each before its children

	mu    sync.Mutex
	bases map[int32]*base // of the states that all automata have
}

// trieNode is a prefix of tokens.
type trieNode struct {
	last        byte
	depth       uint16
	end         int32 // the first node that is not below this one
	first, over int32 // the tokens that are this prefix: sorted[first:over]
}

// maxTokenLen bounds the bytes of a token that a constraint can use.
const maxTokenLen = 1 << 12

// NewVocabulary takes the bytes that each token id adds to the text. Special
// tokens, which add none, are empty: they can never be part of constrained
// output.
func NewVocabulary(tokens [][]byte) *Vocabulary {
	v := &Vocabulary{tokens: tokens, bases: map[int32]*base{}}
	for id, t := range tokens {
		if len(t) > 0 && len(t) <= maxTokenLen {
			v.sorted = append(v.sorted, uint32(id))
		}
	}
	slices.SortStableFunc(v.sorted, func(a, b uint32) int { return slices.Compare(tokens[a], tokens[b]) })
	var path []int32 // nodes from the root to the present one
	var prev []byte
	for i, id := range v.sorted {
		t := tokens[id]
		common := 0
		for common < min(len(t), len(prev)) && t[common] == prev[common] {
			common++
		}
		for len(path) > common {
			v.nodes[path[len(path)-1]].end = int32(len(v.nodes))
			path = path[:len(path)-1]
		}
		for n := common; n < len(t); n++ {
			path = append(path, int32(len(v.nodes)))
			v.nodes = append(v.nodes, trieNode{last: t[n], depth: uint16(n), first: int32(i), over: int32(i)})
		}
		v.nodes[path[len(path)-1]].over = int32(i + 1)
		prev = t
	}
	for _, n := range path {
		v.nodes[n].end = int32(len(v.nodes))
	}
	return v
}

// bits is a set of token ids.
type bits []uint64

func (b bits) set(id uint32) { b[id/64] |= 1 << (id % 64) }

// base is what a state says about tokens by itself, whatever is below it on
// the stack.
type base struct {
	allowed bits
	exits   []int32 // nodes of the trie at which the rule of the state has ended, and tokens go on
}

// walk visits the prefixes below a node of the trie (-1: all) that the machine
// can read from a configuration, adds the tokens to allowed, and calls exit
// for those where the outermost rule may have ended.
func (v *Vocabulary) walk(m *machine, c, below int32, allowed bits, exit func(node int32)) {
	from, over, depth := int32(0), int32(len(v.nodes)), uint16(0)
	if below >= 0 {
		from, over, depth = below+1, v.nodes[below].end, v.nodes[below].depth+1
	}
	stack := make([]int32, 1, 64)
	stack[0] = c
	for i := from; i < over; {
		n := &v.nodes[i]
		at := stack[n.depth-depth]
		next := m.configs[at].next[n.last]
		if next == 0 {
			next = m.step(at, n.last)
		}
		if next == dead {
			i = n.end
			continue
		}
		for k := n.first; k < n.over; k++ {
			allowed.set(v.sorted[k])
		}
		if exit != nil && n.end > i+1 && m.ends(next) {
			exit(i)
		}
		stack = append(stack[:n.depth-depth+1], next)
		i++
	}
}

// base computes what a state allows.
func (v *Vocabulary) base(a *automaton, state int32) *base {
	b := &base{allowed: make(bits, len(v.tokens)/64+1)}
	m := newMachine(a, tokenDepth)
	v.walk(m, m.start(state, bottom), -1, b.allowed, func(node int32) { b.exits = append(b.exits, node) })
	return b
}

// Schema is a compiled JSON schema. It is safe for use by several goroutines,
// and remembers what it computed for a Vocabulary: keep it for requests to
// come.
type Schema struct {
	aut *automaton

	mu    sync.Mutex
	bases map[baseKey]*base
}

type baseKey struct {
	vocab *Vocabulary
	state int32
}

// base is what a state allows, computed once.
func (s *Schema) base(v *Vocabulary, state int32) *base {
	if int(state) < s.aut.builtins {
		v.mu.Lock()
		defer v.mu.Unlock()
		b := v.bases[state]
		if b == nil {
			b = v.base(s.aut, state)
			v.bases[state] = b
		}
		return b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := baseKey{v, state}
	b := s.bases[key]
	if b == nil {
		b = v.base(s.aut, state)
		s.bases[key] = b
	}
	return b
}

// Constraint is a Mask that lets a document of a Schema through, byte for
// byte, and the end of the sequence when it is complete. It belongs to one
// sequence.
type Constraint struct {
	schema *Schema
	vocab  *Vocabulary
	m      *machine
	at     int32
	masks  map[int32]bits // by configuration
}

// maxMasks bounds the masks that a Constraint remembers.
const maxMasks = 64

// Constrain is a constraint to a document of the schema, which begins with the
// next token.
func (s *Schema) Constrain(v *Vocabulary) *Constraint {
	c := &Constraint{schema: s, vocab: v, m: newMachine(s.aut, maxDepth), masks: map[int32]bits{}}
	c.at = c.m.start(s.aut.root, bottom)
	return c
}

// Clone is a constraint at the same place that goes its own way, for another
// hypothesis of a search.
func (c *Constraint) Clone() *Constraint {
	d := &Constraint{schema: c.schema, vocab: c.vocab, m: newMachine(c.schema.aut, maxDepth), masks: map[int32]bits{}}
	d.at = d.m.copyOf(c.m, c.at)
	return d
}

// copyOf makes a configuration of another machine one of this.
func (m *machine) copyOf(from *machine, c int32) int32 {
	var stack func(n int32) int32
	stack = func(n int32) int32 {
		if n == bottom {
			return bottom
		}
		return m.node(from.nodes[n].state, stack(from.nodes[n].parent), from.nodes[n].depth)
	}
	var work []int32
	for _, n := range from.configs[c].nodes {
		work = append(work, stack(n))
	}
	m.work = work
	return m.close()
}

// Complete tells whether the text so far is a document of the schema.
func (c *Constraint) Complete() bool { return c.m.ends(c.at) }

// Accept reads a token that the Mask allowed.
func (c *Constraint) Accept(id uint32) error {
	if int(id) >= len(c.vocab.tokens) || len(c.vocab.tokens[id]) == 0 {
		return fmt.Errorf("generate: token %d cannot be part of the constrained output", id)
	}
	return c.AcceptBytes(c.vocab.tokens[id])
}

// AcceptBytes reads text, which may end within a token or a character.
func (c *Constraint) AcceptBytes(text []byte) error {
	if len(c.m.configs) > maxConfigs {
		old := *c.m
		c.m = newMachine(c.schema.aut, maxDepth)
		c.at = c.m.copyOf(&old, c.at)
		clear(c.masks)
	}
	at := c.at
	for _, b := range text {
		if at = c.m.step(at, b); at == dead {
			return fmt.Errorf("generate: %q does not continue the constrained output", text)
		}
	}
	c.at = at
	return nil
}

// Mask bans the tokens that cannot come next.
func (c *Constraint) Mask(scores []float32, eos []uint32) {
	allowed := c.allowed()
	ends := eos
	if !c.Complete() {
		ends = nil
	}
	for at := 0; at < len(scores); at += 64 {
		word := uint64(0)
		if at/64 < len(allowed) {
			word = allowed[at/64]
		}
		if word == math.MaxUint64 {
			continue
		}
		part := scores[at:min(at+64, len(scores))]
		for i := range part {
			if word&(1<<i) == 0 && !slices.Contains(ends, uint32(at+i)) {
				part[i] = negInf
			}
		}
	}
}

// allowed are the tokens that may come next.
func (c *Constraint) allowed() bits {
	if b, ok := c.masks[c.at]; ok {
		return b
	}
	out := make(bits, len(c.vocab.tokens)/64+1)
	for _, n := range c.m.configs[c.at].nodes {
		if n == bottom {
			continue
		}
		if c.m.depth(n)+tokenDepth > maxDepth { // base does not see the limit coming
			c.vocab.walk(c.m, c.at, -1, out, nil)
			continue
		}
		node := c.m.nodes[n]
		b := c.schema.base(c.vocab, node.state)
		for i, w := range b.allowed {
			out[i] |= w
		}
		if len(b.exits) == 0 {
			continue
		}
		behind := c.m.at(node.parent)
		for _, exit := range b.exits {
			c.vocab.walk(c.m, behind, exit, out, nil)
		}
	}
	if len(c.masks) >= maxMasks {
		clear(c.masks)
	}
	c.masks[c.at] = out
	return out
}
