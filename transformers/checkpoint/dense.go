package checkpoint

import (
	"bytes"
	"fmt"
	"io/fs"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/safetensors"
)

// maxDense is the largest file of a single layer that is read, in bytes.
const maxDense = 1 << 30

// ReadDense reads a file that holds one linear layer, as the modules of
// sentence-transformers are stored: linear.weight (out, in) and, if withBias,
// linear.bias (out), in float32. bias is nil without.
func ReadDense(dir fs.FS, name string, in, out int, withBias bool) (weight, bias []float32, err error) {
	data, err := ReadLimited(dir, name, maxDense)
	if err != nil {
		return nil, nil, err
	}
	header, err := safetensors.ReadHeader(bytes.NewReader(data), int64(len(data)), safetensors.MaxHeader)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	read := func(tensor string, rows, cols int) []float32 {
		t, ok := header.Lookup(tensor)
		format, known := dtypes[t.DType]
		if !ok || !known || t.Elements() != int64(rows)*int64(cols) {
			err = fmt.Errorf("%w: %s: %s of %d×%d numbers is missing", ErrFormat, name, tensor, rows, cols)
			return nil
		}
		numbers := make([]float32, rows*cols)
		kernel.Dequantize(format, numbers, data[t.Offset:t.Offset+t.Size])
		return numbers
	}
	weight = read("linear.weight", out, in)
	if withBias && err == nil {
		bias = read("linear.bias", 1, out)
	}
	return weight, bias, err
}
