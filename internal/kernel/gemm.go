package kernel

// GemmNT writes dst (m, n) = a (m, k) · bᵀ with b (n, k), as attention needs for
// its scores. The leading dimensions are the distances between rows in
// elements. It runs on the calling goroutine.
func GemmNT(dst []float32, ldd int, a []float32, lda int, b []float32, ldb int, m, n, k int) {
	for i := range m {
		row := a[i*lda : i*lda+k]
		for j := range n {
			dst[i*ldd+j] = dotPortable(row, b[j*ldb:j*ldb+k])
		}
	}
}

// GemmNN writes dst (m, n) = a (m, k) · b with b (k, n), as attention needs for
// its values. The leading dimensions are the distances between rows in
// elements. It runs on the calling goroutine.
func GemmNN(dst []float32, ldd int, a []float32, lda int, b []float32, ldb int, m, n, k int) {
	for i := range m {
		out := dst[i*ldd : i*ldd+n]
		clear(out)
		for l, w := range a[i*lda : i*lda+k] {
			for j, v := range b[l*ldb : l*ldb+n] {
				out[j] += w * v
			}
		}
	}
}
