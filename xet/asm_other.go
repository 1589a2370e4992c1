//go:build !amd64

package xet

// run runs the stream to its end.
func (s *lz4Stream) run() { s.runPortable() }

// runBoth runs both streams until one is done.
func runBoth(a, _ *lz4Stream) { a.runPortable() }

func groupBlocks(_, _, _, _, _ []byte) int   { return 0 }
func ungroupBlocks(_, _, _, _, _ []byte) int { return 0 }
