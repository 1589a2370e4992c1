package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// quantizer writes one row of activations into a tile.
type quantizer struct {
	dst, x, blocks, record, scaleAt, sumAt Register
	ones8, ones16, abs                     Register
}

func quantizerHead(name, doc string) *quantizer {
	TEXT(name, NOSPLIT, "func(dst *byte, x *float32, blocks, record, scaleAt, sumAt int, offset int32)")
	Pragma("noescape")
	Doc(name + doc)
	z := &quantizer{
		dst: Load(Param("dst"), GP64()), x: Load(Param("x"), GP64()), blocks: Load(Param("blocks"), GP64()),
		record: Load(Param("record"), GP64()), scaleAt: Load(Param("scaleAt"), GP64()), sumAt: Load(Param("sumAt"), GP64()),
		ones8: YMM(), ones16: YMM(), abs: YMM(),
	}
	VPCMPEQB(z.ones8, z.ones8, z.ones8)
	VPSRLD(U8(1), z.ones8, z.abs)
	VPABSW(z.ones8, z.ones16)
	VPABSB(z.ones8, z.ones8)
	return z
}

// constant returns a register full of f.
func constant(f float32) Register {
	g, x, y := GP32(), XMM(), YMM()
	MOVL(U32(math.Float32bits(f)), g)
	VMOVD(g, x)
	VPBROADCASTD(x, y)
	return y
}

// largest returns the largest |x| of n elements, in every lane. Without the sign,
// floats compare as integers do; a NaN is then the largest, and shows in the
// scale.
func (z *quantizer) largest(n int) Register {
	top, next := YMM(), YMM()
	VPAND(at(z.x, 0), z.abs, top)
	VPAND(at(z.x, 32), z.abs, next)
	for i := 2; i < n/8; i++ {
		v := YMM()
		VPAND(at(z.x, 32*i), z.abs, v)
		if i%2 == 0 {
			VPMAXUD(v, top, top)
		} else {
			VPMAXUD(v, next, next)
		}
	}
	VPMAXUD(next, top, top)
	t := YMM()
	VPERM2I128(U8(1), top, top, t)
	VPMAXUD(t, top, top)
	VPSHUFD(U8(0x4e), top, t)
	VPMAXUD(t, top, top)
	VPSHUFD(U8(0xb1), top, t)
	VPMAXUD(t, top, top)
	return top
}

// inverse returns 127/top, or 0 where top is 0.
func (z *quantizer) inverse(top Register) Register {
	c, zero, id := constant(127), YMM(), YMM()
	VXORPS(zero, zero, zero)
	VDIVPS(top, c, id)
	VCMPPS(U8(4), zero, top, zero) // top ≠ 0
	VANDPS(zero, id, id)
	return id
}

// quantise returns 32 elements at disp as int8.
func (z *quantizer) quantise(disp int, inverse, order Register) Register {
	v := [4]Register{}
	for i := range v {
		v[i] = YMM()
		VMULPS(at(z.x, disp+32*i), inverse, v[i])
		VCVTPS2DQ(v[i], v[i])
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VPERMD(v[0], order, v[0])
	return v[0]
}

// order undoes the lanes of two packs.
func order() Register {
	g, x, y := GP64(), XMM(), YMM()
	MOVQ(U64(0x0703060205010400), g)
	VMOVQ(g, x)
	VPMOVZXBD(x, y)
	return y
}

// laneSums returns the sums of 16 int8 in every lane of each half.
func (z *quantizer) laneSums(q Register) Register {
	s, t := YMM(), YMM()
	VPMADDUBSW(q, z.ones8, s)
	VPMADDWD(z.ones16, s, s)
	VPSHUFD(U8(0x4e), s, t)
	VPADDD(t, s, s)
	VPSHUFD(U8(0xb1), s, t)
	VPADDD(t, s, s)
	return s
}

func high(y Register) Register {
	x := XMM()
	VEXTRACTI128(U8(1), y, x)
	return x
}

func low(y Register) Register { return y.(VecVirtual).AsX() }

func (z *quantizer) end() {
	DECQ(z.blocks)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func quantizeTile() {
	quantizeQ8_0()
	quantizeQ8_K32()
	quantizeQ8_K16()
}

func quantizeQ8_0() {
	z := quantizerHead("quantizeAVX2Q8_0", " quantises blocks of 32; sums are multiplied by offset.")
	offset := Load(Param("offset"), GP32())
	perm := order()
	Label("block")
	top := z.largest(32)
	inv := z.inverse(top)
	q := z.quantise(0, inv, perm)
	VMOVDQU(q, at(z.dst, 0))
	c, d := constant(127), XMM()
	VDIVPS(low(c), low(top), d)
	VCVTPS2PH(U8(0), d, d)
	VCVTPH2PS(d, d)
	VMOVSS(d, Mem{Base: z.dst, Index: z.scaleAt, Scale: 1})
	s := z.laneSums(q)
	h, g := high(s), GP32()
	VPADDD(h, low(s), h)
	VMOVD(h, g)
	IMULL(offset, g)
	MOVL(g, Mem{Base: z.dst, Index: z.sumAt, Scale: 1})
	ADDQ(U32(128), z.x)
	ADDQ(z.record, z.dst)
	z.end()
}

// scaleK returns the factor of a block of 256 and its inverse, in every lane.
func (z *quantizer) scaleK() (inv, d Register) {
	top := z.largest(256)
	inv, d = z.inverse(top), YMM()
	one, some := constant(1), YMM()
	VDIVPS(inv, one, d)
	VXORPS(some, some, some)
	VCMPPS(U8(4), some, top, some)
	VANDPS(some, d, d)
	return inv, d
}

func quantizeQ8_K32() {
	z := quantizerHead("quantizeAVX2Q8_K32", " quantises blocks of 256 in sub-blocks of 32; sums are those of the rounded elements, as float32, negative.")
	perm := order()
	Label("block")
	inv, d := z.scaleK()
	negative := YMM()
	VXORPS(negative, negative, negative)
	VSUBPS(d, negative, negative)
	for j := range 8 {
		q := z.quantise(128*j, inv, perm)
		VMOVDQU(q, at(z.dst, 0))
		VMOVSS(low(d), Mem{Base: z.dst, Index: z.scaleAt, Scale: 1})
		s := z.laneSums(q)
		h := high(s)
		VPADDD(h, low(s), h)
		VCVTDQ2PS(h, h)
		VMULSS(low(negative), h, h)
		VMOVSS(h, Mem{Base: z.dst, Index: z.sumAt, Scale: 1})
		ADDQ(z.record, z.dst)
	}
	ADDQ(U32(1024), z.x)
	z.end()
}

func quantizeQ8_K16() {
	z := quantizerHead("quantizeAVX2Q8_K16", " quantises blocks of 256 in sub-blocks of 16; sums are multiplied by offset.")
	offset := Load(Param("offset"), GP32())
	perm := order()
	Label("block")
	inv, d := z.scaleK()
	for j := range 8 {
		q := z.quantise(128*j, inv, perm)
		s := z.laneSums(q)
		for _, part := range [2][2]Register{{low(q), low(s)}, {high(q), high(s)}} {
			g := GP32()
			VMOVDQU(part[0], at(z.dst, 0))
			VMOVSS(low(d), Mem{Base: z.dst, Index: z.scaleAt, Scale: 1})
			VMOVD(part[1], g)
			IMULL(offset, g)
			MOVL(g, Mem{Base: z.dst, Index: z.sumAt, Scale: 1})
			ADDQ(z.record, z.dst)
		}
	}
	ADDQ(U32(1024), z.x)
	z.end()
}
