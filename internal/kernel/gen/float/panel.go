package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	panelRows    = 8 // rows of x in a tile: as many as a set of the first cache has ways
	panelVectors = 3 // vectors of a panel's column, one row of the weight per lane
	panelStride  = 64 * panelVectors
	panelUnroll  = 4 // columns of x in a step
)

// panelUnit writes the products with packed panels of 48 rows of a weight.
func panelUnit() {
	panelTile()
	packPanel()
}

// eightRows addresses the rows of a tile of x.
type eightRows struct {
	base    [2]reg.GPVirtual // of rows 0 and 5
	ld, ld3 reg.GPVirtual
}

func newEightRows(at, ld reg.GPVirtual) eightRows {
	r := eightRows{base: [2]reg.GPVirtual{at, GP64()}, ld: ld, ld3: GP64()}
	SHLQ(U8(2), ld)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, r.ld3)
	LEAQ(Mem{Base: at, Index: ld, Scale: 4}, r.base[1])
	ADDQ(ld, r.base[1])
	return r
}

// row is where the element disp bytes behind the next one of row i is.
func (r eightRows) row(i, disp int) Mem {
	m := Mem{Base: r.base[i/5], Disp: disp}
	switch i % 5 {
	case 1, 2, 4:
		m.Index, m.Scale = r.ld, uint8(i%5)
	case 3:
		m.Index, m.Scale = r.ld3, 1
	}
	return m
}

func (r eightRows) advance(m, bytes int) {
	for i := range (m + 4) / 5 {
		ADDQ(U8(bytes), r.base[i])
	}
}

// panelTile writes a tile of dst (m, cols) = start + x (m, k) · panel: m ≤ 8 rows
// of x by a panel of 48 rows of a weight, which lie behind one another column by
// column, 48 numbers each, so that a lane is a row of the weight and a sum is
// taken in the order of the columns. The first 48 numbers of a panel are what the
// sums start from.
func panelTile() {
	TEXT("panelAVX512", NOSPLIT, "func(dst *float32, ldd int, x *float32, ldx int, panel *float32, m, k, cols, add int, ahead *float32)")
	Pragma("noescape")
	Doc("panelAVX512 writes dst (m, cols) = panel[0] + x (m, k) · panel[1:], or adds it, for m ≤ 8 and cols ≤ 48. It prefetches two rows of k numbers into the second cache, ahead and ldx behind it.")
	t := panelCode{dst: param("dst"), ldd: param("ldd"), panel: param("panel"), k: param("k"), ahead: param("ahead")}
	t.x = newEightRows(param("x"), param("ldx"))
	SHLQ(U8(2), t.ldd)
	ones := GP64()
	MOVQ(I32(-1), ones)
	BZHIQ(param("cols"), ones, ones)
	for v := range panelVectors {
		KMOVW(ones.As32(), panelMask[v])
		SHRQ(U8(16), ones)
	}
	choose(stacked("m"), "tile", panelRows)
	for m := 1; m <= panelRows; m++ {
		t.body(m)
	}
}

// panelMask are the lanes that exist.
var panelMask = [panelVectors]reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3}

type panelCode struct {
	x        eightRows
	dst, ldd reg.GPVirtual
	panel, k reg.GPVirtual
	ahead    reg.GPVirtual
}

// sum is the register of row i and half v of the panel's rows. The first
// registers are for operands.
func (t *panelCode) sum(i, v int) reg.VecPhysical { return zmm[8+panelVectors*i+v] }

func (t *panelCode) body(m int) {
	label := func(what string) string { return fmt.Sprint(what, m) }
	Label(label("tile"))
	for i := range m {
		for v := range panelVectors {
			VMOVUPS(Mem{Base: t.panel, Disp: 64 * v}, t.sum(i, v))
		}
	}
	ADDQ(U32(panelStride), t.panel)
	CMPQ(stacked("add"), U8(0))
	JEQ(LabelRef(label("start")))
	t.eachSum(m, func(sum reg.VecPhysical, at Mem, k reg.OpmaskPhysical) {
		VMOVUPS_Z(at, k, reg.Z0)
		VADDPS(reg.Z0, sum, sum)
	})
	Label(label("start"))
	SUBQ(U8(panelUnroll), t.k)
	JLT(LabelRef(label("rest")))
	Label(label("step"))
	PREFETCHT1(Mem{Base: t.ahead})
	PREFETCHT1(Mem{Base: t.ahead, Index: t.x.ld, Scale: 1})
	t.step(m, panelUnroll)
	ADDQ(U8(4*panelUnroll), t.ahead)
	SUBQ(U8(panelUnroll), t.k)
	JGE(LabelRef(label("step")))
	Label(label("rest"))
	ADDQ(U8(panelUnroll), t.k)
	JEQ(LabelRef(label("store")))
	Label(label("single"))
	t.step(m, 1)
	DECQ(t.k)
	JNE(LabelRef(label("single")))
	Label(label("store"))
	t.eachSum(m, func(sum reg.VecPhysical, at Mem, k reg.OpmaskPhysical) { VMOVUPS(sum, k, at) })
	VZEROUPPER()
	RET()
}

