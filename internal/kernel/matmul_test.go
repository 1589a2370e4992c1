package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// atEveryLevel runs f with each set of instructions that this processor has.
func atEveryLevel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	was := active
	defer func() { active = was }()
	for l := levelPortable; l <= was; l++ {
		active = l
		for name := range levelNames {
			if levelNames[name] == l {
				t.Run(name, f)
			}
		}
	}
}

// random returns n numbers around 0, starting off elements into an allocation so
// that vectors of it are not aligned.
func random(r *rand.Rand, n, off int) []float32 {
	x := make([]float32, n+off)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x[off:]
}

func halves(x []float32) []uint16 {
	h := make([]uint16, len(x))
	for i, v := range x {
		h[i] = floatToHalf(v)
		x[i] = halfToFloat(h[i])
	}
	return h
}

// near fails unless got is within float32 rounding of a sum want whose terms have
// the absolute sum size.
func near(t *testing.T, got float32, want, size float64, format string, args ...any) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-6*size+1e-30) {
		t.Fatalf("%s: got %g, want %g", fmt.Sprintf(format, args...), got, want)
	}
}

func TestGemm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const guard = float32(12345)
	atEveryLevel(t, func(t *testing.T) {
		for round := range 100 {
			m, n, k := r.IntN(14), r.IntN(70), r.IntN(100)
			if round%20 == 0 {
				n, k = 64+r.IntN(100), 300+r.IntN(20)
			}
			pad, off := r.IntN(5), r.IntN(8)
			a := random(r, m*(k+pad), off)
			bt, b := random(r, n*(k+pad), off), random(r, k*(n+pad), off)
			bth, bh := halves(bt), halves(b)
			ldd := n + pad
			dst := make([]float32, m*ldd)
			run := func(name string, was float32, f func(), at func(i, j, l int) float32) {
				for i := range dst {
					dst[i] = was
					if i%ldd >= n {
						dst[i] = guard
					}
				}
				f()
				for i := range dst {
					i, j := i/ldd, i%ldd
					if j >= n {
						near(t, dst[i*ldd+j], float64(guard), 0, "%s (%d, %d, %d) wrote past row %d", name, m, n, k, i)
						continue
					}
					want := float64(was)
					if was != 1 {
						want = 0
					}
					size := 1.0
					for l := range k {
						v := float64(a[i*(k+pad)+l]) * float64(at(i, j, l))
						want, size = want+v, size+math.Abs(v)
					}
					near(t, dst[i*ldd+j], want, size, "%s (%d, %d, %d) +%d at (%d, %d)", name, m, n, k, off, i, j)
				}
			}
			if ldd == 0 || m == 0 {
				continue
			}
			nan := float32(math.NaN())
			nt := func(i, j, l int) float32 { return bt[j*(k+pad)+l] }
			nn := func(i, j, l int) float32 { return b[l*(n+pad)+j] }
			run("GemmNT", nan, func() { GemmNT(dst, ldd, a, k+pad, bt, k+pad, m, n, k) }, nt)
			run("GemmNTF16", nan, func() { GemmNTF16(dst, ldd, a, k+pad, bth, k+pad, m, n, k) }, nt)
			run("GemmNN", nan, func() { GemmNN(dst, ldd, a, k+pad, b, n+pad, m, n, k) }, nn)
			run("GemmNNAddF16", 1, func() { GemmNNAddF16(dst, ldd, a, k+pad, bh, n+pad, m, n, k) }, nn)
		}
	})
}

// TestLongGemm crosses the bounds on one call of assembly.
func TestLongGemm(t *testing.T) {
	const m, n, k = 2, 1050, 5003
	ones := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(1 + i%2)
		}
		return x
	}
	a, b, dst := ones(m*k), ones(n*k), make([]float32, m*n)
	atEveryLevel(t, func(t *testing.T) {
		for name, f := range map[string]func(){
			"GemmNT": func() { GemmNT(dst, n, a, k, b, k, m, n, k) },
			"GemmNN": func() { GemmNN(dst, n, a, k, b, n, m, n, k) },
		} {
			f()
			for i, got := range dst {
				i, j := i/n, i%n
				want := 0 // sums of small integers are exact
				for l := range k {
					w := b[j*k+l]
					if name == "GemmNN" {
						w = b[l*n+j]
					}
					want += int(a[i*k+l] * w)
				}
				if got != float32(want) {
					t.Fatalf("%s at (%d, %d): got %g, want %d", name, i, j, got, want)
				}
			}
		}
	})
}

