package kernel

//go:generate go -C gen run ./float -unit dot -pkg kernel -out ../dot_amd64.s -stubs ../dot_amd64.go
//go:generate go -C gen run ./float -unit rows -pkg kernel -out ../rows_amd64.s -stubs ../rows_amd64.go

import "unsafe"

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

// dotTiles computes x·yᵀ, and reports false if there is no vector code for it.
func dotTiles(p *gemm) bool {
	switch {
	case p.k == 0 || active == levelPortable:
		return false
	case active >= levelAVX512:
		dotTilesOf(p, 6)
	case p.t != F32 && p.k%8 != 0:
		return false // AVX2 cannot read part of a vector of halves
	default:
		dotTilesOf(p, 3)
	}
	return true
}

func dotTilesOf(p *gemm, limit int) {
	whole := p.n &^ 3
	for i := 0; i < p.m; {
		m := tileRows(p.m-i, limit)
		dst, x := p.dst[i*p.ldd:], &p.a[i*p.lda]
		if whole > 0 {
			dotTile(p, &dst[0], p.ldd, x, p.b, p.ldb, m, whole/4)
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
func (p *gemm) row(j int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(p.b), j*p.ldb*p.t.BlockBytes()))
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

// dotTile is one call of assembly: m rows of x by 4·groups rows of y.
func dotTile(p *gemm, dst *float32, ldd int, x *float32, y *byte, ldy, m, groups int) {
	if active >= levelAVX512 {
		ahead := 8 * ldy * p.t.BlockBytes() // two groups of rows
		switch p.t {
		case F32:
			dotF32AVX512(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add, ahead)
		case F16:
			dotF16AVX512(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add, ahead)
		case BF16:
			dotBF16AVX512(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add, ahead)
		}
		return
	}
	switch p.t {
	case F32:
		dotF32AVX2(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	case F16:
		dotF16AVX2(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	case BF16:
		dotBF16AVX2(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	}
}

// rowsTiles computes x·y, and reports false if there is no vector code for it.
func rowsTiles(p *gemm) bool {
	limit := 6
	switch {
	case p.k == 0 || active == levelPortable:
		return false
	case active >= levelAVX512:
	case p.t != F32 && p.n%8 != 0:
		return false
	default:
		limit = 3
	}
	for i := 0; i < p.m; {
		m := tileRows(p.m-i, limit)
		dst, a := &p.dst[i*p.ldd], &p.a[i*p.lda]
		switch {
		case limit == 6 && p.t == F32:
			rowsF32AVX512(dst, p.ldd, a, p.lda, p.b, p.ldb, m, p.n, p.k, p.add)
		case limit == 6:
			rowsF16AVX512(dst, p.ldd, a, p.lda, p.b, p.ldb, m, p.n, p.k, p.add)
		case p.t == F32:
			rowsF32AVX2(dst, p.ldd, a, p.lda, p.b, p.ldb, m, p.n, p.k, p.add)
		default:
			rowsF16AVX2(dst, p.ldd, a, p.lda, p.b, p.ldb, m, p.n, p.k, p.add)
		}
		i += m
	}
	return true
}

// halvesInPlace reports whether rows of cols F16 or BF16 can be multiplied where
// they lie. AVX2 cannot read part of a vector of halves.
func halvesInPlace(cols int) bool {
	return active >= levelAVX512 || active == levelAVX2 && cols%8 == 0
}
