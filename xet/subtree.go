package xet

// Subtree is the part of a file's Merkle tree above a run of its chunks,
// collapsed as far as the chunks around it cannot change: a few dozen nodes,
// however long the run. A client that replaces part of a file gets one for each
// part it keeps, and computes the hash of the whole without their chunk hashes.
//
// Level 0 holds chunks. At each level the groups that are certain have become
// nodes of the next; the nodes before them stay on the left, those after them on
// the right. Nodes lists all lefts from the lowest level up, then all rights from
// the highest level down.
type Subtree struct {
	Nodes   []Node
	Levels  []SubtreeLevel
	AtStart bool // the run begins the file
	AtEnd   bool // the run ends the file
}

// SubtreeLevel counts the nodes that one level keeps.
type SubtreeLevel struct{ Left, Right int }

// NewSubtree collapses a run of chunks.
func NewSubtree(chunks []Node, atStart, atEnd bool) *Subtree {
	t := &Subtree{AtStart: atStart, AtEnd: atEnd}
	var rights [][]Node // by level
	nodes := chunks
	for openLeft, openRight := false, false; ; {
		left, parents, right := promote(nodes, atStart && !openLeft, atEnd && !openRight)
		openLeft, openRight = openLeft || len(left) > 0, openRight || len(right) > 0
		t.Nodes = append(t.Nodes, left...)
		rights = append(rights, right)
		t.Levels = append(t.Levels, SubtreeLevel{len(left), len(right)})
		if len(parents) == 1 {
			t.Nodes = append(t.Nodes, parents[0])
			t.Levels = append(t.Levels, SubtreeLevel{1, 0})
		}
		if len(parents) <= 1 {
			break
		}
		nodes = parents
	}
	for i := len(rights) - 1; i >= 0; i-- {
		t.Nodes = append(t.Nodes, rights[i]...)
	}
	return t
}

// promote splits the nodes of a level into those before the first certain group,
// the parents of the certain groups, and those after the last. Where nothing is
// certain, all nodes are on the left.
func promote(nodes []Node, atStart, atEnd bool) (left, parents, right []Node) {
	if len(nodes) <= 1 {
		return nodes, nil, nil
	}
	start, end := 0, len(nodes)
	if !atStart {
		if start = firstCertain(nodes); start < 0 {
			return nodes, nil, nil
		}
	}
	if !atEnd {
		last := lastCertain(nodes[start:])
		if last < 0 {
			return nodes, nil, nil
		}
		end = start + last
	}
	if start >= end {
		return nodes, nil, nil
	}
	for rest := nodes[start:end]; len(rest) > 0; {
		n := groupLen(rest)
		parents = append(parents, parentOf(rest[:n]))
		rest = rest[n:]
	}
	return nodes[:start], parents, nodes[end:]
}

// certainGap reports whether two nodes that end groups are so far apart that the
// second one ends a group whenever the first one does.
func certainGap(n int) bool { return n > minGroup && n < maxGroup-1 }

// firstCertain is the first position that begins a group whatever precedes the
// nodes, -1 if none does: behind the second of three nodes that end groups, at
// certain gaps.
func firstCertain(nodes []Node) int {
	before, last := -1, -1
	for i := range nodes {
		if !endsGroup(nodes[i].Hash) {
			continue
		}
		if before >= 0 && certainGap(i-last) && certainGap(last-before) {
			return last + 1
		}
		before, last = last, i
	}
	return -1
}

// lastCertain is the last position that begins a group whatever follows the
// nodes, -1 if none does.
func lastCertain(nodes []Node) int {
	after, next := -1, -1
	for i := len(nodes) - 1; i >= 0; i-- {
		if !endsGroup(nodes[i].Hash) {
			continue
		}
		if after >= 0 && certainGap(next-i) && certainGap(after-next) {
			return next + 1
		}
		after, next = next, i
	}
	return -1
}

// A chunk of a size in [stableMin, stableMax) that follows another such chunk
// ends at a boundary that does not depend on what precedes the two.
const (
	stableMin = 2 * MinChunk
	stableMax = MaxChunk - MinChunk
)

func stableChunk(size uint64) bool { return size >= stableMin && size < stableMax }

// ByteRange is bytes [Start, End) of a file.
type ByteRange struct{ Start, End int64 }

// Window is a run of chunks that must be cut anew when bytes in it change:
// after its last chunk the boundaries are what they were.
type Window struct {
	Start, End int // chunks [Start, End) of the file
	Bytes      ByteRange
}

// DirtyWindows returns the windows around changed ranges of a file with these
// chunks. The ranges are ascending, not empty, and do not overlap.
func DirtyWindows(chunks []Node, dirty []ByteRange) []Window {
	var windows []Window
	var open *Window
	calm := 0 // stable clean chunks at the end of the open window
	var pos int64
	for i, c := range chunks {
		end := pos + int64(c.Size)
		for len(dirty) > 0 && dirty[0].End <= pos {
			dirty = dirty[1:]
		}
		isDirty := len(dirty) > 0 && dirty[0].Start < end
		if isDirty && open == nil {
			windows = append(windows, Window{Start: i, Bytes: ByteRange{Start: pos}})
			open = &windows[len(windows)-1]
		}
		if open != nil {
			open.End, open.Bytes.End = i+1, end
			calm++
			if isDirty || !stableChunk(c.Size) {
				calm = 0
			}
			if calm == 2 {
				open, calm = nil, 0
			}
		}
		pos = end
	}
	return windows
}