func TestGemmRefusesShortOperands(t *testing.T) {
	long := make([]float32, 100)
	for name, f := range map[string]func(){
		"dst": func() { GemmNT(long[:8], 3, long, 4, long, 4, 3, 3, 4) },
		"a":   func() { GemmNT(long, 3, long[:11], 4, long, 4, 3, 3, 4) },
		"b":   func() { GemmNT(long, 3, long, 4, long[:11], 4, 3, 3, 4) },
		"ldb": func() { GemmNN(long, 3, long, 4, long, 2, 3, 3, 4) },
		"k":   func() { GemmNTF16(long, 2, long[:3], 4, make([]uint16, 100), 10, 1, 2, 4) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a short %s was taken", name)
				}
			}()
			f()
		}()
	}
}

// store returns x (rows, cols) as a matrix of t whose bytes are not aligned, and
// overwrites x with what is stored.
func store(t testing.TB, typ Type, rows, cols int, x []float32) Matrix {
	t.Helper()
	data := make([]byte, rows*typ.RowBytes(cols)+1)[1:]
	Quantize(typ, data, x)
	Dequantize(typ, x, data)
	w, err := NewMatrix(typ, rows, cols, data)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := NewPool(3)
	defer p.Close()
	atEveryLevel(t, func(t *testing.T) {
		var s Scratch
		for _, typ := range []Type{F32, F16, BF16} {
			for _, cols := range []int{0, 1, 5, 40, 1026, 1536} {
				for _, n := range []int{0, 1, 4, 7, 13} {
					w1, w2 := random(r, 75*cols, 0), random(r, 3*cols, 0)
					m1, m2 := store(t, typ, 75, cols, w1), store(t, typ, 3, cols, w2)
					x := random(r, n*cols, 1)
					dst := [][]float32{random(r, n*75, 0), random(r, n*3, 1)}
					MatMulMany(p, &s, x, n, []Product{{W: &m1, Dst: dst[0]}, {W: &m2, Dst: dst[1]}})
					one := make([]float32, 75)
					for i := range n {
						for j := range 78 {
							w, got := w1, dst[0][i*75+min(j, 74)]
							row := j
							if j >= 75 {
								row = j - 75
								w, got = w2, dst[1][i*3+row]
							}
							var want, size float64
							for l := range cols {
								v := float64(x[i*cols+l]) * float64(w[row*cols+l])
								want, size = want+v, size+math.Abs(v)
							}
							near(t, got, want, size, "%s (%d, %d), n %d, at (%d, %d)", typ, 78, cols, n, i, j)
						}
						MatMul(nil, &s, one, x[i*cols:], 1, &m1)
						for j, v := range one {
							if v != dst[0][i*75+j] {
								t.Fatalf("%s, %d columns: row %d of %d alone has %g at %d, %g with the others", typ, cols, i, n, v, j, dst[0][i*75+j])
							}
						}
					}
				}
			}
		}
	})
}

func TestMatMulDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := NewPool(2)
	defer p.Close()
	var s Scratch
	w := store(t, F16, 100, 1000, random(r, 100*1000, 0))
	dst, x := make([]float32, 700), random(r, 7000, 0)
	if n := testing.AllocsPerRun(20, func() { MatMul(p, &s, dst, x, 7, &w) }); n != 0 {
		t.Errorf("MatMul allocates %g times", n)
	}
}

func TestNewMatrixChecksSizes(t *testing.T) {
	for _, c := range []struct {
		typ              Type
		rows, cols, size int
		ok               bool
	}{
		{F32, 2, 3, 24, true},
		{F32, 2, 3, 23, false},
		{F16, 0, 7, 0, true},
		{Q8_0, 1, 33, 34, false},
		{Q4_K, 3, 512, 3 * 288, true},
		{F32, 1 << 62, 1, 0, false},
		{F32, -1, 1, -4, false},
		{Type(99), 1, 1, 4, false},
	} {
		_, err := NewMatrix(c.typ, c.rows, c.cols, make([]byte, max(c.size, 0)))
		if (err == nil) != c.ok {
			t.Errorf("NewMatrix(%s, %d, %d, %d bytes): %v", c.typ, c.rows, c.cols, c.size, err)
		}
	}
}

