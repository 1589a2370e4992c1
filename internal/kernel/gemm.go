package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// gemm is one matrix product on the calling goroutine: dst (m, n) = a (m, k) ·
// b, where b is (n, k), transposed, for dotTiles and (k, n) for rowsTiles.
// Leading dimensions are in elements.
type gemm struct {
	t             Type // of b: F32, F16 or BF16
	dst, a        []float32
	b             *byte
	ldd, lda, ldb int
	m, n, k       int
	add           int // 1: add to dst instead of setting it
}

// check panics unless the operands hold what the shapes say. length is b's,
// rows × cols its shape.
func (p *gemm) check(length, rows, cols int) {
	if p.m < 0 || p.n < 0 || p.k < 0 || p.ldd < p.n || p.lda < p.k || p.ldb < cols && rows > 1 ||
		len(p.dst) < (p.m-1)*p.ldd+p.n || len(p.a) < (p.m-1)*p.lda+p.k || length < (rows-1)*p.ldb+cols {
		panic(fmt.Sprintf("kernel: a (%d, %d, %d) product in %d, %d and %d elements with rows of %d, %d and %d",
			p.m, p.n, p.k, len(p.dst), len(p.a), length, p.ldd, p.lda, p.ldb))
	}
}

// at returns element i of b.
func (p *gemm) at(i int) float32 {
	at := unsafe.Add(unsafe.Pointer(p.b), i*p.t.BlockBytes())
	switch p.t {
	case F32:
		return *(*float32)(at)
	case F16:
		return halfToFloat(*(*uint16)(at))
	}
	return math.Float32frombits(uint32(*(*uint16)(at)) << 16)
}

// dot computes a·bᵀ.
func (p *gemm) dot() {
	if p.m == 0 || p.n == 0 || dotTiles(p) {
		return
	}
	for i := range p.m {
		a := p.a[i*p.lda : i*p.lda+p.k]
		for j := range p.n {
			var sum float32
			if p.t == F32 && p.k > 0 {
				sum = dotPortable(a, unsafe.Slice((*float32)(unsafe.Pointer(p.b)), (p.n-1)*p.ldb+p.k)[j*p.ldb:][:p.k])
			} else {
				for l, v := range a {
					sum += v * p.at(j*p.ldb+l)
				}
			}
			if p.add != 0 {
				sum += p.dst[i*p.ldd+j]
			}
			p.dst[i*p.ldd+j] = sum
		}
	}
}

// rows computes a·b.
func (p *gemm) rows() {
	if p.m == 0 || p.n == 0 || rowsTiles(p) {
		return
	}
	for i := range p.m {
		out := p.dst[i*p.ldd : i*p.ldd+p.n]
		if p.add == 0 {
			clear(out)
		}
		for l, w := range p.a[i*p.lda : i*p.lda+p.k] {
			for j := range out {
				out[j] += w * p.at(l*p.ldb+j)
			}
		}
	}
}

// GemmNT writes dst (m, n) = a (m, k) · bᵀ with b (n, k), as attention needs for
// its scores. The leading dimensions are the distances between rows in
// elements. Like all the products below it runs on the calling goroutine and
// panics if an operand is too short.
func GemmNT(dst []float32, ldd int, a []float32, lda int, b []float32, ldb int, m, n, k int) {
	p := gemm{t: F32, dst: dst, ldd: ldd, a: a, lda: lda, b: (*byte)(unsafe.Pointer(unsafe.SliceData(b))), ldb: ldb, m: m, n: n, k: k}
	p.check(len(b), n, k)
	p.dot()
}

// GemmNTF16 is GemmNT with b in F16: the scores of all queries that share a page
// of keys, several heads or several tokens.
func GemmNTF16(dst []float32, ldd int, a []float32, lda int, b []uint16, ldb int, m, n, k int) {
	p := gemm{t: F16, dst: dst, ldd: ldd, a: a, lda: lda, b: (*byte)(unsafe.Pointer(unsafe.SliceData(b))), ldb: ldb, m: m, n: n, k: k}
	p.check(len(b), n, k)
	p.dot()
}

// GemmNN writes dst (m, n) = a (m, k) · b with b (k, n), as attention needs for
// its values.
func GemmNN(dst []float32, ldd int, a []float32, lda int, b []float32, ldb int, m, n, k int) {
	p := gemm{t: F32, dst: dst, ldd: ldd, a: a, lda: lda, b: (*byte)(unsafe.Pointer(unsafe.SliceData(b))), ldb: ldb, m: m, n: n, k: k}
	p.check(len(b), k, n)
	p.rows()
}

// GemmNNAddF16 adds a (m, k) · b with b (k, n) in F16 to dst (m, n): the values of
// a page, weighted by the scores of all queries that share it.
func GemmNNAddF16(dst []float32, ldd int, a []float32, lda int, b []uint16, ldb int, m, n, k int) {
	p := gemm{t: F16, dst: dst, ldd: ldd, a: a, lda: lda, b: (*byte)(unsafe.Pointer(unsafe.SliceData(b))), ldb: ldb, m: m, n: n, k: k, add: 1}
	p.check(len(b), k, n)
	p.rows()
}
