package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

var functions = map[string]struct {
	run func([]float32)
	f   function
}{
	"Exp": {Exp, exp}, "Tanh": {Tanh, tanh}, "Sigmoid": {Sigmoid, logistic}, "SiLU": {SiLU, swish},
	"GELU": {GELU, geluErf}, "GELUTanh": {GELUTanh, geluTanh}, "QuickGELU": {QuickGELU, geluQuick}, "ReLU": {ReLU, rectifier},
}

// close32 reports whether got is want to within 1e-6, relative, or where float32
// has fewer digits. The tails of the activations are e^-x with a rounded x: there
// the error is allowed to grow with x.
func close32(got float32, want, x float64) bool {
	g := float64(got)
	switch {
	case g == want:
		return true
	case math.IsNaN(want):
		return math.IsNaN(g)
	case math.IsInf(g, 0):
		return math.Abs(want) > math.MaxFloat32 && (g > 0) == (want > 0)
	}
	return math.Abs(g-want) <= max(1, x*x/8)*1e-6*math.Abs(want)+4e-37
}

// TestFunctionsOfOneElement walks over all magnitudes of float32, then over the
// range where the functions bend.
func TestFunctionsOfOneElement(t *testing.T) {
	var x []float32
	for bits := uint64(0); bits < 1<<32; bits += 65521 * 3 {
		x = append(x, math.Float32frombits(uint32(bits)))
	}
	for v := -30.0; v < 30; v += 0.0007 {
		x = append(x, float32(v))
	}
	inf := float32(math.Inf(1))
	x = append(x, 0, float32(math.Copysign(0, -1)), inf, -inf, float32(math.NaN()), 88.72, 88.73, -87.3, -103.9, -104.1, 1e-40)
	atEveryLevel(t, func(t *testing.T) {
		for name, c := range functions {
			got := append([]float32(nil), x...)
			c.run(got)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				want := c.f.of(float64(v))
				if !close32(got[i], want, float64(v)) {
					t.Errorf("%s(%g) = %g, want %g", name, v, got[i], want)
					break
				}
				if math.Abs(want) > 1e-30 && math.Abs(float64(v)) < 4 {
					if e := math.Abs(float64(got[i])/want - 1); e > worst {
						worst, at = e, v
					}
				}
			}
			t.Logf("%s: worst relative error for |x| < 4: %.2g at %g", name, worst, at)
		}
	})
}

