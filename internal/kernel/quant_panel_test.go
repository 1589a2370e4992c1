package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// quantLevel is an implementation that this processor runs.
type quantLevel struct {
	name string
	*quantKernels
}

// quantLevels returns those, the fastest first.
func quantLevels() []quantLevel {
	var all []quantLevel
	for l := int(active); l >= 0; l-- {
		if k := quantAt(level(l)); len(all) == 0 || all[len(all)-1].quantKernels != k {
			all = append(all, quantLevel{fmt.Sprintf("level %d", l), k})
		}
	}
	return all
}

var quantTypes = []Type{Q8_0, Q4_0, Q4_K, Q5_K, Q6_K}

// randomBlocks returns rows of blocks with random integers and scales of a size
// that trained weights have.
func randomBlocks(r *rand.Rand, t Type, rows, cols int) []byte {
	b := make([]byte, rows*t.RowBytes(cols))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	scale := func(at int, size float64) {
		binary.LittleEndian.PutUint16(b[at:], floatToHalf(float32(size*(0.5+r.Float64()))))
	}
	for at := 0; at < len(b); at += t.BlockBytes() {
		switch t {
		case Q8_0:
			scale(at, 0.0003)
		case Q4_0:
			scale(at, 0.004)
		case Q4_K:
			scale(at, 0.0001)
			scale(at+2, 0.0008)
		case Q5_K:
			scale(at, 0.00006)
			scale(at+2, 0.001)
		case Q6_K:
			scale(at+208, 0.00001)
		}
	}
	return b
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// TestUnpack: what panels are filled from are the elements that Dequantize
// defines.
func TestUnpack(t *testing.T) {
	r := newRand(1)
	for _, typ := range quantTypes {
		for range 50 {
			b := randomBlocks(r, typ, 1, typ.BlockLen())
			want := make([]float32, typ.BlockLen())
			Dequantize(typ, want, b)
			var u unpacked
			u.unpack(typ, b)
			f := &formats[typ]
			for i := range want {
				j := i / f.cols
				got := u.scale[j]*float32(int32(u.q[i])-f.offset) - u.low[j]
				if got != want[i] {
					t.Fatalf("%s element %d: got %v, want %v", typ, i, got, want[i])
				}
			}
		}
	}
}

func TestPackers(t *testing.T) {
	r := newRand(2)
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			f := &formats[typ]
			for _, blocks := range []int{1, 2, 3, 7} {
				extra := blocks % 2 * typ.BlockBytes() // rows longer than what is packed
				stride := blocks*typ.BlockBytes() + extra
				src := randomBlocks(r, typ, panelRows, stride/typ.BlockBytes()*typ.BlockLen())
				size := blocks * typ.BlockLen() / f.cols * f.panelBytes()
				want, got := make([]byte, size), make([]byte, size+64)
				packPortable(typ, &want[0], &src[0], stride, blocks)
				k.pack[typ](&got[0], &src[0], stride, blocks, &src[0], 1)
				if !bytes.Equal(got[size:], make([]byte, 64)) {
					t.Fatalf("%s %s: wrote behind the panel", k.name, typ)
				}
				if !bytes.Equal(got[:size], want) {
					t.Fatalf("%s %s: panels of %d blocks differ at %d", k.name, typ, blocks, firstDifference(got, want))
				}
			}
		}
	}
}

func firstDifference(a, b []byte) int {
	for i := range b {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

func tileOf(k *quantKernels, f *format, x []float32, m, cols int) []byte {
	unit := 256
	if f.tile == tileQ8_0 || f.tile == tileQ4_0 {
		unit = 32
	}
	tile := make([]byte, cols/f.cols*m*f.rowBytes())
	for i := range m {
		k.quantize[f.tile](&tile[i*f.cols], &x[i*cols], cols/unit, m*f.rowBytes(),
			(m-i)*f.cols+4*i, m*(f.cols+4)-i*f.cols+4*i, -f.offset)
	}
	return tile
}

func TestQuantizers(t *testing.T) {
	r := newRand(3)
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			f := &formats[typ]
			for m := 1; m <= k.tile[f.tile]; m++ {
				cols := 256 * (1 + m%3)
				x := randomFloats(r, m*cols)
				clear(x[:40])
				for i := range x[40:300] {
					x[i] = float32(math.Ldexp(float64(x[i]), i%60-30))
				}
				want, got := tileOf(&portableQuant, f, x, m, cols), tileOf(k.quantKernels, f, x, m, cols)
				if !bytes.Equal(got, want) {
					t.Fatalf("%s %s: tiles of %d rows differ at %d", k.name, typ, m, firstDifference(got, want))
				}
			}
		}
	}
}