// step multiplies so many columns.
func (t *panelCode) step(m, columns int) {
	for c := range columns {
		for v := range panelVectors {
			VMOVUPS(Mem{Base: t.panel, Disp: c*panelStride + 64*v}, zmm[v])
		}
		for i := range m {
			x := zmm[panelVectors+i%(8-panelVectors)]
			VBROADCASTSS(t.x.row(i, 4*c), x)
			for v := range panelVectors {
				VFMADD231PS(zmm[v], x, t.sum(i, v))
			}
		}
	}
	t.x.advance(m, 4*columns)
	ADDQ(U32(panelStride*columns), t.panel)
}

// eachSum visits the sums with their places in dst and the lanes that exist.
func (t *panelCode) eachSum(m int, visit func(sum reg.VecPhysical, at Mem, k reg.OpmaskPhysical)) {
	out := GP64()
	MOVQ(t.dst, out)
	for i := range m {
		for v := range panelVectors {
			visit(t.sum(i, v), Mem{Base: out, Disp: 64 * v}, panelMask[v])
		}
		if i < m-1 {
			ADDQ(t.ldd, out)
		}
	}
}

// packPanel writes 16 rows of a weight into a panel: blocks of 16 columns, in
// each of which 16 bytes of every fourth row make a vector and 4 such vectors are
// transposed within their quarters.
func packPanel() {
	TEXT("packPanelAVX512", NOSPLIT, "func(panel *float32, w *byte, ldw, blocks int)")
	Pragma("noescape")
	Doc("packPanelAVX512 transposes w (16, 16·blocks) into columns of a panel, 48 numbers apart.")
	panel, w, ld, blocks := param("panel"), param("w"), param("ldw"), param("blocks")
	SHLQ(U8(2), ld)
	ld3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	var quarter [4]reg.GPVirtual // rows 0, 4, 8 and 12
	quarter[0] = w
	for i := 1; i < 4; i++ {
		quarter[i] = GP64()
		LEAQ(Mem{Base: quarter[i-1], Index: ld, Scale: 4}, quarter[i])
	}
	row := func(q, r, disp int) Mem {
		m := Mem{Base: quarter[q], Disp: disp}
		switch r {
		case 1, 2:
			m.Index, m.Scale = ld, uint8(r)
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		return m
	}
	Label("block")
	for c := range 4 {
		z := func(i int) reg.VecPhysical { return zmm[8*(c%2)+i] }
		for r := range 4 {
			VMOVUPS(row(0, r, 16*c), xmm[8*(c%2)+r])
			for q := 1; q < 4; q++ {
				VINSERTF32X4(U8(q), row(q, r, 16*c), z(r), z(r))
			}
		}
		VUNPCKLPS(z(1), z(0), z(4)) // row 0 and 1, columns 0 and 1
		VUNPCKHPS(z(1), z(0), z(5))
		VUNPCKLPS(z(3), z(2), z(6))
		VUNPCKHPS(z(3), z(2), z(7))
		VUNPCKLPD(z(6), z(4), z(0))
		VUNPCKHPD(z(6), z(4), z(1))
		VUNPCKLPD(z(7), z(5), z(2))
		VUNPCKHPD(z(7), z(5), z(3))
		for i := range 4 {
			VMOVUPS(z(i), Mem{Base: panel, Disp: panelStride * (4*c + i)})
		}
	}
	for q := range quarter {
		ADDQ(U8(64), quarter[q])
	}
	ADDQ(U32(16*panelStride), panel)
	DECQ(blocks)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}
