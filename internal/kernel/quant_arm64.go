package kernel

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

//go:generate sh -c "go -C gen run ./neonquant > quant_arm64.s"

// dotProduct: SDOT is there, as on every Arm core since 2018 and every Apple one.
var dotProduct = cpu.ARM64.HasASIMDDP || runtime.GOOS == "darwin"

// quantAt returns the implementation for a level.
func quantAt(l level) *quantKernels {
	if l >= levelNEON && dotProduct {
		return &neonQuant
	}
	return &portableQuant
}

// The quantizers are portable: there is one row of activations for hundreds of
// rows of weights.
var neonQuant = quantKernels{
	tile: [tileFormats]int{4, 4, 4, 4},
	pack: [len(formats)]panelPacker{
		Q8_0: packNEONQ8_0, Q4_0: packNEONQ4_0, Q4_K: packNEONQ4_K, Q5_K: packNEONQ5_K, Q6_K: packNEONQ6_K,
	},
	product: [productKinds]panelProduct{
		product8: productNEON8, product4: productNEON32, product4Min: productNEON32Min,
		product5Min: productNEON32Min, product6: productNEON16,
	},
	quantize: portableQuant.quantize,
}

//go:noescape
func productNEON32(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)

//go:noescape
func productNEON32Min(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)

//go:noescape
func productNEON8(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)

//go:noescape
func productNEON16(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)

//go:noescape
func packNEONQ8_0(dst, src *byte, stride, blocks int, ahead *byte, step int)

//go:noescape
func packNEONQ4_0(dst, src *byte, stride, blocks int, ahead *byte, step int)

//go:noescape
func packNEONQ4_K(dst, src *byte, stride, blocks int, ahead *byte, step int)

//go:noescape
func packNEONQ5_K(dst, src *byte, stride, blocks int, ahead *byte, step int)

//go:noescape
func packNEONQ6_K(dst, src *byte, stride, blocks int, ahead *byte, step int)

// fitScaleMins finds the scales and minimums of 8 sub-blocks of 32 elements.
func fitScaleMins(scales, lows *[8]float32, x []float32, top int, first float32, steps int) {
	fitScaleMinsPortable(scales, lows, x, top, first, steps)
}
