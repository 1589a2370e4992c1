package main

import "fmt"

// Registers of packers: R10 to R13 are four rows, R14 their place in the panel.
// V24 and up are masks.
const (
	low4 = 24 + iota
	mask
	mask2
	mask3
)

// pack writes a packer of blocks of so many bytes, which become size bytes of
// panel. body packs four rows of one block.
func (p *printer) pack(name string, bytes, size int, masks, body func()) {
	fmt.Fprintf(p, "\n// func packNEON%s(dst, src *byte, stride, blocks int, ahead *byte, step int)\n", name)
	fmt.Fprintf(p, "TEXT ·packNEON%s(SB), NOSPLIT, $0-48\n", name)
	for i, arg := range []string{"dst", "src", "stride", "blocks"} {
		p.op("MOVD %s+%d(FP), R%d", arg, 8*i, i)
	}
	masks()
	p.op("MOVD $4, R4")
	p.label("rows")
	p.op("MOVD R1, R10")
	for i := 11; i <= 13; i++ {
		p.op("ADD R2, R%d, R%d", i-1, i)
	}
	p.op("ADD R2, R13, R1")
	p.op("MOVD R0, R14")
	p.op("ADD $16, R0")
	p.op("MOVD R3, R15")
	p.label("block")
	body()
	for i := 10; i <= 13; i++ {
		p.op("ADD $%d, R%d", bytes, i)
	}
	p.op("ADD $%d, R14", size)
	p.op("SUBS $1, R15")
	p.op("BNE block")
	p.op("SUBS $1, R4")
	p.op("BNE rows")
	p.op("RET")
}

// words fills 4 registers from d on: in lane r of register d+q, word q (4 bytes)
// of the 16 bytes at disp in row r. It uses V0 to V7.
func (p *printer) words(disp, d int) {
	for i := range 4 {
		p.op("ADD $%d, R%d, R16", disp, 10+i)
		p.op("VLD1 (R16), [V%d.B16]", i)
	}
	for i := range 2 {
		p.three("VZIP1", "S4", 2*i+1, 2*i, 4+2*i)
		p.three("VZIP2", "S4", 2*i+1, 2*i, 5+2*i)
	}
	for i := range 2 {
		p.three("VZIP1", "D2", 6+i, 4+i, d+2*i)
		p.three("VZIP2", "D2", 6+i, 4+i, d+2*i+1)
	}
}

// halves converts the F16 at disp in every row.
func (p *printer) halves(disp, d int) {
	for i := range 4 {
		p.op("MOVHU %d(R%d), R16", disp, 10+i)
		p.op("VMOV R16, V%d.H[%d]", d, i)
	}
	p.fromHalf(d, d)
}

func (p *printer) packQ8_0() {
	p.pack("Q8_0", 34, 576, func() { p.fill(mask, 0x80) }, func() {
		for piece := range 2 {
			p.words(2+16*piece, 8)
			for q := range 4 {
				p.three("VEOR", "B16", mask, 8+q, 8+q)
				p.store(8+q, "R14", 64*(4*piece+q))
			}
		}
		p.halves(0, 8)
		p.store(8, "R14", 512)
	})
}

// nibbles stores the nibbles of t as groups at lo and hi.
func (p *printer) nibbles(t, lo, hi int) {
	p.three("VAND", "B16", low4, t, 0)
	p.store(0, "R14", lo)
	p.shift("VUSHR", "B16", 4, t, t)
	p.store(t, "R14", hi)
}

func (p *printer) packQ4_0() {
	p.pack("Q4_0", 18, 576, func() { p.fill(low4, 15) }, func() {
		p.words(2, 8)
		for q := range 4 {
			p.nibbles(8+q, 64*q, 64*(q+4))
		}
		p.halves(0, 8)
		p.store(8, "R14", 512)
	})
}

