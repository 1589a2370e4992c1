package kernel

import "fmt"

// Type is how the elements of a weight matrix are stored. Names and block
// layouts are ggml's (ggml-common.h).
type Type uint8

// The storage types. Plain types store one element per block.
const (
	F32  Type = iota // IEEE 754 binary32
	F16              // IEEE 754 binary16
	BF16             // the upper half of a binary32
	Q8_0             // 32 int8, one F16 scale
	Q4_0             // 32 unsigned nibbles less 8, one F16 scale
	Q4_K             // 256 nibbles in 8 sub-blocks with 6-bit scales and minimums
	Q5_K             // as Q4_K with a fifth bit
	Q6_K             // 256 6-bit integers in 16 sub-blocks with int8 scales
)

var layouts = [...]struct {
	name      string
	len, size int // elements and bytes of a block
}{
	F32:  {"F32", 1, 4},
	F16:  {"F16", 1, 2},
	BF16: {"BF16", 1, 2},
	Q8_0: {"Q8_0", 32, 34},
	Q4_0: {"Q4_0", 32, 18},
	Q4_K: {"Q4_K", 256, 144},
	Q5_K: {"Q5_K", 256, 176},
	Q6_K: {"Q6_K", 256, 210},
}

// String returns ggml's name of the type.
func (t Type) String() string {
	if int(t) >= len(layouts) {
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
	return layouts[t].name
}

// BlockLen returns how many elements share a block; rows are whole blocks.
func (t Type) BlockLen() int { return layouts[t].len }

// BlockBytes returns the size of a block in bytes.
func (t Type) BlockBytes() int { return layouts[t].size }

// RowBytes returns the size in bytes of a row of cols elements; cols must be a
// multiple of BlockLen.
func (t Type) RowBytes(cols int) int { return cols / t.BlockLen() * t.BlockBytes() }

// Quantised reports whether elements are integers with a scale per block.
func (t Type) Quantised() bool { return t >= Q8_0 }
