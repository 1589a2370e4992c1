package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set that kernels are written for. Kernels name its
// vector registers by number, because they use nearly all of them.
type isa struct {
	name  string
	lanes int // float32 per vector
	rows  int // rows of a product tile: 4·rows sums, 4 + 1 operands
}

var (
	avx2   = isa{name: "AVX2", lanes: 8, rows: 3}    // with FMA and F16C
	avx512 = isa{name: "AVX512", lanes: 16, rows: 6} // F, BW, DQ, VL
)

func (s isa) is512() bool { return s.lanes == 16 }
func (s isa) bytes() int  { return 4 * s.lanes }

var (
	xmm = []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7, reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15}
	ymm = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
		reg.Y16, reg.Y17, reg.Y18, reg.Y19, reg.Y20, reg.Y21, reg.Y22, reg.Y23, reg.Y24, reg.Y25, reg.Y26, reg.Y27, reg.Y28, reg.Y29, reg.Y30, reg.Y31,
	}
	zmm = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
)

// v is vector register i.
func (s isa) v(i int) reg.VecPhysical {
	if s.is512() {
		return zmm[i]
	}
	return ymm[i]
}

// h is the lower half of vector register i.
func (s isa) h(i int) reg.VecPhysical {
	if s.is512() {
		return ymm[i]
	}
	return xmm[i]
}

func (s isa) zero(i int) {
	if s.is512() {
		VPXORD(s.v(i), s.v(i), s.v(i))
	} else {
		VXORPS(s.v(i), s.v(i), s.v(i))
	}
}

// element is a storage type of a product's second operand.
type element struct {
	name string
	size int
}

var (
	f32  = element{"F32", 4}
	f16  = element{"F16", 2}
	bf16 = element{"BF16", 2}
)

// load widens a vector of elements into register i.
func (s isa) load(e element, m Mem, i int) {
	switch e {
	case f32:
		VMOVUPS(m, s.v(i))
	case f16:
		VCVTPH2PS(m, s.v(i))
	case bf16:
		VPMOVZXWD(m, s.v(i))
		VPSLLD(U8(16), s.v(i), s.v(i))
	}
}

// tail is how the last, partial vector of a row is read and written.
type tail struct {
	s    isa
	k    reg.OpmaskPhysical // AVX-512
	mask Mem                // AVX2: a vector of all ones in the first lanes
}

// newTail prepares for n elements, 0 < n < lanes; n is overwritten.
func (s isa) newTail(n reg.GPVirtual) tail {
	t := tail{s: s, k: reg.K1}
	if s.is512() {
		ones := GP64()
		MOVQ(I32(-1), ones)
		BZHIQ(n, ones, ones)
		KMOVW(ones.As32(), t.k)
		return t
	}
	table := GP64()
	LEAQ(maskTable(), table)
	SHLQ(U8(2), n)
	SUBQ(n, table)
	t.mask = Mem{Base: table, Disp: 32}
	return t
}

// load reads the partial vector at m into register i, zeros in the other lanes.
func (t tail) load(e element, m Mem, i int) {
	v, h := t.s.v(i), t.s.h(i)
	if !t.s.is512() {
		if e != f32 {
			panic("AVX2 cannot read part of a vector of halves")
		}
		VMOVUPS(t.mask, v)
		VMASKMOVPS(m, v, v)
		return
	}
	switch e {
	case f32:
		VMOVUPS_Z(m, t.k, v)
	case f16:
		VMOVDQU16_Z(m, t.k, h)
		VCVTPH2PS(h, v)
	case bf16:
		VMOVDQU16_Z(m, t.k, h)
		VPMOVZXWD(h, v)
		VPSLLD(U8(16), v, v)
	}
}

// store writes the partial vector in register i to m; register free is
// overwritten.
func (t tail) store(i int, m Mem, free int) {
	if t.s.is512() {
		VMOVUPS(t.s.v(i), t.k, m)
		return
	}
	VMOVUPS(t.mask, t.s.v(free))
	VMASKMOVPS(t.s.v(i), t.s.v(free), m)
}

var masks Mem

// maskTable is 8 words of ones, then 8 of zeros.
func maskTable() Mem {
	if masks.Symbol.Name == "" {
		masks = GLOBL("masks", RODATA|NOPTR)
		for i := range 16 {
			word := U32(0)
			if i < 8 {
				word = ^word
			}
			DATA(4*i, word)
		}
	}
	return masks
}

// param loads an argument.
func param(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// stacked is an argument left in memory.
func stacked(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// rowsOf addresses up to 6 rows of a matrix from one pointer.
type rowsOf struct{ at, ld, ld3, ld5 reg.GPVirtual }

// newRows takes the pointer and the row distance in elements of the given size.
func newRows(pointer, ld reg.GPVirtual, size, rows int) rowsOf {
	r := rowsOf{at: pointer, ld: ld}
	SHLQ(U8(map[int]uint64{2: 1, 4: 2}[size]), ld)
	if rows > 3 {
		r.ld3 = GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, r.ld3)
	}
	if rows > 5 {
		r.ld5 = GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 4}, r.ld5)
	}
	return r
}

func (r rowsOf) row(i int) Mem {
	switch i {
	case 0:
		return Mem{Base: r.at}
	case 1, 2, 4:
		return Mem{Base: r.at, Index: r.ld, Scale: uint8(i)}
	case 3:
		return Mem{Base: r.at, Index: r.ld3, Scale: 1}
	}
	return Mem{Base: r.at, Index: r.ld5, Scale: 1}
}

// choose jumps to prefix1, prefix2, … by the value of n, and returns from the
// kernel if it is none of 1 to limit.
func choose(n Op, prefix string, limit int) {
	for i := 1; i <= limit; i++ {
		CMPQ(n, U8(i))
		JEQ(LabelRef(fmt.Sprint(prefix, i)))
	}
	RET()
}
