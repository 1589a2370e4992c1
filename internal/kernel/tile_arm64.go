package kernel

//go:generate go -C gen run ./neon

// neonRows is how many rows a tile has.
const neonRows = 6

// dotTiles computes a·bᵀ, and reports false if there is no vector code for it.
func dotTiles(p *gemm) bool {
	if p.k == 0 || active == levelPortable {
		return false
	}
	dotTilesOf(p, neonRows)
	return true
}

// dotTile is one call of assembly: m rows of x by 4·groups rows of y.
func dotTile(p *gemm, dst *float32, ldd int, x *float32, y *byte, ldy, m, groups int) {
	switch p.t {
	case F32:
		dotF32NEON(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	case F16:
		dotF16NEON(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	case BF16:
		dotBF16NEON(dst, ldd, x, p.lda, y, ldy, m, p.k, groups, p.add)
	}
}

// rowsTiles computes a·b, and reports false if there is no vector code for it.
func rowsTiles(p *gemm) bool {
	if p.k == 0 || active == levelPortable {
		return false
	}
	rowsTilesOf(p, neonRows)
	return true
}

// rowsTile is one call of assembly.
func rowsTile(p *gemm) {
	if p.t == F32 {
		rowsF32NEON(&p.dst[0], p.ldd, &p.a[0], p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	} else {
		rowsF16NEON(&p.dst[0], p.ldd, &p.a[0], p.lda, p.b, p.ldb, p.m, p.n, p.k, p.add)
	}
}

// halvesInPlace reports whether rows of F16 and BF16 are multiplied where they lie.
func halvesInPlace(int) bool { return active != levelPortable }

// The tiles of tile_arm64.s. m is at most neonRows; k and n need not be multiples
// of a vector.

//go:noescape
func dotF32NEON(dst *float32, ldd int, x *float32, ldx int, w *byte, ldw, m, k, groups, add int)

//go:noescape
func dotF16NEON(dst *float32, ldd int, x *float32, ldx int, w *byte, ldw, m, k, groups, add int)

//go:noescape
func dotBF16NEON(dst *float32, ldd int, x *float32, ldx int, w *byte, ldw, m, k, groups, add int)

//go:noescape
func rowsF32NEON(dst *float32, ldd int, a *float32, lda int, b *byte, ldb, m, n, k, add int)

//go:noescape
func rowsF16NEON(dst *float32, ldd int, a *float32, lda int, b *byte, ldb, m, n, k, add int)