func TestProducts(t *testing.T) {
	r := newRand(4)
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			f := &formats[typ]
			for m := 1; m <= k.tile[f.tile]; m++ {
				cols := 256 * (1 + m%4)
				x := randomFloats(r, m*cols)
				src := randomBlocks(r, typ, panelRows, cols)
				blocks := cols / f.cols
				panel := make([]byte, blocks*f.panelBytes())
				packPortable(typ, &panel[0], &src[0], typ.RowBytes(cols), cols/typ.BlockLen())
				tile := tileOf(&portableQuant, f, x, m, cols)
				ldd := panelRows + m%2*5
				for sum := range 2 {
					want := randomFloats(r, m*ldd)
					got := append([]float32(nil), want...)
					productPortable(f)(&want[0], ldd, &panel[0], &tile[0], blocks, m, sum, &src[0], 0)
					k.product[f.product](&got[0], ldd, &panel[0], &tile[0], blocks, m, sum, &src[0], 0)
					for i := range want {
						if d := math.Abs(float64(got[i] - want[i])); !(d < 2e-5) {
							t.Fatalf("%s %s: %d rows, element %d: got %v, want %v", k.name, typ, m, i, got[i], want[i])
						}
					}
				}
			}
		}
	}
}

// extreme returns blocks whose integers are all as large as they can be, so that
// a sum that does not fit its register shows.
func extreme(typ Type, rows, cols int, q byte) []byte {
	b := randomBlocks(newRand(5), typ, rows, cols)
	for at := 0; at < len(b); at += typ.BlockBytes() {
		from := map[Type]int{Q8_0: 2, Q4_0: 2, Q4_K: 16, Q5_K: 16, Q6_K: 0}[typ]
		to := map[Type]int{Q6_K: 192}[typ]
		if to == 0 {
			to = typ.BlockBytes()
		}
		for i := from; i < to; i++ {
			b[at+i] = q
		}
	}
	return b
}

func TestProductsOfExtremes(t *testing.T) {
	const cols = 512
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			f := &formats[typ]
			for _, q := range []byte{0, 0x7f, 0x80, 0x81, 0xff} {
				for _, v := range []float32{-1, 1} {
					x := make([]float32, cols)
					for i := range x {
						x[i] = v
					}
					src := extreme(typ, panelRows, cols, q)
					panel := make([]byte, cols/f.cols*f.panelBytes())
					packPortable(typ, &panel[0], &src[0], typ.RowBytes(cols), cols/typ.BlockLen())
					tile := tileOf(&portableQuant, f, x, 1, cols)
					var want, got [panelRows]float32
					productPortable(f)(&want[0], panelRows, &panel[0], &tile[0], cols/f.cols, 1, 0, &src[0], 0)
					k.product[f.product](&got[0], panelRows, &panel[0], &tile[0], cols/f.cols, 1, 0, &src[0], 0)
					for i := range want {
						if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5*math.Abs(float64(want[i]))+1e-5) {
							t.Fatalf("%s %s of %#x by %v, row %d: got %v, want %v", k.name, typ, q, v, i, got[i], want[i])
						}
					}
				}
			}
		}
	}
}

// TestQuantMatMul compares whole products with those of the dequantised weights
// in float64. Rounding activations to 8 bits costs up to 1/254 of the largest in
// a block per element, at random.
func TestQuantMatMul(t *testing.T) {
	r := newRand(6)
	pool := NewPool(3)
	defer pool.Close()
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			for _, s := range []struct{ n, rows, cols int }{
				{1, 1, 32}, {3, 20, 96}, {14, 17, 544}, {2, 3, 0}, {2, 0, 256}, {1, 1, 256}, {1, 16, 512}, {2, 33, 768}, {5, 70, 1280}, {12, 31, 512}, {13, 64, 1024}, {26, 50, 1536},
			} {
				if s.cols%typ.BlockLen() != 0 {
					continue
				}
				w, err := NewMatrix(typ, s.rows, s.cols, randomBlocks(r, typ, s.rows, s.cols))
				if err != nil {
					t.Fatal(err)
				}
				x := randomFloats(r, s.n*s.cols)
				got := randomFloats(r, s.n*s.rows)
				task := quantTask{products: []Product{{W: &w, Dst: got}}}
				task.run(pool, k.quantKernels, x, s.n)
				checkProduct(t, fmt.Sprintf("%s %s %v", k.name, typ, s), &w, x, got, s.n)
			}
		}
	}
}

func checkProduct(t *testing.T, name string, w *Matrix, x, got []float32, n int) {
	t.Helper()
	row := make([]float32, w.Cols)
	for r := range w.Rows {
		w.Row(row, r)
		for i := range n {
			var want, size float64
			for c, v := range row {
				p := float64(v) * float64(x[i*w.Cols+c])
				want += p
				size += p * p
			}
			if d := math.Abs(float64(got[i*w.Rows+r]) - want); !(d <= 0.06*math.Sqrt(size)) {
				t.Fatalf("%s: (%d, %d): got %v, want %v; norm %v", name, i, r, got[i*w.Rows+r], want, math.Sqrt(size))
			}
		}
	}
}

