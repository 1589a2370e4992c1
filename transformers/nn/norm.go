package nn

import (
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// RMSNorm is y = x / √(mean(x²) + ε) · (offset + w).
//
// Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
type RMSNorm struct {
	Weight []float32
	Eps    float32
	Offset float32 // 1 for gemma, whose weights are stored less one
}

// NewRMSNorm reads weight (dim).
func NewRMSNorm(w checkpoint.Weights, dim int, eps float64) RMSNorm {
	return RMSNorm{Weight: w.Vector("weight", dim), Eps: float32(eps)}
}

// Forward normalises the rows of x into a new tensor.
func (n *RMSNorm) Forward(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	y := ws.Arena.New(x.Rows(), x.Cols())
	n.ForwardInto(ws, y, x)
	return y
}

// ForwardInto normalises the rows of x into y, which may be x.
func (n *RMSNorm) ForwardInto(ws *Workspace, y, x tensor.Tensor) {
	rows, cols := x.Rows(), x.Cols()
	if rows*cols < 2*rowWork {
		for r := range rows { // no closure: a decoded token allocates nothing
			kernel.RMSNorm(y.Row(r), x.Row(r), n.Weight, n.Eps, n.Offset)
		}
		return
	}
	ws.eachRow(y, x, func(y, x []float32) { kernel.RMSNorm(y, x, n.Weight, n.Eps, n.Offset) })
}

// LayerNorm is y = (x − mean) / √(var + ε) · w + b.
//
// Source: Ba et al. 2016, "Layer Normalization".
type LayerNorm struct {
	Weight, Bias []float32 // nil: ones, zeros
	Eps          float32
}

// NewLayerNorm reads weight (dim) and, if there is one, bias (dim). Old
// checkpoints call them gamma and beta.
func NewLayerNorm(w checkpoint.Weights, dim int, eps float64) LayerNorm {
	if !w.Has("weight") && w.Has("gamma") {
		return LayerNorm{Weight: w.Vector("gamma", dim), Bias: w.OptionalVector("beta", dim), Eps: float32(eps)}
	}
	return LayerNorm{Weight: w.Vector("weight", dim), Bias: w.OptionalVector("bias", dim), Eps: float32(eps)}
}

// Forward normalises the rows of x into a new tensor.
func (n *LayerNorm) Forward(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	y := ws.Arena.New(x.Rows(), x.Cols())
	n.ForwardInto(ws, y, x)
	return y
}

// ForwardInto normalises the rows of x into y, which may be x.
func (n *LayerNorm) ForwardInto(ws *Workspace, y, x tensor.Tensor) {
	rows, cols := x.Rows(), x.Cols()
	if rows*cols < 2*rowWork {
		for r := range rows {
			kernel.LayerNorm(y.Row(r), x.Row(r), n.Weight, n.Bias, n.Eps)
		}
		return
	}
	ws.eachRow(y, x, func(y, x []float32) { kernel.LayerNorm(y, x, n.Weight, n.Bias, n.Eps) })
}
