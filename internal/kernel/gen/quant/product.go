package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// variant is one layout of panels and tiles.
type variant struct {
	name   string
	groups int  // of 4 columns in a block
	mins   bool // the block has a minimum per row; its sums are float32
	widen  int  // AVX2: s16 sums of so many groups are exact; 0: none is
	super  int  // VNNI: so many blocks share the scale of activations; 0: none do
	tile   int  // VNNI: rows
}

var variants = []variant{
	{name: "productVNNI32", groups: 8, tile: 12},
	{name: "productVNNI32Min", groups: 8, mins: true, super: 8, tile: 8},
	{name: "productVNNI16", groups: 4, super: 16, tile: 8},
}

var avx2Variants = []variant{
	{name: "productAVX2Q8", groups: 8},
	{name: "productAVX2Q4", groups: 8, widen: 8},
	{name: "productAVX2Q4Min", groups: 8, widen: 8, mins: true},
	{name: "productAVX2Q5Min", groups: 8, widen: 4, mins: true},
	{name: "productAVX2Q6", groups: 4, widen: 2},
}

const avx2Tile = 4

func (v variant) panelBlock() int {
	if v.mins {
		return v.groups*64 + 128
	}
	return v.groups*64 + 64
}

// tile gives the offsets of a tile's block of m rows.
type tile struct{ m, cols int }

func (t tile) q(i, g int) int  { return i*t.cols + 4*g }
func (t tile) scale(i int) int { return t.m*t.cols + 4*i }
func (t tile) sum(i int) int   { return t.m*(t.cols+4) + 4*i }
func (t tile) size() int       { return t.m * (t.cols + 8) }

func at(p Register, disp int) Mem { return Mem{Base: p, Disp: disp} }

// productArgs loads the arguments that all products share.
type productArgs struct{ dst, ldd, panel, acts, blocks, m, sum, ahead, step Register }

// productLines is how many lines a product prefetches with every block.
const productLines = 2

func (a *productArgs) ask() {
	for i := range productLines {
		PREFETCHT1(at(a.ahead, 64*i))
	}
	ADDQ(a.step, a.ahead)
}

func productHead(v variant, what string) productArgs {
	TEXT(v.name, NOSPLIT, "func(dst *float32, ldd int, panel, acts *byte, blocks, m, sum int, ahead *byte, step int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s multiplies a panel by a tile of m ≤ %s If step is 1 it prefetches %d lines per block from ahead on.", v.name, what, productLines))
	a := productArgs{
		dst: Load(Param("dst"), GP64()), ldd: Load(Param("ldd"), GP64()),
		panel: Load(Param("panel"), GP64()), acts: Load(Param("acts"), GP64()),
		blocks: Load(Param("blocks"), GP64()), m: Load(Param("m"), GP64()), sum: Load(Param("sum"), GP64()),
		ahead: Load(Param("ahead"), GP64()), step: Load(Param("step"), GP64()),
	}
	IMUL3Q(I32(64*productLines), a.step, a.step)
	SHLQ(U8(2), a.ldd)
	return a
}

// vnniProduct: one panel row per lane. A block's sum of 32 products of u8
// weights and s8 activations is 8 VPDPBUSD that start at the tile's correction.
func vnniProduct(v variant) {
	a := productHead(v, fmt.Sprintf("%d rows with AVX-512 VNNI.", v.tile))
	for m := 1; m <= v.tile; m++ {
		CMPQ(a.m, U8(m))
		JEQ(LabelRef(fmt.Sprintf("m%d", m)))
	}
	RET()
	for m := 1; m <= v.tile; m++ {
		vnniRows(v, a, m)
	}
}

func vnniRows(v variant, a productArgs, m int) {
	Label(fmt.Sprintf("m%d", m))
	t := tile{m, 4 * v.groups}
	total, acc := make([]Register, m), make([]Register, m)
	for i := range m {
		total[i], acc[i] = ZMM(), ZMM()
	}
	loop := fmt.Sprintf("m%dloop", m)
	p := GP64()
	TESTQ(a.sum, a.sum)
	JEQ(LabelRef(fmt.Sprintf("m%dzero", m)))
	MOVQ(a.dst, p)
	for i := range m {
		VMOVUPS(at(p, 0), total[i])
		if i < m-1 {
			ADDQ(a.ldd, p)
		}
	}
	JMP(LabelRef(loop))
	Label(fmt.Sprintf("m%dzero", m))
	for i := range m {
		VPXORD(total[i], total[i], total[i])
	}
	Label(loop)
	if v.super == 0 {
		vnniBlock(v, a, t, acc, total)
		DECQ(a.blocks)
	} else {
		vnniSuper(v, a, t, acc, total)
		SUBQ(U8(v.super), a.blocks)
	}
	JNE(LabelRef(loop))
	for i := range m {
		VMOVUPS(total[i], at(a.dst, 0))
		if i < m-1 {
			ADDQ(a.ldd, a.dst)
		}
	}
	VZEROUPPER()
	RET()
}

