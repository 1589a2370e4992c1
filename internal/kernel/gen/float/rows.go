package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowsUnit writes the products that are weighted sums of rows.
func rowsUnit() {
	for _, s := range []isa{avx512, avx2} {
		for _, e := range []element{f32, f16} {
			rowsTile(s, e)
		}
	}
}

// rowsTile writes a tile of dst (m, n) = a (m, k) · b with b (k, n): m rows of a
// by 4, 2 or part of one vector of columns, one row of b a step.
func rowsTile(s isa, e element) {
	name := "rows" + e.name + s.name
	TEXT(name, NOSPLIT, "func(dst *float32, ldd int, a *float32, lda int, b *byte, ldb, m, n, k, add int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s writes dst (m, n) = a (m, k) · b, or adds it, for m ≤ %d.", name, s.rows))
	r := &rows{s: s, e: e, n: param("n"), k: stacked("k"), add: stacked("add"), m: stacked("m"), ldb: param("ldb"), b: param("b")}
	r.a = newRows(param("a"), param("lda"), 4, s.rows)
	r.dst, r.ldd = param("dst"), param("ldd")
	SHLQ(U8(2), r.ldd)
	SHLQ(U8(map[int]uint64{2: 1, 4: 2}[e.size]), r.ldb)
	Label("columns")
	for _, vectors := range []int{4, 2} {
		CMPQ(r.n, U32(vectors*s.lanes))
		JGE(LabelRef(fmt.Sprint("vectors", vectors)))
	}
	if s.is512() || e == f32 {
		n := GP64()
		MOVQ(r.n, n)
		CMPQ(n, U8(s.lanes))
		JLT(LabelRef("part"))
		MOVQ(U32(s.lanes), n)
		Label("part")
		r.tail = s.newTail(n)
	}
	r.choose(1)
	for _, vectors := range []int{4, 2, 1} {
		if vectors > 1 {
			Label(fmt.Sprint("vectors", vectors))
			r.choose(vectors)
		}
		for m := 1; m <= s.rows; m++ {
			r.body(m, vectors)
		}
	}
}

type rows struct {
	s        isa
	e        element
	a        rowsOf
	b, ldb   reg.GPVirtual
	dst, ldd reg.GPVirtual
	n        reg.GPVirtual
	m, k     Mem
	add      Mem
	tail     tail
}

func (r *rows) choose(vectors int) { choose(r.m, fmt.Sprintf("v%dm", vectors), r.s.rows) }

func (r *rows) sum(i, j int) int {
	if r.s.is512() {
		return 8 + 4*i + j
	}
	return 4 + 4*i + j
}

// partial reports whether the last vector of columns may be short.
func (r *rows) partial(vectors int) bool {
	return vectors == 1 && (r.s.is512() || r.e == f32)
}

func (r *rows) body(m, vectors int) {
	s := r.s
	prefix := fmt.Sprintf("v%dm%d", vectors, m)
	Label(prefix)
	CMPQ(r.add, U8(0))
	JNE(LabelRef(prefix + "add"))
	for i := range m {
		for j := range vectors {
			s.zero(r.sum(i, j))
		}
	}
	JMP(LabelRef(prefix + "start"))
	Label(prefix + "add")
	r.eachSum(m, vectors, func(sum int, at Mem) {
		if r.partial(vectors) {
			r.tail.load(f32, at, sum)
		} else {
			VMOVUPS(at, s.v(sum))
		}
	})
	Label(prefix + "start")
	n, b := GP64(), GP64()
	MOVQ(r.k, n)
	MOVQ(r.b, b)
	Label(prefix + "step")
	row := func(j int) Mem { return Mem{Base: b, Disp: j * s.lanes * r.e.size} }
	if s.is512() {
		for j := range vectors {
			if r.partial(vectors) {
				r.tail.load(r.e, row(j), j)
			} else {
				s.load(r.e, row(j), j)
			}
		}
		for i := range m {
			VBROADCASTSS(r.a.row(i), s.v(4+i%4))
			for j := range vectors {
				VFMADD231PS(s.v(j), s.v(4+i%4), s.v(r.sum(i, j)))
			}
		}
	} else {
		for i := range m {
			VBROADCASTSS(r.a.row(i), s.v(i))
		}
		for j := range vectors {
			if r.partial(vectors) {
				r.tail.load(r.e, row(j), 3)
			} else {
				s.load(r.e, row(j), 3)
			}
			for i := range m {
				VFMADD231PS(s.v(3), s.v(i), s.v(r.sum(i, j)))
			}
		}
	}
	ADDQ(U8(4), r.a.at)
	ADDQ(r.ldb, b)
	DECQ(n)
	JNE(LabelRef(prefix + "step"))
	r.eachSum(m, vectors, func(sum int, at Mem) {
		if r.partial(vectors) {
			r.tail.store(sum, at, 0)
		} else {
			VMOVUPS(s.v(sum), at)
		}
	})
	// Back to the start of a, on to the next columns.
	MOVQ(r.k, n)
	SHLQ(U8(2), n)
	SUBQ(n, r.a.at)
	ADDQ(U32(vectors*s.bytes()), r.dst)
	ADDQ(U32(vectors*s.lanes*r.e.size), r.b)
	SUBQ(U32(vectors*s.lanes), r.n)
	JG(LabelRef("columns"))
	VZEROUPPER()
	RET()
}

// eachSum visits the sums with their places in dst.
func (r *rows) eachSum(m, vectors int, visit func(sum int, at Mem)) {
	out := GP64()
	MOVQ(r.dst, out)
	for i := range m {
		for j := range vectors {
			visit(r.sum(i, j), Mem{Base: out, Disp: j * r.s.bytes()})
		}
		if i < m-1 {
			ADDQ(r.ldd, out)
		}
	}
}
