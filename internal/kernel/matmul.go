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
	one   [1]Product
}

// Product is a weight that x is multiplied by, and what becomes of x·wᵀ.
type Product struct {
	W    *Matrix
	Dst  []float32         // (n, W.Rows)
	Add  bool              // to what Dst holds, instead of replacing it
	Bias []float32         // (W.Rows), added to every row; nil: none
	Act  func(x []float32) // elementwise, in place, at last; nil: none
}

// finish adds the bias to columns [from, from+cols) of the n rows of Dst and
// applies the activation: by the thread that just wrote them.
func (p *Product) finish(n, from, cols int) {
	if p.Bias == nil && p.Act == nil {
		return
	}
	for i := range n {
		at := i*p.W.Rows + from
		row := p.Dst[at : at+cols]
		if p.Bias != nil {
			Add(row, p.Bias[from:from+cols])
		}
		if p.Act != nil {
			p.Act(row)
		}
	}
}

// MatMul writes dst (n, w.Rows) = x (n, w.Cols) · wᵀ, on all threads of the pool.
// Products with F32, F16 and BF16 weights are sums in float32 whose order depends
// on no number of threads, and on n only by whether there are rows enough to pack the
// weights for (see the package comment). It panics if dst or x is too short.
func MatMul(p *Pool, s *Scratch, dst, x []float32, n int, w *Matrix) {
	s.one[0] = Product{W: w, Dst: dst}
	MatMulMany(p, s, x, n, s.one[:])
}

// MatMulMany multiplies one x (n, cols) by several weights with as many columns,
// in one parallel region, or two if only some are quantised.
func MatMulMany(p *Pool, s *Scratch, x []float32, n int, products []Product) {
	t, q := &s.task, &s.quant
	t.products, q.products = t.products[:0], q.products[:0]
	for _, m := range products {
		if m.W.Type.Quantised() {
			q.products = append(q.products, m)
		} else {
			t.products = append(t.products, m)
		}
	}
	t.run(p, x, n)
	q.run(p, quantAt(active), x, n)
	clear(t.products)
	clear(q.products)
	s.one[0] = Product{}
}

// check panics unless the products hold what the shapes say. It returns the
// number of rows of all weights.
func check(products []Product, x []float32, n int) (rows int) {
	cols := products[0].W.Cols
	for i := range products {
		p := &products[i]
		if p.W.Cols != cols || len(x) < n*cols || len(p.Dst) < n*p.W.Rows || p.Bias != nil && len(p.Bias) < p.W.Rows {
			panic(fmt.Sprintf("kernel: (%d, %d) = (%d, %d) · (%d, %d)ᵀ with %d and %d elements and a bias of %d",
				n, p.W.Rows, n, cols, p.W.Rows, p.W.Cols, len(p.Dst), len(x), len(p.Bias)))
		}
		rows += p.W.Rows
	}
	return rows
}

// matmulTask is a product with float weights being computed. Parts number blocks
// of rows through all weights.
type matmulTask struct {
	products []Product
	x        []float32
	n, ld    int // rows of x, and how far apart they are
	partRows int
	padded   []float32 // x with its rows apart, if they are crowded
	panels   panelCut

	mu   sync.Mutex
	free [][]float32 // dequantised rows and panels, between parts
}

func (t *matmulTask) run(p *Pool, x []float32, n int) {
	if len(t.products) == 0 || n == 0 {
		return
	}
	rows, cols := check(t.products, x, n), t.products[0].W.Cols
	t.x, t.n, t.ld = x, n, cols
	if t.runPanels(p) {
		t.x = nil
		return
	}
	t.partRows = min(max(rows/(partsPerThread*p.Threads())&^7, minPartRows), maxPartRows)
	parts := 0
	for i := range t.products {
		parts += t.parts(t.products[i].W)
	}
	if n >= minPadRows && cols > 0 && cols%crowdedCols == 0 && active != levelPortable {
		t.pad(p)
	}
	p.Run(parts, t)
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
	for i := range t.products {
		m := &t.products[i]
		if parts := t.parts(m.W); part >= parts {
			part -= parts
			continue
		}
		from := part * t.partRows
		rows := min(t.partRows, m.W.Rows-from)
		t.multiply(m, from, rows)
		m.finish(t.n, from, rows)
		return
	}
}

// multiply writes the columns [from, from+rows) of a result.
func (t *matmulTask) multiply(m *Product, from, rows int) {
	w := m.W
	size := w.Type.RowBytes(w.Cols)
	data := w.Data[from*size : (from+rows)*size]
	p := gemm{t: w.Type, dst: m.Dst[from:], ldd: w.Rows, a: t.x, lda: t.ld, b: unsafe.SliceData(data), ldb: w.Cols, m: t.n, n: rows}
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
		if q.add = min(k, 1); m.Add {
			q.add = 1
		}
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
