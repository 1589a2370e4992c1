package kernel

//go:generate go -C gen run ./quant -pkg kernel -out ../quant_amd64.s -stubs ../quant_stubs_amd64.go

// quantAt returns the implementation for a level.
func quantAt(l level) *quantKernels {
	switch {
	case l >= levelVNNI:
		return &vnniQuant
	case l >= levelAVX2:
		return &avx2Quant
	}
	return &portableQuant
}

var avx2Pack = [len(formats)]panelPacker{
	Q8_0: packAVX2Q8_0, Q4_0: packAVX2Q4_0, Q4_K: packAVX2Q4_K, Q5_K: packAVX2Q5_K, Q6_K: packAVX2Q6_K,
}

var avx2Lines = [len(formats)]int{Q8_0: 7, Q4_0: 3, Q4_K: 20, Q5_K: 28, Q6_K: 21}

var avx2Quantize = [tileFormats]tileQuantizer{
	tileQ8_0: quantizeAVX2Q8_0, tileQ4_0: quantizeAVX2Q8_0, tileK32: quantizeAVX2Q8_K32, tileK16: quantizeAVX2Q8_K16,
}

var avx2Quant = quantKernels{
	tile:  [tileFormats]int{4, 4, 4, 4},
	pack:  avx2Pack,
	lines: avx2Lines,
	product: [productKinds]panelProduct{
		product8: productAVX2Q8, product4: productAVX2Q4, product4Min: productAVX2Q4Min,
		product5Min: productAVX2Q5Min, product6: productAVX2Q6,
	},
	quantize: avx2Quantize,
}

// The packers are bound by loads and shuffles, of which a Zen 4 does as many
// bytes per cycle with either width; they are those of AVX2.
var vnniQuant = quantKernels{
	tile:  [tileFormats]int{tileQ8_0: maxTile, tileQ4_0: maxTile, tileK32: 8, tileK16: 8},
	pack:  avx2Pack,
	lines: avx2Lines,
	product: [productKinds]panelProduct{
		product8: productVNNI32, product4: productVNNI32, product4Min: productVNNI32Min,
		product5Min: productVNNI32Min, product6: productVNNI16,
	},
	quantize: avx2Quantize,
}

// fitScaleMins finds the scales and minimums of 8 sub-blocks of 32 elements.
func fitScaleMins(scales, lows *[8]float32, x []float32, top int, first float32, steps int) {
	if active < levelAVX2 {
		fitScaleMinsPortable(scales, lows, x, top, first, steps)
		return
	}
	var columns [256]float32
	for i, v := range x[:256] {
		columns[i%32*8+i/32] = v
	}
	var work [512]float32
	factors := [32]float32{float32(top)}
	for step := range steps + 1 {
		factors[step+1] = searchFactor(float32(top), first, step)
	}
	fitScaleMinAVX2(&scales[0], &lows[0], &columns[0], &work[0], &factors[0], steps+1, float32(top))
}
