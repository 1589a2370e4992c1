package kernel

import "fmt"

// rowsPerPart is how many rows of a weight one part of a parallel region
// multiplies.
const rowsPerPart = 32

// Scratch holds the buffers of one running forward. The zero value is ready; it
// grows to what the largest call needs and stays. Calls that run at the same
// time need a Scratch each.
type Scratch struct {
	task matmulTask
}

// MatMul writes dst (n, w.Rows) = x (n, w.Cols) · wᵀ, on all threads of the pool.
// It panics if dst or x is too short.
func MatMul(p *Pool, s *Scratch, dst, x []float32, n int, w *Matrix) {
	t := &s.task
	t.weights, t.dst = append(t.weights[:0], w), append(t.dst[:0], dst)
	t.run(p, x, n)
}

// MatMulMany multiplies one x by several weights with as many columns, in one
// parallel region: dst[i] (n, w[i].Rows) = x (n, w[i].Cols) · w[i]ᵀ.
func MatMulMany(p *Pool, s *Scratch, dst [][]float32, x []float32, n int, w []*Matrix) {
	if len(dst) != len(w) {
		panic(fmt.Sprintf("kernel: %d results for %d weights", len(dst), len(w)))
	}
	t := &s.task
	t.weights, t.dst = append(t.weights[:0], w...), append(t.dst[:0], dst...)
	t.run(p, x, n)
}

// matmulTask is a product being computed. Parts number blocks of rows through
// all weights.
type matmulTask struct {
	weights []*Matrix
	dst     [][]float32
	x       []float32
	n       int
	rows    [][]float32 // one dequantised row per part
}

func (t *matmulTask) run(p *Pool, x []float32, n int) {
	if len(t.weights) == 0 || n == 0 {
		return
	}
	parts, cols := 0, t.weights[0].Cols
	for i, w := range t.weights {
		if w.Cols != cols || len(x) < n*cols || len(t.dst[i]) < n*w.Rows {
			panic(fmt.Sprintf("kernel: (%d, %d) = (%d, %d) · (%d, %d)ᵀ with %d and %d elements",
				n, w.Rows, n, cols, w.Rows, w.Cols, len(t.dst[i]), len(x)))
		}
		parts += (w.Rows + rowsPerPart - 1) / rowsPerPart
	}
	for len(t.rows) < parts {
		t.rows = append(t.rows, nil)
	}
	t.x, t.n = x, n
	p.Run(parts, t)
	clear(t.dst)
	t.x = nil
}

// Part multiplies one block of rows.
func (t *matmulTask) Part(part int) {
	buffer := &t.rows[part]
	for i, w := range t.weights {
		blocks := (w.Rows + rowsPerPart - 1) / rowsPerPart
		if part >= blocks {
			part -= blocks
			continue
		}
		if cap(*buffer) < w.Cols {
			*buffer = make([]float32, w.Cols)
		}
		row, dst := (*buffer)[:w.Cols], t.dst[i]
		for r := part * rowsPerPart; r < min(w.Rows, (part+1)*rowsPerPart); r++ {
			w.Row(row, r)
			for j := range t.n {
				dst[j*w.Rows+r] = dotPortable(t.x[j*w.Cols:(j+1)*w.Cols], row)
			}
		}
		return
	}
}
