package kernel

import "sync"

const (
	// chunkCols is how many columns are packed before they are multiplied, so
	// that panels and tiles meet in the first cache: at most 10 KiB of panel and 8
	// KiB of tile.
	chunkCols = 512

	// panelsPerGroup is how many panels are packed before the tiles stream by.
	panelsPerGroup = 4

	// serialElements is how many activations are quantised without waking anyone.
	serialElements = 16 << 10
)

// quantTask is a product with quantised weights being computed. First the
// activations are quantised into tiles, then parts, each of which is a few panels
// of one weight, are packed and multiplied by all tiles.
type quantTask struct {
	kernels  *quantKernels
	products []Product
	x        []float32
	n, cols  int
	tile     int // rows of x in a tile; the last may have fewer
	part     int // panels in a part

	tiles   [tileFormats][]byte // by chunks, then tiles, then blocks
	needed  [tileFormats]*format
	buffers buffers
}

// run computes the products of x (n, cols). All weights are quantised.
func (t *quantTask) run(p *Pool, k *quantKernels, x []float32, n int) {
	if n == 0 || len(t.products) == 0 {
		return
	}
	check(t.products, x, n)
	t.kernels, t.x, t.n, t.cols = k, x, n, t.products[0].W.Cols
	panels, limit := 0, maxTile
	clear(t.needed[:])
	for i := range t.products {
		m := &t.products[i]
		w := m.W
		panels += panelsOf(w)
		if t.cols == 0 {
			if !m.Add {
				clear(m.Dst[:n*w.Rows])
			}
			m.finish(n, 0, w.Rows)
			continue
		}
		f := &formats[w.Type]
		t.needed[f.tile] = f
		limit = min(limit, k.tile[f.tile])
		if size := n * t.cols / f.cols * f.rowBytes(); cap(t.tiles[f.tile]) < size {
			t.tiles[f.tile] = make([]byte, size)
		}
	}
	if t.cols == 0 {
		return
	}
	// As few tiles as possible, as even as possible: thin ones wait for loads.
	tiles := (n + limit - 1) / limit
	t.tile = (n + tiles - 1) / tiles
	if tiles = (n + t.tile - 1) / t.tile; n*t.cols <= serialElements {
		for i := range tiles {
			(*quantizeTask)(t).Part(i)
		}
	} else {
		p.Run(tiles, (*quantizeTask)(t))
	}
	t.part = min(max(panels/(8*p.Threads()), 1), 2*panelsPerGroup)
	parts := 0
	for i := range t.products {
		parts += t.parts(i)
	}
	p.Run(parts, t)
	t.x = nil
}

func panelsOf(w *Matrix) int { return (w.Rows + panelRows - 1) / panelRows }

// chunk is the columns [at, at+cols) of a product, in elements.
type chunk struct{ at, cols int }

// tileBlock returns where the first block of tile i within chunk c is.
func (t *quantTask) tileBlock(f *format, c chunk, i int) []byte {
	at := c.at/f.cols*t.n + i*t.tile*c.cols/f.cols
	return t.tiles[f.tile][: t.n*t.cols/f.cols*f.rowBytes() : cap(t.tiles[f.tile])][at*f.rowBytes():]
}

// tileRows is the number of rows of tile i.
func (t *quantTask) tileRows(i int) int {
	return min(t.tile, t.n-i*t.tile)
}

// quantizeTask is the first half of a quantTask.
type quantizeTask quantTask

// Part quantises the rows of one tile, in every format that is needed.
func (q *quantizeTask) Part(i int) {
	t := (*quantTask)(q)
	m := t.tileRows(i)
	for tf, f := range t.needed {
		if f == nil {
			continue
		}
		unit := 256
		if f.tile == tileQ8_0 || f.tile == tileQ4_0 {
			unit = 32
		}
		for at := 0; at < t.cols; at += chunkCols {
			c := chunk{at, min(chunkCols, t.cols-at)}
			block := t.tileBlock(f, c, i)
			for r := range m {
				x := t.x[(i*t.tile+r)*t.cols+at:]
				t.kernels.quantize[tf](&block[r*f.cols], &x[0], c.cols/unit, m*f.rowBytes(),
					(m-r)*f.cols+4*r, m*(f.cols+4)-r*f.cols+4*r, -f.offset)
			}
		}
	}
}

// Part multiplies a few panels of one weight by all tiles.
func (t *quantTask) Part(part int) {
	i := 0
	for ; part >= t.parts(i); i++ {
		part -= t.parts(i)
	}
	b := t.buffers.take()
	defer t.buffers.give(b)
	group := panelsPerGroup
	if t.n <= t.tile {
		group = 1 // a panel is used once: while it is in the first cache
	}
	m := &t.products[i]
	end := min((part+1)*t.part, panelsOf(m.W))
	for panel := part * t.part; panel < end; panel += group {
		count := min(group, end-panel)
		t.multiply(b, m, panel, count)
		from := panel * panelRows
		m.finish(t.n, from, min(count*panelRows, m.W.Rows-from))
	}
}

