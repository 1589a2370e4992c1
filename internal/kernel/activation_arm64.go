package kernel

import "math"

func vectorApply(f function, x []float32) bool {
	if active == levelPortable {
		return false
	}
	whole := len(x) &^ 3
	if whole > 0 {
		applyNEON(f, &x[0], whole/4)
	}
	if whole < len(x) {
		var last [4]float32
		copy(last[:], x[whole:])
		applyNEON(f, &last[0], 1)
		copy(x[whole:], last[:])
	}
	return true
}

func applyNEON(f function, x *float32, vectors int) {
	switch f {
	case exp:
		expNEON(x, vectors)
	case tanh:
		tanhNEON(x, vectors)
	case logistic:
		sigmoidNEON(x, vectors)
	case swish:
		siluNEON(x, vectors)
	case geluErf:
		geluNEON(x, vectors)
	case geluTanh:
		geluTanhNEON(x, vectors)
	case geluQuick:
		quickGELUNEON(x, vectors)
	case rectifier:
		reluNEON(x, vectors)
	}
}

// vectorExpSum replaces x by e^(x − max(x)) and returns the sum.
func vectorExpSum(x []float32) (sum float64, ok bool) {
	if active == levelPortable {
		return 0, false
	}
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	for i := range x {
		x[i] -= top
	}
	Exp(x)
	for _, v := range x {
		sum += float64(v)
	}
	return sum, true
}

func vectorSiLUMul(dst, gate, up []float32) bool {
	if active == levelPortable {
		return false
	}
	const block = 64 // dst may be gate or up
	var s [block]float32
	for i := 0; i < len(dst); i += block {
		n := min(block, len(dst)-i)
		copy(s[:n], gate[i:])
		SiLU(s[:n])
		for j, v := range s[:n] {
			dst[i+j] = v * up[i+j]
		}
	}
	return true
}

// The functions of activation_arm64.s replace whole vectors of four.

//go:noescape
func expNEON(x *float32, vectors int)

//go:noescape
func tanhNEON(x *float32, vectors int)

//go:noescape
func sigmoidNEON(x *float32, vectors int)

//go:noescape
func siluNEON(x *float32, vectors int)

//go:noescape
func geluNEON(x *float32, vectors int)

//go:noescape
func geluTanhNEON(x *float32, vectors int)

//go:noescape
func quickGELUNEON(x *float32, vectors int)

//go:noescape
func reluNEON(x *float32, vectors int)
