package kernel

import "math"

//go:generate go -C gen run ./float -unit vector -pkg kernel -out ../vector_amd64.s -stubs ../vector_stubs_amd64.go
//go:generate go -C gen run ./float -unit activation -pkg kernel -out ../activation_amd64.s -stubs ../activation_stubs_amd64.go

// The functions of this file choose the assembly for the active level. They
// report false where the portable code is to be used.

func vectorDot(a, b []float32) (sum float32, ok bool) {
	switch n := len(a); {
	case n == 0 || active < levelAVX2:
		return 0, false
	case active == levelAVX2:
		return dotVectorAVX2(&a[0], &b[0], n), true
	default:
		return dotVectorAVX512(&a[0], &b[0], n), true
	}
}

func vectorUpdate(f update, dst []float32, a float32, x []float32) bool {
	n := len(dst)
	if n == 0 || active < levelAVX2 {
		return false
	}
	d, p, wide := &dst[0], &x[0], active >= levelAVX512
	switch {
	case f == axpy && wide:
		axpyVectorAVX512(d, p, n, a)
	case f == axpy:
		axpyVectorAVX2(d, p, n, a)
	case f == add && wide:
		addVectorAVX512(d, p, n)
	case f == add:
		addVectorAVX2(d, p, n)
	case wide:
		mulVectorAVX512(d, p, n)
	default:
		mulVectorAVX2(d, p, n)
	}
	return true
}

func vectorMulAdd(dst, a, b []float32) bool {
	switch n := len(dst); {
	case n == 0 || active < levelAVX2:
		return false
	case active == levelAVX2:
		mulAddVectorAVX2(&dst[0], &a[0], &b[0], n)
	default:
		mulAddVectorAVX512(&dst[0], &a[0], &b[0], n)
	}
	return true
}

func vectorScale(dst []float32, a float32) bool {
	switch n := len(dst); {
	case n == 0 || active < levelAVX2:
		return false
	case active == levelAVX2:
		scaleVectorAVX2(&dst[0], n, a)
	default:
		scaleVectorAVX512(&dst[0], n, a)
	}
	return true
}

// vectorExpSum replaces x by e^(x − max(x)) and returns the sum. It adds up in
// float64 what fits a float32 sum without loss: a vocabulary has many terms.
func vectorExpSum(x []float32) (sum float64, ok bool) {
	if active < levelAVX2 {
		return 0, false
	}
	const short = 4096
	top := float32(math.Inf(-1))
	for i := 0; i < len(x); i += short {
		if n := min(short, len(x)-i); active == levelAVX2 {
			top = maxVectorAVX2(&x[i], n, top)
		} else {
			top = maxVectorAVX512(&x[i], n, top)
		}
	}
	for i := 0; i < len(x); i += short {
		if n := min(short, len(x)-i); active == levelAVX2 {
			sum += float64(expSumAVX2(&x[i], n, top))
		} else {
			sum += float64(expSumAVX512(&x[i], n, top))
		}
	}
	return sum, true
}

func vectorApply(f function, x []float32) bool {
	n := len(x)
	if n == 0 || active < levelAVX2 {
		return false
	}
	if p := &x[0]; active == levelAVX2 {
		applyAVX2(f, p, n)
	} else {
		applyAVX512(f, p, n)
	}
	return true
}

func applyAVX2(f function, p *float32, n int) {
	switch f {
	case exp:
		expVectorAVX2(p, n)
	case tanh:
		tanhVectorAVX2(p, n)
	case logistic:
		sigmoidVectorAVX2(p, n)
	case swish:
		siluVectorAVX2(p, n)
	case geluErf:
		geluVectorAVX2(p, n)
	case geluTanh:
		geluTanhVectorAVX2(p, n)
	case geluQuick:
		quickGELUVectorAVX2(p, n)
	case rectifier:
		reluVectorAVX2(p, n)
	}
}

func applyAVX512(f function, p *float32, n int) {
	switch f {
	case exp:
		expVectorAVX512(p, n)
	case tanh:
		tanhVectorAVX512(p, n)
	case logistic:
		sigmoidVectorAVX512(p, n)
	case swish:
		siluVectorAVX512(p, n)
	case geluErf:
		geluVectorAVX512(p, n)
	case geluTanh:
		geluTanhVectorAVX512(p, n)
	case geluQuick:
		quickGELUVectorAVX512(p, n)
	case rectifier:
		reluVectorAVX512(p, n)
	}
}

