package xet

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go -C gen run . -unit cut -out ../cut_amd64.s -pkg xet
//go:generate go -C gen run . -unit lz4 -out ../lz4_amd64.s -pkg xet
//go:generate go -C gen run . -unit group -out ../group_amd64.s -pkg xet

var (
	cpuSHA, cpuLZCNT = cpuMore()

	hasLZ4    = cpu.X86.HasAVX && cpu.X86.HasBMI1 && cpuLZCNT // what runOne needs
	hasAVX2   = cpu.X86.HasAVX2
	hasSHA    = cpu.X86.HasAVX && cpuSHA
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL
)

// groupBlocks is group4 of as many bytes as it does fast, and returns how many of
// each lane those are.
func groupBlocks(l0, l1, l2, l3, src []byte) int {
	blocks := len(src) / 128
	if !hasAVX2 || blocks == 0 {
		return 0
	}
	group4AVX2(&l0[0], &l1[0], &l2[0], &l3[0], &src[0], blocks)
	return 32 * blocks
}

// ungroupBlocks is the reverse.
func ungroupBlocks(l0, l1, l2, l3, dst []byte) int {
	blocks := len(dst) / 128
	if !hasAVX2 || blocks == 0 {
		return 0
	}
	ungroup4AVX2(&l0[0], &l1[0], &l2[0], &l3[0], &dst[0], blocks)
	return 32 * blocks
}

// run runs the stream to its end.
func (s *lz4Stream) run() {
	if !hasLZ4 {
		s.runPortable()
		return
	}
	if s.done() {
		return
	}
	if s.thorough {
		runThorough(s)
	} else {
		runOne(s)
	}
}

// runBoth runs both streams, which are not thorough, until one is done.
func runBoth(a, b *lz4Stream) {
	if !hasLZ4 {
		a.runPortable()
		return
	}
	if !a.done() && !b.done() {
		runTwo(a, b)
	}
}

// runOne is runPortable, for processors with AVX, BMI1 and LZCNT.
//
//go:noescape
func runOne(a *lz4Stream)

// runThorough is runOne of a stream that is thorough.
//
//go:noescape
func runThorough(a *lz4Stream)

// runTwo is runPortable of two streams, until one is done. It is faster than one
// after the other.
//
//go:noescape
func runTwo(a, b *lz4Stream)

// group4AVX2 is group4 of blocks of 128 bytes.
//
//go:noescape
func group4AVX2(l0, l1, l2, l3, src *byte, blocks int)

// ungroup4AVX2 is ungroup4 of blocks of 128 bytes.
//
//go:noescape
func ungroup4AVX2(l0, l1, l2, l3, dst *byte, blocks int)

// cutSHA adds blocks of 64 bytes to the state of a SHA-256 and rolls h over
// them. A word of ends for each block has a bit for each byte, the first one the
// highest, which says whether a chunk may end behind it.
//
//go:noescape
func cutSHA(state *[8]uint32, data *byte, blocks int, table *[256]uint64, h uint64, ends *uint64) (last uint64)

// cutLeaves is cutSHA of 16 blocks for each of the steps that it runs as
// hashLeaves.
//
//go:noescape
func cutLeaves(state *[8]uint32, data *byte, table *[256]uint64, h uint64, ends *uint64, group *leafGroup, leaves *byte, from, to int) (last uint64)

// hashLeaves runs steps [from, to) of 16 leaves, which follow each other from
// leaves on, or parentStep. For processors with AVX-512.
//
//go:noescape
func hashLeaves(group *leafGroup, leaves *byte, from, to int)

// hashParents hashes parents that have their messages where leaves would end.
func hashParents(group *leafGroup, messages *[(groupLeaves + 1) * leafSize / 4]uint32) {
	hashLeaves(group, (*byte)(unsafe.Pointer(messages)), parentStep, parentStep+1)
}

// cpuMore reports features that package cpu does not know.
func cpuMore() (sha, lzcnt bool)
