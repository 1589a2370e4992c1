// Package t5 is Google's encoder-decoder: T5, T5 1.1, Flan-T5 and mT5. Norms
// without mean or bias come before each part, and positions are biases of the
// scores that depend on the distance.
//
// Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a
// Unified Text-to-Text Transformer"; transformers/models/t5/modeling_t5.py.
package t5

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	ModelType           string  `json:"model_type"`
	VocabSize           int     `json:"vocab_size"`
	DModel              int     `json:"d_model"`
	DKV                 int     `json:"d_kv"`
	DFF                 int     `json:"d_ff"`
	NumLayers           int     `json:"num_layers"`
	NumDecoderLayers    int     `json:"num_decoder_layers"` // 0: num_layers
	NumHeads            int     `json:"num_heads"`
	Buckets             int     `json:"relative_attention_num_buckets"`
	MaxDistance         int     `json:"relative_attention_max_distance"`
	LayerNormEpsilon    float64 `json:"layer_norm_epsilon"`
	FeedForwardProj     string  `json:"feed_forward_proj"`
	TieWordEmbeddings   *bool   `json:"tie_word_embeddings"`
	ScaleDecoderOutputs *bool   `json:"scale_decoder_outputs"` // nil: unless tie_word_embeddings is false
}

// maxPosition: positions are relative, so no length is too long for the
// network; this is where its models stop making sense.
const maxPosition = 4096

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	encoder, decoder         []block
	encoderNorm, decoderNorm nn.RMSNorm
	encoderBias, decoderBias *nn.BucketBias
	outputScale              float32
}

// block is one layer of either side.
type block struct {
	attention  nn.CrossAttention // to the text itself
	norm       nn.RMSNorm
	cross      nn.CrossAttention // to the input; decoder only
	crossNorm  nn.RMSNorm
	mlp        nn.MLP
	gated      *nn.GatedMLP // T5 1.1; nil: mlp
	outputNorm nn.RMSNorm
}

func parse(config json.RawMessage) (Config, error) {
	c := Config{VocabSize: 32128, DModel: 512, DKV: 64, DFF: 2048, NumLayers: 6, NumHeads: 8, Buckets: 32, MaxDistance: 128,
		LayerNormEpsilon: 1e-6, FeedForwardProj: "relu"}
	if err := json.Unmarshal(config, &c); err != nil {
		return c, fmt.Errorf("t5: config.json: %w", err)
	}
	if c.NumDecoderLayers == 0 {
		c.NumDecoderLayers = c.NumLayers
	}
	for name, v := range map[string]int{"vocab_size": c.VocabSize, "d_model": c.DModel, "d_kv": c.DKV, "d_ff": c.DFF, "num_layers": c.NumLayers,
		"num_heads": c.NumHeads, "num_decoder_layers": c.NumDecoderLayers, "relative_attention_num_buckets": c.Buckets / 4,
		"relative_attention_max_distance": c.MaxDistance - c.Buckets/2} {
		if v <= 0 || v > 1<<24 {
			return c, fmt.Errorf("t5: %w: config.json has an impossible %s", checkpoint.ErrFormat, name)
		}
	}
	return c, nil
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c, err := parse(config)
	if err != nil {
		return nil, err
	}
	embed := nn.NewEmbedding(w.Sub("shared"), c.VocabSize, c.DModel)
	head := embed.Linear()
	if w.Has("lm_head.weight") {
		head = nn.NewLinear(w.Sub("lm_head"), c.DModel, c.VocabSize, false)
	}
	m := &Model{
		Decoder: nn.DecoderOf(embed, head, &nn.DecoderConfig{NumHiddenLayers: c.NumDecoderLayers, NumKeyValueHeads: c.NumHeads,
			HeadDim: c.DKV, MaxPositionEmbeddings: maxPosition}),
		encoderNorm: nn.NewRMSNorm(w.Sub("encoder.final_layer_norm"), c.DModel, c.LayerNormEpsilon),
		decoderNorm: nn.NewRMSNorm(w.Sub("decoder.final_layer_norm"), c.DModel, c.LayerNormEpsilon),
		encoderBias: nn.NewBucketBias(w.Sub("encoder.block.0.layer.0.SelfAttention.relative_attention_bias"), c.Buckets, c.NumHeads, c.MaxDistance, true),
		decoderBias: nn.NewBucketBias(w.Sub("decoder.block.0.layer.0.SelfAttention.relative_attention_bias"), c.Buckets, c.NumHeads, c.MaxDistance, false),
		outputScale: 1,
	}
	scaled := c.TieWordEmbeddings == nil || *c.TieWordEmbeddings
	if c.ScaleDecoderOutputs != nil {
		scaled = *c.ScaleDecoderOutputs
	}
	if scaled && c.ModelType != "mt5" { // which ties the two, or not, and never scales
		m.outputScale = float32(1 / math.Sqrt(float64(c.DModel)))
	}
	if m.encoder, err = blocks(w.Sub("encoder"), c, c.NumLayers, false); err != nil {
		return nil, fmt.Errorf("t5: %w", err)
	}
	if m.decoder, err = blocks(w.Sub("decoder"), c, c.NumDecoderLayers, true); err != nil {
		return nil, fmt.Errorf("t5: %w", err)
	}
	return m, w.Err()
}