// TestQuantMatMulAgrees: every implementation computes the same but for the
// rounding of float32 sums, and exactly the same in batches of any size.
func TestQuantMatMulAgrees(t *testing.T) {
	r := newRand(7)
	pool := NewPool(2)
	defer pool.Close()
	const n, rows, cols = 29, 90, 1536
	for _, typ := range quantTypes {
		w, err := NewMatrix(typ, rows, cols, randomBlocks(r, typ, rows, cols))
		if err != nil {
			t.Fatal(err)
		}
		x := randomFloats(r, n*cols)
		want := make([]float32, n*rows)
		task := quantTask{products: []Product{{W: &w, Dst: want}}}
		task.run(pool, &portableQuant, x, n)
		for _, k := range quantLevels() {
			whole := make([]float32, n*rows)
			task := quantTask{products: []Product{{W: &w, Dst: whole}}}
			task.run(pool, k.quantKernels, x, n)
			for _, step := range []int{1, 3, 8, n} {
				got := make([]float32, n*rows)
				task := quantTask{}
				for i := 0; i < n; i += step {
					m := min(step, n-i)
					task.products = append(task.products, Product{W: &w, Dst: got[i*rows : (i+m)*rows]})
					task.run(pool, k.quantKernels, x[i*cols:(i+m)*cols], m)
					task.products = task.products[:0]
				}
				for i := range want {
					if d := math.Abs(float64(got[i] - want[i])); !(d < 5e-5) {
						t.Fatalf("%s %s by %d: element %d: got %v, want %v", k.name, typ, step, i, got[i], want[i])
					}
					if got[i] != whole[i] {
						t.Fatalf("%s %s by %d: element %d is %v, but %v in a batch of %d", k.name, typ, step, i, got[i], whole[i], n)
					}
				}
			}
		}
	}
}

// FuzzPackers: whatever bytes a file holds, every packer writes what the portable
// one does, except for the payloads of NaNs.
func FuzzPackers(f *testing.F) {
	for i, typ := range quantTypes {
		f.Add(byte(i), byte(1), randomBlocks(newRand(8), typ, panelRows, typ.BlockLen()))
	}
	f.Add(byte(4), byte(3), bytes.Repeat([]byte{0xff, 0x7f}, 99))
	f.Fuzz(func(t *testing.T, which, blocks byte, data []byte) {
		typ, n := quantTypes[int(which)%len(quantTypes)], 1+int(blocks)%4
		if len(data) == 0 {
			return
		}
		f, stride := &formats[typ], n*typ.BlockBytes()
		src := bytes.Repeat(data, 1+panelRows*stride/len(data))
		size := n * typ.BlockLen() / f.cols * f.panelBytes()
		want := make([]byte, size)
		packPortable(typ, &want[0], &src[0], stride, n)
		for _, k := range quantLevels() {
			got := make([]byte, size)
			k.pack[typ](&got[0], &src[0], stride, n, &src[0], 1)
			for at := 0; at < size; at += 4 {
				if bytes.Equal(got[at:at+4], want[at:at+4]) {
					continue
				}
				scale := at%f.panelBytes() >= panelRows*f.cols
				if a, b := floatAt(got, at), floatAt(want, at); !scale || a == a || b == b {
					t.Fatalf("%s %s: panels differ at %d: got %x, want %x", k.name, typ, at, got[at:at+4], want[at:at+4])
				}
			}
		}
	})
}

func TestQuantMatMulAllocatesNothing(t *testing.T) {
	r := newRand(9)
	pool := NewPool(2)
	defer pool.Close()
	weights := make([]Matrix, len(quantTypes))
	products := make([]Product, len(quantTypes))
	const n, rows, cols = 3, 40, 512
	for i, typ := range quantTypes {
		w, err := NewMatrix(typ, rows, cols, randomBlocks(r, typ, rows, cols))
		if err != nil {
			t.Fatal(err)
		}
		weights[i] = w
		products[i] = Product{W: &weights[i], Dst: make([]float32, n*rows)}
	}
	x := randomFloats(r, n*cols)
	var s Scratch
	MatMulMany(pool, &s, x, n, products)
	for _, p := range products {
		checkProduct(t, p.W.Type.String(), p.W, x, p.Dst, n)
	}
	allocs := testing.AllocsPerRun(20, func() {
		MatMulMany(pool, &s, x, n, products)
		MatMul(pool, &s, products[0].Dst, x, n, products[0].W)
	})
	if allocs > 0 {
		t.Errorf("%v allocations per product", allocs)
	}
}

// TestQuantMatMulShowsNaN: what is not finite stays visible behind integers, in
// its own row only.
func TestQuantMatMulShowsNaN(t *testing.T) {
	r := newRand(10)
	const n, rows, cols = 3, 16, 512
	for _, k := range quantLevels() {
		for _, typ := range quantTypes {
			w, err := NewMatrix(typ, rows, cols, randomBlocks(r, typ, rows, cols))
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
				x, got := randomFloats(r, n*cols), make([]float32, n*rows)
				x[cols+r.IntN(cols)] = bad
				task := quantTask{products: []Product{{W: &w, Dst: got}}}
				task.run(nil, k.quantKernels, x, n)
				for i, v := range got {
					if finite := v-v == 0; finite == (i/rows == 1) {
						t.Fatalf("%s %s: %v in row 1 of x gives %v in row %d", k.name, typ, bad, v, i/rows)
					}
				}
			}
		}
	}
}
