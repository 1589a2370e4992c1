package kernel

import "math"

// longest bounds a call of assembly, in elements: the scheduler cannot interrupt
// one.
const longest = 1 << 16

// Dot returns Σ a[i]·b[i]. a and b have the same length.
func Dot(a, b []float32) float32 {
	b = b[:len(a)]
	if sum, ok := vectorDot(a, b); ok {
		return sum
	}
	return dotPortable(a, b)
}

// dotPortable keeps four sums so that a processor can overlap the additions.
func dotPortable(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s2) + (s1 + s3)
}

// Axpy adds a·x to dst. dst and x have the same length.
func Axpy(dst []float32, a float32, x []float32) {
	dst = dst[:len(x)]
	for ; len(x) > longest; dst, x = dst[longest:], x[longest:] {
		Axpy(dst[:longest], a, x[:longest])
	}
	if vectorUpdate(axpy, dst, a, x) {
		return
	}
	for i, v := range x {
		dst[i] += a * v
	}
}

// Add adds x to dst. dst and x have the same length.
func Add(dst, x []float32) {
	dst = dst[:len(x)]
	for ; len(x) > longest; dst, x = dst[longest:], x[longest:] {
		Add(dst[:longest], x[:longest])
	}
	if vectorUpdate(add, dst, 0, x) {
		return
	}
	for i, v := range x {
		dst[i] += v
	}
}

// Mul multiplies dst by x, element by element. dst and x have the same length.
func Mul(dst, x []float32) {
	dst = dst[:len(x)]
	for ; len(x) > longest; dst, x = dst[longest:], x[longest:] {
		Mul(dst[:longest], x[:longest])
	}
	if vectorUpdate(mul, dst, 0, x) {
		return
	}
	for i, v := range x {
		dst[i] *= v
	}
}

// MulAdd adds the products of a and b to dst: dst[i] += a[i]·b[i]. The three are
// equally long.
func MulAdd(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for ; len(dst) > longest; dst, a, b = dst[longest:], a[longest:], b[longest:] {
		MulAdd(dst[:longest], a[:longest], b[:longest])
	}
	if vectorMulAdd(dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}

// Scale multiplies dst by a.
func Scale(dst []float32, a float32) {
	for ; len(dst) > longest; dst = dst[longest:] {
		Scale(dst[:longest], a)
	}
	if vectorScale(dst, a) {
		return
	}
	for i := range dst {
		dst[i] *= a
	}
}

// update is a function that changes one slice by another.
type update uint8

const (
	axpy update = iota
	add
	mul
)

// Softmax replaces x by eˣ / Σ eˣ, computed as e^(x−max) so that nothing
// overflows. −Inf gives exactly 0, unless all are −Inf; a NaN anywhere, or all
// −Inf, gives NaN everywhere.
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	if sum, ok := vectorExpSum(x); ok {
		Scale(x, float32(1/sum))
		return
	}
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
		sum += float64(x[i])
	}
	Scale(x, float32(1/sum))
}
