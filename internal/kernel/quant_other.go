//go:build !amd64 && !arm64

package kernel

// quantAt returns the implementation for a level.
func quantAt(level) *quantKernels { return &portableQuant }

// fitScaleMins finds the scales and minimums of 8 sub-blocks of 32 elements.
func fitScaleMins(scales, lows *[8]float32, x []float32, top int, first float32, steps int) {
	fitScaleMinsPortable(scales, lows, x, top, first, steps)
}
