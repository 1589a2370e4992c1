package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of a leafGroup are.
const (
	atWords    = 0
	atCVs      = atWords + 16*64
	atSizes    = atCVs + 8*64
	atExtra    = atSizes + 64
	atCounters = atExtra + 64
)

const (
	leafSize  = 1 << 10
	leafSteps = leafSize / 64
)

// leafPass hashes 16 leaves of a BLAKE3 tree, one in each lane of a vector. A
// step, which takes a block of 64 bytes of each, has 16 parts: two that bring the
// words of the message into lanes, and two for each of 7 rounds. The state is in
// registers 16 to 31, so that the others keep upper halves of zero.
type leafPass struct {
	group, leaf, flags, order reg.GPVirtual

	flagsEnd, orderEnd Mem
	flagsOf, orders    Mem
	iv                 Mem
}

// state is word i of the state, in all lanes.
func state(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}[i]
}

// newLeafPass begins at the step of which it gets the address of the flags.
func newLeafPass() *leafPass {
	const start, end, parent, keyed = 1 << 0, 1 << 1, 1 << 2, 1 << 4
	flags := make([]uint32, leafSteps+1)
	for i := range flags {
		flags[i] = keyed
	}
	flags[0] |= start
	flags[leafSteps-1] |= end
	flags[leafSteps] |= parent // of what is behind the leaf
	permutation := []uint32{2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8}
	words := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	var orders []uint32
	for range 7 {
		next := make([]uint32, len(words))
		for i, w := range words {
			orders = append(orders, 64*w)
			next[i] = words[permutation[i]]
		}
		words = next
	}
	return &leafPass{
		flagsOf: wordsOf("leafFlags", flags), orders: wordsOf("leafOrders", orders),
		iv:       wordsOf("leafIV", []uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a}),
		flagsEnd: AllocLocal(8), orderEnd: AllocLocal(8),
	}
}

// again returns a pass of another function, with the same constants.
func (l *leafPass) again() *leafPass {
	return &leafPass{flagsOf: l.flagsOf, orders: l.orders, iv: l.iv, flagsEnd: AllocLocal(8), orderEnd: AllocLocal(8)}
}

// load takes the parameters group, leaves, from and to.
func (l *leafPass) load() {
	l.group = Load(Param("group"), GP64()).(reg.GPVirtual)
	l.leaf = Load(Param("leaves"), GP64()).(reg.GPVirtual)
	from, to := Load(Param("from"), GP64()), Load(Param("to"), GP64())
	l.flags = GP64()
	l.order = GP64()
	LEAQ(l.orders.Offset(7*64), l.order)
	MOVQ(l.order, l.orderEnd)
	LEAQ(l.flagsOf, l.flags)
	end := GP64()
	LEAQ(Mem{Base: l.flags, Index: to, Scale: 4}, end)
	MOVQ(end, l.flagsEnd)
	LEAQ(Mem{Base: l.flags, Index: from, Scale: 4}, l.flags)
	SHLQ(U8(6), from)
	ADDQ(from, l.leaf)
	for i := range 8 {
		VMOVDQU32(Mem{Base: l.group, Disp: atCVs + 64*i}, state(i))
	}
}

func (l *leafPass) store() {
	for i := range 8 {
		VMOVDQU32(state(i), Mem{Base: l.group, Disp: atCVs + 64*i})
	}
}

// steps writes the loops. Each part is woven into what beside writes, which runs
// once for each.
func (l *leafPass) steps(beside func() []func()) {
	Label("step")
	weave(beside(), append(l.transpose(0), l.transpose(1)...))
	weave(beside(), append(append(l.transpose(2), l.transpose(3)...), l.begin()...))
	LEAQ(l.orders, l.order)
	Label("round")
	weave(beside(), l.halfRound(0, 0))
	weave(beside(), l.halfRound(8, 1))
	ADDQ(U8(64), l.order)
	CMPQ(l.order, l.orderEnd)
	JNE(LabelRef("round"))
	for i := range 8 {
		VPXORD(state(i+8), state(i), state(i))
	}
	ADDQ(U8(64), l.leaf)
	ADDQ(U8(4), l.flags)
	CMPQ(l.flags, l.flagsEnd)
	JNE(LabelRef("step"))
}

