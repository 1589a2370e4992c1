package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestProduct: results are set or added to, with a bias and an activation or
// without, for so few rows that nothing is packed and for so many that floats
// are, over weights that end within a panel and columns that end within a block.
func TestProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	p := NewPool(2)
	defer p.Close()
	atEveryLevel(t, func(t *testing.T) {
		var s Scratch
		for _, typ := range []Type{F32, F16, BF16, Q8_0, Q4_K} {
			for _, cols := range []int{1, 37, 256, 1536 + 256} {
				if cols%typ.BlockLen() != 0 {
					continue
				}
				for _, rows := range []int{1, 50, 241} {
					for _, n := range []int{1, 9, 131} {
						add, bias, act := r.IntN(2) == 1, r.IntN(2) == 1, r.IntN(2) == 1
						testProduct(t, r, p, &s, typ, n, rows, cols, add, bias, act)
					}
				}
			}
		}
		testProduct(t, r, p, &s, F32, 1200, 400, 32, true, true, true)
	})
}

func testProduct(t *testing.T, r *rand.Rand, p *Pool, s *Scratch, typ Type, n, rows, cols int, add, bias, act bool) {
	t.Helper()
	w, x, was := random(r, rows*cols, 0), random(r, n*cols, 1), random(r, n*rows, 1)
	m := Product{Dst: append([]float32(nil), was...), Add: add}
	weight := store(t, typ, rows, cols, w)
	m.W = &weight
	if bias {
		m.Bias = random(r, rows, 3)
	}
	if act {
		m.Act = ReLU
	}
	plain := make([]float32, n*rows)
	MatMul(p, s, plain, x, n, m.W)
	MatMulMany(p, s, x, n, []Product{m})
	what := fmt.Sprintf("%s (%d, %d, %d), add %t, bias %t, activation %t", typ, n, rows, cols, add, bias, act)
	for i := range n {
		for j := range rows {
			var want, size float64
			if typ.Quantised() { // integers: checked elsewhere
				want, size = float64(plain[i*rows+j]), float64(cols)
			} else {
				for l := range cols {
					v := float64(x[i*cols+l]) * float64(w[j*cols+l])
					want, size = want+v, size+math.Abs(v)
				}
				near(t, plain[i*rows+j], want, size, "%s: alone, at (%d, %d)", what, i, j)
			}
			if add {
				want += float64(was[i*rows+j])
			}
			if bias {
				want += float64(m.Bias[j])
			}
			if act {
				want = max(want, 0)
			}
			near(t, m.Dst[i*rows+j], want, size+4, "%s: at (%d, %d)", what, i, j)
		}
	}
}

// TestPackedRows: with enough rows to pack the weights, a row's result depends
// neither on the others nor on threads.
func TestPackedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const rows, cols, many = 250, 100, 700
	w, x := store(t, F32, rows, cols, random(r, rows*cols, 0)), random(r, many*cols, 0)
	var s Scratch
	atEveryLevel(t, func(t *testing.T) {
		all := make([]float32, many*rows)
		p := NewPool(3)
		defer p.Close()
		MatMul(p, &s, all, x, many, &w)
		for _, first := range []int{0, 3, 500} {
			const n = 200
			some := make([]float32, n*rows)
			MatMul(nil, &s, some, x[first*cols:], n, &w)
			for i, v := range some {
				if v != all[first*rows+i] {
					t.Fatalf("rows from %d: %g at %d, %g among %d rows", first, v, i, all[first*rows+i], many)
				}
			}
		}
	})
}