// TestEveryLength runs the vector functions over all lengths and alignments
// against float64, with canaries around what they write.
func TestEveryLength(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const guard = 77
	atEveryLevel(t, func(t *testing.T) {
		for n := range 301 {
			off := r.IntN(16)
			whole := random(r, n+16, off)
			a, b, c := random(r, n, off), random(r, n, r.IntN(16)), random(r, n, 1)
			sums := func(f func(i int) float64) (sum, size float64) {
				for i := range n {
					sum, size = sum+f(i), size+math.Abs(f(i))
				}
				return sum, size
			}
			dst := whole[8 : 8+n]
			var mean, squares, variance, expSum, dot, top float64
			top = math.Inf(-1)
			mean, _ = sums(func(i int) float64 { return float64(a[i]) / float64(n) })
			squares, _ = sums(func(i int) float64 { return float64(a[i]) * float64(a[i]) / float64(n) })
			variance, _ = sums(func(i int) float64 { d := float64(a[i]) - mean; return d * d / float64(n) })
			for _, v := range a {
				top = max(top, float64(v))
			}
			expSum, _ = sums(func(i int) float64 { return math.Exp(float64(a[i]) - top) })
			check := func(name string, run func(), want func(i int) float64) {
				for i := range whole {
					whole[i] = guard
				}
				copy(dst, a)
				run()
				for i, v := range whole {
					if i -= 8; i < 0 || i >= n {
						if v != guard {
							t.Fatalf("%s of %d +%d wrote at %d", name, n, off, i)
						}
						continue
					}
					near(t, v, want(i), 1+math.Abs(want(i)), "%s of %d +%d at %d", name, n, off, i)
				}
			}
			if n > 0 {
				dot, size := sums(func(i int) float64 { return float64(a[i]) * float64(b[i]) })
				near(t, Dot(a, b), dot, size, "Dot of %d", n)
			} else if Dot(a, b) != 0 {
				t.Errorf("Dot of nothing is %g", dot)
			}
			f := func(x []float32, i int) float64 { return float64(x[i]) }
			check("Axpy", func() { Axpy(dst, 1.5, b) }, func(i int) float64 { return f(a, i) + 1.5*f(b, i) })
			check("Add", func() { Add(dst, b) }, func(i int) float64 { return f(a, i) + f(b, i) })
			check("Mul", func() { Mul(dst, b) }, func(i int) float64 { return f(a, i) * f(b, i) })
			check("MulAdd", func() { MulAdd(dst, b, c) }, func(i int) float64 { return f(a, i) + f(b, i)*f(c, i) })
			check("Scale", func() { Scale(dst, 0.3) }, func(i int) float64 { return f(a, i) * float64(float32(0.3)) })
			check("SiLUMul", func() { SiLUMul(dst, dst, b) }, func(i int) float64 { return swish.of(f(a, i)) * f(b, i) })
			check("Softmax", func() { Softmax(dst) }, func(i int) float64 { return math.Exp(f(a, i)-top) / expSum })
			for name, fn := range functions {
				check(name, func() { fn.run(dst) }, func(i int) float64 { return fn.f.of(f(a, i)) })
			}
			const eps = 1e-5
			rms := 1 / math.Sqrt(squares+float64(float32(eps)))
			check("RMSNorm", func() { RMSNorm(dst, dst, b, eps, 0) }, func(i int) float64 { return f(a, i) * rms * f(b, i) })
			check("RMSNorm + 1", func() { RMSNorm(dst, a, b, eps, 1) }, func(i int) float64 { return f(a, i) * rms * (1 + f(b, i)) })
			if n > 1 {
				dev := 1 / math.Sqrt(variance+float64(float32(eps)))
				check("LayerNorm", func() { LayerNorm(dst, dst, b, c, eps) }, func(i int) float64 { return (f(a, i)-mean)*dev*f(b, i) + f(c, i) })
				check("LayerNorm, no bias", func() { LayerNorm(dst, a, b, nil, eps) }, func(i int) float64 { return (f(a, i) - mean) * dev * f(b, i) })
				check("LayerNorm, bare", func() { LayerNorm(dst, a, nil, nil, eps) }, func(i int) float64 { return (f(a, i) - mean) * dev })
			}
			if n%2 == 0 {
				h := n / 2
				check("Rope", func() { Rope(dst, b[:h], c[:h], false) }, func(i int) float64 {
					if i < h {
						return f(a, i)*f(b, i) - f(a, i+h)*f(c, i)
					}
					return f(a, i)*f(b, i-h) + f(a, i-h)*f(c, i-h)
				})
				check("Rope, interleaved", func() { Rope(dst, b[:h], c[:h], true) }, func(i int) float64 {
					if i%2 == 0 {
						return f(a, i)*f(b, i/2) - f(a, i+1)*f(c, i/2)
					}
					return f(a, i)*f(b, i/2) + f(a, i-1)*f(c, i/2)
				})
			}
			h := make([]uint16, n+2)
			F32ToF16(h[1:1+n], a)
			if h[0] != 0 || h[n+1] != 0 {
				t.Fatalf("F32ToF16 of %d wrote outside", n)
			}
			check("F16ToF32", func() { F16ToF32(dst, h[1:1+n]) }, func(i int) float64 { return float64(halfToFloat(floatToHalf(a[i]))) })
			F32ToBF16(h[1:1+n], a)
			check("BF16ToF32", func() { BF16ToF32(dst, h[1:1+n]) }, func(i int) float64 {
				return float64(math.Float32frombits(uint32(floatToBF16(a[i])) << 16))
			})
		}
	})
}

