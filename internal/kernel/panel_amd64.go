package kernel

import "unsafe"

//go:generate go -C gen run ./float -unit panel -pkg kernel -out ../panel_amd64.s -stubs ../panel_stubs_amd64.go

// The tile of the products with packed weights.
const (
	packRows  = 48 // rows of a weight in a panel, one per lane
	packTile  = 8  // rows of x: as many as a set of the first cache has ways
	packLanes = 16

	// packCols bounds the columns of a panel, packGroup the panels that pass a tile
	// while it is in the first cache: at most 590 KiB, which the second cache
	// holds beside the tiles that come and go.
	packCols  = 768
	packGroup = 4

	// minPacked is from how many rows of x on the packing pays. With fewer, x stays
	// in the second cache and dotTile has nothing to wait for.
	minPacked = 128

	// minPackedRows is how many rows of x a part takes at least.
	minPackedRows = 192
)

// panelCut is how the panels of a product are cut into parts: a part is a group
// of panels of one weight and a block of rows of x.
type panelCut struct{ blocks, blockRows int }

// panelTask is a matmulTask whose weights are packed.
type panelTask matmulTask

// runPanels computes the products of many rows, and reports false if there are
// not enough.
func (t *matmulTask) runPanels(p *Pool) bool {
	if t.n < minPacked || t.ld == 0 || active < levelAVX512 {
		return false
	}
	groups := 0
	for i := range t.products {
		groups += panelGroups(t.products[i].W)
	}
	want := (partsPerThread*p.Threads() + groups - 1) / max(groups, 1)
	blocks := max(1, min(want, t.n/minPackedRows))
	t.panels.blockRows = ((t.n+blocks-1)/blocks + packTile - 1) &^ (packTile - 1)
	t.panels.blocks = (t.n + t.panels.blockRows - 1) / t.panels.blockRows
	p.Run(groups*t.panels.blocks, (*panelTask)(t))
	return true
}

func panelGroups(w *Matrix) int { return (w.Rows + packRows*packGroup - 1) / (packRows * packGroup) }

// Part multiplies one block of rows of x by one group of panels.
func (t *panelTask) Part(part int) {
	group, block := part/t.panels.blocks, part%t.panels.blocks
	i := 0
	for ; group >= panelGroups(t.products[i].W); i++ {
		group -= panelGroups(t.products[i].W)
	}
	m := &t.products[i]
	first := block * t.panels.blockRows
	from := group * packRows * packGroup
	t.multiply(m, first, min(t.panels.blockRows, t.n-first), from, min(packRows*packGroup, m.W.Rows-from))
}

// multiply writes n rows of a result from first on, and of them the columns
// [from, from+rows).
func (t *panelTask) multiply(m *Product, first, n, from, rows int) {
	w := m.W
	blocks := (w.Cols + packCols - 1) / packCols
	step := ((w.Cols+blocks-1)/blocks + 15) &^ 15
	panels := (rows + packRows - 1) / packRows
	buffer := (*matmulTask)(t).take(panels * packRows * (1 + step))
	defer (*matmulTask)(t).give(buffer)
	dst, x := m.Dst[first*w.Rows:], t.x[first*t.ld:]
	for k := 0; k < w.Cols; k += step {
		cols := min(step, w.Cols-k)
		size, add := packRows*(1+cols), 1
		if k == 0 && !m.Add {
			add = 0
		}
		for p := range panels {
			r := from + p*packRows
			t.pack(buffer[p*size:(p+1)*size], m, r, min(packRows, w.Rows-r), k, cols)
		}
		for i := 0; i < n; i += packTile {
			tile := min(packTile, n-i)
			for p := range panels {
				r := from + p*packRows
				// Each panel asks for two rows of the next tile.
				ahead := min(i+packTile+2*p, n-2)
				panelAVX512(&dst[i*w.Rows+r], w.Rows, &x[i*t.ld+k], t.ld, &buffer[p*size], tile, cols, min(packRows, w.Rows-r), add, &x[max(ahead, 0)*t.ld+k])
			}
			if m.Act != nil && k+cols == w.Cols {
				for j := i; j < i+tile; j++ {
					m.Act(dst[j*w.Rows+from : j*w.Rows+from+rows])
				}
			}
		}
	}
}

// pack writes the columns [k, k+cols) of rows of a weight from first on into a
// panel, behind the bias, which the sums of the first columns start from. Lanes
// behind the last row keep what they have.
func (t *panelTask) pack(panel []float32, m *Product, first, rows, k, cols int) {
	w := m.W
	clear(panel[:packRows])
	if m.Bias != nil && k == 0 {
		copy(panel, m.Bias[first:first+rows])
	}
	panel = panel[packRows:]
	size := w.Type.RowBytes(w.Cols)
	data, ld := unsafe.Pointer(&w.Data[first*size+w.Type.RowBytes(k)]), w.Cols
	if w.Type != F32 {
		widened := (*matmulTask)(t).take(rows * cols)
		defer (*matmulTask)(t).give(widened)
		for r := range rows {
			at := (first + r) * size
			Dequantize(w.Type, widened[r*cols:(r+1)*cols], w.Data[at+w.Type.RowBytes(k):at+w.Type.RowBytes(k+cols)])
		}
		data, ld = unsafe.Pointer(&widened[0]), cols
	}
	lane, whole := 0, cols&^15
	for ; lane+packLanes <= rows && whole > 0; lane += packLanes {
		packPanelAVX512(&panel[lane], (*byte)(unsafe.Add(data, 4*lane*ld)), ld, whole/16)
	}
	p := gemm{t: F32, b: (*byte)(data)}
	for r := range rows {
		from := whole
		if r >= lane {
			from = 0
		}
		for c := from; c < cols; c++ {
			panel[c*packRows+r] = p.at(r*ld + c)
		}
	}
}
