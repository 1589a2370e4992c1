package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// vectorUnit writes what runs along one or two slices: sums, norms, rope and
// conversions.
func vectorUnit() {
	for _, s := range []isa{avx512, avx2} {
		reduce(s, "dotVector", "func(a, b *float32, n int) float32", "returns Σ a·b.", []stream{{"a", f32}, {"b", f32}},
			func(k *kernel, sum int, at func(string) Mem, t *tail) {
				k.load(t, f32, at("a"), 0)
				k.load(t, f32, at("b"), 1)
				VFMADD231PS(s.v(0), s.v(1), s.v(sum))
			})
		reduce(s, "sumVector", "func(x *float32, n int) float32", "returns Σ x.", []stream{{"x", f32}},
			func(k *kernel, sum int, at func(string) Mem, t *tail) {
				k.load(t, f32, at("x"), 0)
				VADDPS(s.v(0), s.v(sum), s.v(sum))
			})
		deviations(s)
		maximum(s)
		update(s, "axpyVector", "func(dst, x *float32, n int, a float32)", "adds a·x to dst.", true,
			func(k *kernel, a int) { VFMADD231PS(s.v(1), s.v(a), s.v(0)) })
		update(s, "addVector", "func(dst, x *float32, n int)", "adds x to dst.", false,
			func(k *kernel, a int) { VADDPS(s.v(1), s.v(0), s.v(0)) })
		update(s, "mulVector", "func(dst, x *float32, n int)", "multiplies dst by x.", false,
			func(k *kernel, a int) { VMULPS(s.v(1), s.v(0), s.v(0)) })
		mulAdd(s)
		scale(s)
		rmsScale(s)
		affine(s, false)
		affine(s, true)
		rope(s)
		ropeInterleaved(s)
		widen(s, f16, "F16")
		widen(s, bf16, "BF16")
		narrow(s)
	}
}

// reduce writes a sum over vectors, in four accumulators.
func reduce(s isa, name, signature, doc string, streams []stream, add func(k *kernel, sum int, at func(string) Mem, t *tail)) {
	k := newKernel(s, name, signature, doc)
	const first = 8
	for i := range 4 {
		s.zero(first + i)
	}
	k.each(4, streams, func(i int, at func(string) Mem, t *tail) { add(k, first+i, at, t) })
	VADDPS(s.v(first+1), s.v(first), s.v(first))
	VADDPS(s.v(first+3), s.v(first+2), s.v(first+2))
	VADDPS(s.v(first+2), s.v(first), s.v(first))
	k.fold(first, VADDPS)
	k.end()
}

