package kernel

import "math"

// RMSNorm normalises one row: dst = x / √(mean(x²) + eps) · (offset + weight)
// (Zhang and Sennrich 2019). offset is 1 for Gemma's weights, which are stored
// as the difference to one, and 0 for everybody else's. dst may be x.
func RMSNorm(dst, x, weight []float32, eps, offset float32) {
	dst, weight = dst[:len(x)], weight[:len(x)]
	var squares float64
	if sum, ok := vectorDot(x, x); ok {
		squares = float64(sum)
	} else {
		for _, v := range x {
			squares += float64(v) * float64(v)
		}
	}
	r := float32(1 / math.Sqrt(squares/float64(len(x))+float64(eps)))
	if vectorRMSScale(dst, x, weight, r, offset) {
		return
	}
	for i, v := range x {
		dst[i] = v * r * (offset + weight[i])
	}
}

// LayerNorm normalises one row: dst = (x − mean(x)) / √(var(x) + eps) · weight +
// bias (Ba, Kiros and Hinton 2016), with the variance over len(x). A nil weight
// counts as ones, a nil bias as zeros. dst may be x.
func LayerNorm(dst, x, weight, bias []float32, eps float32) {
	dst = dst[:len(x)]
	mean, squares, ok := vectorMoments(x)
	if !ok {
		mean, squares = moments(x)
	}
	m, r := float32(mean), float32(1/math.Sqrt(squares/float64(len(x))+float64(eps)))
	if weight != nil && vectorAffine(dst, x, weight, bias, m, r) {
		return
	}
	for i, v := range x {
		y := (v - m) * r
		if weight != nil {
			y *= weight[i]
		}
		if bias != nil {
			y += bias[i]
		}
		dst[i] = y
	}
}

// moments returns the mean of x and Σ (x − mean)².
func moments(x []float32) (mean, squares float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		squares += d * d
	}
	return mean, squares
}

// Rope rotates the pairs of one head vector by the angles whose cosines and
// sines are given (RoFormer, Su et al. 2021): len(x) = 2·len(cos), the rotary
// part of the head only. Pairs are (i, i+len/2) as in GPT-NeoX and every
// transformers checkpoint, or (2i, 2i+1) if interleaved, as in GPT-J and the
// llama models of GGUF files.
func Rope(x, cos, sin []float32, interleaved bool) {
	half := len(cos)
	sin = sin[:half]
	x = x[:2*half]
	if interleaved {
		for i := vectorRopePairs(x, cos, sin); i < half; i++ {
			a, b, c, s := x[2*i], x[2*i+1], cos[i], sin[i]
			x[2*i], x[2*i+1] = a*c-b*s, b*c+a*s
		}
		return
	}
	lo, hi := x[:half], x[half:]
	if vectorRope(lo, hi, cos, sin) {
		return
	}
	for i, c := range cos {
		a, b, s := lo[i], hi[i], sin[i]
		lo[i], hi[i] = a*c-b*s, b*c+a*s
	}
}
