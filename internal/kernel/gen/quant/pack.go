package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packer walks 16 rows of a matrix, block by block.
type packer struct {
	dst, blocks         Register
	ahead, step         Register
	lines, asked        int         // per block; so far
	row                 [4]Register // rows 0, 4, 8, 12
	stride, stride3     Register
	blockBytes, dstSize int
	label               string
}

// packHead begins a packer of blocks of so many bytes, which become size bytes of
// panel. With every block so many lines of memory that will be needed soon are
// prefetched.
func packHead(name string, blockBytes, size, lines int) *packer {
	TEXT(name, NOSPLIT, "func(dst, src *byte, stride, blocks int, ahead *byte, step int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s writes 16 rows of blocks, stride bytes apart, as a panel. If step is 1 it prefetches %d lines per block from ahead on.", name, lines))
	p := &packer{blockBytes: blockBytes, dstSize: size, label: "block", lines: lines}
	p.dst = Load(Param("dst"), GP64())
	p.row[0] = Load(Param("src"), GP64())
	p.stride = Load(Param("stride"), GP64())
	p.blocks = Load(Param("blocks"), GP64())
	p.ahead = Load(Param("ahead"), GP64())
	p.step = Load(Param("step"), GP64())
	IMUL3Q(I32(64*lines), p.step, p.step)
	p.stride3 = GP64()
	LEAQ(Mem{Base: p.stride, Index: p.stride, Scale: 2}, p.stride3)
	for i := 1; i < 4; i++ {
		p.row[i] = GP64()
		LEAQ(Mem{Base: p.row[i-1], Index: p.stride, Scale: 4}, p.row[i])
	}
	return p
}

func (p *packer) loop() { Label(p.label) }

// ask prefetches a part of the block's lines; parts are 1/n each.
func (p *packer) ask(n int) {
	for range (p.lines + n - 1) / n {
		if p.asked < p.lines {
			PREFETCHT1(at(p.ahead, 64*p.asked))
			p.asked++
		}
	}
}

func (p *packer) next() {
	if p.asked != p.lines {
		panic("a packer does not ask for all its lines")
	}
	ADDQ(p.step, p.ahead)
	for _, r := range p.row {
		ADDQ(I32(p.blockBytes), r)
	}
	ADDQ(I32(p.dstSize), p.dst)
	DECQ(p.blocks)
	JNE(LabelRef(p.label))
	VZEROUPPER()
	RET()
}

// at is the memory disp bytes into row r's block.
func (p *packer) at(r, disp int) Mem {
	m := Mem{Base: p.row[r/4], Disp: disp}
	switch r % 4 {
	case 1:
		m.Index, m.Scale = p.stride, 1
	case 2:
		m.Index, m.Scale = p.stride, 2
	case 3:
		m.Index, m.Scale = p.stride3, 1
	}
	return m
}

// words returns 4 registers: in lane r of register q, word q (4 bytes) of the 16
// bytes at disp in row 8·half+r.
func (p *packer) words(half, disp int) [4]Register {
	var a [4]Register
	for i := range a {
		x := XMM()
		VMOVDQU(p.at(8*half+i, disp), x)
		a[i] = YMM()
		VINSERTI128(U8(1), p.at(8*half+4+i, disp), x.AsY(), a[i])
	}
	lo01, hi01, lo23, hi23 := YMM(), YMM(), YMM(), YMM()
	VPUNPCKLDQ(a[1], a[0], lo01)
	VPUNPCKHDQ(a[1], a[0], hi01)
	VPUNPCKLDQ(a[3], a[2], lo23)
	VPUNPCKHDQ(a[3], a[2], hi23)
	var t [4]Register
	for i := range t {
		t[i] = YMM()
	}
	VPUNPCKLQDQ(lo23, lo01, t[0])
	VPUNPCKHQDQ(lo23, lo01, t[1])
	VPUNPCKLQDQ(hi23, hi01, t[2])
	VPUNPCKHQDQ(hi23, hi01, t[3])
	return t
}

