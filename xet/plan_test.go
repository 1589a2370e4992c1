package xet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

// library is a set of stored xorbs.
type library map[hub.XetHash]struct {
	body  []byte
	index *Index
}

func (l library) index(h hub.XetHash) (*Index, error) {
	x, ok := l[h]
	if !ok {
		return nil, errors.New("no such xorb")
	}
	return x.index, nil
}

func (l library) add(t *testing.T, data []byte) hub.XetHash {
	body, index := makeXorb(t, data)
	h := index.XorbHash()
	l[h] = struct {
		body  []byte
		index *Index
	}{body, index}
	return h
}

// term is chunks [start, end) of a stored xorb and the bytes in them.
func (l library) term(t *testing.T, h hub.XetHash, start, end int) (Term, []byte) {
	x := l[h]
	var raw []byte
	err := x.index.ReadVerified(x.body[x.index.Offset(start):], start, end, func(c []byte) error {
		raw = append(raw, c...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return Term{Xorb: h, Start: uint32(start), End: uint32(end), Size: uint32(len(raw))}, raw
}

// execute rebuilds what a plan describes as a client does.
func (l library) execute(t *testing.T, p *Plan) []byte {
	t.Helper()
	var out []byte
	for _, term := range p.Terms {
		var from FetchRange
		found := 0
		for _, f := range p.Fetch {
			for _, r := range f.Ranges {
				if f.Xorb == term.Xorb && r.Start <= term.Start && term.End <= r.End {
					from = r
					found++
				}
			}
		}
		if found != 1 {
			t.Fatalf("term %v lies in %d fetch ranges, want 1", term, found)
		}
		x := l[term.Xorb]
		fetched := x.body[from.From:from.To]
		at := x.index.Offset(int(term.Start)) - from.From
		err := x.index.ReadVerified(fetched[at:], int(term.Start), int(term.End), func(c []byte) error {
			out = append(out, c...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out[p.Skip:]
}

func TestPlanRebuildsEveryRange(t *testing.T) {
	l := library{}
	a, b := l.add(t, kindsOfData()["mixed"]), l.add(t, splitmix(77, 1<<20))
	var terms []Term
	var file []byte
	for _, part := range []struct {
		xorb       hub.XetHash
		start, end int
	}{{a, 2, 5}, {b, 0, 4}, {a, 5, 6}, {a, 4, 7}, {b, 7, 8}, {a, 0, 1}} {
		term, raw := l.term(t, part.xorb, part.start, part.end)
		terms, file = append(terms, term), append(file, raw...)
	}
	size := int64(len(file))
	if got := FileSize(terms); got != size {
		t.Fatalf("FileSize = %d, want %d", got, size)
	}
	cuts := []int64{0, 1, size - 1, size}
	var pos int64
	for _, term := range terms {
		x := l[term.Xorb].index
		for i := term.Start; i < term.End; i++ {
			pos += x.RawOffset(int(i+1)) - x.RawOffset(int(i))
			cuts = append(cuts, pos-1, pos, min(pos+1, size))
		}
	}
	for _, from := range cuts {
		for _, to := range cuts {
			if from >= to {
				continue
			}
			p, err := MakePlan(terms, from, to, l.index)
			if err != nil {
				t.Fatal(err)
			}
			got := l.execute(t, p)
			if int64(len(got)) < to-from || !bytes.Equal(got[:to-from], file[from:to]) {
				t.Fatalf("range [%d, %d): got %d bytes, equal %v", from, to, len(got), len(got) >= int(to-from) && bytes.Equal(got[:to-from], file[from:to]))
			}
			if int64(len(got))-(to-from) >= MaxChunk || p.Skip >= MaxChunk {
				t.Errorf("range [%d, %d): skip %d and %d bytes too many: a whole chunk was not dropped", from, to, p.Skip, int64(len(got))-(to-from))
			}
			for _, f := range p.Fetch {
				for i := 1; i < len(f.Ranges); i++ {
					if f.Ranges[i].Start <= f.Ranges[i-1].End {
						t.Errorf("range [%d, %d): fetch ranges %v touch", from, to, f.Ranges)
					}
				}
			}
		}
	}
}

func TestPlanRefusesWrongTerms(t *testing.T) {
	l := library{}
	h := l.add(t, splitmix(4, 300_000))
	good, _ := l.term(t, h, 0, 2)
	for name, edit := range map[string]func(*Term){
		"beyond the end": func(x *Term) { x.Start, x.End = 1000, 1001 },
		"empty":          func(x *Term) { x.End = x.Start },
		"wrong size":     func(x *Term) { x.Size++ },
		"no such xorb":   func(x *Term) { x.Xorb[0]++ },
	} {
		bad := good
		edit(&bad)
		if _, err := MakePlan([]Term{bad}, 0, int64(bad.Size), l.index); err == nil {
			t.Errorf("%s: planned", name)
		}
	}
}

// chunkNodes makes n chunks with random hashes and sizes.
func chunkNodes(rng *rand.Rand, n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		for j := range nodes[i].Hash {
			nodes[i].Hash[j] = byte(rng.Uint32())
		}
		nodes[i].Size = MinChunk + rng.Uint64N(MaxChunk-MinChunk)
	}
	return nodes
}

// at returns the nodes that level i of a subtree keeps.
func (t *Subtree) at(i int) (left, right []Node) {
	off := 0
	for j := range i {
		off += t.Levels[j].Left
	}
	left = t.Nodes[off:][:t.Levels[i].Left]
	off = len(t.Nodes)
	for j := 0; j <= i; j++ {
		off -= t.Levels[j].Right
	}
	return left, t.Nodes[off:][:t.Levels[i].Right]
}

// join puts adjacent subtrees together as a client does.
func join(a, b *Subtree) *Subtree {
	out := &Subtree{AtStart: a.AtStart, AtEnd: b.AtEnd}
	var carry []Node
	var rights [][]Node
	openLeft, openRight := false, false
	for i := 0; i < max(len(a.Levels), len(b.Levels)) || len(carry) > 0; i++ {
		var full []Node
		if i < len(a.Levels) {
			l, r := a.at(i)
			full = append(append(full, l...), r...)
		}
		full = append(full, carry...)
		if i < len(b.Levels) {
			l, r := b.at(i)
			full = append(append(full, l...), r...)
		}
		left, parents, right := promote(full, out.AtStart && !openLeft, out.AtEnd && !openRight)
		openLeft, openRight = openLeft || len(left) > 0, openRight || len(right) > 0
		out.Nodes = append(out.Nodes, left...)
		rights = append(rights, right)
		out.Levels = append(out.Levels, SubtreeLevel{len(left), len(right)})
		carry = parents
	}
	for i := len(rights) - 1; i >= 0; i-- {
		out.Nodes = append(out.Nodes, rights[i]...)
	}
	return out
}

func TestSubtreesJoinToTheFileHash(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		nodes := chunkNodes(rng, 1+rng.IntN(600))
		a := rng.IntN(len(nodes) + 1)
		b := a + rng.IntN(len(nodes)-a+1)
		tree := join(join(NewSubtree(nodes[:a], true, false), NewSubtree(nodes[a:b], false, false)), NewSubtree(nodes[b:], false, true))
		top := tree.Nodes
		if len(top) != 1 || top[0].Hash != aggregateByDefinition(nodes) {
			t.Fatalf("%d chunks split at %d and %d: %d nodes remain, want the one root", len(nodes), a, b, len(top))
		}
	}
}

func TestSubtreeIsSmall(t *testing.T) {
	tree := NewSubtree(chunkNodes(rand.New(rand.NewPCG(1, 1)), 100_000), false, false)
	if len(tree.Nodes) > 600 {
		t.Errorf("a subtree of 100,000 chunks has %d nodes", len(tree.Nodes))
	}
	whole := NewSubtree(chunkNodes(rand.New(rand.NewPCG(1, 1)), 1000), true, true)
	if len(whole.Nodes) != 1 {
		t.Errorf("a whole file has %d nodes, want 1", len(whole.Nodes))
	}
	if empty := NewSubtree(nil, true, true); len(empty.Nodes) != 0 || !slices.Equal(empty.Levels, []SubtreeLevel{{0, 0}}) {
		t.Errorf("the empty subtree is %+v", empty)
	}
}

func TestDirtyWindows(t *testing.T) {
	const big, small = 32 << 10, 9 << 10 // stable and not
	tests := []struct {
		name  string
		sizes []uint64
		dirty []ByteRange
		want  []Window
	}{
		{"nothing", []uint64{big, big}, nil, nil},
		{"two stable chunks end it", []uint64{big, big, big, big, big, big}, []ByteRange{{big + 1, big + 2}},
			[]Window{{1, 4, ByteRange{big, 4 * big}}}},
		{"an unstable one does not count", []uint64{big, big, small, big, big, big}, []ByteRange{{0, 1}},
			[]Window{{0, 5, ByteRange{0, 4*big + small}}}},
		{"the end ends it", []uint64{big, big}, []ByteRange{{big, 2 * big}},
			[]Window{{1, 2, ByteRange{big, 2 * big}}}},
		{"the next range is absorbed", []uint64{big, big, big, big, big, big}, []ByteRange{{0, 1}, {2 * big, 2*big + 5}},
			[]Window{{0, 5, ByteRange{0, 5 * big}}}},
		{"two windows", []uint64{big, big, big, big, big, big}, []ByteRange{{0, 1}, {3 * big, 3*big + 5}},
			[]Window{{0, 3, ByteRange{0, 3 * big}}, {3, 6, ByteRange{3 * big, 6 * big}}}},
		{"one range over many chunks", []uint64{big, big, big, big, big, big}, []ByteRange{{1, 3*big - 1}},
			[]Window{{0, 5, ByteRange{0, 5 * big}}}},
	}
	for _, tt := range tests {
		var chunks []Node
		for _, n := range tt.sizes {
			chunks = append(chunks, Node{Size: n})
		}
		if got := DirtyWindows(chunks, tt.dirty); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestWindowsHold changes bytes and checks that the chunks outside the windows
// are the same afterwards.
func TestWindowsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	for range 20 {
		data := splitmix(rng.Uint64(), 3<<20)
		before := chunkEnds(data, len(data))
		var nodes []Node
		prev := 0
		for _, end := range before {
			nodes = append(nodes, Node{Size: uint64(end - prev)})
			prev = end
		}
		from := rng.Int64N(2 << 20)
		to := from + 1 + rng.Int64N(200_000)
		w := DirtyWindows(nodes, []ByteRange{{from, to}})
		edited := slices.Clone(data)
		copy(edited[from:to], splitmix(rng.Uint64(), int(to-from)))
		after := chunkEnds(edited, len(edited))
		for _, end := range before {
			inside := int64(end) > w[0].Bytes.Start && int64(end) < w[0].Bytes.End
			if !inside && !slices.Contains(after, end) {
				t.Fatalf("the boundary at %d is gone after changing [%d, %d); window %+v", end, from, to, w)
			}
		}
	}
}
