// Package mpnet is Microsoft's encoder, under the best-known models of
// sentence-transformers: RoBERTa without segments, whose scores have a bias
// that depends on the distance.
//
// Source: Song et al. 2020, "MPNet: Masked and Permuted Pre-training for
// Language Understanding"; transformers/models/mpnet/modeling_mpnet.py.
package mpnet

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.EncoderConfig
	nn.HeadConfig
	RelativeAttentionNumBuckets int `json:"relative_attention_num_buckets"`
}

// maxDistance is where the buckets of distances end; config.json does not say.
const maxDistance = 128

// Model is the encoder.
type Model struct {
	words, positions nn.Embedding
	norm             nn.LayerNorm
	bias             *nn.BucketBias
	layers           []nn.EncoderLayer
	pad              uint32
}

var names = nn.EncoderNames{
	Q: "attention.attn.q", K: "attention.attn.k", V: "attention.attn.v", O: "attention.attn.o",
	AttNorm: "attention.LayerNorm", Up: "intermediate.dense", Down: "output.dense", MLPNorm: "output.LayerNorm",
}

func parse(config json.RawMessage) (Config, error) {
	c := Config{RelativeAttentionNumBuckets: 32,
		EncoderConfig: nn.EncoderConfig{LayerNormEps: 1e-12, HiddenAct: "gelu", PadTokenID: 1, MaxPositionEmbeddings: 512}}
	if err := c.EncoderConfig.Parse(config, &c); err != nil {
		return c, fmt.Errorf("mpnet: %w", err)
	}
	if n := c.RelativeAttentionNumBuckets; n < 4 || n%2 != 0 {
		return c, fmt.Errorf("mpnet: %w: relative_attention_num_buckets is %d", checkpoint.ErrFormat, n)
	}
	return c, nil
}

// New builds the encoder from a checkpoint of any of its heads.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	m, _, err := withHead(config, w, func(Config, *Model) *nn.Head { return nil })
	return m, err
}

func build(c Config, w checkpoint.Weights) (*Model, error) {
	body := w.Root("embeddings.word_embeddings.weight", "mpnet")
	act, err := nn.ActivationOf(c.HiddenAct)
	if err != nil {
		return nil, fmt.Errorf("mpnet: %w", err)
	}
	e := body.Sub("embeddings")
	m := &Model{
		words:     nn.NewEmbedding(e.Sub("word_embeddings"), c.VocabSize, c.HiddenSize),
		positions: nn.NewEmbedding(e.Sub("position_embeddings"), c.MaxPositionEmbeddings, c.HiddenSize),
		norm:      nn.NewLayerNorm(e.Sub("LayerNorm"), c.HiddenSize, c.LayerNormEps),
		bias:      nn.NewBucketBias(body.Sub("encoder.relative_attention_bias"), c.RelativeAttentionNumBuckets, c.NumAttentionHeads, maxDistance, true),
		pad:       c.PadTokenID,
	}
	for i := range c.NumHiddenLayers {
		l := nn.NewEncoderLayer(body.Layer("encoder.layer", i), names, c.Attention(), c.IntermediateSize, act, c.LayerNormEps)
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
	ws.Add(x, m.positions.Forward(ws, in.PaddedPositions(ws, m.pad)))
	m.norm.ForwardInto(ws, x, x)

	// 2. Layers: attention with the bias of distances, and the MLP, each
	// followed by a norm.
	bias := m.bias.For(in.Longest())
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, in.Bounds, x, bias)
	}
	return x
}

// NewSequenceClassifier builds the encoder with a classifier of sequences.
func NewSequenceClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		return nn.NewHiddenHead(w.Sub("classifier"), nn.PoolFirst, c.HiddenSize, c.Labels())
	})
}

// NewTokenClassifier builds the encoder with a classifier of tokens.
func NewTokenClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		return &nn.Head{Out: nn.NewLinear(w.Sub("classifier"), c.HiddenSize, c.Labels(), true)}
	})
}

// NewQuestionAnswerer builds the encoder with scores of an answer's start and
// end.
func NewQuestionAnswerer(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) *nn.Head {
		return &nn.Head{Out: nn.NewLinear(w.Sub("qa_outputs"), c.HiddenSize, 2, true)}
	})
}

// NewMaskFiller builds the encoder with scores of every word for every token.
func NewMaskFiller(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, m *Model) *nn.Head {
		return nn.NewLMHead(w.Sub("lm_head"), &c.EncoderConfig, &m.words)
	})
}

func withHead(config json.RawMessage, w checkpoint.Weights, head func(Config, *Model) *nn.Head) (*Model, *nn.Head, error) {
	c, err := parse(config)
	if err != nil {
		return nil, nil, err
	}
	m, err := build(c, w)
	if err != nil {
		return nil, nil, err
	}
	h := head(c, m)
	return m, h, w.Err()
}
