package kernel

import "math"

// Exp replaces x by eˣ.
func Exp(x []float32) { apply(exp, x) }

// Tanh replaces x by tanh x.
func Tanh(x []float32) { apply(tanh, x) }

// Sigmoid replaces x by 1 / (1 + e⁻ˣ).
func Sigmoid(x []float32) { apply(logistic, x) }

// SiLU replaces x by x·sigmoid(x), also known as swish.
func SiLU(x []float32) { apply(swish, x) }

// GELU replaces x by x·Φ(x), Φ being the normal distribution ("gelu" in
// config.json: Hendrycks and Gimpel 2016 with erf).
func GELU(x []float32) { apply(geluErf, x) }

// GELUTanh replaces x by the tanh approximation of x·Φ(x) ("gelu_new",
// "gelu_pytorch_tanh" in config.json).
func GELUTanh(x []float32) { apply(geluTanh, x) }

// QuickGELU replaces x by x·sigmoid(1.702·x) ("quick_gelu", the CLIP models).
func QuickGELU(x []float32) { apply(geluQuick, x) }

// ReLU replaces negative elements by 0.
func ReLU(x []float32) { apply(rectifier, x) }

// SiLUMul writes silu(gate)·up, the middle of a gated MLP (Shazeer 2020), into
// dst. All have the same length; dst may be gate or up.
func SiLUMul(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for ; len(gate) > longest; dst, gate, up = dst[longest:], gate[longest:], up[longest:] {
		SiLUMul(dst[:longest], gate[:longest], up[:longest])
	}
	if vectorSiLUMul(dst, gate, up) {
		return
	}
	for i, v := range gate {
		dst[i] = float32(swish.of(float64(v)) * float64(up[i]))
	}
}

// function is a function of one element.
type function uint8

const (
	exp function = iota
	tanh
	logistic
	swish
	geluErf
	geluTanh
	geluQuick
	rectifier
)

// apply replaces x by f(x).
func apply(f function, x []float32) {
	for ; len(x) > longest; x = x[longest:] {
		apply(f, x[:longest])
	}
	if vectorApply(f, x) {
		return
	}
	for i, v := range x {
		x[i] = float32(f.of(float64(v)))
	}
}

// of is the definition of f, which the vector code is tested against.
func (f function) of(x float64) float64 {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	switch f {
	case exp:
		return math.Exp(x)
	case tanh:
		return math.Tanh(x)
	case logistic:
		return sigmoid(x)
	case swish:
		return x * sigmoid(x)
	case geluErf:
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	case geluTanh: // 0.5·(1 + tanh y) = sigmoid(2y), which keeps the small values of the left tail
		return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	case geluQuick:
		return x * sigmoid(1.702*x)
	}
	return max(x, 0)
}
