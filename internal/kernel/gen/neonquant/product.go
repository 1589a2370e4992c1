package main

import "fmt"

// variant is one layout of panels and tiles; see quant_panel.go in package kernel.
type variant struct {
	name   string
	cols   int
	mins   bool
	signed bool // the panel's bytes do not fit int8 until their offset is gone
}

var variants = []variant{
	{name: "productNEON32", cols: 32},
	{name: "productNEON32Min", cols: 32, mins: true},
	{name: "productNEON8", cols: 32, signed: true},
	{name: "productNEON16", cols: 16},
}

const maxTile = 4

// Registers of products. Row i of the tile has two vectors of sums, for the 8
// rows that half a panel holds.
const offset = 15 // 0x80 in every byte

func total(i, j int) int { return 16 + 2*i + j }
func acc(i, j int) int   { return 24 + 2*i + j }

func (p *printer) product(v variant) {
	fmt.Fprintf(p, "\n// func %s(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)\n", v.name)
	fmt.Fprintf(p, "TEXT ·%s(SB), NOSPLIT, $0-72\n", v.name)
	for i, arg := range []string{"dst", "ldd", "panel", "tile", "blocks"} {
		p.op("MOVD %s+%d(FP), R%d", arg, 8*i, i)
	}
	p.op("LSL $2, R1")
	p.op("MOVD m+40(FP), R6")
	p.op("MOVD sum+48(FP), R5")
	p.fill(offset, 0x80)
	for m := 1; m < maxTile; m++ {
		p.op("CMP $%d, R6", m)
		p.op("BEQ m%d", m)
	}
	for m := maxTile; m >= 1; m-- {
		p.rows(v, m)
	}
}

func (p *printer) rows(v variant, m int) {
	name := func(s string) string { return fmt.Sprintf("m%d%s", m, s) }
	p.label(name(""))
	p.op("MOVD $2, R6")
	p.label(name("half"))
	p.op("MOVD R2, R7")
	p.op("MOVD R3, R8")
	p.op("MOVD R4, R9")
	p.op("MOVD R0, R10")
	for i := range m {
		p.zero(total(i, 0))
		p.zero(total(i, 1))
	}
	p.op("CBZ R5, %s", name("block"))
	for i := range m {
		p.load("R10", 0, total(i, 0))
		p.load("R10", 16, total(i, 1))
		p.op("ADD R1, R10")
	}
	p.label(name("block"))
	p.block(v, m)
	p.op("SUBS $1, R9")
	p.op("BNE %s", name("block"))
	p.op("MOVD R0, R10")
	for i := range m {
		p.store(total(i, 0), "R10", 0)
		p.store(total(i, 1), "R10", 16)
		p.op("ADD R1, R10")
	}
	p.op("ADD $32, R2")
	p.op("ADD $32, R0")
	p.op("SUBS $1, R6")
	p.op("BNE %s", name("half"))
	p.op("RET")
}

func (p *printer) block(v variant, m int) {
	p.op("ADD $%d, R8, R11", m*v.cols)     // scales
	p.op("ADD $%d, R8, R12", m*(v.cols+4)) // sums
	for i := range m {
		if v.mins || v.signed {
			p.zero(acc(i, 0))
			p.zero(acc(i, 1))
			continue
		}
		p.op("VLD1R.P 4(R12), [V%d.S4]", acc(i, 0))
		p.three("VORR", "B16", acc(i, 0), acc(i, 0), acc(i, 1))
	}
	for piece := range v.cols / 16 {
		for i := range m {
			p.op("ADD $%d, R8, R13", i*v.cols+16*piece)
			p.op("VLD1 (R13), [V%d.B16]", i)
		}
		for g := range 4 {
			p.load("R7", 64*(4*piece+g), 4)
			p.load("R7", 64*(4*piece+g)+16, 5)
			if v.signed {
				p.three("VEOR", "B16", offset, 4, 4)
				p.three("VEOR", "B16", offset, 5, 5)
			}
			for i := range m {
				p.dot(i, g, 4, acc(i, 0))
				p.dot(i, g, 5, acc(i, 1))
			}
		}
	}
	p.load("R7", 16*v.cols, 6)
	p.load("R7", 16*v.cols+16, 7)
	for i := range m {
		p.op("VLD1R.P 4(R11), [V8.S4]")
		for j := range 2 {
			p.multiply(6+j, 8, 9)
			p.toFloat(acc(i, j))
			p.three("VFMLA", "S4", 9, acc(i, j), total(i, j))
		}
	}
	size := 16 * (v.cols + 4)
	if v.mins {
		p.load("R7", size, 6)
		p.load("R7", size+16, 7)
		for i := range m {
			p.op("VLD1R.P 4(R12), [V8.S4]")
			p.three("VFMLA", "S4", 8, 6, total(i, 0))
			p.three("VFMLA", "S4", 8, 7, total(i, 1))
		}
		size += 64
	}
	p.op("ADD $%d, R7", size)
	p.op("ADD $%d, R8", m*(v.cols+8))
}
