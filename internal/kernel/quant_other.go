//go:build !amd64 && !arm64

package kernel

// quantAt returns the implementation for a level.
func quantAt(level) *quantKernels { return &portableQuant }
