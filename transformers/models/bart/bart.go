// Package bart is Facebook's encoder-decoder, for summaries and, with its
// classification head, for zero-shot classification.
//
// Source: Lewis et al. 2020, "BART: Denoising Sequence-to-Sequence
// Pre-training"; transformers/models/bart/modeling_bart.py.
package bart

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.Seq2SeqConfig
	nn.HeadConfig
}

// positionOffset is where the learned positions begin in their table.
const positionOffset = 2

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	scale                float32
	encoder              []nn.EncoderLayer
	decoder              []nn.Seq2SeqLayer
	encoderPos           nn.Embedding
	decoderPos           nn.Embedding
	encoderNorm, decNorm nn.LayerNorm
	start                uint32
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	m, _, err := build(config, w)
	if err != nil {
		return nil, err
	}
	m.Head.Bias = w.OptionalVector("final_logits_bias", m.Vocabulary())
	return m, w.Err()
}

func build(config json.RawMessage, w checkpoint.Weights) (*Model, Config, error) {
	c := Config{Seq2SeqConfig: nn.Seq2SeqConfig{ActivationFunction: "gelu", MaxPositionEmbeddings: 1024, PadTokenID: 1, DecoderStartTokenID: 2}}
	if err := c.Parse(config, &c); err != nil {
		return nil, c, fmt.Errorf("bart: %w", err)
	}
	act, err := nn.ActivationOf(c.ActivationFunction)
	if err != nil {
		return nil, c, fmt.Errorf("bart: %w", err)
	}
	body := w.Root("shared.weight", "model")
	enc, dec := body.Sub("encoder"), body.Sub("decoder")
	embed := nn.NewEmbedding(body.Sub("shared"), c.VocabSize, c.DModel)
	norm := func(w checkpoint.Weights) nn.LayerNorm {
		return nn.NewLayerNorm(w.Sub("layernorm_embedding"), c.DModel, 1e-5)
	}
	positions := func(w checkpoint.Weights) nn.Embedding {
		return nn.NewEmbedding(w.Sub("embed_positions"), c.MaxPositionEmbeddings+positionOffset, c.DModel)
	}
	return &Model{
		Decoder: nn.DecoderOf(embed, embed.Linear(), &nn.DecoderConfig{NumHiddenLayers: c.DecoderLayers,
			NumKeyValueHeads: c.DecoderAttentionHeads, HeadDim: c.DModel / c.DecoderAttentionHeads, MaxPositionEmbeddings: c.MaxPositionEmbeddings}),
		scale:      c.EmbedScale(),
		encoder:    nn.NewSeq2SeqEncoderLayers(enc, &c.Seq2SeqConfig, act),
		decoder:    nn.NewSeq2SeqDecoderLayers(dec, &c.Seq2SeqConfig, act),
		encoderPos: positions(enc), decoderPos: positions(dec),
		encoderNorm: norm(enc), decNorm: norm(dec),
		start: c.DecoderStartTokenID,
	}, c, nil
}

// Encode reads the input of each sequence for the decoder.
func (m *Model) Encode(ws *nn.Workspace, in *nn.Input) []*nn.Memory {
	// 1. Word and position embeddings, normalised: (tokens, dim).
	x := m.Embed.Forward(ws, in.IDs)
	nn.Scale(x, m.scale)
	ws.Add(x, m.encoderPos.Forward(ws, in.Positions(ws, positionOffset)))
	m.encoderNorm.ForwardInto(ws, x, x)
	// 2. The encoder's layers.
	for i := range ws.Layers(len(m.encoder)) {
		m.encoder[i].Forward(ws, in.Bounds, x, nil)
	}
	// 3. What the decoder's layers will look up.
	return nn.Remember(ws, x, in.Bounds, len(m.decoder), func(i int) *nn.CrossAttention { return &m.decoder[i].Cross })
}

// Forward runs a batch of the decoder, whose segments have memories, and
// returns the logits that it asks for: (outputs, vocabulary), valid until the
// workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	return m.Head.Forward(ws, nn.Select(ws, m.decode(ws, b), b.Outputs()))
}

// decode is the decoder's last hidden state: (tokens, dim).
func (m *Model) decode(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Word and position embeddings, normalised: (tokens, dim).
	x := m.Embed.Forward(ws, b.Begin())
	nn.Scale(x, m.scale)
	positions := b.Positions()
	for i := range positions {
		positions[i] += positionOffset
	}
	ws.Add(x, m.decoderPos.Forward(ws, positions))
	m.decNorm.ForwardInto(ws, x, x)
	// 2. The decoder's layers.
	for i := range ws.Layers(len(m.decoder)) {
		m.decoder[i].Forward(ws, b, i, x)
	}
	return x
}

// Classifier is the network that reads each sequence twice, with the encoder
// and with the decoder, for the head that classifies it.
type Classifier struct{ *Model }

// NewSequenceClassifier builds the network with a classifier of sequences,
// which looks at the last token ([EOS]).
func NewSequenceClassifier(config json.RawMessage, w checkpoint.Weights) (Classifier, *nn.Head, error) {
	m, c, err := build(config, w)
	if err != nil {
		return Classifier{}, nil, err
	}
	head := nn.NewHiddenHead(w.Sub("classification_head"), nn.PoolLast, c.DModel, c.Labels())
	return Classifier{m}, head, w.Err()
}

// Forward is the decoder's last hidden state for the same tokens, moved one
// place to the right: (tokens, dim).
func (c Classifier) Forward(ws *nn.Workspace, in *nn.Input) tensor.Tensor {
	memories := c.Encode(ws, in)
	var b nn.Batch
	for i, memory := range memories {
		ids := in.IDs[in.Bounds[i]:in.Bounds[i+1]]
		shifted := append([]uint32{c.start}, ids[:max(len(ids)-1, 0)]...)[:len(ids)]
		b.Segments = append(b.Segments, nn.Segment{KV: nn.NewExactKV(c.KVShape()), Tokens: shifted, Memory: memory})
	}
	return c.decode(ws, &b)
}
