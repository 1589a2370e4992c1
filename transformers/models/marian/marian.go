// Package marian is the encoder-decoder of the Helsinki-NLP translators: BART
// with sinusoidal positions and without norms behind the embeddings.
//
// Source: Junczys-Dowmunt et al. 2018, "Marian: Fast Neural Machine Translation
// in C++"; transformers/models/marian/modeling_marian.py.
package marian

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.Seq2SeqConfig
	DecoderVocabSize int   `json:"decoder_vocab_size"` // 0: vocab_size
	ShareEmbeddings  *bool `json:"share_encoder_decoder_embeddings"`
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	words     nn.Embedding // of the input
	scale     float32
	positions tensor.Tensor // (positions, dim)
	encoder   []nn.EncoderLayer
	decoder   []nn.Seq2SeqLayer
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{Seq2SeqConfig: nn.Seq2SeqConfig{ActivationFunction: "gelu", MaxPositionEmbeddings: 1024}}
	if err := c.Parse(config, &c); err != nil {
		return nil, fmt.Errorf("marian: %w", err)
	}
	act, err := nn.ActivationOf(c.ActivationFunction)
	if err != nil {
		return nil, fmt.Errorf("marian: %w", err)
	}
	if c.MaxPositionEmbeddings*c.DModel > maxSinusoids {
		return nil, fmt.Errorf("marian: %w: a table of %d positions of %d numbers", checkpoint.ErrFormat, c.MaxPositionEmbeddings, c.DModel)
	}
	m := &Model{
		scale:   c.EmbedScale(),
		encoder: nn.NewSeq2SeqEncoderLayers(w.Sub("model.encoder"), &c.Seq2SeqConfig, act),
		decoder: nn.NewSeq2SeqDecoderLayers(w.Sub("model.decoder"), &c.Seq2SeqConfig, act),
	}
	target := m.embeddings(c, w)
	m.Decoder = nn.DecoderOf(target, target.Linear(), &nn.DecoderConfig{NumHiddenLayers: c.DecoderLayers,
		NumKeyValueHeads: c.DecoderAttentionHeads, HeadDim: c.DModel / c.DecoderAttentionHeads, MaxPositionEmbeddings: c.MaxPositionEmbeddings})
	m.Head.Bias = w.OptionalVector("final_logits_bias", m.Vocabulary())
	if err := w.Err(); err != nil {
		return nil, err
	}
	m.positions = sinusoids(c.MaxPositionEmbeddings, c.DModel)
	return m, nil
}

// maxSinusoids bounds the table of positions, which no tensor confirms.
const maxSinusoids = 1 << 24

// embeddings reads the words of the input and of the output, which most
// models share.
func (m *Model) embeddings(c Config, w checkpoint.Weights) (target nn.Embedding) {
	if c.ShareEmbeddings == nil || *c.ShareEmbeddings {
		m.words = nn.NewEmbedding(w.Sub("model.shared"), c.VocabSize, c.DModel)
		return m.words
	}
	if c.DecoderVocabSize == 0 {
		c.DecoderVocabSize = c.VocabSize
	}
	m.words = nn.NewEmbedding(w.Sub("model.encoder.embed_tokens"), c.VocabSize, c.DModel)
	return nn.NewEmbedding(w.Sub("model.decoder.embed_tokens"), c.DecoderVocabSize, c.DModel)
}

// sinusoids is the table of positions: sines in the first half of a row,
// cosines in the second.
func sinusoids(n, dim int) tensor.Tensor {
	table := tensor.Zeros(n, dim)
	half := (dim + 1) / 2
	for p := range n {
		row := table.Row(p)
		for j := range dim {
			angle := float64(p) / math.Pow(10000, float64(2*(j/2))/float64(dim))
			if j%2 == 0 {
				row[j/2] = float32(math.Sin(angle))
			} else {
				row[half+j/2] = float32(math.Cos(angle))
			}
		}
	}
	return table
}

// embed is scaled word embeddings and positions: (tokens, dim).
func (m *Model) embed(ws *nn.Workspace, words *nn.Embedding, ids, positions []uint32) tensor.Tensor {
	x := words.Forward(ws, ids)
	nn.Scale(x, m.scale)
	for i, p := range positions {
		if int(p) < m.positions.Rows() {
			nn.AddRow(x.Row(i), m.positions.Row(int(p)))
		}
	}
	return x
}

// Encode reads the input of each sequence for the decoder.
func (m *Model) Encode(ws *nn.Workspace, in *nn.Input) []*nn.Memory {
	x := m.embed(ws, &m.words, in.IDs, in.Positions(ws, 0))
	for i := range ws.Layers(len(m.encoder)) {
		m.encoder[i].Forward(ws, in.Bounds, x, nil)
	}
	return nn.Remember(ws, x, in.Bounds, len(m.decoder), func(i int) *nn.CrossAttention { return &m.decoder[i].Cross })
}

// Forward runs a batch of the decoder, whose segments have memories, and
// returns the logits that it asks for: (outputs, vocabulary), valid until the
// workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	x := m.embed(ws, &m.Embed, b.Begin(), b.Positions())
	for i := range ws.Layers(len(m.decoder)) {
		m.decoder[i].Forward(ws, b, i, x)
	}
	return m.Head.Forward(ws, nn.Select(ws, x, b.Outputs()))
}
