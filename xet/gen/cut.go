package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// cutBelow is the constant of chunker.go.
const cutBelow = 1 << 48

// cut writes the pass over a file in which its SHA-256 and its chunks are found.
// The instructions for SHA-256 wait for each other most of the time: two rounds
// take 4 cycles, a block 128, in which a processor could do five times as much.
// So it rolls the Gear hash over the same bytes meanwhile, and computes leaves of
// a BLAKE3 tree, both of which cost next to nothing then.
func cut() {
	TEXT("cutSHA", NOSPLIT, "func(state *[8]uint32, data *byte, blocks int, table *[256]uint64, h uint64, ends *uint64) (last uint64)")
	Pragma("noescape")
	Doc("cutSHA adds blocks of 64 bytes to the state of a SHA-256 and rolls h over",
		"them. A word of ends for each block has a bit for each byte, the first one the",
		"highest, which says whether a chunk may end behind it. For processors with the",
		"SHA instructions and AVX.")
	c := newCutPass()
	c.load()
	blocks := Load(Param("blocks"), GP64())
	Label("block")
	weave(c.block(), nil)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	c.store()
	RET()

	TEXT("cutLeaves", NOSPLIT, "func(state *[8]uint32, data *byte, table *[256]uint64, h uint64, ends *uint64, group *byte, leaves *byte, from, to int) (last uint64)")
	Pragma("noescape")
	Doc("cutLeaves is cutSHA of 16 blocks for each of the steps that it runs as",
		"hashLeaves.")
	c = c.again()
	l := newLeafPass()
	c.load()
	l.load()
	l.steps(c.block)
	l.store()
	c.store()
	RET()

	TEXT("hashLeaves", NOSPLIT, "func(group *byte, leaves *byte, from, to int)")
	Pragma("noescape")
	Doc("hashLeaves runs steps [from, to) of 16 leaves, which follow each other from",
		"leaves on, or parentStep. For processors with AVX-512.")
	l = l.again()
	l.load()
	l.steps(func() []func() { return nil })
	l.store()
	RET()

	features()
}

// cutPass is what cutSHA does.
type cutPass struct {
	shaPass
	gearPass
	data, ends reg.GPVirtual
}

func newCutPass() *cutPass {
	c := &cutPass{}
	c.k = wordsOf("sha256K", sha256K[:])
	c.flip = bytesOf("flip", []uint8{3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12})
	c.limit = GLOBL("cutBelow", RODATA|NOPTR)
	DATA(0, U64(cutBelow))
	return c
}

// again returns a pass of another function, with the same constants.
func (c *cutPass) again() *cutPass {
	next := &cutPass{}
	next.k, next.flip, next.limit = c.k, c.flip, c.limit
	return next
}

func (c *cutPass) load() {
	c.data = Load(Param("data"), GP64()).(reg.GPVirtual)
	c.table = Load(Param("table"), GP64()).(reg.GPVirtual)
	c.h = Load(Param("h"), GP64()).(reg.GPVirtual)
	c.ends = Load(Param("ends"), GP64()).(reg.GPVirtual)
	c.found = GP64()
	c.loadState(Mem{Base: Load(Param("state"), GP64())})
}

func (c *cutPass) store() {
	c.storeState(Mem{Base: Load(Param("state"), GP64())})
	Store(c.h, ReturnIndex(0))
}

// block is a block, and the way to the next.
func (c *cutPass) block() (ops []func()) {
	ops = append(ops, c.begin)
	for group := range 16 {
		ops = append(ops,
			func() { c.mixIn(c.data, group) },
			func() { c.pair(c.data, 4*group) },
			func() { c.fourRounds(group) },
			func() { c.pair(c.data, 4*group+2) })
	}
	return append(ops, c.end, func() {
		MOVQ(c.found, Mem{Base: c.ends})
		ADDQ(I8(64), c.data)
		ADDQ(I8(8), c.ends)
	})
}

// gearPass rolls the Gear hash over a block, of which found gets the word of ends.
type gearPass struct {
	table, h, found reg.GPVirtual
	limit           Mem
}

