//go:build !amd64 && !arm64

package kernel

func vectorExpSum(x []float32) (sum float64, ok bool) { return 0, false }
func vectorApply(f function, x []float32) bool        { return false }
func vectorSiLUMul(dst, gate, up []float32) bool      { return false }