func deviations(s isa) {
	k := newKernel(s, "deviations", "func(x *float32, n int, mean float32) float32", "returns Σ (x − mean)².")
	mean := k.scalar("mean")
	const first = 8
	for i := range 4 {
		s.zero(first + i)
	}
	k.each(4, []stream{{"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		VSUBPS(mean, s.v(0), s.v(0))
		if t != nil {
			t.keep(0)
		}
		VFMADD231PS(s.v(0), s.v(0), s.v(first+i))
	})
	VADDPS(s.v(first+1), s.v(first), s.v(first))
	VADDPS(s.v(first+3), s.v(first+2), s.v(first+2))
	VADDPS(s.v(first+2), s.v(first), s.v(first))
	k.fold(first, VADDPS)
	k.end()
}

func maximum(s isa) {
	k := newKernel(s, "maxVector", "func(x *float32, n int, low float32) float32", "returns the largest of x and low; NaN in x counts or not.")
	low := k.scalar("low")
	const first = 8
	for i := range 4 {
		VMOVAPS(low, s.v(first+i))
	}
	k.each(4, []stream{{"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		top := s.v(first + i)
		switch {
		case t == nil:
			VMAXPS(at("x"), top, top)
		case s.is512():
			VMAXPS(at("x"), top, t.k, top)
		default:
			t.load(f32, at("x"), 0)
			VMOVUPS(t.mask, s.v(1))
			VBLENDVPS(s.v(1), s.v(0), low, s.v(0))
			VMAXPS(s.v(0), top, top)
		}
	})
	VMAXPS(s.v(first+1), s.v(first), s.v(first))
	VMAXPS(s.v(first+3), s.v(first+2), s.v(first+2))
	VMAXPS(s.v(first+2), s.v(first), s.v(first))
	k.fold(first, VMAXPS)
	k.end()
}

// update writes a kernel that changes dst by x.
func update(s isa, name, signature, doc string, scaled bool, op func(k *kernel, a int)) {
	k := newKernel(s, name, signature, doc)
	a := k.spare
	if scaled {
		k.scalar("a")
		a = k.spare + 1
	}
	k.each(1, []stream{{"dst", f32}, {"x", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("dst"), 0)
		k.load(t, f32, at("x"), 1)
		op(k, a)
		k.store(t, 0, at("dst"), 1)
	})
	k.end()
}

func mulAdd(s isa) {
	k := newKernel(s, "mulAddVector", "func(dst, a, b *float32, n int)", "adds a·b to dst.")
	k.each(1, []stream{{"dst", f32}, {"a", f32}, {"b", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("dst"), 0)
		k.load(t, f32, at("a"), 1)
		k.load(t, f32, at("b"), 2)
		VFMADD231PS(s.v(1), s.v(2), s.v(0))
		k.store(t, 0, at("dst"), 1)
	})
	k.end()
}

func scale(s isa) {
	k := newKernel(s, "scaleVector", "func(dst *float32, n int, a float32)", "multiplies dst by a.")
	a := k.scalar("a")
	k.each(1, []stream{{"dst", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("dst"), 0)
		VMULPS(a, s.v(0), s.v(0))
		k.store(t, 0, at("dst"), 1)
	})
	k.end()
}

func rmsScale(s isa) {
	k := newKernel(s, "rmsScale", "func(dst, x, weight *float32, n int, r, offset float32)", "writes x·r·(offset + weight).")
	r, offset := k.scalar("r"), k.scalar("offset")
	k.each(1, []stream{{"dst", f32}, {"x", f32}, {"weight", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		k.load(t, f32, at("weight"), 1)
		VADDPS(offset, s.v(1), s.v(1))
		VMULPS(r, s.v(0), s.v(0))
		VMULPS(s.v(1), s.v(0), s.v(0))
		k.store(t, 0, at("dst"), 1)
	})
	k.end()
}

// affine is the second half of a layer norm.
func affine(s isa, bias bool) {
	name, signature, doc := "affine", "func(dst, x, weight *float32, n int, mean, r float32)", "writes (x − mean)·r·weight."
	streams := []stream{{"dst", f32}, {"x", f32}, {"weight", f32}}
	if bias {
		name, signature, doc = "affineBias", "func(dst, x, weight, bias *float32, n int, mean, r float32)", "writes (x − mean)·r·weight + bias."
		streams = append(streams, stream{"bias", f32})
	}
	k := newKernel(s, name, signature, doc)
	mean, r := k.scalar("mean"), k.scalar("r")
	k.each(1, streams, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("x"), 0)
		k.load(t, f32, at("weight"), 1)
		VSUBPS(mean, s.v(0), s.v(0))
		VMULPS(r, s.v(0), s.v(0))
		if bias {
			k.load(t, f32, at("bias"), 2)
			VFMADD213PS(s.v(2), s.v(1), s.v(0))
		} else {
			VMULPS(s.v(1), s.v(0), s.v(0))
		}
		k.store(t, 0, at("dst"), 1)
	})
	k.end()
}

// rope rotates pairs half a head apart.
func rope(s isa) {
	k := newKernel(s, "ropeVector", "func(lo, hi, cos, sin *float32, n int)", "rotates the pairs (lo, hi).")
	k.each(1, []stream{{"lo", f32}, {"hi", f32}, {"cos", f32}, {"sin", f32}}, func(i int, at func(string) Mem, t *tail) {
		k.load(t, f32, at("lo"), 0)
		k.load(t, f32, at("hi"), 1)
		k.load(t, f32, at("cos"), 2)
		k.load(t, f32, at("sin"), 3)
		VMULPS(s.v(3), s.v(1), s.v(4))
		VFMSUB231PS(s.v(2), s.v(0), s.v(4)) // lo·cos − hi·sin
		VMULPS(s.v(3), s.v(0), s.v(5))
		VFMADD231PS(s.v(2), s.v(1), s.v(5)) // hi·cos + lo·sin
		k.store(t, 4, at("lo"), 0)
		k.store(t, 5, at("hi"), 0)
	})
	k.end()
}

// ropeInterleaved rotates pairs that lie side by side, a whole vector at a time.
func ropeInterleaved(s isa) {
	k := newKernel(s, "ropePairs", "func(x, cos, sin *float32, vectors int)", "rotates the pairs in whole vectors of x.")
	x, cos, sin, n := param("x"), param("cos"), param("sin"), param("vectors")
	twice := GP64()
	LEAQ(twiceTable(), twice)
	VMOVUPS(Mem{Base: twice}, s.v(5))
	Label("vector")
	VMOVUPS(Mem{Base: cos}, s.h(0))
	VMOVUPS(Mem{Base: sin}, s.h(1))
	VPERMPS(s.v(0), s.v(5), s.v(0))
	VPERMPS(s.v(1), s.v(5), s.v(1))
	VMOVUPS(Mem{Base: x}, s.v(2))
	VPERMILPS(U8(0b10110001), s.v(2), s.v(3))
	VMULPS(s.v(1), s.v(3), s.v(3))
	VFMADDSUB213PS(s.v(3), s.v(0), s.v(2)) // even: a·cos − b·sin, odd: b·cos + a·sin
	VMOVUPS(s.v(2), Mem{Base: x})
	ADDQ(U8(s.bytes()), x)
	ADDQ(U8(s.bytes()/2), cos)
	ADDQ(U8(s.bytes()/2), sin)
	DECQ(n)
	JNE(LabelRef("vector"))
	k.end()
}

var twices Mem

// twiceTable is 0 0 1 1 2 2 … 7 7.
func twiceTable() Mem {
	if twices.Symbol.Name == "" {
		twices = GLOBL("twice", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(i/2))
		}
	}
	return twices
}

// widen and narrow convert whole vectors.
func widen(s isa, e element, name string) {
	k := newKernel(s, "widen"+name, "func(dst *float32, src *uint16, vectors int)", "widens whole vectors.")
	dst, src, n := param("dst"), param("src"), param("vectors")
	Label("vector")
	s.load(e, Mem{Base: src}, 0)
	VMOVUPS(s.v(0), Mem{Base: dst})
	ADDQ(U8(s.bytes()/2), src)
	ADDQ(U8(s.bytes()), dst)
	DECQ(n)
	JNE(LabelRef("vector"))
	k.end()
}

func narrow(s isa) {
	k := newKernel(s, "narrowF16", "func(dst *uint16, src *float32, vectors int)", "narrows whole vectors, to nearest even.")
	dst, src, n := param("dst"), param("src"), param("vectors")
	Label("vector")
	VMOVUPS(Mem{Base: src}, s.v(0))
	VCVTPS2PH(U8(0), s.v(0), Mem{Base: dst})
	ADDQ(U8(s.bytes()), src)
	ADDQ(U8(s.bytes()/2), dst)
	DECQ(n)
	JNE(LabelRef("vector"))
	k.end()
}
