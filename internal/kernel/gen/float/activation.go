package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// activationUnit writes the functions of one element.
func activationUnit() {
	for _, s := range []isa{avx512, avx2} {
		expSum(s)
		inPlace(s, "expVector", "eˣ", nil, func(k *kernel) { k.exp(0, 1, 2, 3) })
		inPlace(s, "tanhVector", "tanh x", tanhConstants, (*kernel).tanh)
		inPlace(s, "sigmoidVector", "1 / (1 + e⁻ˣ)", nil, func(k *kernel) { k.sigmoid(0, 1, 2, 3) })
		inPlace(s, "siluVector", "x·sigmoid(x)", nil, func(k *kernel) {
			VMOVAPS(s.v(0), s.v(4))
			k.sigmoid(0, 1, 2, 3)
			VMULPS(s.v(4), s.v(0), s.v(0))
		})
		inPlace(s, "quickGELUVector", "x·sigmoid(1.702·x)", []float32{1.702}, func(k *kernel) {
			VMOVAPS(s.v(0), s.v(4))
			VMULPS(k.c(1.702), s.v(0), s.v(0))
			k.sigmoid(0, 1, 2, 3)
			VMULPS(s.v(4), s.v(0), s.v(0))
		})
		inPlace(s, "geluTanhVector", "x·sigmoid(2·√(2/π)·(x + 0.044715·x³))", []float32{geluLinear, geluCubic}, func(k *kernel) {
			VMOVAPS(s.v(0), s.v(4))
			VMULPS(s.v(0), s.v(0), s.v(1))
			VMOVUPS(k.c(geluCubic), s.v(2))
			VFMADD213PS(k.c(geluLinear), s.v(1), s.v(2)) // x²·cubic + linear
			VMULPS(s.v(2), s.v(0), s.v(0))
			k.sigmoid(0, 1, 2, 3)
			VMULPS(s.v(4), s.v(0), s.v(0))
		})
		inPlace(s, "geluVector", "x·Φ(x)", append([]float32{maxNormal, erfcxStep, -0.5, absBits}, erfcx[:]...), (*kernel).gelu)
		relu(s)
		siluMul(s)
	}
}

// Numbers of eˣ: the argument is reduced to |r| ≤ ln 2 / 2 with ln 2 in two
// parts, the polynomial is Cephes' expf (Moshier).
const (
	expLow  = -104 // e^-104 rounds to 0
	expHigh = 89   // e^89 overflows
	log2e   = math.Log2E
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
)

var (
	expTerms     = []float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}
	expConstants = append([]float32{expLow, expHigh, log2e, ln2High, ln2Low, 1}, expTerms...)

	signBit = math.Float32frombits(1 << 31)
	absBits = math.Float32frombits(1<<31 - 1)
)

// exp replaces register x by its exponential. The order of the operands of the
// minimum and the maximum lets NaN through.
func (k *kernel) exp(x, a, b, c int) {
	s := k.s
	v := s.v
	VMOVUPS(k.c(expLow), v(a))
	VMAXPS(v(x), v(a), v(x))
	VMOVUPS(k.c(expHigh), v(a))
	VMINPS(v(x), v(a), v(x))
	VMULPS(k.c(log2e), v(x), v(a))
	if s.is512() {
		VRNDSCALEPS(U8(0), v(a), v(a))
	} else {
		VROUNDPS(U8(0), v(a), v(a))
	}
	VFNMADD231PS(k.c(ln2High), v(a), v(x))
	VFNMADD231PS(k.c(ln2Low), v(a), v(x))
	k.horner(x, b, expTerms)
	VMULPS(v(x), v(x), v(c))
	VFMADD213PS(v(x), v(c), v(b)) // r + r²·P(r)
	VADDPS(k.c(1), v(b), v(b))
	if s.is512() {
		VSCALEFPS(v(a), v(b), v(x))
		return
	}
	// 2ⁿ as a product of two powers, since n reaches beyond the normal exponents.
	VCVTPS2DQ(v(a), v(a))
	VPSRAD(U8(1), v(a), v(c))
	VPSUBD(v(c), v(a), v(a))
	for _, n := range []int{a, c} {
		VPSLLD(U8(23), v(n), v(n))
		VPADDD(k.c(1), v(n), v(n)) // the bits of 1 are the exponent 0
		VMULPS(v(n), v(b), v(b))
	}
	VMOVAPS(v(b), v(x))
}

// horner evaluates the polynomial with the given terms, highest first, at
// register x into register y.
func (k *kernel) horner(x, y int, terms []float32) {
	VMOVUPS(k.c(terms[0]), k.s.v(y))
	for _, term := range terms[1:] {
		VFMADD213PS(k.c(term), k.s.v(x), k.s.v(y))
	}
}

// sigmoid replaces register x by 1 / (1 + e⁻ˣ).
func (k *kernel) sigmoid(x, a, b, c int) {
	v := k.s.v
	VXORPS(k.c(signBit), v(x), v(x))
	k.exp(x, a, b, c)
	VADDPS(k.c(1), v(x), v(x))
	VMOVUPS(k.c(1), v(a))
	VDIVPS(v(x), v(a), v(x))
}

// Numbers of tanh: Cephes' polynomial where 1 − 2 / (e²ˣ + 1) would cancel.
const tanhSmall = 0.625

var (
	tanhTerms     = []float32{-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1}
	tanhConstants = append([]float32{2, tanhSmall, signBit, absBits}, tanhTerms...)
)

