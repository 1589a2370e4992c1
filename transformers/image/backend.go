package image

// Backend is the Python implementation whose arithmetic is followed.
type Backend string

// The backends.
const (
	// Torchvision is the default of transformers 5 with torchvision on a CPU
	// with AVX2 or of the arm64 kind (elsewhere it resizes in floating point,
	// which rounds otherwise now and then). Formerly the "fast" processors.
	Torchvision Backend = "torchvision"
	// Pillow is what transformers 5 uses without torchvision ("pil"), and
	// transformers 4 used by default.
	Pillow Backend = "pil"
)

// precision is the number of fraction bits of a weight, given the largest.
func (b Backend) precision(largest float64) uint {
	if b == Pillow {
		return 32 - 8 - 2
	}
	// As many as fit 16 bits with sign.
	p := uint(0)
	for p < 22 && int(0.5+largest*float64(int(1)<<(p+1))) < 1<<15 {
		p++
	}
	return p
}

// rowsFirst reports whether the rows are resampled before the columns. Pillow
// 13 does so where the height shrinks by more than twice what the width does
// (found by experiment: true of 9,990 random sizes and all filters).
func (b Backend) rowsFirst(img *RGB, width, height int) bool {
	return b == Pillow && height < img.Height && img.Height-height > 2*(img.Width-width)
}

// nearest picks the input whose centre is closest.
func (b Backend) nearest(img *RGB, width, height int, w window) *RGB {
	index := (*nearest).pillow
	switch {
	case b == Pillow:
	case width+height <= 128:
		index = (*nearest).torchSmall
	default:
		index = (*nearest).torch
	}
	columns, rows := nearestIndices(img.Width, width, index), nearestIndices(img.Height, height, index)
	out := newRGB(w.width(), w.height())
	for y := range out.Height {
		row := img.Pix[rows[w.top+y]*img.Width*3:][:img.Width*3]
		for x := range out.Width {
			copy(out.Pix[(y*out.Width+x)*3:][:3], row[3*columns[w.left+x]:])
		}
	}
	return out
}

// nearest is one dimension of a change of size without filter. Its methods
// are the roundings that decide where the centre of an output falls between
// two inputs.
type nearest struct {
	step float64 // inputs per output
	at   float64 // where pillow is
}

func nearestIndices(in, out int, index func(*nearest, int) int) []int {
	n := &nearest{step: float64(in) / float64(out)}
	n.at = n.step * 0.5
	indices := make([]int, out)
	for i := range indices {
		indices[i] = min(index(n, i), in-1)
	}
	return indices
}

// pillow adds up steps.
func (n *nearest) pillow(int) int {
	i := int(n.at)
	n.at += n.step
	return i
}

// torchSmall multiplies in single precision.
func (n *nearest) torchSmall(i int) int {
	return int(float32(n.step) * (float32(i) + 0.5))
}

// torch multiplies and subtracts with one rounding, which a double needs not
// even do, and adds again.
func (n *nearest) torch(i int) int {
	source := float32(float64(float64(float32(n.step))*(float64(i)+0.5)) - 0.5)
	return int(float32(float64(source) + 0.5))
}

// padding splits the pixels that a picture lacks for a crop into those before
// and after it.
func (b Backend) padding(lack int) (before, after int) {
	if b == Pillow {
		return lack - lack/2, lack / 2
	}
	return lack / 2, lack - lack/2
}
