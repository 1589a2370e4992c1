package kernel

// DotRowsF16 scores one query against the keys of a cache page: dst[i] =
// Σ q[j]·k[i·stride+j] for i < rows and j < dim. Keys are F16.
func DotRowsF16(dst, q []float32, k []uint16, rows, stride, dim int) {
	q = q[:dim]
	for i := range rows {
		row := k[i*stride : i*stride+dim]
		var s0, s1 float32
		j := 0
		for ; j+2 <= dim; j += 2 {
			s0 += q[j] * halfToFloat(row[j])
			s1 += q[j+1] * halfToFloat(row[j+1])
		}
		if j < dim {
			s0 += q[j] * halfToFloat(row[j])
		}
		dst[i] = s0 + s1
	}
}

// AddRowsF16 adds to dst the values of a cache page weighted by w: dst[j] +=
// Σ w[i]·v[i·stride+j] for i < rows and j < dim. Values are F16.
func AddRowsF16(dst, w []float32, v []uint16, rows, stride, dim int) {
	dst = dst[:dim]
	for i := range rows {
		row := v[i*stride : i*stride+dim]
		a := w[i]
		for j, h := range row {
			dst[j] += a * halfToFloat(h)
		}
	}
}