// halves returns the F16 at disp in 8 rows as float32.
func (p *packer) halves(half, disp int) Register {
	x, y := XMM(), YMM()
	VPXOR(x, x, x)
	for i := range 8 {
		VPINSRW(U8(i), p.at(8*half+i, disp), x, x)
	}
	VCVTPH2PS(x, y)
	return y
}

// byteMask returns a register full of the byte b = 2ⁿ-1 << s.
func byteMask(ones, s uint8) Register {
	y := YMM()
	VPCMPEQB(y, y, y)
	VPSRLW(U8(16-ones), y, y) // a word of that many low ones
	z := YMM()
	VPSLLW(U8(8), y, z)
	VPOR(z, y, y)
	if s > 0 {
		VPSLLW(U8(s), y, y)
	}
	return y
}

func packQ8_0() {
	p := packHead("packAVX2Q8_0", 34, 576, 7)
	offset := byteMask(1, 7)
	p.loop()
	for half := range 2 {
		for piece := range 2 {
			p.ask(4)
			for q, t := range p.words(half, 2+16*piece) {
				VPXOR(offset, t, t)
				VMOVDQU(t, at(p.dst, 64*(4*piece+q)+32*half))
			}
		}
		VMOVUPS(p.halves(half, 0), at(p.dst, 512+32*half))
	}
	p.next()
}

// nibbles splits t into the panel's groups at offsets lo and hi.
func (p *packer) nibbles(t, mask Register, lo, hi int) {
	x := YMM()
	VPAND(mask, t, x)
	VMOVDQU(x, at(p.dst, lo))
	VPSRLW(U8(4), t, t)
	VPAND(mask, t, t)
	VMOVDQU(t, at(p.dst, hi))
}

func packQ4_0() {
	p := packHead("packAVX2Q4_0", 18, 576, 3)
	low := byteMask(4, 0)
	p.loop()
	for half := range 2 {
		p.ask(2)
		for q, t := range p.words(half, 2) {
			p.nibbles(t, low, 64*q+32*half, 64*(q+4)+32*half)
		}
		VMOVUPS(p.halves(half, 0), at(p.dst, 512+32*half))
	}
	p.next()
}

// scalesK4 writes the scales and minimums of the 8 sub-blocks of 8 rows. The
// first 16 bytes of a block are d, dmin and 12 bytes of 6-bit integers.
func (p *packer) scalesK4(half int) {
	w := p.words(half, 0)
	d, dmin := wordHalves(w[0])
	low, high := byteMask(6, 0), byteMask(2, 4)
	low4 := byteMask(4, 0)
	later := func(word Register, shift uint8) Register { // of sub-blocks 4 to 7
		a, b := YMM(), YMM()
		VPSRLW(U8(2), word, a)
		VPAND(high, a, a)
		if shift == 0 {
			VPAND(low4, w[3], b)
		} else {
			VPSRLW(U8(shift), w[3], b)
			VPAND(low4, b, b)
		}
		VPOR(a, b, b)
		return b
	}
	scaleHigh, minHigh := later(w[1], 0), later(w[2], 4)
	VPAND(low, w[1], w[1])
	VPAND(low, w[2], w[2])
	for j, v := range [2]Register{w[1], scaleHigh} {
		p.scaled(v, d, 4*j, 512+32*half)
	}
	for j, v := range [2]Register{w[2], minHigh} {
		p.scaled(v, dmin, 4*j, 576+32*half)
	}
}

// scaled writes d times byte j of v's lanes into sub-block first+j, at offset.
func (p *packer) scaled(v, d Register, first, offset int) {
	one := YMM()
	VPCMPEQD(one, one, one)
	VPSRLD(U8(24), one, one)
	for j := range 4 {
		x := YMM()
		VPAND(one, v, x)
		VCVTDQ2PS(x, x)
		VMULPS(d, x, x)
		VMOVUPS(x, at(p.dst, 640*(first+j)+offset))
		if j < 3 {
			VPSRLD(U8(8), v, v)
		}
	}
}

