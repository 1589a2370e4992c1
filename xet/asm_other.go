//go:build !amd64

package xet

// run runs the stream to its end.
func (s *lz4Stream) run() { s.runPortable() }

// runBoth runs both streams until one is done.
func runBoth(a, _ *lz4Stream) { a.runPortable() }

var hasSHA = false

func cutSHA(_ *[8]uint32, _ *byte, _ int, _ *[256]uint64, _ uint64, _ *uint64) uint64 {
	panic("xet: no instructions for SHA-256")
}

func groupBlocks(_, _, _, _, _ []byte) int   { return 0 }
func ungroupBlocks(_, _, _, _, _ []byte) int { return 0 }