// pair takes the bytes at and at+1, as scan does.
func (g *gearPass) pair(data reg.GPVirtual, at int) {
	first, second, odd := GP64(), GP64(), GP64()
	MOVBLZX(Mem{Base: data, Disp: at}, first.As32())
	MOVQ(Mem{Base: g.table, Index: first, Scale: 8}, first)
	LEAQ(Mem{Base: first, Index: g.h, Scale: 2}, odd)
	MOVBLZX(Mem{Base: data, Disp: at + 1}, second.As32())
	ADDQ(first, first)
	ADDQ(Mem{Base: g.table, Index: second, Scale: 8}, first)
	CMPQ(odd, g.limit)
	ADCQ(g.found, g.found)
	LEAQ(Mem{Base: first, Index: g.h, Scale: 4}, g.h)
	CMPQ(g.h, g.limit)
	ADCQ(g.found, g.found)
}

// shaPass compresses blocks. The halves of the state are as the instructions
// want them.
type shaPass struct {
	k, flip          Mem
	abef, cdgh       reg.VecVirtual
	oldABEF, oldCDGH reg.VecVirtual
	w                [4]reg.VecVirtual
}

func (s *shaPass) loadState(state Mem) {
	s.abef, s.cdgh, s.oldABEF, s.oldCDGH = XMM(), XMM(), XMM(), XMM()
	for i := range s.w {
		s.w[i] = XMM()
	}
	badc, hgfe := XMM(), XMM()
	VPSHUFD(U8(0xB1), state, badc)
	VPSHUFD(U8(0x1B), state.Offset(16), hgfe)
	VPALIGNR(U8(8), hgfe, badc, s.abef)
	VPBLENDW(U8(0xF0), badc, hgfe, s.cdgh)
}

func (s *shaPass) storeState(state Mem) {
	feba, dchg, lo, hi := XMM(), XMM(), XMM(), XMM()
	VPSHUFD(U8(0x1B), s.abef, feba)
	VPSHUFD(U8(0xB1), s.cdgh, dchg)
	VPBLENDW(U8(0xF0), dchg, feba, lo)
	VPALIGNR(U8(8), feba, dchg, hi)
	VMOVDQU(lo, state)
	VMOVDQU(hi, state.Offset(16))
}

func (s *shaPass) begin() {
	VMOVDQA(s.abef, s.oldABEF)
	VMOVDQA(s.cdgh, s.oldCDGH)
}

func (s *shaPass) end() {
	VPADDD(s.oldABEF, s.abef, s.abef)
	VPADDD(s.oldCDGH, s.cdgh, s.cdgh)
}

// mixIn makes words 4i to 4i+3 of the schedule, from the message or from those
// before, of which the first half of the work was done a group earlier.
func (s *shaPass) mixIn(data reg.GPVirtual, i int) {
	w, before := s.w[i%4], s.w[(i+3)%4]
	if i < 4 {
		VMOVDQU(Mem{Base: data, Disp: 16 * i}, w)
		VPSHUFB(s.flip, w, w)
		return
	}
	t := XMM()
	VPALIGNR(U8(4), s.w[(i+2)%4], before, t)
	VPADDD(t, w, w)
	SHA256MSG2(before, w)
}

// fourRounds are rounds 4i to 4i+3.
func (s *shaPass) fourRounds(i int) {
	VPADDD(s.k.Offset(16*i), s.w[i%4], reg.X0)
	SHA256RNDS2(reg.X0, s.abef, s.cdgh)
	VPSHUFD(U8(0x0E), reg.X0, reg.X0)
	SHA256RNDS2(reg.X0, s.cdgh, s.abef)
	if i >= 3 && i < 15 {
		SHA256MSG1(s.w[(i+2)%4], s.w[(i+1)%4])
	}
}

// features writes what tells whether there are such instructions.
func features() {
	TEXT("cpuMore", NOSPLIT, "func() (sha, lzcnt bool)")
	Doc("cpuMore reports features that package cpu does not know: bit 29 of EBX of leaf 7",
		"of CPUID, and bit 5 of ECX of leaf 0x80000001.")
	feature("sha", 7, reg.EBX, 29, 0)
	feature("lzcnt", 0x80000001, reg.ECX, 5, 1)
	RET()
}

// feature stores a bit of a leaf, 0 where there is no such leaf.
func feature(name string, leaf uint32, in Op, bit uint8, result int) {
	yes := GP32()
	XORL(yes, yes)
	MOVL(U32(leaf&0x80000000), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	CMPL(reg.EAX, U32(leaf))
	JB(LabelRef(name))
	MOVL(U32(leaf), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	MOVL(in, yes)
	SHRL(U8(bit), yes)
	ANDL(U8(1), yes)
	Label(name)
	Store(yes.As8(), ReturnIndex(result))
}

// sha256K are the round constants of FIPS 180-4.
var sha256K = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
