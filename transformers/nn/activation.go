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
	h := m.Up.Forward(ws, x)
	m.Act.Apply(ws, h)
	return m.Down.Forward(ws, h)
}

// GatedMLP is down(act(gate(x)) ⊙ up(x)).
//
// Source: Shazeer 2020, "GLU Variants Improve Transformer".
type GatedMLP struct {
	Gate, Up, Down Linear
	Act            Activation
	silu           bool
}

// NewGatedMLP reads gate_proj, up_proj and down_proj.
func NewGatedMLP(w checkpoint.Weights, dim, hidden int, act string, bias bool) (GatedMLP, error) {
	a, err := ActivationOf(act)
	return GatedMLP{
		Gate: NewLinear(w.Sub("gate_proj"), dim, hidden, bias),
		Up:   NewLinear(w.Sub("up_proj"), dim, hidden, bias),
		Down: NewLinear(w.Sub("down_proj"), hidden, dim, bias),
		Act:  a,
		silu: act == "silu" || act == "swish",
	}, err
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