// vnniSuper adds blocks that share the scale of activations: it is multiplied in
// once, at the end.
func vnniSuper(v variant, a productArgs, t tile, acc, total []Register) {
	part := make([]Register, t.m)
	for i := range part {
		part[i] = ZMM()
		VPXORD(part[i], part[i], part[i])
	}
	block, left := fmt.Sprintf("m%dblock", t.m), GP64()
	MOVQ(U32(v.super), left)
	Label(block)
	scale := vnniIntegers(v, a, t, acc)
	for i := range part {
		VCVTDQ2PS(acc[i], acc[i])
		VFMADD231PS(acc[i], scale, part[i])
	}
	vnniMins(v, a, t, total)
	ADDQ(I32(v.panelBlock()), a.panel)
	ADDQ(I32(t.size()), a.acts)
	DECQ(left)
	JNE(LabelRef(block))
	for i := range part {
		VFMADD231PS_BCST(at(a.acts, t.scale(i)-t.size()), part[i], total[i])
	}
}

// vnniBlock adds one block whose activations have a scale of their own.
func vnniBlock(v variant, a productArgs, t tile, acc, total []Register) {
	scale := vnniIntegers(v, a, t, acc)
	for i := range acc {
		s := ZMM()
		VCVTDQ2PS(acc[i], acc[i])
		VMULPS_BCST(at(a.acts, t.scale(i)), scale, s)
		VFMADD231PS(acc[i], s, total[i])
	}
	ADDQ(I32(v.panelBlock()), a.panel)
	ADDQ(I32(t.size()), a.acts)
}

// vnniIntegers computes a block's sums of products and returns the weights'
// scales.
func vnniIntegers(v variant, a productArgs, t tile, acc []Register) Register {
	for i := range acc {
		if v.mins {
			VPXORD(acc[i], acc[i], acc[i])
		} else {
			VPBROADCASTD(at(a.acts, t.sum(i)), acc[i])
		}
	}
	a.ask()
	for g := range v.groups {
		w := ZMM()
		VMOVDQU32(at(a.panel, 64*g), w)
		for i := range acc {
			VPDPBUSD_BCST(at(a.acts, t.q(i, g)), w, acc[i])
		}
	}
	scale := ZMM()
	VMOVUPS(at(a.panel, 64*v.groups), scale)
	return scale
}

// vnniMins adds minimums times sums of activations.
func vnniMins(v variant, a productArgs, t tile, total []Register) {
	if !v.mins {
		return
	}
	low := ZMM()
	VMOVUPS(at(a.panel, 64*v.groups+64), low)
	for i := range total {
		VFMADD231PS_BCST(at(a.acts, t.sum(i)), low, total[i])
	}
}

// avx2Product computes the two halves of a panel, 8 rows each, one after the
// other. VPMADDUBSW adds pairs of products in 16 bits. For weights of up to 6
// bits several of its results add up exactly before they are widened; for 8 bits
// not even one would, so |w| times the activation with w's sign is used.
func avx2Product(v variant) {
	a := productHead(v, fmt.Sprintf("%d rows with AVX2.", avx2Tile))
	for m := 1; m <= avx2Tile; m++ {
		CMPQ(a.m, U8(m))
		JEQ(LabelRef(fmt.Sprintf("m%d", m)))
	}
	RET()
	for m := 1; m <= avx2Tile; m++ {
		avx2Rows(v, a, m)
	}
}

