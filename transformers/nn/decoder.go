package nn

import (
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
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

// Attention is the attention that the configuration describes.
func (c *DecoderConfig) Attention() Attention {
	return NewAttention(c.NumAttentionHeads, c.NumKeyValueHeads, c.HeadDim)
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

// Decoder is what every decoder has around its layers: the table of token
// embeddings, the output layer, and what its sequences remember.
type Decoder struct {
	Embed Embedding
	Head  Linear

	shape       KVShape
	maxPosition int
}

// NewDecoder reads model.embed_tokens and lm_head, or ties the two.
func NewDecoder(c DecoderConfig, w checkpoint.Weights) Decoder {
	d := Decoder{
		Embed:       NewEmbedding(w.Sub("model.embed_tokens"), c.VocabSize, c.HiddenSize),
		shape:       KVShape{Layers: c.NumHiddenLayers, Heads: c.NumKeyValueHeads, Dim: c.HeadDim},
		maxPosition: c.MaxPositionEmbeddings,
	}
	if c.TieWordEmbeddings || !w.Has("lm_head.weight") {
		d.Head = d.Embed.Linear()
	} else {
		d.Head = NewLinear(w.Sub("lm_head"), c.HiddenSize, c.VocabSize, false)
	}
	return d
}

// KVShape is what the network keeps of each token.
func (d *Decoder) KVShape() KVShape { return d.shape }

// Vocabulary is the number of logits.
func (d *Decoder) Vocabulary() int { return d.Head.W.Rows }

// MaxPosition is the longest sequence that the network was made for, in
// tokens.
func (d *Decoder) MaxPosition() int { return d.maxPosition }
