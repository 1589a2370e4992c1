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

// NewSelfAttention reads q_proj, k_proj, v_proj and o_proj for dim hidden
// numbers. bias says whether the first three have one.
func NewSelfAttention(w checkpoint.Weights, a Attention, dim int, bias bool) SelfAttention {
	return SelfAttention{
		Attention: a,
		Q:         NewLinear(w.Sub("q_proj"), dim, a.Heads*a.Dim, bias),
		K:         NewLinear(w.Sub("k_proj"), dim, a.KVHeads*a.Dim, bias),
		V:         NewLinear(w.Sub("v_proj"), dim, a.KVHeads*a.Dim, bias),
		O:         NewLinear(w.Sub("o_proj"), a.Heads*a.Dim, dim, false),
	}
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
