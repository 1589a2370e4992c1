package main

import (
	"fmt"
	"math"
)

// function writes a kernel over whole vectors of x. Constants lie in memory in the
// order in which a vector needs them, so that reading the next one is all it
// takes: the register it comes into is the accumulator of the next step.
type function struct {
	*printer
	name  string
	table []float32
}

const constants = "R5"

// c reads the next constant into register i.
func (f *function) c(i int, value float64) {
	f.op("VLD1R.P 4(%s), [V%d.S4] // %g", constants, i, value)
	f.table = append(f.table, float32(value))
}

// The instructions on three registers: d = n op m.
func (f *function) sub(n, m, d int)  { f.word(0x4ea0d400, "FSUB.4S", m, n, d) }
func (f *function) mul(n, m, d int)  { f.word(0x6e20dc00, "FMUL.4S", m, n, d) }
func (f *function) div(n, m, d int)  { f.word(0x6e20fc00, "FDIV.4S", m, n, d) }
func (f *function) max(n, m, d int)  { f.word(0x4e20f400, "FMAX.4S", m, n, d) } // NaN if either is
func (f *function) min(n, m, d int)  { f.word(0x4ea0f400, "FMIN.4S", m, n, d) }
func (f *function) fma(n, m, d int)  { f.word(0x4e20cc00, "FMLA.4S", m, n, d) } // d += n·m
func (f *function) fms(n, m, d int)  { f.word(0x4ea0cc00, "FMLS.4S", m, n, d) } // d −= n·m
func (f *function) iadd(n, m, d int) { f.word(0x4ea08400, "ADD.4S", m, n, d) }
func (f *function) isub(n, m, d int) { f.word(0x6ea08400, "SUB.4S", m, n, d) }
func (f *function) gt(n, m, d int)   { f.word(0x6ea0e400, "FCMGT.4S", m, n, d) }
func (f *function) sel(n, m, d int)  { f.word(0x6e601c00, "BSL.16B", m, n, d) } // d ? n : m
func (f *function) move(n, d int)    { f.word(0x4ea01c00, "ORR.16B", n, n, d) }

// The instructions on two registers.
func (f *function) two(code uint32, comment string, n, d int) {
	f.op("WORD $0x%08x // %s V%d, V%d", code|uint32(n)<<5|uint32(d), comment, d, n)
}

func (f *function) neg(n, d int)     { f.two(0x6ea0f800, "FNEG.4S", n, d) }
func (f *function) abs(n, d int)     { f.two(0x4ea0f800, "FABS.4S", n, d) }
func (f *function) round(n, d int)   { f.two(0x4e218800, "FRINTN.4S", n, d) }
func (f *function) integer(n, d int) { f.two(0x4e21a800, "FCVTNS.4S", n, d) }
func (f *function) halve(n, d int)   { f.two(0x4f3f0400, "SSHR.4S $1,", n, d) }
func (f *function) raise(n, d int)   { f.two(0x4f375400, "SHL.4S $23,", n, d) }
func (f *function) below0(n, d int)  { f.two(0x4ea0e800, "FCMLT.4S $0,", n, d) }

// horner evaluates the polynomial with the given terms, highest first, at
// register x; a and b take turns as the accumulator, the result is in the one
// returned.
func (f *function) horner(x, a, b int, terms ...float64) int {
	f.c(a, terms[0])
	for _, term := range terms[1:] {
		f.c(b, term)
		f.fma(a, x, b)
		a, b = b, a
	}
	return a
}