func blocks(w checkpoint.Weights, c Config, n int, decoder bool) ([]block, error) {
	gated, act := false, c.FeedForwardProj
	if rest, ok := strings.CutPrefix(act, "gated-"); ok {
		gated, act = true, rest
		if act == "gelu" { // a name for another function in old checkpoints
			act = "gelu_new"
		}
	}
	activation, err := nn.ActivationOf(act)
	if err != nil {
		return nil, err
	}
	list := make([]block, n)
	for i := range list {
		l := w.Layer("block", i)
		b := &list[i]
		b.attention = attention(l.Sub("layer.0.SelfAttention"), c)
		b.norm = nn.NewRMSNorm(l.Sub("layer.0.layer_norm"), c.DModel, c.LayerNormEpsilon)
		last := 1
		if decoder {
			b.cross = attention(l.Sub("layer.1.EncDecAttention"), c)
			b.crossNorm = nn.NewRMSNorm(l.Sub("layer.1.layer_norm"), c.DModel, c.LayerNormEpsilon)
			last = 2
		}
		ff := l.Layer("layer", last)
		b.outputNorm = nn.NewRMSNorm(ff.Sub("layer_norm"), c.DModel, c.LayerNormEpsilon)
		d := ff.Sub("DenseReluDense")
		down := nn.NewLinear(d.Sub("wo"), c.DFF, c.DModel, false)
		if gated {
			b.gated = &nn.GatedMLP{Gate: nn.NewLinear(d.Sub("wi_0"), c.DModel, c.DFF, false),
				Up: nn.NewLinear(d.Sub("wi_1"), c.DModel, c.DFF, false), Down: down, Act: activation}
			continue
		}
		b.mlp = nn.MLP{Up: nn.NewLinear(d.Sub("wi"), c.DModel, c.DFF, false), Down: down, Act: activation}
	}
	return list, nil
}

func attention(w checkpoint.Weights, c Config) nn.CrossAttention {
	a := nn.NewAttention(c.NumHeads, c.NumHeads, c.DKV)
	a.Scale = 1 // the weights are trained for it
	inner := c.NumHeads * c.DKV
	return nn.CrossAttention{Attention: a,
		Q: nn.NewLinear(w.Sub("q"), c.DModel, inner, false), K: nn.NewLinear(w.Sub("k"), c.DModel, inner, false),
		V: nn.NewLinear(w.Sub("v"), c.DModel, inner, false), O: nn.NewLinear(w.Sub("o"), inner, c.DModel, false)}
}

// feedForward adds the block's MLP to x.
func (l *block) feedForward(ws *nn.Workspace, x tensor.Tensor) {
	h := l.outputNorm.Forward(ws, x)
	if l.gated != nil {
		ws.Add(x, l.gated.Forward(ws, h))
		return
	}
	ws.Add(x, l.mlp.Forward(ws, h))
}

// Encode reads the input of each sequence for the decoder.
func (m *Model) Encode(ws *nn.Workspace, in *nn.Input) []*nn.Memory {
	// 1. Word embeddings: (tokens, dim). Positions are in the bias.
	x := m.Embed.Forward(ws, in.IDs)
	bias := m.encoderBias.For(in.Longest())
	for i := range ws.Layers(len(m.encoder)) {
		l := &m.encoder[i]
		mark := ws.Arena.Mark()
		// 2. Attention over normalised inputs, then the MLP, added to x.
		var qkv [3]tensor.Tensor
		a := &l.attention
		nn.ForwardMany(ws, l.norm.Forward(ws, x), qkv[:], &a.Q, &a.K, &a.V)
		ws.Add(x, a.O.Forward(ws, a.Full(ws, in.Bounds, qkv[0], qkv[1], qkv[2], bias)))
		l.feedForward(ws, x)
		ws.Arena.Release(mark)
	}
	m.encoderNorm.ForwardInto(ws, x, x)
	// 3. What the decoder's layers will look up.
	return nn.Remember(ws, x, in.Bounds, len(m.decoder), func(i int) *nn.CrossAttention { return &m.decoder[i].cross })
}

// Forward runs a batch of the decoder, whose segments have memories, and
// returns the logits that it asks for: (outputs, vocabulary), valid until the
// workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Word embeddings: (tokens, dim).
	x := m.Embed.Forward(ws, b.Begin())
	bias := m.decoderBias.For(b.Longest())
	for i := range ws.Layers(len(m.decoder)) {
		l := &m.decoder[i]
		mark := ws.Arena.Mark()
		// 2. Attention to the text so far, to the input, then the MLP.
		var qkv [3]tensor.Tensor
		a := &l.attention
		nn.ForwardMany(ws, l.norm.Forward(ws, x), qkv[:], &a.Q, &a.K, &a.V)
		ws.Add(x, a.O.Forward(ws, a.Causal(ws, b, i, qkv[0], qkv[1], qkv[2], bias)))
		ws.Add(x, l.cross.Forward(ws, b, i, l.crossNorm.Forward(ws, x)))
		l.feedForward(ws, x)
		ws.Arena.Release(mark)
	}
	// 3. The last norm, a scale where the output layer is the word table, and
	// the output layer.
	x = nn.Select(ws, x, b.Outputs())
	m.decoderNorm.ForwardInto(ws, x, x)
	nn.Scale(x, m.outputScale)
	return m.Head.Forward(ws, x)
}