// parts is the number of parts of weight i.
func (t *quantTask) parts(i int) int { return (panelsOf(t.products[i].W) + t.part - 1) / t.part }

// multiply computes count panels of a weight from panel on. Meanwhile it asks
// for the panels after them.
func (t *quantTask) multiply(b *panelBuffer, m *Product, panel, count int) {
	w, dst := m.W, m.Dst
	f, tiles := &formats[w.Type], (t.n+t.tile-1)/t.tile
	size := count * panelRows * w.Type.RowBytes(w.Cols)
	next := ahead{w.Data[min(len(w.Data), (panel*panelRows)*w.Type.RowBytes(w.Cols)+size):]}
	next.data = next.data[:min(len(next.data), size)]
	for at := 0; at < t.cols; at += chunkCols {
		c := chunk{at, min(chunkCols, t.cols-at)}
		for p := range count {
			var none ahead
			if tiles == 1 { // products alone have not the time to ask for all
				t.pack(b, w, panel+p, c, b.panels[p][:], &next)
			} else {
				t.pack(b, w, panel+p, c, b.panels[p][:], &none)
			}
		}
		sum := 1
		if at == 0 && !m.Add {
			sum = 0
		}
		for i := range tiles {
			tile, rows := t.tileBlock(f, c, i), t.tileRows(i)
			for p := range count {
				r := (panel + p) * panelRows
				out, ldd := dst[i*t.tile*w.Rows+r:], w.Rows
				if r+panelRows > w.Rows {
					t.multiplyLast(b, w, out, p, tile, c, rows, sum)
					continue
				}
				soon, step := next.take(c.cols/f.cols*productLines, &b.panels[p][0])
				t.kernels.product[f.product](&out[0], ldd, &b.panels[p][0], &tile[0], c.cols/f.cols, rows, sum, soon, step)
			}
		}
	}
}

// ahead is memory that will be needed soon.
type ahead struct{ data []byte }

// productLines is how many lines products prefetch with every block.
const productLines = 2

// take returns where to prefetch so many lines of 64 bytes from, and the step; or
// some address and 0 if there is nothing to prefetch.
func (a *ahead) take(lines int, some *byte) (from *byte, step int) {
	if len(a.data) == 0 {
		return some, 0
	}
	from = &a.data[0]
	a.data = a.data[min(len(a.data), lines*64):]
	return from, 1
}

// multiplyLast computes the panel that has fewer rows than 16.
func (t *quantTask) multiplyLast(b *panelBuffer, w *Matrix, dst []float32, p int, tile []byte, c chunk, m, sum int) {
	f, rows := &formats[w.Type], w.Rows%panelRows
	t.kernels.product[f.product](&b.out[0], panelRows, &b.panels[p][0], &tile[0], c.cols/f.cols, m, 0, &tile[0], 0)
	for i := range m {
		to, from := dst[i*w.Rows:][:rows], b.out[i*panelRows:]
		for r := range to {
			if sum == 0 {
				to[r] = from[r]
			} else {
				to[r] += from[r]
			}
		}
	}
}

// pack packs a chunk of a panel of w. Rows that are missing in the last panel are
// zero.
func (t *quantTask) pack(b *panelBuffer, w *Matrix, panel int, c chunk, dst []byte, next *ahead) {
	stride, from, size := w.Type.RowBytes(w.Cols), w.Type.RowBytes(c.at), w.Type.RowBytes(c.cols)
	src := w.Data[panel*panelRows*stride:]
	src = src[from:]
	if rows := w.Rows - panel*panelRows; rows < panelRows {
		clear(b.rows[:panelRows*size])
		for r := range rows {
			copy(b.rows[r*size:(r+1)*size], src[r*stride:])
		}
		src, stride = b.rows[:], size
	}
	blocks := c.cols / w.Type.BlockLen()
	soon, step := next.take(blocks*t.kernels.lines[w.Type], &dst[0])
	t.kernels.pack[w.Type](&dst[0], &src[0], stride, blocks, soon, step)
}

// panelBuffer is what one part needs while it runs.
type panelBuffer struct {
	panels [panelsPerGroup][chunkCols * 20]byte  // 20: Q4_K and Q6_K, per column
	rows   [panelRows * chunkCols * 34 / 32]byte // of the last panel
	out    [maxTile * panelRows]float32
}

// maxTile is the largest tile of any implementation.
const maxTile = 12

// buffers are the panelBuffers that no part uses.
type buffers struct {
	mu   sync.Mutex
	free []*panelBuffer
}

func (b *buffers) take() *panelBuffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free = b.free[:n-1]
		return p
	}
	return new(panelBuffer)
}

func (b *buffers) give(p *panelBuffer) {
	b.mu.Lock()
	b.free = append(b.free, p)
	b.mu.Unlock()
}
