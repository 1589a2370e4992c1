//go:build !amd64

package kernel

// There is no vector code for this processor: the portable code does it all.

func vectorDot(a, b []float32) (sum float32, ok bool)                   { return 0, false }
func vectorUpdate(f update, dst []float32, a float32, x []float32) bool { return false }
func vectorMulAdd(dst, a, b []float32) bool                             { return false }
func vectorScale(dst []float32, a float32) bool                         { return false }
func vectorRMSScale(dst, x, weight []float32, r, offset float32) bool   { return false }
func vectorMoments(x []float32) (mean, squares float64, ok bool)        { return 0, 0, false }
func vectorAffine(dst, x, weight, bias []float32, mean, r float32) bool { return false }
func vectorRope(lo, hi, cos, sin []float32) bool                        { return false }
func vectorRopePairs(x, cos, sin []float32) int                         { return 0 }
func vectorF16ToF32(dst []float32, src []uint16) int                    { return 0 }
func vectorBF16ToF32(dst []float32, src []uint16) int                   { return 0 }
func vectorF32ToF16(dst []uint16, src []float32) int                    { return 0 }
