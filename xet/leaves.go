package xet

import (
	"encoding/binary"

	"github.com/pantryhub/pantry/hub"
)

// The tree of BLAKE3 (its specification, section 2): leaves of leafSize bytes,
// and parents of the chaining values of two nodes.
const (
	leafSize  = 1 << 10
	leafBlock = 64 // bytes that are hashed in a step
	leafSteps = leafSize / leafBlock

	// What hashLeaves does behind the steps of leaves is to hash parents, of
	// which each has its message where a leaf would end.
	parentStep = leafSteps

	flagLeafEnd = 1 << 1
	flagRoot    = 1 << 3

	groupLeaves = 16
	groupSize   = groupLeaves * leafSize
	maxLeaves   = MaxChunk / leafSize
)

// leafGroup is nodes that are hashed at the same time. Word i of the chaining
// value of the node in lane j is cvs[i][j].
type leafGroup struct {
	words    [16][groupLeaves]uint32 // of the messages, scratch space
	cvs      [8][groupLeaves]uint32
	sizes    [groupLeaves]uint32 // of the blocks
	extra    [groupLeaves]uint32 // flags besides those of the step
	counters [groupLeaves]uint32 // of leaves
}

// leafTree computes the hash of one chunk after the other, of at least two
// leaves each, with the instructions of AVX-512.
type leafTree struct {
	leafGroup
	nodes    [maxLeaves][8]uint32 // of the leaves so far, then of higher levels
	count    int
	rest     [groupSize]byte                          // leaves that do not fill a group
	messages [(groupLeaves + 1) * leafSize / 4]uint32 // of parents
}

// start sets the group up for leaves from the given one on.
func (t *leafTree) start(first int) {
	t.setKey()
	for j := range t.counters {
		t.counters[j] = uint32(first + j)
	}
}

func (t *leafTree) setKey() {
	for i := range t.cvs {
		word := binary.LittleEndian.Uint32(chunkKey.key[4*i:])
		for j := range t.cvs[i] {
			t.cvs[i][j] = word
		}
	}
	for j := range t.sizes {
		t.sizes[j] = leafBlock
	}
}

// take appends n nodes of the group.
func (t *leafTree) take(n int) {
	for j := range n {
		node := &t.nodes[t.count+j]
		for i := range node {
			node[i] = t.cvs[i][j]
		}
	}
	t.count += n
}

// addGroup appends the leaves of a whole group.
func (t *leafTree) addGroup(b []byte) {
	t.start(t.count)
	hashLeaves(&t.leafGroup, &b[:groupSize][0], 0, leafSteps)
	t.take(groupLeaves)
}

// addRest appends the last leaves of a chunk, of which the last one may be short.
func (t *leafTree) addRest(b []byte) {
	if len(b) == 0 {
		return
	}
	clear(t.rest[copy(t.rest[:], b):])
	n := (len(b) + leafSize - 1) / leafSize
	last := len(b) - (n-1)*leafSize
	step := (last - 1) / leafBlock // the last one of the last leaf
	t.start(t.count)
	if step > 0 {
		hashLeaves(&t.leafGroup, &t.rest[0], 0, step)
	}
	t.sizes[n-1] = uint32(last - step*leafBlock)
	t.extra[n-1] = flagLeafEnd
	hashLeaves(&t.leafGroup, &t.rest[0], step, step+1)
	t.sizes[n-1], t.extra[n-1] = leafBlock, 0
	var short [8]uint32
	for i := range short {
		short[i] = t.cvs[i][n-1]
	}
	if step+1 < leafSteps && n > 1 {
		hashLeaves(&t.leafGroup, &t.rest[0], step+1, leafSteps)
	}
	t.take(n)
	t.nodes[t.count-1] = short
}

// sum is the hash of the leaves, of which there are at least two, and forgets
// them.
func (t *leafTree) sum() (h hub.XetHash) {
	clear(t.counters[:])
	for t.count > 1 {
		pairs := t.count / 2
		odd := t.nodes[t.count-1]
		if t.count == 2 {
			t.extra[0] = flagRoot
		}
		single := t.count%2 == 1
		t.count = 0
		for first := 0; first < pairs; first += groupLeaves {
			n := min(groupLeaves, pairs-first)
			for j := range n {
				message := t.messages[(j+1)*leafSize/4:]
				copy(message[:8], t.nodes[2*(first+j)][:])
				copy(message[8:16], t.nodes[2*(first+j)+1][:])
			}
			t.setKey()
			hashParents(&t.leafGroup, &t.messages)
			t.take(n)
		}
		if single {
			t.nodes[t.count] = odd
			t.count++
		}
	}
	t.extra[0] = 0
	t.count = 0
	for i, word := range t.nodes[0] {
		binary.LittleEndian.PutUint32(h[4*i:], word)
	}
	return h
}
