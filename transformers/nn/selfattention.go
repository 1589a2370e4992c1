package nn

import (
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// SelfAttention is the attention block of a decoder with rotary positions:
// o(attend(rope(q(x)), rope(k(x)), v(x))).
type SelfAttention struct {
	Attention
	Q, K, V, O   Linear
	QNorm, KNorm *RMSNorm // over each head, before the rotation; nil: none
}

// NewSelfAttention reads q_proj, k_proj, v_proj and o_proj, or the fused
// qkv_proj and o_proj, for dim hidden numbers.
func NewSelfAttention(w checkpoint.Weights, a Attention, dim int) SelfAttention {
	s := SelfAttention{Attention: a, O: NewLinear(w.Sub("o_proj"), a.Heads*a.Dim, dim, false)}
	if w.Has("qkv_proj.weight") {
		fused := NewLinear(w.Sub("qkv_proj"), dim, (a.Heads+2*a.KVHeads)*a.Dim, false)
		parts := fused.Split(a.Heads*a.Dim, a.KVHeads*a.Dim, a.KVHeads*a.Dim)
		s.Q, s.K, s.V = parts[0], parts[1], parts[2]
		return s
	}
	s.Q = NewLinear(w.Sub("q_proj"), dim, a.Heads*a.Dim, false)
	s.K = NewLinear(w.Sub("k_proj"), dim, a.KVHeads*a.Dim, false)
	s.V = NewLinear(w.Sub("v_proj"), dim, a.KVHeads*a.Dim, false)
	return s
}

// ReadInputBiases reads the biases of query, key and value.
func (a *SelfAttention) ReadInputBiases(w checkpoint.Weights) {
	a.Q.Bias = w.Vector("q_proj.bias", a.Q.W.Rows)
	a.K.Bias = w.Vector("k_proj.bias", a.K.W.Rows)
	a.V.Bias = w.Vector("v_proj.bias", a.V.W.Rows)
}

// ReadBiases reads the biases of all four layers.
func (a *SelfAttention) ReadBiases(w checkpoint.Weights) {
	a.ReadInputBiases(w)
	a.O.Bias = w.Vector("o_proj.bias", a.O.W.Rows)
}

// ReadNorms reads q_norm and k_norm, which work on each head.
func (a *SelfAttention) ReadNorms(w checkpoint.Weights, eps float64, offset float32) {
	q, k := NewRMSNorm(w.Sub("q_norm"), a.Dim, eps), NewRMSNorm(w.Sub("k_norm"), a.Dim, eps)
	q.Offset, k.Offset = offset, offset
	a.QNorm, a.KNorm = &q, &k
}

// Forward is (tokens, dim) -> (tokens, dim). It writes to layer of the batch's
// KVs.
func (a *SelfAttention) Forward(ws *Workspace, b *Batch, layer int, x tensor.Tensor, angles Angles) tensor.Tensor {
	var ys [3]tensor.Tensor
	ForwardMany(ws, x, ys[:], &a.Q, &a.K, &a.V)
	q, k, v := ys[0], ys[1], ys[2]
	if a.QNorm != nil {
		perHead := q.Reshape(q.Rows()*a.Heads, a.Dim)
		a.QNorm.ForwardInto(ws, perHead, perHead)
	}
	if a.KNorm != nil {
		perHead := k.Reshape(k.Rows()*a.KVHeads, a.Dim)
		a.KNorm.ForwardInto(ws, perHead, perHead)
	}
	angles.Apply(ws, q, a.Heads)
	angles.Apply(ws, k, a.KVHeads)
	return a.O.Forward(ws, a.Causal(ws, b, layer, q, k, v, nil))
}