func avx2Rows(v variant, a productArgs, m int) {
	name := func(s string) string { return fmt.Sprintf("m%d%s", m, s) }
	Label(name(""))
	t := tile{m, 4 * v.groups}
	ones := YMM()
	VPCMPEQW(ones, ones, ones)
	VPSRLW(U8(15), ones, ones)
	half := GP64()
	MOVQ(U32(2), half)
	Label(name("half"))
	panel, acts, blocks, p := GP64(), GP64(), GP64(), GP64()
	MOVQ(a.panel, panel)
	MOVQ(a.acts, acts)
	MOVQ(a.blocks, blocks)
	total := make([]Register, m)
	for i := range m {
		total[i] = YMM()
	}
	TESTQ(a.sum, a.sum)
	JEQ(LabelRef(name("zero")))
	MOVQ(a.dst, p)
	for i := range m {
		VMOVUPS(at(p, 0), total[i])
		if i < m-1 {
			ADDQ(a.ldd, p)
		}
	}
	JMP(LabelRef(name("loop")))
	Label(name("zero"))
	for i := range m {
		VPXOR(total[i], total[i], total[i])
	}
	Label(name("loop"))
	a.ask()
	acc := avx2Block(v, panel, acts, ones, t)
	scale := YMM()
	VMOVUPS(at(panel, 64*v.groups), scale)
	for i := range m {
		s, f := YMM(), YMM()
		VCVTDQ2PS(acc[i], f)
		VBROADCASTSS(at(acts, t.scale(i)), s)
		VMULPS(scale, s, s)
		VFMADD231PS(f, s, total[i])
	}
	if v.mins {
		low := YMM()
		VMOVUPS(at(panel, 64*v.groups+64), low)
		for i := range m {
			s := YMM()
			VBROADCASTSS(at(acts, t.sum(i)), s)
			VFMADD231PS(low, s, total[i])
		}
	}
	ADDQ(I32(v.panelBlock()), panel)
	ADDQ(I32(t.size()), acts)
	DECQ(blocks)
	JNE(LabelRef(name("loop")))
	MOVQ(a.dst, p)
	for i := range m {
		VMOVUPS(total[i], at(p, 0))
		if i < m-1 {
			ADDQ(a.ldd, p)
		}
	}
	ADDQ(U8(32), a.panel)
	ADDQ(U8(32), a.dst)
	DECQ(half)
	JNE(LabelRef(name("half")))
	VZEROUPPER()
	RET()
}

// avx2Block returns the s32 sums of one block.
func avx2Block(v variant, panel, acts, ones Register, t tile) []Register {
	acc, short := make([]Register, t.m), make([]Register, t.m)
	for i := range t.m {
		acc[i] = YMM()
		if v.widen == 0 {
			VPXOR(acc[i], acc[i], acc[i])
		} else if !v.mins {
			VPBROADCASTD(at(acts, t.sum(i)), acc[i])
		}
	}
	if v.widen == 0 {
		avx2Signed(v, panel, acts, ones, t, acc)
		return acc
	}
	for g := range v.groups {
		w := YMM()
		VMOVDQU(at(panel, 64*g), w)
		for i := range t.m {
			x := YMM()
			VPBROADCASTD(at(acts, t.q(i, g)), x)
			if g%v.widen == 0 {
				short[i] = YMM()
				VPMADDUBSW(x, w, short[i])
			} else {
				VPMADDUBSW(x, w, x)
				VPADDW(x, short[i], short[i])
			}
			if g%v.widen < v.widen-1 {
				continue
			}
			if v.mins && g < v.widen {
				VPMADDWD(ones, short[i], acc[i])
				continue
			}
			VPMADDWD(ones, short[i], short[i])
			VPADDD(short[i], acc[i], acc[i])
		}
	}
	return acc
}

// avx2Signed adds the products of 8-bit weights. The panel holds w+128 and the
// tile's correction is of that; here w itself is multiplied, so the sums start at
// zero.
func avx2Signed(v variant, panel, acts, ones Register, t tile, acc []Register) {
	offset := YMM()
	VPCMPEQB(offset, offset, offset)
	VPABSB(offset, offset)
	VPSLLW(U8(7), offset, offset)
	for g := range v.groups {
		w, size := YMM(), YMM()
		VPXOR(at(panel, 64*g), offset, w)
		VPABSB(w, size)
		for i := range t.m {
			x := YMM()
			VPBROADCASTD(at(acts, t.q(i, g)), x)
			VPSIGNB(w, x, x)
			VPMADDUBSW(x, size, x)
			VPMADDWD(ones, x, x)
			VPADDD(x, acc[i], acc[i])
		}
	}
}
