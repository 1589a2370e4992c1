// Package kernel computes the inner loops of inference on a CPU: products with
// weights in any storage type, attention over F16 caches, norms, activations and
// the pool of goroutines they run on. It knows slices and matrices, not layers,
// and imports nothing of this module.
//
// # Levels
//
// Every function has a portable form in Go, which is its specification, and
// assembly for AVX2 (with FMA and F16C) and AVX-512; products of floats and
// activations for NEON too. The programs in gen write it (a module of its own, so
// that avo is no dependency; go generate runs them). The processor chooses;
// PANTRY_KERNEL=portable, avx2, avx512, vnni or neon lowers it. Tests run every
// level that the processor has and compare over all lengths and alignments.
// Assembly rather than Go's simd package, because that needs an experiment flag
// at every build, reaches 60 % of the floating-point peak, and has neither F16
// conversion nor VNNI.
//
// A call of assembly cannot be interrupted by the scheduler, so callers cut their
// work into calls well below a millisecond. Weights are read as the machine
// stores numbers: machines are little-endian.
//
// # Products with float weights
//
// Both operands of x·wᵀ run along their columns, so a tile of 6 rows of x by 4
// rows of w (3 by 4 with AVX2's 16 registers) multiplies whole vectors of each and
// keeps a vector of partial sums per pair; the lanes are added at the end of the
// row. One step loads 10 vectors for 24 multiplications, which the load ports
// sustain, and neither operand is packed: weights are used where the file is
// mapped, in F32, or F16 and BF16 widened on the way, and a product with few rows
// pays nothing for a layout that only many rows would repay. Blocks of columns
// keep the tile's rows in the first cache, blocks of rows of w stay in the second
// while all rows of x pass, and are the parts that threads take.
//
// With 128 rows of x and more, x no longer stays in the second cache, and AVX-512
// packs the weight instead (panel_amd64.go): 48 rows become a panel in which lanes
// are rows, so that a number of x times three vectors of the panel adds to three
// vectors of results, nothing is summed across lanes, and a tile of 8 rows of x is
// prefetched while the one before is multiplied. Four panels of up to 768 columns
// are packed at a time and stay in the second cache, so there is no second copy of
// the weights. On a Zen 4 core that has 118 GFLOP/s, 2048 rows of x are
// multiplied at 103 to 107 instead of 81 to 88, and the packing is 2 % of the time.
//
// The order in which a sum is taken depends on the columns alone, once with packed
// weights and once without: among as few rows, or as many, a row of x has the same
// result in any batch and on any number of threads, bit by bit.
//
// The thread that has written a block of results adds the bias and applies the
// activation, while the block is in its cache.
//
// GemmNN, the weighted sum of rows, has tiles of as many sums; there one row of b
// is multiplied by a number of each row of a.
//
// # Products with quantised weights
//
// They multiply integers whatever the number of rows: activations are rounded to 8
// bits as llama.cpp does, per 32 of them (Q8_0, Q4_0) or per 256 (the K types).
// Here both operands are packed (quant_panel.go), because that is cheap and what
// follows is worth it: 16 rows of a weight become a panel of unsigned bytes in
// which lanes are rows, so that one VPDPBUSD is 64 products and nothing is summed
// across lanes. A packer reads 37 to 54 GB/s on a Zen 4 core, two to four times
// what its memory delivers, so even a single row is bound by memory; and a panel
// serves 12 rows at 180 G products per second, three and a half times what float
// multiplications could. Packed panels live in the first cache for one call: there
// is no second copy of the weights.
//
// As with floats, a row's result does not depend on its batch or on threads.
package kernel
