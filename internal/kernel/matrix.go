package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// Matrix is a weight of a linear layer, (Rows, Cols), one row per output, in
// the layout of its file. It is immutable, so any number of forwards share it.
type Matrix struct {
	Type       Type
	Rows, Cols int
	Data       []byte // row-major, little-endian; may be a read-only mapping, at any alignment
}

// NewMatrix returns the matrix stored in data. It fails if the rows are not
// whole blocks or data is not exactly rows long.
func NewMatrix(t Type, rows, cols int, data []byte) (Matrix, error) {
	if int(t) >= len(layouts) {
		return Matrix{}, fmt.Errorf("kernel: unknown storage type %d", uint8(t))
	}
	if rows < 0 || cols < 0 || cols%t.BlockLen() != 0 {
		return Matrix{}, fmt.Errorf("kernel: a (%d, %d) matrix cannot be stored in blocks of %d (%s)", rows, cols, t.BlockLen(), t)
	}
	if size := t.RowBytes(cols); size > 0 && rows > math.MaxInt/size || rows*size != len(data) {
		return Matrix{}, fmt.Errorf("kernel: a (%d, %d) matrix of %s has %d bytes per row; got %d bytes", rows, cols, t, size, len(data))
	}
	return Matrix{Type: t, Rows: rows, Cols: cols, Data: data}, nil
}

// MatrixOf is an F32 matrix over data, which it shares. It panics if the size
// does not fit.
func MatrixOf(data []float32, rows, cols int) Matrix {
	if len(data) != rows*cols {
		panic("kernel: the data does not fit the matrix")
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data))
	return Matrix{Type: F32, Rows: rows, Cols: cols, Data: bytes}
}

// Row writes the dequantised row i into dst, which has Cols elements.
func (m *Matrix) Row(dst []float32, i int) {
	size := m.Type.RowBytes(m.Cols)
	Dequantize(m.Type, dst[:m.Cols], m.Data[i*size:(i+1)*size])
}
