package kernel

//go:generate go -C gen run ./float -unit dot -pkg kernel -out ../dot_amd64.s -stubs ../dot_amd64.go
//go:generate go -C gen run ./float -unit rows -pkg kernel -out ../rows_amd64.s -stubs ../rows_amd64.go

// dotTiles computes a·bᵀ, and reports false if there is no vector code for it.
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

// rowsTiles computes a·b, and reports false if there is no vector code for it.
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
	rowsTilesOf(p, limit)
	return true
}

// rowsTile is one call of assembly.
func rowsTile(p *gemm) {
	dst, a := &p.dst[0], &p.a[0]
	switch wide := active >= levelAVX512; {
	case wide && p.t == F32:
		rowsF32AVX512(dst, p.ldd, a, p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	case wide:
		rowsF16AVX512(dst, p.ldd, a, p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	case p.t == F32:
		rowsF32AVX2(dst, p.ldd, a, p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	default:
		rowsF16AVX2(dst, p.ldd, a, p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	}
}

// halvesInPlace reports whether rows of cols F16 or BF16 can be multiplied where
// they lie. AVX2 cannot read part of a vector of halves.
func halvesInPlace(cols int) bool {
	return active >= levelAVX512 || active == levelAVX2 && cols%8 == 0
}
