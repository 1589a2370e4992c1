// Package modernbert is Answer.AI's and LightOn's encoder: BERT with rotary
// positions, gated MLPs, norms before each part, and two layers that see only
// their neighbourhood to each that sees everything.
//
// Source: Warner et al. 2024, "Smarter, Better, Faster, Longer: A Modern
// Bidirectional Encoder"; transformers/models/modernbert/modeling_modernbert.py.
package modernbert

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
	nn.RopeConfig
	HiddenActivation     string   `json:"hidden_activation"`
	NormEps              float64  `json:"norm_eps"`
	AttentionBias        bool     `json:"attention_bias"`
	MLPBias              bool     `json:"mlp_bias"`
	LayerTypes           []string `json:"layer_types"`
	LocalAttention       int      `json:"local_attention"`
	GlobalAttnEvery      int      `json:"global_attn_every_n_layers"` // before transformers 5
	GlobalRopeTheta      float64  `json:"global_rope_theta"`
	LocalRopeTheta       float64  `json:"local_rope_theta"`
	ClassifierPooling    string   `json:"classifier_pooling"`
	ClassifierBias       bool     `json:"classifier_bias"`
	ClassifierActivation string   `json:"classifier_activation"`
	DecoderBias          bool     `json:"decoder_bias"`
}

// Model is the encoder.
type Model struct {
	words         nn.Embedding
	norm, last    nn.LayerNorm
	layers        []layer
	global, local *nn.Rope
}

type layer struct {
	nn.Attention
	local   bool
	attNorm *nn.LayerNorm // nil in the first layer, whose input is normalised
	q, k, v nn.Linear
	o       nn.Linear
	mlpNorm nn.LayerNorm
	mlp     nn.GatedMLP
}

func parse(config json.RawMessage) (Config, error) {
	c := Config{
		EncoderConfig:    nn.EncoderConfig{MaxPositionEmbeddings: 8192},
		HiddenActivation: "gelu", NormEps: 1e-5, LocalAttention: 128, GlobalAttnEvery: 3,
		GlobalRopeTheta: 160000, LocalRopeTheta: 10000, ClassifierPooling: "cls", ClassifierActivation: "gelu", DecoderBias: true,
	}
	if err := c.EncoderConfig.Parse(config, &c); err != nil {
		return c, fmt.Errorf("modernbert: %w", err)
	}
	for i := range c.NumHiddenLayers {
		if len(c.LayerTypes) <= i {
			kind := "full_attention"
			if i%max(c.GlobalAttnEvery, 1) != 0 {
				kind = "sliding_attention"
			}
			c.LayerTypes = append(c.LayerTypes, kind)
		}
	}
	return c, nil
}

// New builds the encoder from a checkpoint of any of its heads.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	m, _, err := withHead(config, w, func(Config, *Model) (*nn.Head, error) { return nil, nil })
	return m, err
}

func build(c Config, w checkpoint.Weights) (*Model, error) {
	body := w.Root("embeddings.tok_embeddings.weight", "model")
	m := &Model{
		words: nn.NewEmbedding(body.Sub("embeddings.tok_embeddings"), c.VocabSize, c.HiddenSize),
		norm:  nn.NewLayerNorm(body.Sub("embeddings.norm"), c.HiddenSize, c.NormEps),
		last:  nn.NewLayerNorm(body.Sub("final_norm"), c.HiddenSize, c.NormEps),
	}
	var err error
	if m.global, err = c.rope("full_attention", c.GlobalRopeTheta); err != nil {
		return nil, fmt.Errorf("modernbert: %w", err)
	}
	if m.local, err = c.rope("sliding_attention", c.LocalRopeTheta); err != nil {
		return nil, fmt.Errorf("modernbert: %w", err)
	}
	for i := range c.NumHiddenLayers {
		l, err := newLayer(body.Layer("layers", i), c, i)
		if err != nil {
			return nil, fmt.Errorf("modernbert: %w", err)
		}
		m.layers = append(m.layers, l)
	}
	return m, nil
}

func (c *Config) rope(layerType string, theta float64) (*nn.Rope, error) {
	p, err := c.Parameters(layerType, theta)
	if err != nil {
		return nil, err
	}
	return nn.NewRope(p, c.HiddenSize/c.NumAttentionHeads, c.MaxPositionEmbeddings)
}

