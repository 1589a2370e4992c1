package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dotUnit writes the products whose operands both run along k.
func dotUnit() {
	for _, s := range []isa{avx512, avx2} {
		for _, e := range []element{f32, f16, bf16} {
			dotTile(s, e)
		}
	}
}

// dotTile writes a tile of dst (m, 4·groups) = x (m, k) · wᵀ: m rows of x by
// groups of 4 rows of w, each pair of rows a vector of partial sums. Both
// operands are read as they lie, so nothing is packed, and the order in which a
// sum is taken does not depend on m.
func dotTile(s isa, e element) {
	name := "dot" + e.name + s.name
	signature, doc := "func(dst *float32, ldd int, x *float32, ldx int, w *byte, ldw, m, k, groups, add int)", ""
	if s.is512() {
		signature, doc = "func(dst *float32, ldd int, x *float32, ldx int, w *byte, ldw, m, k, groups, add, ahead int)", " It prefetches into the second cache what lies ahead bytes after the rows of w."
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s writes dst (m, 4·groups) = x (m, k) · wᵀ, or adds it, for m ≤ %d.%s", name, s.rows, doc))
	d := &dot{s: s, e: e, dst: param("dst"), ldd: param("ldd"), k: param("k"), groups: param("groups"), add: param("add")}
	d.x = newRows(param("x"), param("ldx"), 4, s.rows)
	d.w = newRows(param("w"), param("ldw"), e.size, 4)
	SHLQ(U8(2), d.ldd)
	d.rest = GP64()
	MOVQ(d.k, d.rest)
	ANDQ(U8(s.lanes-1), d.rest)
	SUBQ(d.rest, d.k)
	n := GP64()
	MOVQ(d.rest, n)
	if s.is512() || e == f32 {
		d.tail = s.newTail(n)
	}
	choose(param("m"), "rows", s.rows)
	for m := 1; m <= s.rows; m++ {
		d.body(m)
	}
}

type dot struct {
	s           isa
	e           element
	x, w        rowsOf
	dst, ldd    reg.GPVirtual
	k, rest     reg.GPVirtual // whole vectors, in elements; elements after them
	groups, add reg.GPVirtual
	tail        tail
	ahead       rowsOf // what is prefetched
}

// sum is the register of x row i and w row j. The first registers are for
// operands.
func (d *dot) sum(i, j int) int {
	if d.s.is512() {
		return 8 + 4*i + j
	}
	return 4 + 4*i + j
}

func (d *dot) body(m int) {
	s := d.s
	label := func(what string) string { return fmt.Sprint(what, m) }
	Label(label("rows"))
	for i := range m {
		for j := range 4 {
			s.zero(d.sum(i, j))
		}
	}
	n := GP64()
	MOVQ(d.k, n)
	if s.is512() {
		d.ahead = d.w
		d.ahead.at = GP64()
		MOVQ(d.w.at, d.ahead.at)
		ADDQ(stacked("ahead"), d.ahead.at)
	}
	TESTQ(n, n)
	JEQ(LabelRef(label("rest")))
	Label(label("step"))
	d.step(m, s.load)
	if s.is512() {
		for j := range 4 {
			PREFETCHT1(d.ahead.row(j))
		}
		ADDQ(U8(s.lanes*d.e.size), d.ahead.at)
	}
	ADDQ(U8(s.bytes()), d.x.at)
	ADDQ(U8(s.lanes*d.e.size), d.w.at)
	SUBQ(U8(s.lanes), n)
	JNE(LabelRef(label("step")))

	Label(label("rest"))
	if s.is512() || d.e == f32 {
		TESTQ(d.rest, d.rest)
		JEQ(LabelRef(label("sum")))
		d.step(m, d.tail.load)
		Label(label("sum"))
	}
	// Back to the start of x, on to the next group of w.
	MOVQ(d.k, n)
	SHLQ(U8(2), n)
	SUBQ(n, d.x.at)
	if d.e.size == 2 {
		SHRQ(U8(1), n)
	}
	SUBQ(n, d.w.at)
	LEAQ(Mem{Base: d.w.at, Index: d.w.ld, Scale: 4}, d.w.at)
	out := GP64()
	MOVQ(d.dst, out)
	for i := range m {
		d.reduce(i)
		TESTQ(d.add, d.add)
		JEQ(LabelRef(fmt.Sprintf("store%d_%d", m, i)))
		VADDPS(Mem{Base: out}, reg.X0, reg.X0)
		Label(fmt.Sprintf("store%d_%d", m, i))
		VMOVUPS(reg.X0, Mem{Base: out})
		if i < m-1 {
			ADDQ(d.ldd, out)
		}
	}
	ADDQ(U8(16), d.dst)
	DECQ(d.groups)
	JNE(LabelRef(label("rows")))
	VZEROUPPER()
	RET()
}

// step multiplies one vector of each row.
func (d *dot) step(m int, load func(e element, at Mem, i int)) {
	s := d.s
	if s.is512() {
		for j := range 4 {
			load(d.e, d.w.row(j), j)
		}
		for i := range m {
			x := 4 + i%4
			load(f32, d.x.row(i), x)
			for j := range 4 {
				VFMADD231PS(s.v(j), s.v(x), s.v(d.sum(i, j)))
			}
		}
		return
	}
	for i := range m {
		load(f32, d.x.row(i), i)
	}
	for j := range 4 {
		load(d.e, d.w.row(j), 3)
		for i := range m {
			VFMADD231PS(s.v(3), s.v(i), s.v(d.sum(i, j)))
		}
	}
}

// reduce leaves the 4 sums of x row i in X0.
func (d *dot) reduce(i int) {
	half := [4]reg.VecPhysical{}
	for j := range half {
		half[j] = ymm[d.sum(i, j)]
		if d.s.is512() {
			VEXTRACTF32X8(U8(1), zmm[d.sum(i, j)], ymm[j])
			VADDPS(ymm[d.sum(i, j)], ymm[j], ymm[j])
			half[j] = ymm[j]
		}
	}
	VHADDPS(half[1], half[0], reg.Y0)
	VHADDPS(half[3], half[2], reg.Y2)
	VHADDPS(reg.Y2, reg.Y0, reg.Y0)
	VEXTRACTF128(U8(1), reg.Y0, reg.X1)
	VADDPS(reg.X1, reg.X0, reg.X0)
}
