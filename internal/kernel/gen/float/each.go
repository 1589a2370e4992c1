package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// kernel is a loop over vectors of equally long slices, with a partial vector at
// the end.
type kernel struct {
	s      isa
	name   string
	spare  int // scalars and constants take registers downwards from here
	consts map[uint32]Op
}

// scratch is the last register that bodies use freely.
const scratch = 8

func newKernel(s isa, name, signature, doc string) *kernel {
	k := &kernel{s: s, name: name + s.name, consts: map[uint32]Op{}, spare: 31}
	TEXT(k.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(k.name + " " + doc)
	return k
}

// scalar broadcasts a float32 argument into a register that stays.
func (k *kernel) scalar(name string) reg.VecPhysical {
	r := k.s.v(k.take())
	VBROADCASTSS(stacked(name), r)
	return r
}

func (k *kernel) take() int {
	if !k.s.is512() && k.spare > 15 {
		k.spare = 15
	}
	k.spare--
	return k.spare + 1
}

// constants makes numbers available to c: in registers where there are 32.
func (k *kernel) constants(lists ...[]float32) {
	for _, list := range lists {
		for _, f := range list {
			bits := math.Float32bits(f)
			if _, ok := k.consts[bits]; ok {
				continue
			}
			if m := constant(bits); k.s.is512() && k.spare > scratch {
				r := k.s.v(k.take())
				VBROADCASTSS(m, r)
				k.consts[bits] = r
			} else {
				k.consts[bits] = m
			}
		}
	}
}

// c is a constant as an operand.
func (k *kernel) c(f float32) Op {
	op, ok := k.consts[math.Float32bits(f)]
	if !ok {
		panic(fmt.Sprintf("%s did not ask for %g", k.name, f))
	}
	return op
}

var constantData = map[uint32]Mem{}

// constant is a number sixteen times in memory.
func constant(bits uint32) Mem {
	m, ok := constantData[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("word%08x", bits), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(bits))
		}
		constantData[bits] = m
	}
	return m
}

// stream is a slice that a kernel walks along.
type stream struct {
	name string
	e    element
}

// each emits the loop: body gets a load for its inputs and a store for its output;
// t is nil but for the partial vector. unroll > 1 adds a loop that calls body that
// often, with the number of the call.
func (k *kernel) each(unroll int, streams []stream, body func(i int, at func(name string) Mem, t *tail)) {
	s := k.s
	at := map[string]reg.GPVirtual{}
	for _, st := range streams {
		at[st.name] = param(st.name)
	}
	n := param("n")
	loop := func(label, next string, unroll int) {
		Label(label)
		CMPQ(n, U32(unroll*s.lanes))
		JLT(LabelRef(next))
		for i := range unroll {
			body(i, func(name string) Mem {
				for _, st := range streams {
					if st.name == name {
						return Mem{Base: at[name], Disp: i * s.lanes * st.e.size}
					}
				}
				panic("no stream " + name)
			}, nil)
		}
		for _, st := range streams {
			ADDQ(U32(unroll*s.lanes*st.e.size), at[st.name])
		}
		SUBQ(U32(unroll*s.lanes), n)
		JMP(LabelRef(label))
	}
	if unroll > 1 {
		loop("several", "one", unroll)
	}
	loop("one", "part", 1)
	Label("part")
	TESTQ(n, n)
	JEQ(LabelRef("done"))
	t := s.newTail(n)
	body(0, func(name string) Mem { return Mem{Base: at[name]} }, &t)
	Label("done")
}

func (k *kernel) load(t *tail, e element, m Mem, i int) {
	if t == nil {
		k.s.load(e, m, i)
	} else {
		t.load(e, m, i)
	}
}

// store writes register i; register free is overwritten.
func (k *kernel) store(t *tail, i int, m Mem, free int) {
	if t == nil {
		VMOVUPS(k.s.v(i), m)
	} else {
		t.store(i, m, free)
	}
}

func (k *kernel) end() {
	VZEROUPPER()
	RET()
}

// keep zeroes the lanes of register i that are not in the partial vector.
func (t *tail) keep(i int) {
	v := t.s.v(i)
	if t.s.is512() {
		VMOVAPS_Z(v, t.k, v)
	} else {
		VANDPS(t.mask, v, v)
	}
}

// fold leaves op over all lanes of register i in X0 and returns it from the kernel.
func (k *kernel) fold(i int, op func(ops ...Op)) {
	if k.s.is512() {
		VEXTRACTF32X8(U8(1), zmm[i], reg.Y1)
		op(reg.Y1, ymm[i], reg.Y0)
		i = 0
	}
	VEXTRACTF128(U8(1), ymm[i], reg.X1)
	op(reg.X1, xmm[i], reg.X0)
	VPERMILPS(U8(0b01001110), reg.X0, reg.X1)
	op(reg.X1, reg.X0, reg.X0)
	VPERMILPS(U8(0b10110001), reg.X0, reg.X1)
	op(reg.X1, reg.X0, reg.X0)
	ret, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(reg.X0, ret.Addr)
}
