package image

import "math"

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
	columns, rows := b.nearestIndices(img.Width, width), b.nearestIndices(img.Height, height)
	out := newRGB(w.right-w.left, w.bottom-w.top)
	for y := range out.Height {
		row := img.Pix[rows[w.top+y]*img.Width*3:][:img.Width*3]
		for x := range out.Width {
			copy(out.Pix[(y*out.Width+x)*3:][:3], row[3*columns[w.left+x]:])
		}
	}
	return out
}

func (b Backend) nearestIndices(in, out int) []int {
	indices := make([]int, out)
	if b == Pillow { // adds up steps
		step := float64(in) / float64(out)
		at := step * 0.5
		for i := range indices {
			indices[i] = min(int(at), in-1)
			at += step
		}
		return indices
	}
	scale := float32(in) / float32(out)
	for i := range indices {
		indices[i] = min(int(math.Floor(float64(float32(float32(i)+0.5)*scale))), in-1)
	}
	return indices
}

// padding splits the pixels that a picture lacks for a crop into those before
// and after it.
func (b Backend) padding(lack int) (before, after int) {
	if b == Pillow {
		return lack - lack/2, lack / 2
	}
	return lack / 2, lack - lack/2
}
