//go:build amd64 || arm64

package kernel

import "unsafe"

// A call of assembly does at most about this much, half a millisecond's worth.
const (
	maxDot  = 1 << 20 // columns of a weight's rows, times four rows
	maxCols = 1024    // of a weighted sum of rows
	maxRows = 4096    // of a weighted sum of rows
)

// tileRows returns how many rows of x the next tile takes of those that are
// left: as many as it holds, but two even tiles rather than a full and a thin
// one, because a thin tile waits for its loads.
func tileRows(left, limit int) int {
	switch {
	case left <= limit:
		return left
	case left < 2*limit:
		return (left + 1) / 2
	}
	return limit
}

// dotTilesOf computes a·bᵀ by tiles of up to limit rows.
func dotTilesOf(p *gemm, limit int) {
	whole := p.n &^ 3
	for i := 0; i < p.m; {
		m := tileRows(p.m-i, limit)
		dst, x := p.dst[i*p.ldd:], &p.a[i*p.lda]
		for j, most := 0, 4*max(maxDot/p.k, 1); j < whole; j += most {
			dotTile(p, &dst[j], p.ldd, x, p.row(j), p.ldb, m, min(most, whole-j)/4)
		}
		if whole < p.n {
			dotRest(p, dst, x, m)
		}
		i += m
	}
}

// dotRest computes the last columns, fewer than four, through a tile of four:
// the last four rows of y, or one row four times if there are no four.
func dotRest(p *gemm, dst []float32, x *float32, m int) {
	var out [6 * 4]float32
	q := *p
	q.add = 0
	rest := p.n & 3
	if p.n >= 4 {
		dotTile(&q, &out[0], 4, x, p.row(p.n-4), p.ldb, m, 1)
		for i := range m {
			p.put(dst[i*p.ldd+p.n-rest:][:rest], out[4*i+4-rest:])
		}
		return
	}
	for j := range rest {
		dotTile(&q, &out[0], 4, x, p.row(j), 0, m, 1)
		for i := range m {
			p.put(dst[i*p.ldd+j:][:1], out[4*i:])
		}
	}
}

// row returns row j of y.
func (p *gemm) row(j int) *byte { return p.element(j * p.ldb) }

// element returns where element i of b is.
func (p *gemm) element(i int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(p.b), i*p.t.BlockBytes()))
}

// put stores sums, or adds them.
func (p *gemm) put(dst, sums []float32) {
	for i := range dst {
		if p.add == 0 {
			dst[i] = 0
		}
		dst[i] += sums[i]
	}
}

// rowsTilesOf computes a·b by tiles of up to limit rows.
func rowsTilesOf(p *gemm, limit int) {
	for i := 0; i < p.m; {
		m := tileRows(p.m-i, limit)
		for j := 0; j < p.n; j += maxCols {
			q := *p
			q.m, q.n = m, min(maxCols, p.n-j)
			q.dst = p.dst[i*p.ldd+j:]
			for l := 0; l < p.k; l += maxRows {
				q.k, q.a, q.b = min(maxRows, p.k-l), p.a[i*p.lda+l:], p.element(l*p.ldb+j)
				rowsTile(&q)
				q.add = 1
			}
		}
		i += m
	}
}