// FuzzGemm compares every level with the portable code over random shapes and
// bits, which include infinities and NaN.
func FuzzGemm(f *testing.F) {
	f.Add(uint8(6), uint8(4), uint8(16), uint8(1), []byte("some bytes that will be numbers"))
	f.Add(uint8(13), uint8(67), uint8(33), uint8(3), []byte{0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff})
	f.Fuzz(func(t *testing.T, m, n, k, off uint8, bits []byte) {
		if len(bits) < 4 || m > 20 || n > 80 {
			return
		}
		fill := func(count int) []float32 {
			x := make([]float32, count+int(off%16))
			for i := range x {
				v := math.Float32frombits(binary.LittleEndian.Uint32(bits[i*7%(len(bits)-3):]))
				if math.Abs(float64(v)) > 1e9 && !math.IsInf(float64(v), 0) {
					v = 1 // so that no sum overflows in one order and not in another
				}
				x[i] = v
			}
			return x[off%16:]
		}
		M, N, K := int(m), int(n), int(k)
		a, b := fill(M*K), fill(N*K)
		was := active
		defer func() { active = was }()
		run := func(l level) (nt, nn []float32) {
			active = l
			nt, nn = make([]float32, M*N), make([]float32, M*N)
			GemmNT(nt, N, a, K, b, K, M, N, K)
			GemmNN(nn, N, a, K, b, N, M, N, K)
			return nt, nn
		}
		nt, nn := run(levelPortable)
		for l := levelPortable + 1; l <= was; l++ {
			gotNT, gotNN := run(l)
			for i := range nt {
				if !alike(gotNT[i], nt[i]) || !alike(gotNN[i], nn[i]) {
					t.Fatalf("level %d, (%d, %d, %d) at %d: NT %g, want %g; NN %g, want %g", l, m, n, k, i, gotNT[i], nt[i], gotNN[i], nn[i])
				}
			}
		}
	})
}

// alike reports whether two sums in float32 of at most 255 products below 1e18
// may differ by their order alone.
func alike(a, b float32) bool {
	x, y := float64(a), float64(b)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.IsNaN(x) && math.IsNaN(y) || x == y
	}
	return math.Abs(x-y) <= 1e-5*max(math.Abs(x), math.Abs(y)) || math.Abs(x-y) <= 255*1e18*1e-6
}

func BenchmarkMatMul(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, threads := range []int{1, 2} {
		p := NewPool(threads)
		for _, c := range []struct {
			typ           Type
			n, rows, cols int
		}{
			{F32, 512, 3072, 768}, {F32, 512, 768, 3072}, {F32, 64, 3072, 768}, {F32, 16, 1536, 384}, {F32, 8, 768, 768},
			{F16, 512, 3072, 768}, {BF16, 512, 3072, 768}, {F32, 1, 8192, 2048}, {F16, 1, 8192, 4096}, {BF16, 1, 8192, 4096}, {BF16, 4, 8192, 4096},
		} {
			b.Run(fmt.Sprintf("%s/n=%d/%dx%d/threads=%d", c.typ, c.n, c.rows, c.cols, threads), func(b *testing.B) {
				w := store(b, c.typ, c.rows, c.cols, random(r, c.rows*c.cols, 0))
				var s Scratch
				dst, x := make([]float32, c.n*c.rows), random(r, c.n*c.cols, 0)
				best := measure(b, func() { MatMul(p, &s, dst, x, c.n, &w) })
				b.ReportMetric(2*float64(c.n)*float64(c.rows)*float64(c.cols)/best/1e9, "GFLOP/s")
				if c.n < 8 {
					b.ReportMetric(float64(len(w.Data))/best/1e9, "GB/s")
				}
			})
		}
		p.Close()
	}
}

// measure returns the shortest run of f in seconds: on a shared machine the mean
// says more about the neighbours.
func measure(b *testing.B, f func()) float64 {
	best := math.Inf(1)
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start).Seconds())
	}
	return best
}
