package tokenizers

import (
	"cmp"
	"slices"
)

// trie is a double array over bytes: the child of node n by byte c is
// base[n]+c, if that place belongs to n.
type trie struct {
	units []trieUnit
}

type trieUnit struct {
	base   int32
	parent int32 // or freePlace, noParent
	value  int32 // id of the key that ends here; -1 for none
}

const (
	trieRoot  = 0
	noValue   = -1
	freePlace = -1
	noParent  = -2
)

// child is the node after c, or -1.
func (t *trie) child(n int32, c byte) int32 {
	at := t.units[n].base + int32(c)
	if int(at) < len(t.units) && t.units[at].parent == n {
		return at
	}
	return -1
}

func (t *trie) value(n int32) int32 { return t.units[n].value }

// walk follows a key from a node; -1 if it leaves the trie.
func (t *trie) walk(n int32, key []byte) int32 {
	for _, c := range key {
		if n = t.child(n, c); n < 0 {
			return -1
		}
	}
	return n
}

type trieKey struct {
	key   []byte
	value int32
}

// newTrie builds a trie. Of equal keys the last one wins.
func newTrie(keys []trieKey) *trie {
	slices.SortStableFunc(keys, func(a, b trieKey) int { return slices.Compare(a.key, b.key) })
	b := &trieBuilder{keys: keys}
	b.reserve(256)
	b.units[trieRoot].parent = noParent
	b.place(trieRoot, 0, len(keys), 0)
	return &trie{units: b.units}
}

type trieBuilder struct {
	keys  []trieKey
	units []trieUnit
	from  int // no free place before it
	work  []trieRange
}

// trieRange is a range of keys that share depth bytes, below a node.
type trieRange struct {
	node        int32
	first, last int
	depth       int
}

func (b *trieBuilder) reserve(n int) {
	for len(b.units) < n {
		b.units = append(b.units, trieUnit{parent: freePlace, value: noValue})
	}
}

// place puts the children of a node, and theirs.
func (b *trieBuilder) place(node int32, first, last, depth int) {
	b.work = append(b.work, trieRange{node, first, last, depth})
	var labels []byte
	var children []trieRange
	for len(b.work) > 0 {
		w := b.work[len(b.work)-1]
		b.work = b.work[:len(b.work)-1]
		labels, children = labels[:0], children[:0]
		for i := w.first; i < w.last; i++ {
			k := b.keys[i]
			if len(k.key) == w.depth {
				b.units[w.node].value = k.value
				continue
			}
			c := k.key[w.depth]
			if len(labels) == 0 || labels[len(labels)-1] != c {
				labels = append(labels, c)
				children = append(children, trieRange{0, i, i, w.depth + 1})
			}
			children[len(children)-1].last = i + 1
		}
		if len(labels) == 0 {
			continue
		}
		base := b.room(labels)
		b.units[w.node].base = base
		for i, c := range labels {
			at := base + int32(c)
			b.units[at].parent = w.node
			children[i].node = at
		}
		// Big subtrees first: they are the hardest to place.
		slices.SortFunc(children, func(x, y trieRange) int { return cmp.Compare(x.last-x.first, y.last-y.first) })
		b.work = append(b.work, children...)
	}
}

// room finds a base at which all labels are free.
func (b *trieBuilder) room(labels []byte) int32 {
	for b.from < len(b.units) && b.units[b.from].parent != freePlace {
		b.from++
	}
	tries := 0
	for at := b.from; ; at++ {
		b.reserve(at + 512)
		if b.units[at].parent != freePlace || at < int(labels[0]) {
			continue
		}
		base := at - int(labels[0])
		if b.fits(base, labels) {
			return int32(base)
		}
		// A crowded region is given up rather than searched again and again.
		if tries++; tries > 64 {
			b.from += max((at-b.from)/4, 1)
			tries = 0
		}
	}
}

func (b *trieBuilder) fits(base int, labels []byte) bool {
	for _, c := range labels {
		if b.units[base+int(c)].parent != freePlace {
			return false
		}
	}
	return true
}