// exp replaces register 0 by its exponential, with registers 1 to 4. The numbers
// are those of gen/float.
func (f *function) exp() {
	f.c(1, -104)
	f.max(0, 1, 0)
	f.c(1, 89)
	f.min(0, 1, 0)
	f.c(1, math.Log2E)
	f.mul(0, 1, 1)
	f.round(1, 1)
	f.c(2, 0.693359375)
	f.fms(1, 2, 0)
	f.c(2, -2.12194440e-4)
	f.fms(1, 2, 0)
	p := f.horner(0, 2, 3, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	f.mul(0, 0, 4)
	f.fma(4, p, 0) // r + r²·P(r)
	f.c(3, 1)
	f.fadd(0, 3, 0)
	// 2ⁿ as a product of two powers: the bits of 1 are the exponent 0.
	f.integer(1, 1)
	f.halve(1, 2)
	f.isub(1, 2, 1)
	for _, n := range []int{1, 2} {
		f.raise(n, n)
		f.iadd(n, 3, n)
		f.mul(0, n, 0)
	}
}

// sigmoid replaces register 0 by 1 / (1 + e⁻ˣ).
func (f *function) sigmoid() {
	f.neg(0, 0)
	f.exp()
	f.c(1, 1)
	f.fadd(0, 1, 0)
	f.div(1, 0, 0)
}

func (f *function) swish() {
	f.move(0, 5)
	f.sigmoid()
	f.mul(0, 5, 0)
}

func (f *function) quickGELU() {
	f.move(0, 5)
	f.c(1, 1.702)
	f.mul(0, 1, 0)
	f.sigmoid()
	f.mul(0, 5, 0)
}

func (f *function) geluTanh() {
	const linear = 2 * 0.7978845608028654
	f.move(0, 5)
	f.mul(0, 0, 1)
	p := f.horner(1, 2, 3, linear*0.044715, linear)
	f.mul(0, p, 0)
	f.sigmoid()
	f.mul(0, 5, 0)
}

func (f *function) tanh() {
	f.move(0, 5)
	f.abs(0, 0)
	f.fadd(0, 0, 0)
	f.exp()
	f.c(1, 1)
	f.fadd(0, 1, 0)
	f.c(2, 2)
	f.div(2, 0, 0)
	f.sub(1, 0, 0) // 1 − 2 / (e^2|x| + 1)
	f.neg(0, 1)
	f.below0(5, 2)
	f.sel(1, 0, 2) // with the sign of x
	f.move(2, 0)
	f.mul(5, 5, 1)
	p := f.horner(1, 2, 3, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
	f.mul(1, 5, 1)
	f.move(5, 4)
	f.fma(1, p, 4) // x + x³·P(x²)
	f.abs(5, 1)
	f.c(2, 0.625)
	f.gt(2, 1, 1)
	f.sel(4, 0, 1)
	f.move(1, 0)
}

func (f *function) gelu() {
	f.move(0, 5)
	f.abs(0, 6)
	f.c(1, 20)
	f.min(6, 1, 6)
	f.mul(6, 6, 0)
	f.neg(0, 7)
	f.fma(6, 6, 7) // what rounding the square lost
	f.c(1, -0.5)
	f.mul(0, 1, 0)
	f.mul(7, 1, 7)
	f.exp()
	f.move(0, 1)
	f.fma(1, 7, 0)
	f.c(1, 1)
	f.c(2, 0.5/math.Sqrt2)
	f.fma(6, 2, 1)
	f.c(2, 1)
	f.div(2, 1, 1)
	p := f.horner(1, 2, 3, -0.029693368349385414, 0.1430622102250884, -0.2452026362471412, 0.14086473197356925,
		-0.014571996179772048, 0.10187487562025713, 0.12141801898723924, 0.1412059709769532, 0.141042170912536)
	f.mul(1, 0, 0)
	f.mul(0, p, 0) // 1 − Φ(|x|)
	f.c(1, 1)
	f.sub(1, 0, 1)
	f.below0(5, 2)
	f.sel(0, 1, 2)
	f.mul(2, 5, 0)
}

func (f *function) relu() {
	f.zero(1)
	f.max(0, 1, 0)
}

// activations writes the kernels and their constants.
func activations(p *printer) {
	for _, k := range []struct {
		name string
		body func(*function)
	}{
		{"exp", (*function).exp}, {"tanh", (*function).tanh}, {"sigmoid", (*function).sigmoid}, {"silu", (*function).swish},
		{"gelu", (*function).gelu}, {"geluTanh", (*function).geluTanh}, {"quickGELU", (*function).quickGELU}, {"relu", (*function).relu},
	} {
		f := &function{printer: p, name: k.name}
		fmt.Fprintf(p, "\n// func %sNEON(x *float32, vectors int)\nTEXT ·%sNEON(SB), NOSPLIT, $0-16\n", k.name, k.name)
		f.op("MOVD x+0(FP), R0")
		f.op("MOVD vectors+8(FP), R1")
		f.label("vector")
		if k.name != "relu" {
			f.op("MOVD $%sConstants<>(SB), %s", k.name, constants)
		}
		f.op("VLD1 (R0), [V0.S4]")
		k.body(f)
		f.op("VST1.P [V0.S4], 16(R0)")
		f.op("SUB $1, R1")
		f.op("CBNZ R1, vector")
		f.op("RET")
		for i, v := range f.table {
			fmt.Fprintf(p, "DATA %sConstants<>+%d(SB)/4, $0x%08x\n", f.name, 4*i, math.Float32bits(v))
		}
		if len(f.table) > 0 {
			fmt.Fprintf(p, "GLOBL %sConstants<>(SB), RODATA|NOPTR, $%d\n", f.name, 4*len(f.table))
		}
	}
}
