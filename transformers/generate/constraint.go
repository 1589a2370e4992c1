package generate

import (
	"fmt"
	"math"
	mathbits "math/bits"
	"slices"
	"sync"
)

// Vocabulary is the bytes of all tokens, ordered so that a constraint finds
// those that may come next. It is safe for use by several goroutines; make one
// per tokenizer.
type Vocabulary struct {
	tokens  [][]byte   // by id
	sorted  []uint32   // ids of the tokens that are not empty, in the order of their bytes
	nodes   []trieNode // of the trie of all tokens, each before its children
	longest int        // bytes of the longest token

	mu          sync.Mutex
	bases       map[top]*base // of the states that all automata have
	lengths     []length      // by token, from the beginning of a character in a string; see count
	exitLengths []length      // by exit of the base of that place
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
	v := &Vocabulary{tokens: tokens, bases: map[top]*base{}}
	for id, t := range tokens {
		if len(t) > 0 && len(t) <= maxTokenLen {
			v.sorted = append(v.sorted, uint32(id))
			v.longest = max(v.longest, len(t))
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

// base is what the top of a stack says about tokens by itself, whatever is
// below it.
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
		next := m.next[int(at&numbers)<<8|int(n.last)]
		if next == 0 {
			next = m.step(at, n.last)
		}
		if next == dead {
			i = n.end
			continue
		}
		for _, id := range v.sorted[n.first:n.over] {
			allowed.set(id)
		}
		if next&atEnd != 0 && exit != nil && n.end > i+1 {
			exit(i)
		}
		stack = append(stack[:n.depth-depth+1], next)
		i++
	}
}

// top is the top of a stack, as far as it decides by itself which tokens may
// come: a state, and for one within a character also the state of the string
// that it goes back to; otherwise back is -1.
type top struct{ state, back int32 }

// base computes what a top allows.
func (v *Vocabulary) base(a *automaton, t top) *base {
	b := &base{allowed: make(bits, len(v.tokens)/64+1)}
	m := newMachine(a, tokenDepth)
	parent := int32(bottom)
	if t.back >= 0 {
		parent = m.node(t.back, bottom, 0)
	}
	v.walk(m, m.config([]int32{m.node(t.state, parent, 0)}), -1, b.allowed, func(node int32) { b.exits = append(b.exits, node) })
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
	top   top
}

// base is what a top allows, computed once.
func (s *Schema) base(v *Vocabulary, t top) *base {
	if t.back >= 0 && s.aut.states[t.back].counted {
		at := &s.aut.states[t.back]
		switch {
		case at.need == 0 && at.room >= v.longest: // no token can reach the limit
			t.back = s.aut.rules.body
		case t.state == s.aut.rules.char:
			return s.countedBase(v, t.back)
		}
	}
	if int(max(t.state, t.back)) < s.aut.builtins {
		v.mu.Lock()
		defer v.mu.Unlock()
		b := v.bases[t]
		if b == nil {
			b = v.base(s.aut, t)
			v.bases[t] = b
		}
		return b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := baseKey{v, t}
	b := s.bases[key]
	if b == nil {
		b = v.base(s.aut, t)
		s.bases[key] = b
	}
	return b
}

// countedBase is the base of the beginning of a character that goes back to a
// state of a string of limited length: what a string without limits allows, as
// far as it fits.
func (s *Schema) countedBase(v *Vocabulary, back int32) *base {
	char := s.aut.rules.char
	all := s.base(v, top{char, s.aut.rules.body})
	v.count(s.aut)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := baseKey{v, top{char, back}}
	if b := s.bases[key]; b != nil {
		return b
	}
	at := &s.aut.states[back]
	fits := func(l length) bool {
		n := int(l.chars) - 1 // behind the one that goes back
		return n <= at.room && (!l.closed || n >= at.need)
	}
	b := &base{allowed: make(bits, len(all.allowed))}
	for i, w := range all.allowed {
		for ; w != 0; w &= w - 1 {
			if id := i*64 + mathbits.TrailingZeros64(w); fits(v.lengths[id]) {
				b.allowed[i] |= w & -w
			}
		}
	}
	for i, exit := range all.exits {
		if fits(v.exitLengths[i]) {
			b.exits = append(b.exits, exit)
		}
	}
	s.bases[key] = b
	return b
}

// length is how much of a string a token is: the characters it begins, and
// whether the string ends in it.
type length struct {
	chars  uint16
	closed bool
}

// count fills lengths and exitLengths.
func (v *Vocabulary) count(a *automaton) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lengths != nil {
		return
	}
	v.lengths = make([]length, len(v.tokens))
	m := newMachine(a, 0)
	body := m.node(a.rules.body, bottom, 0)
	between := m.at(body)
	configs := []int32{m.config([]int32{m.node(a.rules.char, body, 0)})}
	lengths := []length{{}}
	for i := int32(0); i < int32(len(v.nodes)); {
		n := &v.nodes[i]
		at, l := configs[n.depth], lengths[n.depth]
		next := m.step(at, n.last)
		if next == dead {
			i = n.end
			continue
		}
		switch {
		case at == between && n.last == '"':
			l.closed = true
		case at == between || n.depth == 0:
			l.chars++
		}
		for _, id := range v.sorted[n.first:n.over] {
			v.lengths[id] = l
		}
		if next&atEnd != 0 && n.end > i+1 {
			v.exitLengths = append(v.exitLengths, l)
		}
		configs, lengths = append(configs[:n.depth+1], next), append(lengths[:n.depth+1], l)
		i++
	}
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
	ends   []float32      // scores of the tokens that end the sequence
}

// maxMasks bounds the masks that a Constraint remembers. maxTops is the number
// of stacks up to which a mask is put together from those of their tops; for
// more, as some patterns have, it is found in one walk over the tokens.
const (
	maxMasks = 64
	maxTops  = 12
)

// Constrain is a constraint to a document of the schema, which begins with the
// next token.
func (s *Schema) Constrain(v *Vocabulary) *Constraint {
	c := &Constraint{schema: s, vocab: v, m: newMachine(s.aut, maxDepth), masks: map[int32]bits{}}
	c.at = c.m.start(s.aut.root, bottom)
	return c
}

// fork is a constraint at the same place that goes its own way, for another
// hypothesis of a search. The two share what they find out, so they belong to
// the same goroutine.
func (c *Constraint) fork() *Constraint {
	return &Constraint{schema: c.schema, vocab: c.vocab, m: c.m, at: c.at, masks: c.masks}
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
	for _, n := range from.stacks(c) {
		work = append(work, stack(n))
	}
	m.work = work
	return m.close()
}

// Complete tells whether the text so far is a document of the schema.
func (c *Constraint) Complete() bool { return c.at&atEnd != 0 }

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
		old := c.m
		c.m = newMachine(c.schema.aut, maxDepth)
		c.at = c.m.copyOf(old, c.at)
		c.masks = map[int32]bits{}
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
	c.ends = c.ends[:0]
	for _, id := range eos {
		x := negInf
		if c.Complete() && int(id) < len(scores) {
			x = scores[id]
		}
		c.ends = append(c.ends, x)
	}
	for at := 0; at < len(scores); at += 64 {
		word := uint64(0)
		if at/64 < len(allowed) {
			word = allowed[at/64]
		}
		part := scores[at:min(at+64, len(scores))]
		switch word {
		case math.MaxUint64:
		case 0:
			for i := range part {
				part[i] = negInf
			}
		default:
			for banned := ^word; banned != 0; banned &= banned - 1 {
				if i := mathbits.TrailingZeros64(banned); i < len(part) {
					part[i] = negInf
				}
			}
		}
	}
	for i, id := range eos {
		if int(id) < len(scores) {
			scores[id] = c.ends[i]
		}
	}
}

// deep tells that a token could reach the limit of the nesting, which a base
// does not see coming.
func (c *Constraint) deep(n int32) bool { return c.m.depth(n)+tokenDepth > maxDepth }

// allowed are the tokens that may come next.
func (c *Constraint) allowed() bits {
	if b, ok := c.masks[c.at]; ok {
		return b
	}
	out := make(bits, len(c.vocab.tokens)/64+1)
	stacks := c.m.stacks(c.at)
	if len(stacks) > maxTops || slices.ContainsFunc(stacks, c.deep) {
		c.vocab.walk(c.m, c.at, -1, out, nil)
		stacks = nil
	}
	for _, n := range stacks {
		if n == bottom {
			continue
		}
		node := c.m.nodes[n]
		t := top{node.state, -1}
		if c.schema.aut.states[node.state].part {
			up := c.m.nodes[node.parent]
			t.back, node.parent = up.state, up.parent
		}
		b := c.schema.base(c.vocab, t)
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
