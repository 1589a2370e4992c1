package tokenizers

import (
	"bytes"
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

// newTrie builds a trie. Of equal keys the one of the greatest value wins.
func newTrie(keys []trieKey) *trie {
	slices.SortFunc(keys, func(a, b trieKey) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
	})
	b := &trieBuilder{keys: keys, head: noPlace, tail: noPlace}
	b.reserve(256)
	b.take(trieRoot, noParent)
	b.place(trieRoot, 0, len(keys), 0)
	// What is free belongs to nobody, for any base.
	for i := range b.units {
		if b.units[i].parent == freePlace {
			b.units[i] = trieUnit{parent: freePlace, value: noValue}
		}
	}
	return &trie{units: b.units}
}

// trieBuilder places nodes. Free places are a list: base is the next of them,
// value the one before.
type trieBuilder struct {
	keys       []trieKey
	units      []trieUnit
	head, tail int32
	work       []trieRange
}

const noPlace = -1

// trieRange is a range of keys that share depth bytes, below a node.
type trieRange struct {
	node        int32
	first, last int
	depth       int
}

func (b *trieBuilder) reserve(n int) {
	for len(b.units) < n {
		at := int32(len(b.units))
		b.units = append(b.units, trieUnit{base: noPlace, parent: freePlace, value: b.tail})
		if b.tail == noPlace {
			b.head = at
		} else {
			b.units[b.tail].base = at
		}
		b.tail = at
	}
}

// take gives a free place to a child of a node.
func (b *trieBuilder) take(at, parent int32) {
	u := &b.units[at]
	if u.value == noPlace {
		b.head = u.base
	} else {
		b.units[u.value].base = u.base
	}
	if u.base == noPlace {
		b.tail = u.value
	} else {
		b.units[u.base].value = u.value
	}
	*u = trieUnit{parent: parent, value: noValue}
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
			b.take(at, w.node)
			children[i].node = at
		}
		// Big subtrees first: they are the hardest to place.
		slices.SortFunc(children, func(x, y trieRange) int { return cmp.Compare(x.last-x.first, y.last-y.first) })
		b.work = append(b.work, children...)
	}
}

// maxTries is the number of free places that are tried before new ones are
// made.
const maxTries = 32

// room finds a base at which all labels are free.
func (b *trieBuilder) room(labels []byte) int32 {
	first, last := int32(labels[0]), int32(labels[len(labels)-1])
	tries := 0
	for at := b.head; at != noPlace && tries < maxTries; at = b.units[at].base {
		if at < first {
			continue
		}
		tries++
		base := at - first
		b.reserve(int(base+last) + 1)
		if b.fits(base, labels) {
			return base
		}
	}
	base := max(int32(len(b.units))-first, 0)
	b.reserve(int(base+last) + 1)
	return base
}

func (b *trieBuilder) fits(base int32, labels []byte) bool {
	for _, c := range labels {
		if b.units[base+int32(c)].parent != freePlace {
			return false
		}
	}
	return true
}
