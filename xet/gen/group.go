package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// group writes group4 and ungroup4 in blocks of 128 bytes, of which each lane
// has 32.
func group() {
	// Both ways, quads become lanes of four bytes or the reverse.
	quads := bytesOf("quads", []uint8{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15})
	pair := wordsOf("pair", []uint32{0, 4, 1, 5, 2, 6, 3, 7})
	unpair := wordsOf("unpair", []uint32{0, 2, 4, 6, 1, 3, 5, 7})

	TEXT("group4AVX2", NOSPLIT, "func(l0, l1, l2, l3, src *byte, blocks int)")
	Doc("group4AVX2 is group4 of blocks of 128 bytes.")
	moveBlocks("src", func(lanes []reg.GPVirtual, src, at reg.GPVirtual, mask, order reg.VecVirtual) {
		var rows []reg.VecVirtual
		for i := range 4 {
			y := YMM()
			VMOVDQU(Mem{Base: src, Disp: 32 * i}, y)
			VPSHUFB(mask, y, y)
			VPERMD(y, order, y)
			rows = append(rows, y)
		}
		for i, y := range transpose(rows) {
			VMOVDQU(y, Mem{Base: lanes[i], Index: at, Scale: 1})
		}
	}, quads, pair)

	TEXT("ungroup4AVX2", NOSPLIT, "func(l0, l1, l2, l3, dst *byte, blocks int)")
	Doc("ungroup4AVX2 is ungroup4 of blocks of 128 bytes.")
	moveBlocks("dst", func(lanes []reg.GPVirtual, dst, at reg.GPVirtual, mask, order reg.VecVirtual) {
		var rows []reg.VecVirtual
		for i := range 4 {
			y := YMM()
			VMOVDQU(Mem{Base: lanes[i], Index: at, Scale: 1}, y)
			rows = append(rows, y)
		}
		for i, y := range transpose(rows) {
			VPERMD(y, order, y)
			VPSHUFB(mask, y, y)
			VMOVDQU(y, Mem{Base: dst, Disp: 32 * i})
		}
	}, quads, unpair)
}

// moveBlocks calls move for each block, with the lanes and how far they are
// done, the rest of what they are the lanes of, and what it has to permute by.
func moveBlocks(whole string, move func(lanes []reg.GPVirtual, src, at reg.GPVirtual, mask, order reg.VecVirtual), quads, words Mem) {
	Pragma("noescape")
	var lanes []reg.GPVirtual
	for _, name := range []string{"l0", "l1", "l2", "l3"} {
		r := GP64()
		Load(Param(name), r)
		lanes = append(lanes, r)
	}
	src, blocks, at := GP64(), GP64(), GP64()
	Load(Param(whole), src)
	Load(Param("blocks"), blocks)
	mask, order := YMM(), YMM()
	VMOVDQU(quads, mask)
	VMOVDQU(words, order)
	XORL(at.As32(), at.As32())
	Label("block")
	move(lanes, src, at, mask, order)
	ADDQ(I32(128), src)
	ADDQ(I8(32), at)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// transpose transposes four rows of four 64-bit words.
func transpose(rows []reg.VecVirtual) []reg.VecVirtual {
	lo01, hi01, lo23, hi23 := YMM(), YMM(), YMM(), YMM()
	VPUNPCKLQDQ(rows[1], rows[0], lo01)
	VPUNPCKHQDQ(rows[1], rows[0], hi01)
	VPUNPCKLQDQ(rows[3], rows[2], lo23)
	VPUNPCKHQDQ(rows[3], rows[2], hi23)
	columns := []reg.VecVirtual{YMM(), YMM(), YMM(), YMM()}
	VPERM2I128(U8(0x20), lo23, lo01, columns[0])
	VPERM2I128(U8(0x20), hi23, hi01, columns[1])
	VPERM2I128(U8(0x31), lo23, lo01, columns[2])
	VPERM2I128(U8(0x31), hi23, hi01, columns[3])
	return columns
}

func bytesOf(name string, values []uint8) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(i, U8(v))
	}
	return m
}

func wordsOf(name string, values []uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(4*i, U32(v))
	}
	return m
}
