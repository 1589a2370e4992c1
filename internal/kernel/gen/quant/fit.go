package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// fit searches scales and minimums as fitScaleMin does, for 8 sub-blocks of 32 at
// once, one per lane: every lane does the same operations in the same order, so
// results are the same bits. Products and sums stay apart for that reason too.
type fit struct {
	x, weights, levels Register // memory: (32, 8) float32
	zero, top, magic   Register
}

func fitScaleMin() {
	TEXT("fitScaleMinAVX2", NOSPLIT, "func(scales, lows, x, work, factors *float32, steps int, top float32)")
	Pragma("noescape")
	Doc("fitScaleMinAVX2 is fitScaleMin for 8 sub-blocks: x is (32, 8), their elements i in row i; work has 512 elements.",
		"factors are top and those to try, before they are divided by the range.")
	scales, lows, factors, steps := Load(Param("scales"), GP64()), Load(Param("lows"), GP64()), Load(Param("factors"), GP64()), Load(Param("steps"), GP64())
	f := &fit{x: Load(Param("x"), GP64()), weights: Load(Param("work"), GP64()), levels: GP64(), zero: YMM(), top: YMM()}
	LEAQ(Mem{Base: f.weights, Disp: 1024}, f.levels)
	top := Load(Param("top"), XMM())
	VBROADCASTSS(top, f.top)
	f.magic = constant(12582912) // 3·2²²
	VXORPS(f.zero, f.zero, f.zero)

	low, most, sumW, sumX := f.extremes()
	// There are not registers for all: results' memory keeps what is needed once.
	flat := YMM() // lanes without a range
	VCMPPS(U8(0), most, low, flat)
	VMOVUPS(flat, at(scales, 0))
	VMOVUPS(sumX, at(lows, 0))

	scale, best := YMM(), YMM()
	factor, extent := YMM(), YMM()
	VSUBPS(low, most, extent)
	VBROADCASTSS(at(factors, 0), factor)
	VDIVPS(extent, factor, factor)
	f.round(factor, low, nil)
	one := constant(1)
	VDIVPS(factor, one, scale)
	VXORPS(best, best, best)
	f.misfit(scale, low, best)

	Label("step")
	ADDQ(U8(4), factors)
	VSUBPS(low, most, extent)
	VBROADCASTSS(at(factors, 0), factor)
	VDIVPS(extent, factor, factor)
	sums := [3]Register{YMM(), YMM(), YMM()} // of w·l, w·l², w·l·x
	f.round(factor, low, &sums)
	s, m, valid := f.solve(sums, sumW, at(lows, 0))
	e := YMM()
	VXORPS(e, e, e)
	f.misfit(s, m, e)
	better := YMM()
	VCMPPS(U8(0x11), best, e, better) // e < best
	VANDPS(valid, better, better)
	VBLENDVPS(better, e, best, best)
	VBLENDVPS(better, s, scale, scale)
	VBLENDVPS(better, m, low, low)
	DECQ(steps)
	JNE(LabelRef("step"))

	VMOVUPS(at(scales, 0), flat)
	VANDNPS(scale, flat, scale)
	VMOVUPS(scale, at(scales, 0))
	VSUBPS(low, f.zero, low)
	VMOVUPS(low, at(lows, 0))
	VZEROUPPER()
	RET()
}

// extremes fills the weights and returns the smallest element or 0, the largest,
// the sum of the weights and that of weights times elements.
func (f *fit) extremes() (low, most, sumW, sumX Register) {
	mean := YMM()
	VXORPS(mean, mean, mean)
	v, w := YMM(), YMM()
	for i := range 32 {
		VMOVUPS(at(f.x, 32*i), v)
		VMULPS(v, v, v)
		VADDPS(v, mean, mean)
	}
	VMULPS(constant(1.0/32), mean, mean)
	VSQRTPS(mean, mean)
	abs := constant(0)
	VPCMPEQD(abs, abs, abs)
	VPSRLD(U8(1), abs, abs)
	low, most, sumW, sumX = YMM(), YMM(), YMM(), YMM()
	VMOVUPS(at(f.x, 0), low)
	VMOVAPS(low, most)
	VXORPS(sumW, sumW, sumW)
	VXORPS(sumX, sumX, sumX)
	for i := range 32 {
		VMOVUPS(at(f.x, 32*i), v)
		VANDPS(abs, v, w)
		VADDPS(w, mean, w)
		VMOVUPS(w, at(f.weights, 32*i))
		VMINPS(low, v, low)
		VMAXPS(most, v, most)
		VADDPS(w, sumW, sumW)
		VMULPS(v, w, w)
		VADDPS(w, sumX, sumX)
	}
	VMINPS(f.zero, low, low)
	return low, most, sumW, sumX
}

// round writes the levels, (x-low)·factor as integers from 0 to top, and adds up
// sums if they are wanted.
func (f *fit) round(factor, low Register, sums *[3]Register) {
	if sums != nil {
		for _, s := range sums {
			VXORPS(s, s, s)
		}
	}
	l, v, w := YMM(), YMM(), YMM()
	for i := range 32 {
		VMOVUPS(at(f.x, 32*i), v)
		VSUBPS(low, v, l)
		VMULPS(factor, l, l)
		VADDPS(f.magic, l, l)
		VSUBPS(f.magic, l, l)
		VMAXPS(f.zero, l, l)
		VMINPS(f.top, l, l)
		VMOVUPS(l, at(f.levels, 32*i))
		if sums == nil {
			continue
		}
		VMULPS(at(f.weights, 32*i), l, w)
		VADDPS(w, sums[0], sums[0])
		VMULPS(w, l, l)
		VADDPS(l, sums[1], sums[1])
		VMULPS(w, v, v)
		VADDPS(v, sums[2], sums[2])
	}
}

// misfit adds to e the weighed squares of levels·scale + low - x.
func (f *fit) misfit(scale, low, e Register) {
	d := YMM()
	for i := range 32 {
		VMULPS(at(f.levels, 32*i), scale, d)
		VADDPS(low, d, d)
		VSUBPS(at(f.x, 32*i), d, d)
		VMULPS(d, d, d)
		VMULPS(at(f.weights, 32*i), d, d)
		VADDPS(d, e, e)
	}
}

// solve returns the scale and minimum of the least squares, and in which lanes
// there are any.
func (f *fit) solve(sums [3]Register, sumW Register, sumX Mem) (s, m, valid Register) {
	l, l2, xl := sums[0], sums[1], sums[2]
	product := func(a Op, b Register) Register {
		y := YMM()
		VMULPS(a, b, y)
		return y
	}
	det, t := product(sumW, l2), product(l, l)
	VSUBPS(t, det, det)
	valid = YMM()
	VCMPPS(U8(0x1e), f.zero, det, valid) // det > 0
	s, t = product(sumW, xl), product(sumX, l)
	VSUBPS(t, s, s)
	VDIVPS(det, s, s)
	m, t = product(sumX, l2), product(l, xl)
	VSUBPS(t, m, m)
	VDIVPS(det, m, m)
	positive := YMM()
	VCMPPS(U8(0x1e), f.zero, m, positive)
	VDIVPS(l2, xl, t)
	VBLENDVPS(positive, t, s, s)
	VANDNPS(m, positive, m)
	return s, m, valid
}
