package nn

import (
	"math"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// SandwichLayer is one layer of the gemma family: attention and a gated MLP,
// each between two norms.
type SandwichLayer struct {
	DecoderLayer
	preFeedforwardNorm, postFeedforwardNorm RMSNorm
}

// NewSandwichLayer reads a layer by gemma's names.
func NewSandwichLayer(w checkpoint.Weights, c *DecoderConfig, a Attention, act string) (SandwichLayer, error) {
	inner := *c
	inner.HiddenAct = act
	layer, err := NewDecoderLayer(w, &inner, a)
	s := SandwichLayer{
		DecoderLayer:        layer,
		preFeedforwardNorm:  NewRMSNorm(w.Sub("pre_feedforward_layernorm"), c.HiddenSize, c.RMSNormEps),
		postFeedforwardNorm: NewRMSNorm(w.Sub("post_feedforward_layernorm"), c.HiddenSize, c.RMSNormEps),
	}
	for _, n := range []*RMSNorm{&s.InputNorm, &s.PostAttentionNorm, &s.preFeedforwardNorm, &s.postFeedforwardNorm} {
		n.Offset = c.NormOffset()
	}
	return s, err
}

// Forward adds layer i's contribution to x: (tokens, dim).
func (l *SandwichLayer) Forward(ws *Workspace, b *Batch, i int, x tensor.Tensor, angles Angles) {
	mark := ws.Arena.Mark()
	y := l.Attention.Forward(ws, b, i, l.InputNorm.Forward(ws, x), angles)
	l.PostAttentionNorm.ForwardInto(ws, y, y)
	ws.Add(x, y)
	y = l.MLP.Forward(ws, l.preFeedforwardNorm.Forward(ws, x))
	l.postFeedforwardNorm.ForwardInto(ws, y, y)
	ws.Add(x, y)
	ws.Arena.Release(mark)
}

// NormOffset is what gemma adds to a norm's weight; GGUF files have it added.
func (c *DecoderConfig) NormOffset() float32 {
	if c.GGUF {
		return 0
	}
	return 1
}

// largeGemmas are the layer counts of the 27 B models, whose scale GGUF files
// do not store.
var largeGemmas = map[int]bool{46: true, 62: true}

// QueryScale is gemma's scale of scores, 1/√query_pre_attn_scalar.
func (c *DecoderConfig) QueryScale(preAttnScalar float64) float32 {
	switch {
	case preAttnScalar > 0:
	case c.GGUF && largeGemmas[c.NumHiddenLayers]:
		preAttnScalar = float64(c.HiddenSize / c.NumAttentionHeads)
	case c.GGUF:
		preAttnScalar = float64(c.HeadDim)
	default:
		preAttnScalar = 256
	}
	return float32(1 / math.Sqrt(preAttnScalar))
}

// SoftCap computes limit·tanh(x/limit) in place; 0 is no limit.
func SoftCap(x tensor.Tensor, limit float32) {
	if limit == 0 {
		return
	}
	kernel.Scale(x.Data, 1/limit)
	kernel.Tanh(x.Data)
	kernel.Scale(x.Data, limit)
}

// Scale multiplies x by a in place.
func Scale(x tensor.Tensor, a float32) { kernel.Scale(x.Data, a) }

// AddRow adds y to x in place.
func AddRow(x, y []float32) { kernel.Add(x, y) }
