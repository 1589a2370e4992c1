// Package adapter reads LoRA adapters in PEFT's format: a folder with
// adapter_config.json and adapter_model.safetensors, small changes to the
// linear layers of a model that keep the model itself shared.
//
// LoRA, rsLoRA (another scale), DoRA (merged only), rank and alpha patterns,
// and the full tensors of modules_to_save are read. What the package does not
// know and would change the result is refused by name; settings of training are
// ignored.
//
// Source: Hu et al. 2021, "LoRA"; https://github.com/huggingface/peft (0.21).
package adapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// ErrUnsupported is wrapped by errors about adapters of other kinds.
var ErrUnsupported = errors.New("adapter not supported")

// Config is adapter_config.json.
type Config struct {
	PeftType          string            `json:"peft_type"`
	BaseModel         string            `json:"base_model_name_or_path"`
	R                 int               `json:"r"`
	LoraAlpha         float64           `json:"lora_alpha"`
	UseRSLora         bool              `json:"use_rslora"`
	UseDora           bool              `json:"use_dora"`
	Bias              string            `json:"bias"`
	RankPattern       Patterns[int]     `json:"rank_pattern"`
	AlphaPattern      Patterns[float64] `json:"alpha_pattern"`
	LayerReplication  json.RawMessage   `json:"layer_replication"`
	TrainableTokens   json.RawMessage   `json:"trainable_token_indices"`
	TargetParameters  json.RawMessage   `json:"target_parameters"`
	LoraBias          bool              `json:"lora_bias"`
	AloraInvokeTokens json.RawMessage   `json:"alora_invocation_tokens"`
}

// maxConfig is the largest adapter_config.json that is read, in bytes.
const maxConfig = 1 << 20

// Open reads an adapter. name tells adapters apart in messages and calls; merge
// is Adapter.Merge. The adapter's weights are mapped and stay so until the
// program ends or Adapter.Saved is closed.
func Open(dir, name string, merge bool) (*checkpoint.Adapter, error) {
	a, err := open(dir, name, merge)
	if err != nil {
		return nil, fmt.Errorf("open adapter %s: %w", dir, err)
	}
	return a, nil
}

func open(dir, name string, merge bool) (*checkpoint.Adapter, error) {
	data, err := checkpoint.ReadLimited(os.DirFS(dir), "adapter_config.json", maxConfig)
	if err != nil {
		return nil, err
	}
	c := Config{R: 8, LoraAlpha: 8, Bias: "none"}
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%w: adapter_config.json: %w", checkpoint.ErrFormat, err)
	}
	if err := c.check(merge); err != nil {
		return nil, err
	}
	weights, err := checkpoint.OpenFile(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		return nil, err
	}
	a := &checkpoint.Adapter{Name: name, Parts: map[string]checkpoint.LowRank{}, Saved: weights, Merge: merge}
	if err := c.fill(a, weights); err != nil {
		weights.Close()
		return nil, err
	}
	return a, nil
}

// check refuses what would change the result and is not computed here.
func (c *Config) check(merge bool) error {
	set := func(raw json.RawMessage) bool {
		return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]" && string(raw) != "{}"
	}
	switch {
	case !strings.EqualFold(c.PeftType, "LORA"):
		return fmt.Errorf("%w: peft_type %q; LORA is", ErrUnsupported, c.PeftType)
	case c.Bias != "" && c.Bias != "none" || c.LoraBias:
		return fmt.Errorf("%w: biases (bias %q, lora_bias %v)", ErrUnsupported, c.Bias, c.LoraBias)
	case set(c.LayerReplication), set(c.TrainableTokens), set(c.TargetParameters), set(c.AloraInvokeTokens):
		return fmt.Errorf("%w: layer_replication, trainable_token_indices, target_parameters and alora_invocation_tokens", ErrUnsupported)
	case c.UseDora && !merge:
		return fmt.Errorf("%w: a DoRA adapter has to be merged", ErrUnsupported)
	}
	return nil
}

// prefix is before every name in the file.
const prefix = "base_model.model."

// fill sorts the tensors into changes of layers and whole tensors.
func (c *Config) fill(a *checkpoint.Adapter, weights *checkpoint.Checkpoint) error {
	w := weights.Weights()
	for _, name := range weights.Names() {
		path, ok := strings.CutPrefix(name, prefix)
		if !ok {
			return fmt.Errorf("%w: tensor %s does not begin with %s", checkpoint.ErrFormat, name, prefix)
		}
		if strings.Contains(path, "lora_embedding_") {
			return fmt.Errorf("%w: the adapter changes an embedding (%s)", ErrUnsupported, path)
		}
		layer, ok := strings.CutSuffix(path, ".lora_A.weight")
		if !ok {
			continue
		}
		part, err := c.part(w, prefix+layer, layer)
		if err != nil {
			return err
		}
		a.Parts[layer] = part
	}
	weights.Rename(func(name string) (string, bool) {
		name = strings.TrimPrefix(name, prefix)
		return name, !strings.Contains(name, ".lora_")
	})
	return w.Err()
}

func (c *Config) part(w checkpoint.Weights, stored, layer string) (checkpoint.LowRank, error) {
	s := w.Sub(stored)
	a, b := s.Shape("lora_A.weight"), s.Shape("lora_B.weight")
	if len(a) != 2 || len(b) != 2 || a[0] != b[1] || a[0] == 0 {
		return checkpoint.LowRank{}, fmt.Errorf("%w: %s has lora_A %v and lora_B %v", checkpoint.ErrFormat, layer, a, b)
	}
	p := checkpoint.LowRank{A: s.Matrix("lora_A.weight", a[0], a[1]), B: s.Matrix("lora_B.weight", b[0], b[1])}
	rank, alpha := a[0], c.AlphaPattern.of(layer, c.LoraAlpha)
	if want := c.RankPattern.of(layer, c.R); want != rank {
		return p, fmt.Errorf("%w: %s has rank %d; adapter_config.json says %d", checkpoint.ErrFormat, layer, rank, want)
	}
	p.Scale = float32(alpha / float64(rank))
	if c.UseRSLora {
		p.Scale = float32(alpha / math.Sqrt(float64(rank)))
	}
	if math.IsInf(float64(p.Scale), 0) {
		return p, fmt.Errorf("%w: %s is scaled by %g", checkpoint.ErrFormat, layer, alpha)
	}
	if c.UseDora {
		p.Magnitude = s.Vector("lora_magnitude_vector", b[0])
	}
	return p, nil
}
