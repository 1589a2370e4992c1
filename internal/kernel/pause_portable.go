//go:build !amd64 && !arm64

package kernel

// pause has no instruction to stand for here; the clock that spin reads is pause
// enough.
func pause() {}