func (k *kernel) tanh() {
	s, v := k.s, k.s.v
	VMOVAPS(v(0), v(4))
	// Large: sign · (1 − 2 / (e^2|x| + 1)).
	VANDPS(k.c(absBits), v(0), v(0))
	VADDPS(v(0), v(0), v(0))
	k.exp(0, 1, 2, 3)
	VADDPS(k.c(1), v(0), v(0))
	VMOVUPS(k.c(2), v(1))
	VDIVPS(v(0), v(1), v(0))
	VMOVUPS(k.c(1), v(1))
	VSUBPS(v(0), v(1), v(0))
	VANDPS(k.c(signBit), v(4), v(1))
	VORPS(v(1), v(0), v(0))
	// Small: x + x³·P(x²).
	VMULPS(v(4), v(4), v(1))
	k.horner(1, 2, tanhTerms)
	VMULPS(v(4), v(1), v(1))
	VFMADD213PS(v(4), v(1), v(2))
	VANDPS(k.c(absBits), v(4), v(3))
	const less = 1
	if s.is512() {
		VCMPPS(U8(less), k.c(tanhSmall), v(3), reg.K2)
		VMOVAPS(v(2), reg.K2, v(0))
		return
	}
	VCMPPS(U8(less), k.c(tanhSmall), v(3), v(3))
	VBLENDVPS(v(3), v(2), v(0), v(0))
}

// Numbers of the normal distribution: for x ≥ 0, 1 − Φ(x) = e^(−x²/2) · erfcx(x/√2)
// / 2, with erfcx(z)/2 = t·P(t) and t = 1 / (1 + z/2). P was fitted for the
// relative error, 5e-8, over 0 ≤ z ≤ 14.2.
const (
	maxNormal = 20 // Φ(−20) is below every float32
	erfcxStep = 0.5 / math.Sqrt2
)

var erfcx = [...]float32{
	-0.029693368349385414, 0.1430622102250884, -0.2452026362471412, 0.14086473197356925, -0.014571996179772048,
	0.10187487562025713, 0.12141801898723924, 0.1412059709769532, 0.141042170912536,
}

func (k *kernel) gelu() {
	s, v := k.s, k.s.v
	VMOVAPS(v(0), v(4))
	VANDPS(k.c(absBits), v(0), v(5))
	VMOVUPS(k.c(maxNormal), v(1))
	VMINPS(v(5), v(1), v(5)) // |x|, or NaN
	// e^(−x²/2), the square as a rounded number and what rounding lost.
	VMULPS(v(5), v(5), v(0))
	VMOVAPS(v(0), v(6))
	VFMSUB231PS(v(5), v(5), v(6))
	VMULPS(k.c(-0.5), v(0), v(0))
	VMULPS(k.c(-0.5), v(6), v(6))
	k.exp(0, 1, 2, 3)
	VMOVAPS(v(0), v(1))
	VFMADD231PS(v(6), v(1), v(0))
	// 1 − Φ(|x|)
	VMOVUPS(k.c(1), v(1))
	VFMADD231PS(k.c(erfcxStep), v(5), v(1))
	VMOVUPS(k.c(1), v(2))
	VDIVPS(v(1), v(2), v(1))
	k.horner(1, 2, erfcx[:])
	VMULPS(v(1), v(2), v(2))
	VMULPS(v(0), v(2), v(2))
	VMOVUPS(k.c(1), v(3))
	VSUBPS(v(2), v(3), v(3))
	if s.is512() {
		VPMOVD2M(v(4), reg.K2)
		VMOVAPS(v(2), reg.K2, v(3))
	} else {
		VBLENDVPS(v(4), v(2), v(3), v(3))
	}
	VMULPS(v(4), v(3), v(0))
}

// The numbers of GELU's tanh approximation, sigmoid's factor 2 included.
const (
	geluLinear = 2 * 0.7978845608028654
	geluCubic  = geluLinear * 0.044715
)

// inPlace writes a kernel that replaces x by a function of it. op works on
// register 0 and may use the next six.
func inPlace(s isa, name, formula string, constants []float32, op func(k *kernel)) {
	k := newKernel(s, name, "func(x *float32, n int)", "replaces x by "+formula+".")
	k.constants(expConstants, []float32{signBit}, constants)
	k.each(1, []stream{{"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		op(k)
		k.store(t, 0, at("x"), 7)
	})
	k.end()
}

func relu(s isa) {
	k := newKernel(s, "reluVector", "func(x *float32, n int)", "replaces x by max(x, 0), NaN by NaN.")
	s.zero(1)
	k.each(1, []stream{{"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		VMAXPS(s.v(0), s.v(1), s.v(0))
		k.store(t, 0, at("x"), 7)
	})
	k.end()
}

func siluMul(s isa) {
	k := newKernel(s, "siluMulVector", "func(dst, gate, up *float32, n int)", "writes gate·sigmoid(gate)·up.")
	k.constants(expConstants, []float32{signBit})
	k.each(1, []stream{{"dst", f32}, {"gate", f32}, {"up", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("gate"), 0)
		k.load(t, f32, at("up"), 5)
		VMOVAPS(s.v(0), s.v(4))
		k.sigmoid(0, 1, 2, 3)
		VMULPS(s.v(4), s.v(0), s.v(0))
		VMULPS(s.v(5), s.v(0), s.v(0))
		k.store(t, 0, at("dst"), 7)
	})
	k.end()
}

// expSum is the middle of a softmax.
func expSum(s isa) {
	k := newKernel(s, "expSum", "func(x *float32, n int, top float32) float32", "replaces x by e^(x − top) and returns the sum.")
	k.constants(expConstants)
	top := k.scalar("top")
	s.zero(8)
	k.each(1, []stream{{"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		VSUBPS(top, s.v(0), s.v(0))
		k.exp(0, 1, 2, 3)
		k.store(t, 0, at("x"), 7)
		if t != nil {
			t.keep(0)
		}
		VADDPS(s.v(0), s.v(8), s.v(8))
	})
	k.fold(8, VADDPS)
	k.end()
}
