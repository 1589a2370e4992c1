//go:build !amd64 && !arm64

package kernel

// There is no vector code for this processor.

// halvesInPlace reports whether rows of F16 and BF16 are multiplied where they lie.
func halvesInPlace(int) bool { return false }

func dotTiles(*gemm) bool { return false }

func rowsTiles(*gemm) bool { return false }
