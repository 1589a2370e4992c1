package nn

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// DecoderConfig are the keys of config.json that the decoders of the llama
// family share.
type DecoderConfig struct {
	RopeConfig
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	IntermediateSize      int     `json:"intermediate_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	NumKeyValueHeads      int     `json:"num_key_value_heads"` // 0: as many as attention heads
	HeadDim               int     `json:"head_dim"`            // 0: hidden_size / num_attention_heads
	HiddenAct             string  `json:"hidden_act"`
	RMSNormEps            float64 `json:"rms_norm_eps"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"`

	SlidingWindow int      `json:"sliding_window"`
	LayerTypes    []string `json:"layer_types"` // "full_attention" or "sliding_attention" by layer

	// GGUF is true for a configuration made from a GGUF file.
	GGUF bool `json:"gguf"`
	// RopeInterleaved is true for a GGUF file whose query and key weights are
	// ordered for a rope that pairs neighbours.
	RopeInterleaved bool `json:"gguf_rope_interleaved"`
}

// maxConfigSize bounds what a configuration may ask for, so that products of
// its numbers do not overflow.
const maxConfigSize = 1 << 24

// Complete fills in what config.json may leave out and refuses what cannot be.
func (c *DecoderConfig) Complete() error {
	if c.NumKeyValueHeads == 0 {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	if c.HeadDim == 0 && c.NumAttentionHeads > 0 {
		c.HeadDim = c.HiddenSize / c.NumAttentionHeads
	}
	if c.HiddenAct == "" {
		c.HiddenAct = "silu"
	}
	if c.MaxPositionEmbeddings == 0 {
		c.MaxPositionEmbeddings = 2048
	}
	for name, v := range map[string]int{
		"vocab_size": c.VocabSize, "hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize,
		"num_hidden_layers": c.NumHiddenLayers, "num_attention_heads": c.NumAttentionHeads,
		"num_key_value_heads": c.NumKeyValueHeads, "head_dim": c.HeadDim,
	} {
		if v <= 0 || v > maxConfigSize {
			return fmt.Errorf("%w: config.json has %s %d", checkpoint.ErrFormat, name, v)
		}
	}
	if c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		return fmt.Errorf("%w: %d attention heads do not divide among %d key/value heads",
			checkpoint.ErrFormat, c.NumAttentionHeads, c.NumKeyValueHeads)
	}
	return nil
}

// Attention is the attention of layer i that the configuration describes.
func (c *DecoderConfig) Attention(i int) Attention {
	a := NewAttention(c.NumAttentionHeads, c.NumKeyValueHeads, c.HeadDim)
	if c.Sliding(i) {
		a.Window = c.SlidingWindow
	}
	return a
}

// Sliding reports whether layer i sees only the last SlidingWindow tokens.
func (c *DecoderConfig) Sliding(i int) bool {
	return i < len(c.LayerTypes) && c.LayerTypes[i] == "sliding_attention"
}

// LayerPattern fills in LayerTypes, if the configuration has none, by layer.
func (c *DecoderConfig) LayerPattern(sliding func(i int) bool) {
	if c.LayerTypes != nil {
		return
	}
	c.LayerTypes = make([]string, c.NumHiddenLayers)
	for i := range c.LayerTypes {
		c.LayerTypes[i] = "full_attention"
		if sliding(i) {
			c.LayerTypes[i] = "sliding_attention"
		}
	}
}

