// Package distilbert is Hugging Face's small BERT: half the layers, no
// segments.
//
// Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT";
// transformers/models/distilbert/modeling_distilbert.py.
package distilbert

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.HeadConfig
	VocabSize             int    `json:"vocab_size"`
	Dim                   int    `json:"dim"`
	HiddenDim             int    `json:"hidden_dim"`
	NLayers               int    `json:"n_layers"`
	NHeads                int    `json:"n_heads"`
	Activation            string `json:"activation"`
	MaxPositionEmbeddings int    `json:"max_position_embeddings"`
	TieWordEmbeddings     *bool  `json:"tie_word_embeddings"`
}

// layerNormEps is fixed in the reference.
const layerNormEps = 1e-12

// Model is the encoder.
type Model struct {
	words, positions nn.Embedding
	norm             nn.LayerNorm
	layers           []nn.EncoderLayer
}

var names = nn.EncoderNames{
	Q: "attention.q_lin", K: "attention.k_lin", V: "attention.v_lin", O: "attention.out_lin",
	AttNorm: "sa_layer_norm", Up: "ffn.lin1", Down: "ffn.lin2", MLPNorm: "output_layer_norm",
}

func parse(config json.RawMessage) (Config, nn.EncoderConfig, error) {
	c := Config{VocabSize: 30522, Dim: 768, HiddenDim: 3072, NLayers: 6, NHeads: 12, Activation: "gelu", MaxPositionEmbeddings: 512}
	if err := json.Unmarshal(config, &c); err != nil {
		return c, nn.EncoderConfig{}, fmt.Errorf("distilbert: config.json: %w", err)
	}
	e := nn.EncoderConfig{VocabSize: c.VocabSize, HiddenSize: c.Dim, IntermediateSize: c.HiddenDim, NumHiddenLayers: c.NLayers,
		NumAttentionHeads: c.NHeads, MaxPositionEmbeddings: c.MaxPositionEmbeddings, TieWordEmbeddings: c.TieWordEmbeddings}
	if err := e.Check(); err != nil {
		return c, e, fmt.Errorf("distilbert: %w", err)
	}
	return c, e, nil
}

// New builds the encoder from a checkpoint of any of its heads.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	m, _, err := withHead(config, w, func(Config, *Model) *nn.Head { return nil })
	return m, err
}

func build(c Config, e nn.EncoderConfig, w checkpoint.Weights) (*Model, error) {
	body := w.Root("embeddings.word_embeddings.weight", "distilbert")
	act, err := nn.ActivationOf(c.Activation)
	if err != nil {
		return nil, fmt.Errorf("distilbert: %w", err)
	}
	m := &Model{
		words:     nn.NewEmbedding(body.Sub("embeddings.word_embeddings"), c.VocabSize, c.Dim),
		positions: nn.NewEmbedding(body.Sub("embeddings.position_embeddings"), c.MaxPositionEmbeddings, c.Dim),
		norm:      nn.NewLayerNorm(body.Sub("embeddings.LayerNorm"), c.Dim, layerNormEps),
	}
	for i := range c.NLayers {
		l := nn.NewEncoderLayer(body.Layer("transformer.layer", i), names, e.Attention(), c.HiddenDim, act, layerNormEps)
		l.NormsAreLast = true
		m.layers = append(m.layers, l)
	}
	return m, nil
}

// Forward is the last hidden state: (tokens, dim), valid until the workspace's
// next pass.
func (m *Model) Forward(ws *nn.Workspace, in *nn.Input) tensor.Tensor {
	// 1. The sum of word and position embeddings, normalised.
	x := m.words.Forward(ws, in.IDs)
	ws.Add(x, m.positions.Forward(ws, in.Positions(ws, 0)))
	m.norm.ForwardInto(ws, x, x)

	// 2. Layers: attention and the MLP, each followed by a norm.
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, in.Bounds, x, nil)
	}
	return x
}

// NewSequenceClassifier builds the encoder with a classifier of sequences.
func NewSequenceClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		dense := nn.NewLinear(w.Sub("pre_classifier"), c.Dim, c.Dim, true)
		return &nn.Head{Pooling: nn.PoolFirst, Dense: &dense, Act: kernel.ReLU,
			Out: nn.NewLinear(w.Sub("classifier"), c.Dim, c.Labels(), true)}
	})
}

// NewTokenClassifier builds the encoder with a classifier of tokens.
func NewTokenClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		return &nn.Head{Out: nn.NewLinear(w.Sub("classifier"), c.Dim, c.Labels(), true)}
	})
}

// NewQuestionAnswerer builds the encoder with scores of an answer's start and
// end.
func NewQuestionAnswerer(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		return &nn.Head{Out: nn.NewLinear(w.Sub("qa_outputs"), c.Dim, 2, true)}
	})
}

// NewMaskFiller builds the encoder with scores of every word for every token.
func NewMaskFiller(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, m *Model) *nn.Head {
		dense := nn.NewLinear(w.Sub("vocab_transform"), c.Dim, c.Dim, true)
		norm := nn.NewLayerNorm(w.Sub("vocab_layer_norm"), c.Dim, layerNormEps)
		act, _ := nn.ActivationOf(c.Activation) // known: the encoder is built
		out := m.words.Linear()
		if c.TieWordEmbeddings != nil && !*c.TieWordEmbeddings && w.Has("vocab_projector.weight") {
			out = nn.NewLinear(w.Sub("vocab_projector"), c.Dim, c.VocabSize, false)
		}
		out.Bias = w.Vector("vocab_projector.bias", c.VocabSize)
		return &nn.Head{Dense: &dense, Act: act, Norm: &norm, Out: out}
	})
}

func withHead(config json.RawMessage, w checkpoint.Weights, head func(Config, *Model) *nn.Head) (*Model, *nn.Head, error) {
	c, e, err := parse(config)
	if err != nil {
		return nil, nil, err
	}
	m, err := build(c, e, w)
	if err != nil {
		return nil, nil, err
	}
	h := head(c, m)
	return m, h, w.Err()
}