// TestLongSlices crosses the bound on a call of assembly.
func TestLongSlices(t *testing.T) {
	n := 2*longest + 5
	x, y := make([]float32, n), make([]float32, n)
	atEveryLevel(t, func(t *testing.T) {
		for i := range x {
			x[i], y[i] = 1, float32(i%7)
		}
		Add(x, y)
		Mul(x, y)
		Axpy(x, 2, y)
		Scale(x, 0.5)
		SiLUMul(x, x, y)
		for i, got := range x {
			v := float64(i % 7)
			near(t, got, swish.of(((1+v)*v+2*v)/2)*v, 100, "element %d", i)
		}
		for i := range x {
			x[i] = float32(i%5) - 2
		}
		h := make([]uint16, n)
		F32ToF16(h, x)
		F16ToF32(y, h)
		ReLU(x)
		for i := range x {
			if y[i] != float32(i%5)-2 || x[i] != max(y[i], 0) {
				t.Fatalf("element %d: %g and %g", i, y[i], x[i])
			}
		}
		Softmax(x)
		var sum float64
		for _, v := range x {
			sum += float64(v)
		}
		near(t, float32(sum), 1, 10, "the sum of a softmax")
	})
}

func TestSoftmaxOfTheOdd(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	atEveryLevel(t, func(t *testing.T) {
		for _, c := range []struct{ x, want []float64 }{
			{[]float64{3}, []float64{1}},
			{[]float64{1000, 1000}, []float64{0.5, 0.5}},
			{[]float64{-inf, 5, -inf}, []float64{0, 1, 0}},
			{[]float64{-3e38, 3e38}, []float64{0, 1}},
			{[]float64{-inf, -inf}, []float64{nan, nan}},
			{[]float64{0, nan, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []float64{nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan}},
		} {
			x := make([]float32, len(c.x))
			for i, v := range c.x {
				x[i] = float32(v)
			}
			Softmax(x)
			for i, want := range c.want {
				if got := float64(x[i]); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("Softmax(%g) = %g, want %g", c.x, x, c.want)
				}
			}
		}
	})
}

// TestEveryHalf converts all F16 and BF16 numbers there and back.
func TestEveryHalf(t *testing.T) {
	all, back := make([]uint16, 1<<16), make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	x := make([]float32, 1<<16)
	atEveryLevel(t, func(t *testing.T) {
		F16ToF32(x, all)
		F32ToF16(back, x)
		for i, h := range all {
			if x[i] != x[i] {
				h |= 0x200 // NaN comes back quiet
			} else if want := halfToFloat(h); x[i] != want {
				t.Fatalf("F16 %#04x is %g, want %g", h, x[i], want)
			}
			if back[i] != h {
				t.Fatalf("F16 %#04x came back as %#04x", h, back[i])
			}
		}
		BF16ToF32(x, all)
		F32ToBF16(back, x)
		for i, h := range all {
			if x[i] != x[i] {
				h |= 0x40
			}
			if back[i] != h {
				t.Fatalf("BF16 %#04x came back as %#04x", h, back[i])
			}
		}
	})
}

// FuzzVectors compares every level with the definitions over random bits.
func FuzzVectors(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef01234567"))
	f.Add([]byte{0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 1, 0, 0xc0, 0x7f, 0, 0, 0xd0, 0x42, 0, 0, 0xd0, 0xc2})
	f.Fuzz(func(t *testing.T, bits []byte) {
		x := make([]float32, len(bits)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(bits[4*i:]))
		}
		was := active
		defer func() { active = was }()
		half, wantHalf := make([]uint16, len(x)), make([]uint16, len(x))
		for i, v := range x {
			wantHalf[i] = floatToHalf(v)
		}
		for l := levelPortable; l <= was; l++ {
			active = l
			for name, c := range functions {
				got := append([]float32(nil), x...)
				c.run(got)
				for i, v := range x {
					if want := c.f.of(float64(v)); !close32(got[i], want, float64(v)) {
						t.Errorf("level %d: %s(%g) = %g, want %g", l, name, v, got[i], want)
					}
				}
			}
			F32ToF16(half, x)
			for i, h := range half {
				if h != wantHalf[i] {
					t.Errorf("level %d: F32ToF16(%g) = %#04x, want %#04x", l, x[i], h, wantHalf[i])
				}
			}
		}
	})
}