// wordHalves converts the two F16 in each lane.
func wordHalves(w Register) (lo, hi Register) {
	narrow := func(v Register) Register {
		VPACKUSDW(v, v, v)
		VPERMQ(U8(8), v, v)
		f := YMM()
		VCVTPH2PS(low(v), f)
		return f
	}
	a, b := YMM(), YMM()
	VPSLLD(U8(16), w, a)
	VPSRLD(U8(16), a, a)
	VPSRLD(U8(16), w, b)
	return narrow(a), narrow(b)
}

func packQ4_K() {
	p := packHead("packAVX2Q4_K", 144, 8*640, 20)
	p.loop()
	for half := range 2 {
		p.scalesK4(half)
		low := byteMask(4, 0)
		for chunk := range 4 {
			p.ask(8)
			for piece := range 2 {
				for q, t := range p.words(half, 16+32*chunk+16*piece) {
					at := 2*640*chunk + 64*(4*piece+q) + 32*half
					p.nibbles(t, low, at, at+640)
				}
			}
		}
	}
	p.next()
}

// shiftTo moves bit from of every byte to bit to; neighbours come along.
func shiftTo(from, to int, v Register) Register {
	x := YMM()
	switch {
	case from < to:
		VPSLLW(U8(to-from), v, x)
	case from > to:
		VPSRLW(U8(from-to), v, x)
	default:
		VMOVDQA(v, x)
	}
	return x
}

func packQ5_K() {
	p := packHead("packAVX2Q5_K", 176, 8*640, 28)
	p.loop()
	for half := range 2 {
		p.scalesK4(half)
		low, fifth := byteMask(4, 0), byteMask(1, 4)
		for piece := range 2 {
			high := p.words(half, 16+16*piece)
			for chunk := range 4 {
				p.ask(14)
				for q, t := range p.words(half, 48+32*chunk+16*piece) {
					at := 2*640*chunk + 64*(4*piece+q) + 32*half
					p.withHigh(t, low, high[q], fifth, 2*chunk, at)
					VPSRLW(U8(4), t, t)
					p.withHigh(t, low, high[q], fifth, 2*chunk+1, at+640)
				}
			}
		}
	}
	p.next()
}

// withHigh stores the low nibbles of t with bits from high, whose lowest is bit,
// above them.
func (p *packer) withHigh(t, low, high, mask Register, bit, offset int) {
	h, x := shiftTo(bit, 4, high), YMM()
	VPAND(mask, h, h)
	VPAND(low, t, x)
	VPOR(h, x, x)
	VMOVDQU(x, at(p.dst, offset))
}

func packQ6_K() {
	const block = 4*64 + 64
	p := packHead("packAVX2Q6_K", 210, 16*block, 21)
	p.loop()
	for half := range 2 {
		low, top := byteMask(4, 0), byteMask(2, 4)
		for h := range 2 {
			for t := range 2 {
				high := p.words(half, 128+32*h+16*t)
				p.ask(8)
				for l := range 2 { // columns from 0 and 64, then from 32 and 96
					for q, w := range p.words(half, 64*h+32*l+16*t) {
						at := (8*h+2*l+t)*block + 64*q + 32*half
						p.withHigh(w, low, high[q], top, 2*l, at)
						VPSRLW(U8(4), w, w)
						p.withHigh(w, low, high[q], top, 2*l+4, at+4*block)
					}
				}
			}
		}
		d := p.halves(half, 208)
		for q, w := range p.words(half, 192) {
			for j := range 4 {
				x := YMM()
				VPSLLD(U8(24-8*j), w, x)
				VPSRAD(U8(24), x, x)
				VCVTDQ2PS(x, x)
				VMULPS(d, x, x)
				VMOVUPS(x, at(p.dst, (4*q+j)*block+256+32*half))
			}
		}
	}
	p.next()
}