func vectorSiLUMul(dst, gate, up []float32) bool {
	switch n := len(dst); {
	case n == 0 || active < levelAVX2:
		return false
	case active == levelAVX2:
		siluMulVectorAVX2(&dst[0], &gate[0], &up[0], n)
	default:
		siluMulVectorAVX512(&dst[0], &gate[0], &up[0], n)
	}
	return true
}

func vectorRMSScale(dst, x, weight []float32, r, offset float32) bool {
	switch n := len(dst); {
	case n == 0 || active < levelAVX2:
		return false
	case active == levelAVX2:
		rmsScaleAVX2(&dst[0], &x[0], &weight[0], n, r, offset)
	default:
		rmsScaleAVX512(&dst[0], &x[0], &weight[0], n, r, offset)
	}
	return true
}

// vectorMoments returns the mean of x and Σ (x − mean)².
func vectorMoments(x []float32) (mean, squares float64, ok bool) {
	n := len(x)
	switch {
	case n == 0 || active < levelAVX2:
		return 0, 0, false
	case active == levelAVX2:
		mean = float64(sumVectorAVX2(&x[0], n)) / float64(n)
		return mean, float64(deviationsAVX2(&x[0], n, float32(mean))), true
	default:
		mean = float64(sumVectorAVX512(&x[0], n)) / float64(n)
		return mean, float64(deviationsAVX512(&x[0], n, float32(mean))), true
	}
}

// vectorAffine writes (x − mean)·r·weight + bias; bias may be nil.
func vectorAffine(dst, x, weight, bias []float32, mean, r float32) bool {
	n := len(x)
	if n == 0 || active < levelAVX2 {
		return false
	}
	weight = weight[:n]
	switch wide := active >= levelAVX512; {
	case bias == nil && wide:
		affineAVX512(&dst[0], &x[0], &weight[0], n, mean, r)
	case bias == nil:
		affineAVX2(&dst[0], &x[0], &weight[0], n, mean, r)
	case wide:
		affineBiasAVX512(&dst[0], &x[0], &weight[0], &bias[:n][0], n, mean, r)
	default:
		affineBiasAVX2(&dst[0], &x[0], &weight[0], &bias[:n][0], n, mean, r)
	}
	return true
}

func vectorRope(lo, hi, cos, sin []float32) bool {
	switch n := len(cos); {
	case n == 0 || active < levelAVX2:
		return false
	case active == levelAVX2:
		ropeVectorAVX2(&lo[0], &hi[0], &cos[0], &sin[0], n)
	default:
		ropeVectorAVX512(&lo[0], &hi[0], &cos[0], &sin[0], n)
	}
	return true
}

// vectorRopePairs rotates whole vectors of pairs and returns how many pairs.
func vectorRopePairs(x, cos, sin []float32) int {
	switch n := len(cos); {
	case active >= levelAVX512 && n >= 8:
		ropePairsAVX512(&x[0], &cos[0], &sin[0], n/8)
		return n &^ 7
	case active >= levelAVX2 && n >= 4:
		ropePairsAVX2(&x[0], &cos[0], &sin[0], n/4)
		return n &^ 3
	}
	return 0
}

// The conversions do whole vectors and return how many elements.

func vectorF16ToF32(dst []float32, src []uint16) int {
	switch n := len(src); {
	case active >= levelAVX512 && n >= 16:
		widenF16AVX512(&dst[0], &src[0], n/16)
		return n &^ 15
	case active >= levelAVX2 && n >= 8:
		widenF16AVX2(&dst[0], &src[0], n/8)
		return n &^ 7
	}
	return 0
}

func vectorBF16ToF32(dst []float32, src []uint16) int {
	switch n := len(src); {
	case active >= levelAVX512 && n >= 16:
		widenBF16AVX512(&dst[0], &src[0], n/16)
		return n &^ 15
	case active >= levelAVX2 && n >= 8:
		widenBF16AVX2(&dst[0], &src[0], n/8)
		return n &^ 7
	}
	return 0
}

func vectorF32ToF16(dst []uint16, src []float32) int {
	switch n := len(src); {
	case active >= levelAVX512 && n >= 16:
		narrowF16AVX512(&dst[0], &src[0], n/16)
		return n &^ 15
	case active >= levelAVX2 && n >= 8:
		narrowF16AVX2(&dst[0], &src[0], n/8)
		return n &^ 7
	}
	return 0
}
