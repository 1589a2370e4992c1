package generate

import (
	"encoding/binary"
	"slices"
)

// machine runs an automaton: it makes it deterministic as it goes. A stack is
// a chain of nodes; a configuration is the set of stacks that are possible,
// with a table of where each byte leads. It belongs to one goroutine.
type machine struct {
	aut     *automaton
	nodes   []stackNode
	nodeIDs map[stackNode]int32
	configs [][]int32        // by number: the stacks, whose top states have edges, and bottom
	next    []int32          // by number and byte: the configuration behind it; 0: not known yet
	ids     map[string]int32 // of configurations, by their stacks
	limit   int              // of nested objects and arrays
	work    []int32
	seen    map[int32]bool
	key     []byte
}

// stackNode is a state, and the node that its rule returns to.
type stackNode struct{ state, parent, depth int32 }

// bottom is the node under the outermost rule. A configuration that contains
// it is at an end.
const bottom = 0

// A configuration is its number, with a bit that says whether it is at an end.
// Number 0 is none, dead cannot go on.
const (
	dead    = 1
	atEnd   = 1 << 30
	numbers = atEnd - 1
)

// maxDepth bounds the nesting of objects and arrays in a document, tokenDepth
// that of the brackets in one token. maxConfigs bounds the memory of a machine.
const (
	maxDepth   = 128
	tokenDepth = 32
	maxConfigs = 30_000
)

func newMachine(a *automaton, limit int) *machine {
	m := &machine{aut: a, limit: limit, seen: map[int32]bool{}}
	m.reset()
	return m
}

func (m *machine) reset() {
	m.nodes = append(m.nodes[:0], stackNode{-1, -1, 0})
	m.nodeIDs = map[stackNode]int32{}
	m.configs = append(m.configs[:0], nil, nil)
	m.next = make([]int32, 2*256, 64*256)
	m.ids = map[string]int32{}
}

// node is the id of a stack. A state that the rule of an object or an array
// begins with is a level deeper than parent; other states of its rule have the
// depth of the one before.
func (m *machine) node(state, parent, depth int32) int32 {
	n := stackNode{state, parent, depth}
	id, ok := m.nodeIDs[n]
	if !ok {
		id = int32(len(m.nodes))
		m.nodes = append(m.nodes, n)
		m.nodeIDs[n] = id
	}
	return id
}

// depth is the number of objects and arrays that a stack is within.
func (m *machine) depth(n int32) int { return int(m.nodes[n].depth) }

// start is the configuration at a state, in a rule that returns to parent.
func (m *machine) start(state, parent int32) int32 {
	m.work = append(m.work[:0], m.node(state, parent, 0))
	return m.close()
}

// at is the configuration of what is next behind a return to a node.
func (m *machine) at(node int32) int32 {
	m.work = append(m.work[:0], node)
	return m.close()
}

// close follows everything that reads no byte from the nodes in work, and
// gives the configuration.
func (m *machine) close() int32 {
	clear(m.seen)
	var nodes []int32
	for len(m.work) > 0 {
		n := m.work[len(m.work)-1]
		m.work = m.work[:len(m.work)-1]
		if m.seen[n] {
			continue
		}
		m.seen[n] = true
		if n == bottom {
			nodes = append(nodes, n)
			continue
		}
		at := m.nodes[n]
		s := &m.aut.states[at.state]
		if len(s.edges) > 0 {
			nodes = append(nodes, n)
		}
		for _, to := range s.eps {
			m.work = append(m.work, m.node(to, at.parent, at.depth))
		}
		if s.final {
			m.work = append(m.work, at.parent)
		}
		for _, c := range s.calls {
			depth := at.depth
			if m.aut.states[c.start].nests {
				depth++
			}
			if int(depth) <= m.limit {
				m.work = append(m.work, m.node(c.start, m.node(c.back, at.parent, at.depth), depth))
			}
		}
	}
	return m.config(nodes)
}

// config is the configuration of stacks whose top states have edges.
func (m *machine) config(nodes []int32) int32 {
	if len(nodes) == 0 {
		return dead
	}
	slices.Sort(nodes)
	m.key = m.key[:0]
	for _, n := range nodes {
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(n))
	}
	id, ok := m.ids[string(m.key)]
	if !ok {
		id = int32(len(m.configs))
		m.configs = append(m.configs, nodes)
		m.next = append(m.next, noSteps[:]...)
		if nodes[0] == bottom {
			id |= atEnd
		}
		m.ids[string(m.key)] = id
	}
	return id
}

// step is the configuration behind a byte; dead if there is none.
func (m *machine) step(c int32, b byte) int32 {
	slot := int(c&numbers)<<8 | int(b)
	if next := m.next[slot]; next != 0 {
		return next
	}
	m.work = m.work[:0]
	for _, n := range m.stacks(c) {
		if n == bottom {
			continue
		}
		at := m.nodes[n]
		for _, e := range m.aut.states[at.state].edges {
			if e.lo <= b && b <= e.hi {
				m.work = append(m.work, m.node(e.to, at.parent, at.depth))
			}
		}
	}
	next := int32(dead)
	if len(m.work) > 0 {
		next = m.close()
	}
	m.next[slot] = next
	return next
}

// noSteps is the table of a new configuration.
var noSteps [256]int32

// stacks are the nodes of a configuration.
func (m *machine) stacks(c int32) []int32 { return m.configs[c&numbers] }
