package kernel

import (
	"fmt"
	"sync"
	"unsafe"
)

const (
	// blockCols bounds how far along k one sweep over the rows of a block goes, so
	// that the tile's 6 rows of x stay in the first cache. Measured: 256 is 8 %
	// slower, 1536 no faster.
	blockCols = 1024

	// Rows of a weight that one part multiplies. They stay in the second cache
	// while all rows of x pass by.
	minPartRows = 8
	maxPartRows = 64

	// Rows at multiples of 2 KiB fall into few sets of the first cache. From
	// minPadRows rows of x on, it pays to copy them apart.
	crowdedCols = 512
	padCols     = 16
	minPadRows  = 4

	// serialCopy is how many elements are copied without waking anyone.
	serialCopy = 32 << 10

	// partsPerThread evens out that threads are not equally fast.
	partsPerThread = 4
)

// Scratch holds the buffers of one running forward. The zero value is ready; it
// grows to what the largest call needs and stays. Calls that run at the same
// time need a Scratch each.
type Scratch struct {
	task  matmulTask
	quant quantTask
}

// MatMul writes dst (n, w.Rows) = x (n, w.Cols) · wᵀ, on all threads of the pool.
// Products with F32, F16 and BF16 weights are sums in float32 whose order depends
// neither on n nor on the number of threads. It panics if dst or x is too short.
func MatMul(p *Pool, s *Scratch, dst, x []float32, n int, w *Matrix) {
	if w.Type.Quantised() {
		t := &s.quant
		t.weights, t.dst = append(t.weights[:0], w), append(t.dst[:0], dst)
		t.run(p, quantAt(active), x, n)
		return
	}
	t := &s.task
	t.weights, t.dst = append(t.weights[:0], w), append(t.dst[:0], dst)
	t.run(p, x, n)
}

// MatMulMany multiplies one x by several weights with as many columns, in one
// parallel region, or two if only some are quantised:
// dst[i] (n, w[i].Rows) = x (n, w[i].Cols) · w[i]ᵀ.
func MatMulMany(p *Pool, s *Scratch, dst [][]float32, x []float32, n int, w []*Matrix) {
	if len(dst) != len(w) {
		panic(fmt.Sprintf("kernel: %d results for %d weights", len(dst), len(w)))
	}
	t, q := &s.task, &s.quant
	t.weights, t.dst = t.weights[:0], t.dst[:0]
	q.weights, q.dst = q.weights[:0], q.dst[:0]
	for i, m := range w {
		if m.Type.Quantised() {
			q.weights, q.dst = append(q.weights, m), append(q.dst, dst[i])
		} else {
			t.weights, t.dst = append(t.weights, m), append(t.dst, dst[i])
		}
	}
	t.run(p, x, n)
	q.run(p, quantAt(active), x, n)
}

// matmulTask is a product being computed. Parts number blocks of rows through
// all weights.
type matmulTask struct {
	weights  []*Matrix
	dst      [][]float32
	x        []float32
	n, ld    int // rows of x, and how far apart they are
	partRows int
	padded   []float32 // x with its rows apart, if they are crowded

	mu   sync.Mutex
	free [][]float32 // dequantised rows, between parts
}

func (t *matmulTask) run(p *Pool, x []float32, n int) {
	if len(t.weights) == 0 || n == 0 {
		return
	}
	rows, cols := 0, t.weights[0].Cols
	for i, w := range t.weights {
		if w.Cols != cols || len(x) < n*cols || len(t.dst[i]) < n*w.Rows {
			panic(fmt.Sprintf("kernel: (%d, %d) = (%d, %d) · (%d, %d)ᵀ with %d and %d elements",
				n, w.Rows, n, cols, w.Rows, w.Cols, len(t.dst[i]), len(x)))
		}
		rows += w.Rows
	}
	t.partRows = min(max(rows/(partsPerThread*p.Threads())&^7, minPartRows), maxPartRows)
	parts := 0
	for _, w := range t.weights {
		parts += t.parts(w)
	}
	t.x, t.n, t.ld = x, n, cols
	if n >= minPadRows && cols > 0 && cols%crowdedCols == 0 && active != levelPortable {
		t.pad(p)
	}
	p.Run(parts, t)
	clear(t.weights)
	clear(t.dst)
	t.x = nil
}

// pad copies the rows of x apart.
func (t *matmulTask) pad(p *Pool) {
	size := t.n * (t.ld + padCols)
	if cap(t.padded) < size {
		t.padded = make([]float32, size)
	}
	t.padded = t.padded[:size]
	if t.n*t.ld <= serialCopy {
		for i := range t.n {
			(*padTask)(t).Part(i)
		}
	} else {
		p.Run(t.n, (*padTask)(t))
	}
	t.x, t.ld = t.padded, t.ld+padCols
}

// padTask is the first half of a matmulTask whose rows are crowded.
type padTask matmulTask

// Part copies one row of x.
func (t *padTask) Part(i int) {
	copy(t.padded[i*(t.ld+padCols):], t.x[i*t.ld:(i+1)*t.ld])
}

func (t *matmulTask) parts(w *Matrix) int { return (w.Rows + t.partRows - 1) / t.partRows }

// Part multiplies one block of rows.
func (t *matmulTask) Part(part int) {
	for i, w := range t.weights {
		if parts := t.parts(w); part >= parts {
			part -= parts
			continue
		}
		from := part * t.partRows
		t.multiply(t.dst[i], w, from, min(t.partRows, w.Rows-from))
		return
	}
}

// multiply writes the columns [from, from+rows) of dst.
func (t *matmulTask) multiply(dst []float32, w *Matrix, from, rows int) {
	size := w.Type.RowBytes(w.Cols)
	data := w.Data[from*size : (from+rows)*size]
	p := gemm{t: w.Type, dst: dst[from:], ldd: w.Rows, a: t.x, lda: t.ld, b: unsafe.SliceData(data), ldb: w.Cols, m: t.n, n: rows}
	if w.Type.Quantised() || w.Type != F32 && !halvesInPlace(w.Cols) {
		block := t.take(rows * w.Cols)
		defer t.give(block)
		for r := range rows {
			w.Row(block[r*w.Cols:(r+1)*w.Cols], from+r)
		}
		p.t, p.b = F32, (*byte)(unsafe.Pointer(unsafe.SliceData(block)))
	}
	blocks := max((w.Cols+blockCols-1)/blockCols, 1)
	step := ((w.Cols+blocks-1)/blocks + 15) &^ 15
	for k := 0; k < w.Cols || k == 0; k += max(step, 1) {
		q := p
		q.k = min(step, w.Cols-k)
		q.a = p.a[k:]
		q.b = (*byte)(unsafe.Add(unsafe.Pointer(p.b), k*p.t.BlockBytes()))
		q.add = min(k, 1)
		q.dot()
	}
}

// take returns a buffer of n elements that no other part uses.
func (t *matmulTask) take(n int) []float32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.free) - 1; last >= 0 {
		b := t.free[last]
		t.free = t.free[:last]
		if cap(b) >= n {
			return b[:n]
		}
	}
	return make([]float32, n)
}

func (t *matmulTask) give(b []float32) {
	t.mu.Lock()
	t.free = append(t.free, b)
	t.mu.Unlock()
}
