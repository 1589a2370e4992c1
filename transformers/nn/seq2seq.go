package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Memory is what the layers of a decoder look up in one encoded input: keys
// and values of every layer, each (tokens, dim). It is immutable and shared by
// the beams of a search.
type Memory struct{ keys, values []tensor.Tensor }

// CrossMemory attends from the new tokens of each segment of a batch to layer of the
// segment's memory: (tokens, heads·dim).
func (a *Attention) CrossMemory(ws *Workspace, b *Batch, layer int, q tensor.Tensor) tensor.Tensor {
	t := &ws.attention
	t.begin(ws, a, q, nil)
	row := 0
	for i := range b.Segments {
		s := &b.Segments[i]
		k, v := s.Memory.keys[layer], s.Memory.values[layer]
		t.add(span{queries: row, n: len(s.Tokens), keys: k.Rows(), k: k, v: v})
		row += len(s.Tokens)
	}
	return t.run(ws)
}

// CrossAttention looks from a decoder's tokens to an encoder's.
type CrossAttention struct {
	Attention
	Q, K, V, O Linear
}

// Forward is (tokens, dim) -> (tokens, dim).
func (c *CrossAttention) Forward(ws *Workspace, b *Batch, layer int, x tensor.Tensor) tensor.Tensor {
	return c.O.Forward(ws, c.CrossMemory(ws, b, layer, c.Q.Forward(ws, x)))
}

// Remember computes the memories of encoded sequences: hidden is (tokens, dim)
// with the sequences' bounds, layers is the decoder's.
func Remember(ws *Workspace, hidden tensor.Tensor, bounds []int, layers int, cross func(i int) *CrossAttention) []*Memory {
	memories := make([]*Memory, len(bounds)-1)
	for s := range memories {
		memories[s] = &Memory{}
	}
	for i := range ws.Layers(layers) {
		mark := ws.Arena.Mark()
		var kv [2]tensor.Tensor
		c := cross(i)
		ForwardMany(ws, hidden, kv[:], &c.K, &c.V)
		for s, m := range memories {
			m.keys = append(m.keys, kv[0].Slice(bounds[s], bounds[s+1]).Clone())
			m.values = append(m.values, kv[1].Slice(bounds[s], bounds[s+1]).Clone())
		}
		ws.Arena.Release(mark)
	}
	return memories
}

// Seq2SeqConfig are the keys of config.json that the encoder-decoders of the
// BART family share.
type Seq2SeqConfig struct {
	VocabSize             int    `json:"vocab_size"`
	DModel                int    `json:"d_model"`
	EncoderLayers         int    `json:"encoder_layers"`
	EncoderFFNDim         int    `json:"encoder_ffn_dim"`
	EncoderAttentionHeads int    `json:"encoder_attention_heads"`
	DecoderLayers         int    `json:"decoder_layers"`
	DecoderFFNDim         int    `json:"decoder_ffn_dim"`
	DecoderAttentionHeads int    `json:"decoder_attention_heads"`
	MaxPositionEmbeddings int    `json:"max_position_embeddings"`
	ActivationFunction    string `json:"activation_function"`
	ScaleEmbedding        bool   `json:"scale_embedding"`
	PadTokenID            uint32 `json:"pad_token_id"`
	DecoderStartTokenID   uint32 `json:"decoder_start_token_id"`
}

// Parse reads config.json into into, which embeds c and holds the defaults,
// and refuses what cannot be.
func (c *Seq2SeqConfig) Parse(config json.RawMessage, into any) error {
	if err := json.Unmarshal(config, into); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	for name, v := range map[string]int{
		"vocab_size": c.VocabSize, "d_model": c.DModel, "encoder_layers": c.EncoderLayers, "encoder_ffn_dim": c.EncoderFFNDim,
		"encoder_attention_heads": c.EncoderAttentionHeads, "decoder_layers": c.DecoderLayers, "decoder_ffn_dim": c.DecoderFFNDim,
		"decoder_attention_heads": c.DecoderAttentionHeads, "max_position_embeddings": c.MaxPositionEmbeddings,
	} {
		if v <= 0 || v > maxConfigSize {
			return fmt.Errorf("%w: config.json has %s %d", checkpoint.ErrFormat, name, v)
		}
	}
	if c.DModel%c.EncoderAttentionHeads != 0 || c.DModel%c.DecoderAttentionHeads != 0 {
		return fmt.Errorf("%w: %d numbers do not divide among %d or %d heads", checkpoint.ErrFormat, c.DModel, c.EncoderAttentionHeads, c.DecoderAttentionHeads)
	}
	return nil
}

