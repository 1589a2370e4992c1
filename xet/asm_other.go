//go:build !amd64

package xet

// run runs the stream to its end.
func (s *lz4Stream) run() { s.runPortable() }

// runBoth runs both streams until one is done.
func runBoth(a, _ *lz4Stream) { a.runPortable() }

// What needs these is never called.
var hasSHA, hasAVX512 = false, false

const lacking = "xet: the processor lacks the instructions"

func cutSHA(_ *[8]uint32, _ *byte, _ int, _ *[256]uint64, _ uint64, _ *uint64) uint64 {
	panic(lacking)
}

func cutLeaves(_ *[8]uint32, _ *byte, _ *[256]uint64, _ uint64, _ *uint64, _ *leafGroup, _ *byte, _, _ int) uint64 {
	panic(lacking)
}

func hashLeaves(_ *leafGroup, _ *byte, _, _ int) { panic(lacking) }

func hashParents(_ *leafGroup, _ *[(groupLeaves + 1) * leafSize / 4]uint32) { panic(lacking) }

func groupBlocks(_, _, _, _, _ []byte) int   { return 0 }
func ungroupBlocks(_, _, _, _, _ []byte) int { return 0 }
