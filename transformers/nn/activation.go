package nn

import (
	"fmt"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Activation is an elementwise function, applied in place.
type Activation func(x []float32)

// activations are config.json's names ("hidden_act", "activation_function").
var activations = map[string]Activation{
	"gelu": kernel.GELU, "gelu_new": kernel.GELUTanh, "gelu_pytorch_tanh": kernel.GELUTanh,
	"gelu_fast": kernel.GELUTanh, "gelu_python": kernel.GELU,
	"quick_gelu": kernel.QuickGELU, "relu": kernel.ReLU, "silu": kernel.SiLU, "swish": kernel.SiLU,
	"tanh": kernel.Tanh, "sigmoid": kernel.Sigmoid,
}

// ActivationOf finds an activation by its name in config.json. The error says
// which name is not known.
func ActivationOf(name string) (Activation, error) {
	a, ok := activations[name]
	if !ok {
		return nil, fmt.Errorf("activation %q is not supported", name)
	}
	return a, nil
}

// Apply runs the activation over x in place.
func (a Activation) Apply(ws *Workspace, x tensor.Tensor) { ws.Map(x, a) }

// MLP is down(act(up(x))).
type MLP struct {
	Up, Down Linear
	Act      Activation
}

// Forward is (tokens, dim) -> (tokens, dim).
func (m *MLP) Forward(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	return m.Down.Forward(ws, m.Up.Activate(ws, x, m.Act))
}

// AddTo adds Forward of x to y (tokens, dim).
func (m *MLP) AddTo(ws *Workspace, y, x tensor.Tensor) {
	m.Down.AddTo(ws, y, m.Up.Activate(ws, x, m.Act))
}

// GatedMLP is down(act(gate(x)) ⊙ up(x)).
//
// Source: Shazeer 2020, "GLU Variants Improve Transformer".
type GatedMLP struct {
	Gate, Up, Down Linear
	Act            Activation
	silu           bool
}

// NewGatedMLP reads gate_proj and up_proj, or the fused gate_up_proj, and
// down_proj. The error says if the activation is not known.
func NewGatedMLP(w checkpoint.Weights, dim, hidden int, act string) (GatedMLP, error) {
	a, err := ActivationOf(act)
	m := GatedMLP{Act: a, Down: NewLinear(w.Sub("down_proj"), hidden, dim, false), silu: act == "silu" || act == "swish"}
	if w.Has("gate_up_proj.weight") {
		parts := NewLinear(w.Sub("gate_up_proj"), dim, 2*hidden, false).Split(hidden, hidden)
		m.Gate, m.Up = parts[0], parts[1]
		return m, err
	}
	m.Gate = NewLinear(w.Sub("gate_proj"), dim, hidden, false)
	m.Up = NewLinear(w.Sub("up_proj"), dim, hidden, false)
	return m, err
}

// ReadBiases reads the biases of all three layers.
func (m *GatedMLP) ReadBiases(w checkpoint.Weights) {
	m.Gate.Bias = w.Vector("gate_proj.bias", m.Gate.W.Rows)
	m.Up.Bias = w.Vector("up_proj.bias", m.Up.W.Rows)
	m.Down.Bias = w.Vector("down_proj.bias", m.Down.W.Rows)
}

// Forward is (tokens, dim) -> (tokens, dim).
func (m *GatedMLP) Forward(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	var ys [2]tensor.Tensor
	ForwardMany(ws, x, ys[:], &m.Gate, &m.Up)
	m.gate(ws, ys[0], ys[1])
	return m.Down.Forward(ws, ys[0])
}

// gate computes act(gate) ⊙ up into gate.
func (m *GatedMLP) gate(ws *Workspace, gate, up tensor.Tensor) {
	if gate.Rows() > 1 {
		ws.eachRow(gate, up, m.gateRow)
		return
	}
	m.gateRow(gate.Data, up.Data)
}

func (m *GatedMLP) gateRow(gate, up []float32) {
	if m.silu {
		kernel.SiLUMul(gate, gate, up)
		return
	}
	m.Act(gate)
	kernel.Mul(gate, up)
}