// EmbedScale is what word embeddings are multiplied by.
func (c *Seq2SeqConfig) EmbedScale() float32 {
	if c.ScaleEmbedding {
		return float32(math.Sqrt(float64(c.DModel)))
	}
	return 1
}

// eps of the family's layer norms is PyTorch's default.
const seq2seqEps = 1e-5

var seq2seqNames = EncoderNames{
	Q: "self_attn.q_proj", K: "self_attn.k_proj", V: "self_attn.v_proj", O: "self_attn.out_proj",
	AttNorm: "self_attn_layer_norm", Up: "fc1", Down: "fc2", MLPNorm: "final_layer_norm",
}

// NewSeq2SeqEncoderLayers reads layers of the family's encoder.
func NewSeq2SeqEncoderLayers(w checkpoint.Weights, c *Seq2SeqConfig, act Activation) []EncoderLayer {
	layers := make([]EncoderLayer, c.EncoderLayers)
	a := NewAttention(c.EncoderAttentionHeads, c.EncoderAttentionHeads, c.DModel/c.EncoderAttentionHeads)
	for i := range layers {
		layers[i] = NewEncoderLayer(w.Layer("layers", i), seq2seqNames, a, c.EncoderFFNDim, act, seq2seqEps)
		layers[i].NormsAreLast = true
	}
	return layers
}

// Seq2SeqLayer is one layer of the family's decoder: attention to the text so
// far, attention to the input, and an MLP, each followed by a norm.
type Seq2SeqLayer struct {
	EncoderLayer
	Cross     CrossAttention
	crossNorm LayerNorm
}

// NewSeq2SeqDecoderLayers reads layers of the family's decoder.
func NewSeq2SeqDecoderLayers(w checkpoint.Weights, c *Seq2SeqConfig, act Activation) []Seq2SeqLayer {
	layers := make([]Seq2SeqLayer, c.DecoderLayers)
	a := NewAttention(c.DecoderAttentionHeads, c.DecoderAttentionHeads, c.DModel/c.DecoderAttentionHeads)
	for i := range layers {
		l := w.Layer("layers", i)
		x := l.Sub("encoder_attn")
		layers[i] = Seq2SeqLayer{
			EncoderLayer: NewEncoderLayer(l, seq2seqNames, a, c.DecoderFFNDim, act, seq2seqEps),
			crossNorm:    NewLayerNorm(l.Sub("encoder_attn_layer_norm"), c.DModel, seq2seqEps),
			Cross: CrossAttention{
				Attention: a,
				Q:         NewLinear(x.Sub("q_proj"), c.DModel, c.DModel, true), K: NewLinear(x.Sub("k_proj"), c.DModel, c.DModel, true),
				V: NewLinear(x.Sub("v_proj"), c.DModel, c.DModel, true), O: NewLinear(x.Sub("out_proj"), c.DModel, c.DModel, true),
			},
		}
	}
	return layers
}

// Forward is (tokens, dim) -> (tokens, dim), in place, for layer i.
func (l *Seq2SeqLayer) Forward(ws *Workspace, b *Batch, i int, x tensor.Tensor) {
	mark := ws.Arena.Mark()
	var qkv [3]tensor.Tensor
	ForwardMany(ws, x, qkv[:], &l.Q, &l.K, &l.V)
	l.O.AddTo(ws, x, l.Causal(ws, b, i, qkv[0], qkv[1], qkv[2], nil))
	l.AttNorm.ForwardInto(ws, x, x)
	ws.Add(x, l.Cross.Forward(ws, b, i, x))
	l.crossNorm.ForwardInto(ws, x, x)
	l.MLP.AddTo(ws, x, x)
	l.MLPNorm.ForwardInto(ws, x, x)
	ws.Arena.Release(mark)
}