// scalesK4 writes the scales and minimums of the 8 sub-blocks. The first 16 bytes
// of a block are d, dmin and 12 bytes of 6-bit integers.
func (p *printer) scalesK4() {
	const d, dmin, lows, highs = 12, 13, 14, 15
	p.words(0, 8)
	p.shift("VUSHR", "S4", 16, 8, dmin)
	for _, n := range []int{8, dmin} {
		p.word(fmt.Sprintf("XTN V%d.4H, V%d.4S", n, n), 0x0e612800|n<<5|n)
	}
	p.fromHalf(8, d)
	p.fromHalf(dmin, dmin)
	for i, factor := range []int{d, dmin} { // words 1 and 2; the later half is in word 3
		p.shift("VUSHR", "B16", 2, 9+i, highs)
		p.three("VAND", "B16", mask2, highs, highs)
		if i == 0 {
			p.three("VAND", "B16", low4, 11, lows)
		} else {
			p.shift("VUSHR", "B16", 4, 11, lows)
		}
		p.three("VORR", "B16", lows, highs, highs)
		p.three("VAND", "B16", mask, 9+i, lows)
		for j := range 8 {
			from := lows + j/4
			if j%4 < 3 {
				p.shift("VSHL", "S4", 24-8*(j%4), from, 0)
				from = 0
			}
			p.shift("VUSHR", "S4", 24, from, 0)
			p.toFloat(0)
			p.multiply(factor, 0, 0)
			p.store(0, "R14", 640*j+512+64*i)
		}
	}
}

// withHigh stores the low nibbles of t, and above them the bits of high from bit
// on that the mask in bits selects.
func (p *printer) withHigh(t, high, bits, bit, at int) {
	h := high
	switch {
	case bit < 4:
		p.shift("VSHL", "B16", 4-bit, high, 1)
		h = 1
	case bit > 4:
		p.shift("VUSHR", "B16", bit-4, high, 1)
		h = 1
	}
	p.three("VAND", "B16", bits, h, 1)
	p.three("VAND", "B16", low4, t, 0)
	p.three("VORR", "B16", 1, 0, 0)
	p.store(0, "R14", at)
}

func (p *printer) packK4(name string, bytes int) {
	masks := func() {
		p.fill(low4, 15)
		p.fill(mask, 63)
		p.fill(mask2, 48)
		p.fill(mask3, 16)
	}
	p.pack(name, bytes, 8*640, masks, func() {
		p.scalesK4()
		for piece := range 2 {
			if name == "Q5_K" {
				p.words(16+16*piece, 16)
			}
			for chunk := range 4 {
				p.words(bytes-128+32*chunk+16*piece, 8)
				for q := range 4 {
					at := 2*640*chunk + 64*(4*piece+q)
					if name == "Q4_K" {
						p.nibbles(8+q, at, at+640)
						continue
					}
					p.withHigh(8+q, 16+q, mask3, 2*chunk, at)
					p.shift("VUSHR", "B16", 4, 8+q, 8+q)
					p.withHigh(8+q, 16+q, mask3, 2*chunk+1, at+640)
				}
			}
		}
	})
}

func (p *printer) packQ6_K() {
	const block = 4*64 + 64
	masks := func() {
		p.fill(low4, 15)
		p.fill(mask2, 48)
	}
	p.pack("Q6_K", 210, 16*block, masks, func() {
		for h := range 2 {
			for t := range 2 {
				p.words(128+32*h+16*t, 16)
				for l := range 2 { // columns from 0 and 64, then from 32 and 96
					p.words(64*h+32*l+16*t, 8)
					for q := range 4 {
						at := (8*h+2*l+t)*block + 64*q
						p.withHigh(8+q, 16+q, mask2, 2*l, at)
						p.shift("VUSHR", "B16", 4, 8+q, 8+q)
						p.withHigh(8+q, 16+q, mask2, 2*l+4, at+4*block)
					}
				}
			}
		}
		p.halves(208, 12)
		p.words(192, 8)
		for q := range 4 {
			for j := range 4 {
				from := 8 + q
				if j < 3 {
					p.shift("VSHL", "S4", 24-8*j, from, 0)
					from = 0
				}
				p.word(fmt.Sprintf("SSHR V0.4S, V%d.4S, #24", from), 0x4f280400|from<<5)
				p.toFloat(0)
				p.multiply(12, 0, 0)
				p.store(0, "R14", (4*q+j)*block+256)
			}
		}
	})
}