func newLayer(w checkpoint.Weights, c Config, i int) (layer, error) {
	act, err := nn.ActivationOf(c.HiddenActivation)
	dim, hidden := c.HiddenSize, c.IntermediateSize
	qkv := nn.NewLinear(w.Sub("attn.Wqkv"), dim, 3*dim, c.AttentionBias).Split(dim, dim, dim)
	gated := nn.NewLinear(w.Sub("mlp.Wi"), dim, 2*hidden, c.MLPBias).Split(hidden, hidden)
	l := layer{
		Attention: c.Attention(), local: c.LayerTypes[i] == "sliding_attention",
		q: qkv[0], k: qkv[1], v: qkv[2], o: nn.NewLinear(w.Sub("attn.Wo"), dim, dim, c.AttentionBias),
		mlpNorm: nn.NewLayerNorm(w.Sub("mlp_norm"), dim, c.NormEps),
		mlp:     nn.GatedMLP{Gate: gated[0], Up: gated[1], Down: nn.NewLinear(w.Sub("mlp.Wo"), hidden, dim, c.MLPBias), Act: act},
	}
	if l.local {
		l.Radius = c.LocalAttention / 2
	}
	if i > 0 {
		norm := nn.NewLayerNorm(w.Sub("attn_norm"), dim, c.NormEps)
		l.attNorm = &norm
	}
	return l, err
}

// Forward is the last hidden state: (tokens, dim), valid until the workspace's
// next pass.
func (m *Model) Forward(ws *nn.Workspace, in *nn.Input) tensor.Tensor {
	// 1. Word embeddings, normalised, and the angles of their positions.
	x := m.words.Forward(ws, in.IDs)
	m.norm.ForwardInto(ws, x, x)
	global, local := m.global.AnglesOf(ws, in.Bounds), m.local.AnglesOf(ws, in.Bounds)

	for i := range ws.Layers(len(m.layers)) {
		l := &m.layers[i]
		mark := ws.Arena.Mark()
		angles, h := global, x
		if l.local {
			angles = local
		}
		if l.attNorm != nil {
			h = l.attNorm.Forward(ws, x)
		}
		// 2. Attention over normalised inputs, added to the residual stream.
		var qkv [3]tensor.Tensor
		nn.ForwardMany(ws, h, qkv[:], &l.q, &l.k, &l.v)
		angles.Apply(ws, qkv[0], l.Heads)
		angles.Apply(ws, qkv[1], l.Heads)
		ws.Add(x, l.o.Forward(ws, l.Full(ws, in.Bounds, qkv[0], qkv[1], qkv[2], nil)))
		// 3. The gated MLP, likewise.
		ws.Add(x, l.mlp.Forward(ws, l.mlpNorm.Forward(ws, x)))
		ws.Arena.Release(mark)
	}
	m.last.ForwardInto(ws, x, x)
	return x
}

// prediction is the head's hidden layer, which all tasks share.
func prediction(c Config, w checkpoint.Weights) (*nn.Head, error) {
	act, err := nn.ActivationOf(c.ClassifierActivation)
	dense := nn.NewLinear(w.Sub("head.dense"), c.HiddenSize, c.HiddenSize, c.ClassifierBias)
	norm := nn.NewLayerNorm(w.Sub("head.norm"), c.HiddenSize, c.NormEps)
	return &nn.Head{Dense: &dense, Act: act, Norm: &norm}, err
}

// NewSequenceClassifier builds the encoder with a classifier of sequences.
func NewSequenceClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) (*nn.Head, error) {
		h, err := prediction(c, w)
		h.Pooling = nn.PoolFirst
		if c.ClassifierPooling == "mean" {
			h.Pooling = nn.PoolMean
		}
		h.Out = nn.NewLinear(w.Sub("classifier"), c.HiddenSize, c.Labels(), true)
		return h, err
	})
}

// NewTokenClassifier builds the encoder with a classifier of tokens.
func NewTokenClassifier(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) (*nn.Head, error) {
		h, err := prediction(c, w)
		h.Out = nn.NewLinear(w.Sub("classifier"), c.HiddenSize, c.Labels(), true)
		return h, err
	})
}

// NewQuestionAnswerer builds the encoder with scores of an answer's start and
// end.
func NewQuestionAnswerer(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, _ *Model) (*nn.Head, error) {
		h, err := prediction(c, w)
		h.Out = nn.NewLinear(w.Sub("classifier"), c.HiddenSize, 2, true)
		return h, err
	})
}

// NewMaskFiller builds the encoder with scores of every word for every token.
func NewMaskFiller(config json.RawMessage, w checkpoint.Weights) (*Model, *nn.Head, error) {
	return withHead(config, w, func(c Config, m *Model) (*nn.Head, error) {
		h, err := prediction(c, w)
		h.Out = m.words.Linear()
		if !c.Tied() && w.Has("decoder.weight") {
			h.Out = nn.NewLinear(w.Sub("decoder"), c.HiddenSize, c.VocabSize, false)
		}
		if c.DecoderBias {
			h.Out.Bias = w.Vector("decoder.bias", c.VocabSize)
		}
		return h, err
	})
}

func withHead(config json.RawMessage, w checkpoint.Weights, head func(Config, *Model) (*nn.Head, error)) (*Model, *nn.Head, error) {
	c, err := parse(config)
	if err != nil {
		return nil, nil, err
	}
	m, err := build(c, w)
	if err != nil {
		return nil, nil, err
	}
	h, err := head(c, m)
	if err != nil {
		return nil, nil, fmt.Errorf("modernbert: %w", err)
	}
	return m, h, w.Err()
}
