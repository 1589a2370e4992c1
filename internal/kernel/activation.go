package kernel

import "math"

// Exp replaces x by eˣ.
func Exp(x []float32) { apply(x, math.Exp) }

// Tanh replaces x by tanh x.
func Tanh(x []float32) { apply(x, math.Tanh) }

// Sigmoid replaces x by 1 / (1 + e⁻ˣ).
func Sigmoid(x []float32) { apply(x, sigmoid) }

// SiLU replaces x by x·sigmoid(x), also known as swish.
func SiLU(x []float32) { apply(x, silu) }

// GELU replaces x by x·Φ(x), Φ being the normal distribution ("gelu" in
// config.json: Hendrycks and Gimpel 2016 with erf).
func GELU(x []float32) { apply(x, gelu) }

// GELUTanh replaces x by the tanh approximation of x·Φ(x) ("gelu_new",
// "gelu_pytorch_tanh" in config.json).
func GELUTanh(x []float32) { apply(x, geluTanh) }

// QuickGELU replaces x by x·sigmoid(1.702·x) ("quick_gelu", the CLIP models).
func QuickGELU(x []float32) { apply(x, quickGELU) }

// ReLU replaces negative elements by 0.
func ReLU(x []float32) {
	for i, v := range x {
		if v < 0 {
			x[i] = 0
		}
	}
}

// SiLUMul writes silu(gate)·up, the middle of a gated MLP (Shazeer 2020), into
// dst. All have the same length; dst may be gate or up.
func SiLUMul(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for i, v := range gate {
		dst[i] = float32(silu(float64(v)) * float64(up[i]))
	}
}

// The definitions, in float64. They are what the vector code is tested against.

func sigmoid(x float64) float64   { return 1 / (1 + math.Exp(-x)) }
func silu(x float64) float64      { return x * sigmoid(x) }
func quickGELU(x float64) float64 { return x * sigmoid(1.702*x) }
func gelu(x float64) float64      { return 0.5 * x * math.Erfc(-x*math.Sqrt2/2) }
func geluTanh(x float64) float64 {
	// 0.5·(1 + tanh y) = sigmoid(2y), which keeps the small values of the left tail.
	return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
}

func apply(x []float32, f func(float64) float64) {
	for i, v := range x {
		x[i] = float32(f(float64(v)))
	}
}
