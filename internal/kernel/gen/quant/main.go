// Command quant generates the AVX2 and AVX-512 VNNI kernels of quantised
// weights: packers, which turn 16 rows of a file into a panel, and products of a
// panel with a tile of quantised activations. quant_panel.go in package kernel
// defines both layouts; the portable functions there are the specification.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	for _, v := range variants {
		vnniProduct(v)
	}
	for _, v := range avx2Variants {
		avx2Product(v)
	}
	packQ8_0()
	packQ4_0()
	packQ4_K()
	packQ5_K()
	packQ6_K()
	quantizeTile()
	fitScaleMin()
	Generate()
}
