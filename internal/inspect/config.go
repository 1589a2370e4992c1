package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"

	"github.com/pantryhub/pantry/safetensors"
)

// maxJSON bounds the configuration files that are read, in bytes.
const maxJSON = 32 << 20

// count is a number of a configuration; what is none, or negative, or beyond
// any network, is 0.
type count int64

// maxCount is beyond every count of a real network; products of three stay
// within 64 bits.
const maxCount = 1 << 20

// UnmarshalJSON implements json.Unmarshaler.
func (c *count) UnmarshalJSON(b []byte) error {
	var v float64
	if json.Unmarshal(b, &v) == nil && v >= 0 && v <= math.MaxInt32 {
		*c = count(v)
	}
	return nil
}

// text is a string of a configuration; what is none is "".
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// config is config.json under the names that the families of networks use.
type config struct {
	Architectures []text `json:"architectures"`
	ModelType     text   `json:"model_type"`

	MaxPositionEmbeddings count `json:"max_position_embeddings"`
	NPositions            count `json:"n_positions"`

	HiddenSize count `json:"hidden_size"`
	NEmbd      count `json:"n_embd"`
	DModel     count `json:"d_model"`
	Dim        count `json:"dim"`

	NumHiddenLayers  count `json:"num_hidden_layers"`
	NLayer           count `json:"n_layer"`
	NLayers          count `json:"n_layers"`
	NumLayers        count `json:"num_layers"`
	DecoderLayers    count `json:"decoder_layers"`
	NumDecoderLayers count `json:"num_decoder_layers"`

	NumAttentionHeads     count `json:"num_attention_heads"`
	NHead                 count `json:"n_head"`
	NHeads                count `json:"n_heads"`
	NumHeads              count `json:"num_heads"`
	DecoderAttentionHeads count `json:"decoder_attention_heads"`
	NumKeyValueHeads      count `json:"num_key_value_heads"`
	HeadDim               count `json:"head_dim"`
	DKV                   count `json:"d_kv"`

	VocabSize        count `json:"vocab_size"`
	IsEncoderDecoder bool  `json:"-"` // read apart: a wrong type must not spoil the rest

	Quantization json.RawMessage `json:"quantization_config"`
	TextConfig   json.RawMessage `json:"text_config"`
}

// parseConfig reads a config.json. Of a network for several kinds of input,
// the part that is about text fills in what the top does not say.
func parseConfig(src []byte) (config, error) {
	var c config
	if err := json.Unmarshal(src, &c); err != nil {
		return config{}, fmt.Errorf("config.json: %w", err)
	}
	var flags struct {
		IsEncoderDecoder bool `json:"is_encoder_decoder"`
	}
	if json.Unmarshal(src, &flags) == nil {
		c.IsEncoderDecoder = flags.IsEncoderDecoder
	}
	if len(c.TextConfig) > 0 {
		top := c
		if err := json.Unmarshal(c.TextConfig, &c); err != nil {
			return top, nil
		}
		c.Architectures, c.ModelType, c.IsEncoderDecoder = top.Architectures, top.ModelType, top.IsEncoderDecoder
	}
	return c, nil
}

func firstCount(counts ...count) int64 {
	for _, c := range counts {
		if c > 0 {
			return int64(c)
		}
	}
	return 0
}

// architecture is the class that the weights were saved from.
func (c config) architecture() string {
	if len(c.Architectures) == 0 {
		return ""
	}
	return string(c.Architectures[0])
}

// generates reports whether the network keeps a key/value cache.
func (c config) generates() bool {
	if c.IsEncoderDecoder {
		return true
	}
	for _, suffix := range []string{"ForCausalLM", "LMHeadModel", "ForConditionalGeneration"} {
		if strings.HasSuffix(c.architecture(), suffix) {
			return true
		}
	}
	return false
}

func (c config) shape() Shape {
	s := Shape{
		ContextLength: firstCount(c.MaxPositionEmbeddings, c.NPositions),
		Hidden:        firstCount(c.HiddenSize, c.NEmbd, c.DModel, c.Dim),
		Layers:        firstCount(c.DecoderLayers, c.NumDecoderLayers, c.NumHiddenLayers, c.NLayer, c.NLayers, c.NumLayers),
		Heads:         firstCount(c.DecoderAttentionHeads, c.NumAttentionHeads, c.NHead, c.NHeads, c.NumHeads),
		HeadDim:       firstCount(c.HeadDim, c.DKV),
		Vocabulary:    int64(c.VocabSize),
	}
	s.KVHeads = firstCount(c.NumKeyValueHeads, count(s.Heads))
	if s.HeadDim == 0 && s.Heads > 0 {
		s.HeadDim = s.Hidden / s.Heads
	}
	if c.generates() && s.Layers < maxCount && s.KVHeads < maxCount && s.HeadDim < maxCount {
		s.CachePerToken = s.Layers * s.KVHeads * 2 * s.HeadDim * cacheElement // keys and values
		if c.IsEncoderDecoder {
			s.CachePerToken *= 2 // those of the encoder's output too
		}
	}
	return s
}

// quantization is how the weights were packed, for counting and for people.
func (c config) quantization() (q safetensors.Quantization, name string) {
	if len(c.Quantization) == 0 || json.Unmarshal(c.Quantization, &q) != nil {
		return safetensors.Quantization{}, ""
	}
	name = strings.ToLower(q.Method)
	if q.Load4Bit && q.Bits == 0 {
		q.Bits = 4
	}
	if q.Bits > 0 {
		name = strings.TrimPrefix(fmt.Sprintf("%s, %d bits", name, q.Bits), ", ")
	}
	return q, name
}

// readJSON reads a small file whole, and reports false if it is not there.
func readJSON(fsys fs.FS, name string) ([]byte, bool, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err != nil {
		return nil, false, err
	}
	if len(src) > maxJSON {
		return nil, false, fmt.Errorf("%s is longer than %d bytes", name, maxJSON)
	}
	return src, true, nil
}