func BenchmarkVector(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y, w := random(r, 3072, 0), random(r, 3072, 0), random(r, 3072, 0)
	dst, h := make([]float32, 3072), make([]uint16, 3072)
	cos := make([]float32, 32)
	for _, c := range []struct {
		name string
		n    int
		f    func()
	}{
		{"Exp", 3072, func() { Exp(dst) }}, {"Tanh", 3072, func() { Tanh(dst) }}, {"GELU", 3072, func() { GELU(dst) }},
		{"GELUTanh", 3072, func() { GELUTanh(dst) }}, {"SiLUMul", 3072, func() { SiLUMul(dst, x, y) }},
		{"Softmax128", 128, func() { Softmax(dst[:128]) }}, {"Softmax3072", 3072, func() { Softmax(dst) }},
		{"LayerNorm768", 768, func() { LayerNorm(dst[:768], x[:768], y, w, 1e-5) }},
		{"RMSNorm2048", 2048, func() { RMSNorm(dst[:2048], x[:2048], y, 1e-5, 0) }},
		{"Rope64", 64, func() { Rope(dst[:64], cos, cos, false) }},
		{"Add", 3072, func() { Add(dst, x) }}, {"Dot", 3072, func() { Dot(x, y) }}, {"F32ToF16", 3072, func() { F32ToF16(h, x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			copy(dst, x)
			best := measure(b, func() {
				for range 16 {
					c.f()
				}
			}) / 16
			b.ReportMetric(best*1e9, "ns/call")
			b.ReportMetric(float64(c.n)/best/1e9, "elements/ns")
		})
	}
}

// BenchmarkAttention is one head over a page of the cache, and a block of scores
// and values.
func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const rows, dim = 256, 64
	k := halves(random(r, rows*dim, 0))
	q, out, scores := random(r, 8*dim, 0), make([]float32, 8*dim), random(r, 128*256, 0)
	x := random(r, 256*dim, 0)
	run := func(name string, flops float64, f func()) {
		b.Run(name, func(b *testing.B) { b.ReportMetric(flops/measure(b, f)/1e9, "GFLOP/s") })
	}
	run("GemmNTF16", 2*rows*dim, func() { GemmNTF16(scores, rows, q, dim, k, dim, 1, rows, dim) })
	run("GemmNNAddF16", 2*rows*dim, func() { GemmNNAddF16(out, dim, scores, rows, k, dim, 1, dim, rows) })
	run("GemmNTF16/4", 8*rows*dim, func() { GemmNTF16(scores, rows, q, dim, k, dim, 4, rows, dim) })
	run("GemmNNAddF16/4", 8*rows*dim, func() { GemmNNAddF16(out, dim, scores, rows, k, dim, 4, dim, rows) })
	run("GemmNT/128x128x64", 2*128*128*64, func() { GemmNT(scores, 128, x, dim, x, dim, 128, 128, dim) })
	run("GemmNN/128x64x128", 2*128*128*64, func() { GemmNN(x[128*dim:], dim, scores, 128, x, dim, 128, dim, 128) })
	run("GemmNT/24x24x32", 2*24*24*32, func() { GemmNT(scores, 24, x, 32, x, 32, 24, 24, 32) })
	run("GemmNN/24x32x24", 2*24*24*32, func() { GemmNN(x[64*dim:], 32, scores, 24, x, 32, 24, 32, 24) })
}