// transpose brings four words of each lane's block to the group's words.
func (l *leafPass) transpose(quarter int) (ops []func()) {
	do := func(op func()) { ops = append(ops, op) }
	rows, half := []int{8, 9, 10, 11}, []int{12, 13, 14, 15}
	for k, row := range rows {
		at := func(lane int) Mem { return Mem{Base: l.leaf, Disp: lane*leafSize + 16*quarter} }
		do(func() { VMOVDQU32(at(k), state(row).AsX()) })
		for part := 1; part < 4; part++ {
			do(func() { VINSERTI32X4(U8(part), at(k+4*part), state(row), state(row)) })
		}
	}
	do(func() { VPUNPCKLDQ(state(rows[1]), state(rows[0]), state(half[0])) })
	do(func() { VPUNPCKHDQ(state(rows[1]), state(rows[0]), state(half[1])) })
	do(func() { VPUNPCKLDQ(state(rows[3]), state(rows[2]), state(half[2])) })
	do(func() { VPUNPCKHDQ(state(rows[3]), state(rows[2]), state(half[3])) })
	do(func() { VPUNPCKLQDQ(state(half[2]), state(half[0]), state(rows[0])) })
	do(func() { VPUNPCKHQDQ(state(half[2]), state(half[0]), state(rows[1])) })
	do(func() { VPUNPCKLQDQ(state(half[3]), state(half[1]), state(rows[2])) })
	do(func() { VPUNPCKHQDQ(state(half[3]), state(half[1]), state(rows[3])) })
	for i, row := range rows {
		do(func() { VMOVDQU32(state(row), Mem{Base: l.group, Disp: atWords + 64*(4*quarter+i)}) })
	}
	return ops
}

// begin sets the second half of the state.
func (l *leafPass) begin() (ops []func()) {
	for i := range 4 {
		ops = append(ops, func() { VPBROADCASTD(l.iv.Offset(4*i), state(8+i)) })
	}
	return append(ops,
		func() { VMOVDQU32(Mem{Base: l.group, Disp: atCounters}, state(12)) },
		func() { VPXORD(state(13), state(13), state(13)) },
		func() { VMOVDQU32(Mem{Base: l.group, Disp: atSizes}, state(14)) },
		func() { VPBROADCASTD(Mem{Base: l.flags}, state(15)) },
		func() { VPORD(Mem{Base: l.group, Disp: atExtra}, state(15), state(15)) })
}

// halfRound mixes the columns of the state, or its diagonals, with the words of
// the order from first on.
func (l *leafPass) halfRound(first, shift int) (ops []func()) {
	four := func(op func(a, b, c, d reg.VecPhysical, i int)) {
		for i := range 4 {
			ops = append(ops, func() {
				op(state(i), state(4+(i+shift)%4), state(8+(i+2*shift)%4), state(12+(i+3*shift)%4), i)
			})
		}
	}
	for half, turns := range [][2]uint8{{16, 12}, {8, 7}} {
		four(func(a, b, c, d reg.VecPhysical, i int) { VPADDD(b, a, a) })
		four(func(a, b, c, d reg.VecPhysical, i int) {
			at := GP64()
			MOVL(Mem{Base: l.order, Disp: 4 * (first + 2*i + half)}, at.As32())
			VPADDD(Mem{Base: l.group, Index: at, Scale: 1}, a, a)
		})
		four(func(a, b, c, d reg.VecPhysical, i int) { VPXORD(a, d, d) })
		four(func(a, b, c, d reg.VecPhysical, i int) { VPRORD(U8(turns[0]), d, d) })
		four(func(a, b, c, d reg.VecPhysical, i int) { VPADDD(d, c, c) })
		four(func(a, b, c, d reg.VecPhysical, i int) { VPXORD(c, b, b) })
		four(func(a, b, c, d reg.VecPhysical, i int) { VPRORD(U8(turns[1]), b, b) })
	}
	return ops
}

// weave writes two sequences of instructions that do not depend on each other,
// evenly mixed.
func weave(a, b []func()) {
	for i, op := range a {
		op()
		for _, other := range b[i*len(b)/len(a) : (i+1)*len(b)/len(a)] {
			other()
		}
	}
	if len(a) == 0 {
		for _, op := range b {
			op()
		}
	}
}
