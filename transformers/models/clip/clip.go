// Package clip is OpenAI's pair of encoders that put images and texts into one
// space, so that the text that fits an image is the one nearest to it.
//
// Source: Radford et al. 2021, "Learning Transferable Visual Models From
// Natural Language Supervision"; transformers/models/clip/modeling_clip.py.
package clip

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	TextConfig    sideConfig `json:"text_config"`
	VisionConfig  sideConfig `json:"vision_config"`
	ProjectionDim int        `json:"projection_dim"`
}

// sideConfig is the configuration of one of the encoders.
type sideConfig struct {
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	IntermediateSize      int     `json:"intermediate_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	HiddenAct             string  `json:"hidden_act"`
	LayerNormEps          float64 `json:"layer_norm_eps"`
	EOSTokenID            uint32  `json:"eos_token_id"`
	ImageSize             int     `json:"image_size"`
	PatchSize             int     `json:"patch_size"`
	NumChannels           int     `json:"num_channels"`
}

// Model is the two encoders.
type Model struct {
	words, positions nn.Embedding
	textLayers       []nn.EncoderLayer
	textNorm         nn.LayerNorm
	textOut          nn.Linear
	eos              uint32

	patches           nn.Patches
	preNorm, postNorm nn.LayerNorm
	visionLayers      []nn.EncoderLayer
	visionOut         nn.Linear
	scale             float32
}

var names = nn.EncoderNames{
	Q: "self_attn.q_proj", K: "self_attn.k_proj", V: "self_attn.v_proj", O: "self_attn.out_proj",
	AttNorm: "layer_norm1", Up: "mlp.fc1", Down: "mlp.fc2", MLPNorm: "layer_norm2",
}

// oldEOS is the [EOS] id of early configurations, which is wrong; the text's
// end is its largest id then.
const oldEOS = 2

// New builds both encoders. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{ProjectionDim: 512,
		TextConfig: sideConfig{VocabSize: 49408, HiddenSize: 512, IntermediateSize: 2048, NumHiddenLayers: 12, NumAttentionHeads: 8,
			MaxPositionEmbeddings: 77, HiddenAct: "quick_gelu", LayerNormEps: 1e-5, EOSTokenID: 49407},
		VisionConfig: sideConfig{VocabSize: 1, HiddenSize: 768, IntermediateSize: 3072, NumHiddenLayers: 12, NumAttentionHeads: 12,
			MaxPositionEmbeddings: 1, HiddenAct: "quick_gelu", LayerNormEps: 1e-5, ImageSize: 224, PatchSize: 32, NumChannels: 3}}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("clip: config.json: %w", err)
	}
	m := &Model{}
	if err := m.readText(c.TextConfig, c.ProjectionDim, w); err != nil {
		return nil, fmt.Errorf("clip: text: %w", err)
	}
	if err := m.readVision(c.VisionConfig, c.ProjectionDim, w); err != nil {
		return nil, fmt.Errorf("clip: image: %w", err)
	}
	m.scale = float32(math.Exp(float64(w.Vector("logit_scale", 1)[0])))
	return m, w.Err()
}

func (m *Model) readText(c sideConfig, projection int, w checkpoint.Weights) (err error) {
	t := w.Sub("text_model")
	m.words = nn.NewEmbedding(t.Sub("embeddings.token_embedding"), c.VocabSize, c.HiddenSize)
	m.positions = nn.NewEmbedding(t.Sub("embeddings.position_embedding"), c.MaxPositionEmbeddings, c.HiddenSize)
	m.textNorm = nn.NewLayerNorm(t.Sub("final_layer_norm"), c.HiddenSize, c.LayerNormEps)
	m.textOut = nn.NewLinear(w.Sub("text_projection"), c.HiddenSize, projection, false)
	m.eos = c.EOSTokenID
	m.textLayers, err = layers(t, c)
	for i := range m.textLayers {
		m.textLayers[i].OneWay = true
	}
	return err
}

func (m *Model) readVision(c sideConfig, projection int, w checkpoint.Weights) (err error) {
	v := w.Sub("vision_model")
	shape := nn.PatchShape{Channels: c.NumChannels, Image: c.ImageSize, Patch: c.PatchSize, Dim: c.HiddenSize}
	if m.patches, err = nn.NewPatches(v.Sub("embeddings.patch_embedding"), shape, false); err != nil {
		return err
	}
	m.patches.Class = v.Vector("embeddings.class_embedding", c.HiddenSize)
	m.patches.Positions = v.Tensor("embeddings.position_embedding.weight", shape.Count()+1, c.HiddenSize)
	m.preNorm = nn.NewLayerNorm(v.Sub("pre_layrnorm"), c.HiddenSize, c.LayerNormEps)
	m.postNorm = nn.NewLayerNorm(v.Sub("post_layernorm"), c.HiddenSize, c.LayerNormEps)
	m.visionOut = nn.NewLinear(w.Sub("visual_projection"), c.HiddenSize, projection, false)
	m.visionLayers, err = layers(v, c)
	return err
}

func layers(w checkpoint.Weights, c sideConfig) ([]nn.EncoderLayer, error) {
	e := nn.EncoderConfig{VocabSize: c.VocabSize, HiddenSize: c.HiddenSize, IntermediateSize: c.IntermediateSize,
		NumHiddenLayers: c.NumHiddenLayers, NumAttentionHeads: c.NumAttentionHeads, MaxPositionEmbeddings: c.MaxPositionEmbeddings}
	if err := e.Check(); err != nil {
		return nil, err
	}
	act, err := nn.ActivationOf(c.HiddenAct)
	if err != nil {
		return nil, err
	}
	list := make([]nn.EncoderLayer, c.NumHiddenLayers)
	for i := range list {
		list[i] = nn.NewEncoderLayer(w.Layer("encoder.layers", i), names, e.Attention(), c.IntermediateSize, act, c.LayerNormEps)
	}
	return list, nil
}

// Texts is the embeddings of texts, each of length 1: (sequences, projection),
// valid until the workspace's next pass.
func (m *Model) Texts(ws *nn.Workspace, in *nn.Input) tensor.Tensor {
	// 1. Word and position embeddings; a token sees only those before it.
	x := m.words.Forward(ws, in.IDs)
	ws.Add(x, m.positions.Forward(ws, in.Positions(ws, 0)))
	for i := range ws.Layers(len(m.textLayers)) {
		m.textLayers[i].Forward(ws, in.Bounds, x, nil)
	}
	// 2. The end of a text stands for it.
	x = m.textNorm.Forward(ws, nn.Select(ws, x, m.ends(in)))
	return normalize(m.textOut.Forward(ws, x))
}

// ends are the rows of the texts' [EOS].
func (m *Model) ends(in *nn.Input) []int {
	rows := make([]int, in.Sequences())
	for i := range rows {
		lo, hi := in.Bounds[i], in.Bounds[i+1]
		rows[i] = lo
		for t := lo; t < hi; t++ {
			if m.eos == oldEOS && in.IDs[t] > in.IDs[rows[i]] {
				rows[i] = t
			}
			if m.eos != oldEOS && in.IDs[t] == m.eos {
				rows[i] = t
				break
			}
		}
	}
	return rows
}

// Image is the embedding of an image (channels, height, width), of length 1:
// (1, projection), valid until the workspace's next pass.
func (m *Model) Image(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error) {
	// 1. Patches, with the class token before them, normalised.
	x, err := m.patches.Forward(ws, pixels)
	if err != nil {
		return x, err
	}
	m.preNorm.ForwardInto(ws, x, x)
	for i := range ws.Layers(len(m.visionLayers)) {
		m.visionLayers[i].Forward(ws, []int{0, x.Rows()}, x, nil)
	}
	// 2. The class token stands for the image.
	return normalize(m.visionOut.Forward(ws, m.postNorm.Forward(ws, x.Slice(0, 1)))), ws.Err()
}

// LogitScale multiplies the product of an image's and a text's embedding.
func (m *Model) LogitScale() float32 { return m.scale }

// normalize gives every row the length 1.
func normalize(x tensor.Tensor) tensor.Tensor {
	for r := range x.Rows() {
		row := x.Row(r)
		kernel.Scale(row, float32(1/math.Sqrt(float64(kernel.Dot(row, row)))))
	}
	return x
}
