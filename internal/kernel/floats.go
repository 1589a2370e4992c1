package kernel

import "unsafe"

// MatrixOf is an F32 matrix over data, which it shares. It panics if the size
// does not fit.
func MatrixOf(data []float32, rows, cols int) Matrix {
	if len(data) != rows*cols {
		panic("kernel: the data does not fit the matrix")
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data))
	return Matrix{Type: F32, Rows: rows, Cols: cols, Data: bytes}
}

// MulAdd adds the products of a and b to dst: dst[i] += a[i]·b[i]. The three
// are equally long.
func MulAdd(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}
