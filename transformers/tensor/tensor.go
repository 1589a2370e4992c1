// Package tensor holds the numbers that flow through a network: contiguous
// row-major float32 arrays of up to four dimensions.
//
// There are no strides, views with gaps, broadcasting or graphs: an operation
// is a function over whole rows, written in package nn over the kernels.
// Weights are not tensors but kernel.Matrix values, which keep their file's
// format.
//
// The package must not import anything of the module: everything else in
// transformers stands on it.
package tensor

import "fmt"

// MaxRank is the largest number of dimensions.
const MaxRank = 4

// Tensor is a contiguous row-major array, the last dimension fastest. It is a
// value: copying it copies the shape and shares the numbers.
type Tensor struct {
	Data []float32
	dims [MaxRank]int
	rank int
}

// New is a tensor over data, whose length must be the product of dims.
func New(data []float32, dims ...int) Tensor {
	t := Tensor{Data: data, rank: len(dims)}
	copy(t.dims[:], dims)
	if n := product(dims); n != len(data) || len(dims) > MaxRank {
		panic(fmt.Sprintf("tensor: %d numbers for shape %v", len(data), t.Shape()))
	}
	return t
}

// Zeros is a new tensor of zeros on the heap.
func Zeros(dims ...int) Tensor { return New(make([]float32, product(dims)), dims...) }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Rank is the number of dimensions.
func (t Tensor) Rank() int { return t.rank }

// Dim is the size of dimension i.
func (t Tensor) Dim(i int) int { return t.dims[i] }

// Shape is the list of dimensions.
func (t Tensor) Shape() []int { return append([]int(nil), t.dims[:min(t.rank, MaxRank)]...) }

// Cols is the last dimension.
func (t Tensor) Cols() int { return t.dims[t.rank-1] }

// Rows is the product of all dimensions but the last.
func (t Tensor) Rows() int {
	n := 1
	for _, d := range t.dims[:t.rank-1] {
		n *= d
	}
	return n
}

// Row is row i of the tensor seen as (Rows, Cols).
func (t Tensor) Row(i int) []float32 {
	c := t.Cols()
	return t.Data[i*c : (i+1)*c : (i+1)*c]
}

// Slice is rows lo to hi of the tensor seen as (Rows, Cols), sharing the
// numbers.
func (t Tensor) Slice(lo, hi int) Tensor {
	c := t.Cols()
	return New(t.Data[lo*c:hi*c], hi-lo, c)
}

// Reshape is the same numbers under another shape of the same size.
func (t Tensor) Reshape(dims ...int) Tensor { return New(t.Data, dims...) }

// Clone is a copy on the heap, for what outlives an Arena.
func (t Tensor) Clone() Tensor {
	t.Data = append([]float32(nil), t.Data...)
	return t
}

// String is the shape, for messages.
func (t Tensor) String() string { return fmt.Sprintf("tensor%v", t.Shape()) }