// Parse reads config.json into c, which embeds d and holds the defaults, and
// completes it.
func (d *DecoderConfig) Parse(config json.RawMessage, c any) error {
	if err := json.Unmarshal(config, c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return d.Complete()
}

// Rope is the rotation that the configuration, or a GGUF file's stored
// factors, describe. See RopeConfig.Parameters for layerType.
func (c *DecoderConfig) Rope(w checkpoint.Weights, layerType string, defaultTheta float64) (*Rope, error) {
	p, err := c.Parameters(layerType, defaultTheta)
	if err != nil {
		return nil, err
	}
	r, err := NewRope(p, c.HeadDim, c.MaxPositionEmbeddings)
	if err != nil {
		return nil, err
	}
	r.Interleaved = c.RopeInterleaved
	if w.Has("rope_freqs.weight") {
		r.Divide(w.Vector("rope_freqs.weight", r.Pairs()))
	}
	return r, nil
}

// DecoderLayer is one layer of the llama family: attention and a gated MLP,
// each over normalised inputs and added to the residual stream.
type DecoderLayer struct {
	InputNorm         RMSNorm
	Attention         SelfAttention
	PostAttentionNorm RMSNorm
	MLP               GatedMLP
}

// NewDecoderLayer reads a layer by llama's names, without biases.
func NewDecoderLayer(w checkpoint.Weights, c *DecoderConfig, a Attention) (DecoderLayer, error) {
	mlp, err := NewGatedMLP(w.Sub("mlp"), c.HiddenSize, c.IntermediateSize, c.HiddenAct)
	return DecoderLayer{
		InputNorm:         NewRMSNorm(w.Sub("input_layernorm"), c.HiddenSize, c.RMSNormEps),
		Attention:         NewSelfAttention(w.Sub("self_attn"), a, c.HiddenSize),
		PostAttentionNorm: NewRMSNorm(w.Sub("post_attention_layernorm"), c.HiddenSize, c.RMSNormEps),
		MLP:               mlp,
	}, err
}

// Forward adds layer i's contribution to x: (tokens, dim).
func (l *DecoderLayer) Forward(ws *Workspace, b *Batch, i int, x tensor.Tensor, angles Angles) {
	mark := ws.Arena.Mark()
	ws.Add(x, l.Attention.Forward(ws, b, i, l.InputNorm.Forward(ws, x), angles))
	ws.Add(x, l.MLP.Forward(ws, l.PostAttentionNorm.Forward(ws, x)))
	ws.Arena.Release(mark)
}

// Decoder is what every decoder has around its layers: the table of token
// embeddings, the output layer, and what its sequences remember.
type Decoder struct {
	Embed Embedding
	Head  Linear

	shape       KVShape
	maxPosition int
	rope        *Rope // nil if texts of all lengths turn by the same angles
}

// NewDecoder reads model.embed_tokens and lm_head, or ties the two.
func NewDecoder(c DecoderConfig, w checkpoint.Weights) Decoder {
	embed := NewEmbedding(w.Sub("model.embed_tokens"), c.VocabSize, c.HiddenSize)
	head := embed.Linear()
	if !c.TieWordEmbeddings && w.Has("lm_head.weight") {
		head = NewLinear(w.Sub("lm_head"), c.HiddenSize, c.VocabSize, false)
	}
	return DecoderOf(embed, head, &c)
}

// DecoderOf is a Decoder of parts that were read already.
func DecoderOf(embed Embedding, head Linear, c *DecoderConfig) Decoder {
	return Decoder{
		Embed: embed, Head: head, maxPosition: c.MaxPositionEmbeddings,
		shape: KVShape{Layers: c.NumHiddenLayers, Heads: c.NumKeyValueHeads, Dim: c.HeadDim},
	}
}

// Extend tells the decoder of the scaling of its rope, which may be made for
// longer texts than max_position_embeddings says: as vLLM, and unlike
// transformers, which refuses no length, a decoder here takes as many tokens as
// the scaling's factor says.
func (d *Decoder) Extend(r *Rope) {
	d.rope = r
	d.maxPosition = max(d.maxPosition, r.Reach)
}

// Stretched reports whether the angles of a text of so many tokens depend on
// its length, so that nothing known of it is of use to another.
func (d *Decoder) Stretched(length int) bool { return d.rope != nil && d.rope.Stretched(length) }

// Logits runs the asked-for rows of a batch through the last norm and the
// output layer: (outputs, vocabulary).
func (d *Decoder) Logits(ws *Workspace, b *Batch, norm *RMSNorm, x tensor.Tensor) tensor.Tensor {
	x = Select(ws, x, b.Outputs())
	norm.ForwardInto(ws, x, x)
	return d.Head.Forward(ws, x)
}

// KVShape is what the network keeps of each token.
func (d *Decoder) KVShape() KVShape { return d.shape }

// Vocabulary is the number of logits.
func (d *Decoder) Vocabulary() int { return d.Head.W.Rows }

// MaxPosition is the longest sequence that the network was made for, in
// tokens.
func (d *Decoder) MaxPosition() int { return d.maxPosition }
