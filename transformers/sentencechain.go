package transformers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// sentenceChain is what sentence-transformers puts behind an encoder: the
// modules of modules.json, run in order on one text's token vectors.
type sentenceChain struct {
	modules       []sentenceModule
	maxTokens     int
	prompts       map[string]string
	defaultPrompt string
}

// sentenceModule maps rows of vectors to rows of vectors; skip is how many
// tokens at the beginning belong to the prompt.
type sentenceModule func(x tensor.Tensor, skip int) tensor.Tensor

// maxSidecar is the largest of these JSON files that is read, in bytes.
const maxSidecar = 1 << 20

// readJSON reads a file of the model into v and reports whether it is there.
func readJSON(dir fs.FS, name string, v any) (bool, error) {
	data, err := checkpoint.ReadLimited(dir, name, maxSidecar)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// readSentenceChain reads modules.json and what it names. A model without one
// is averaged over its tokens.
func readSentenceChain(dir fs.FS) (sentenceChain, error) {
	var c sentenceChain
	var list []struct{ Path, Type string }
	found, err := readJSON(dir, "modules.json", &list)
	if err != nil {
		return c, err
	}
	if !found {
		c.modules = []sentenceModule{pooling(nn.PoolMean, false)}
		return c, nil
	}
	var general struct {
		Prompts       map[string]string `json:"prompts"`
		DefaultPrompt string            `json:"default_prompt_name"`
	}
	if _, err := readJSON(dir, "config_sentence_transformers.json", &general); err != nil {
		return c, err
	}
	c.prompts, c.defaultPrompt = general.Prompts, general.DefaultPrompt
	for _, m := range list {
		module, err := c.read(dir, m.Path, path.Base(pathOfType(m.Type)))
		if err != nil {
			return c, err
		}
		if module != nil {
			c.modules = append(c.modules, module)
		}
	}
	return c, nil
}

// pathOfType turns "sentence_transformers.models.Pooling" into a path, whose
// last element is the class.
func pathOfType(name string) string {
	out := []byte(name)
	for i, b := range out {
		if b == '.' {
			out[i] = '/'
		}
	}
	return string(out)
}

func (c *sentenceChain) read(dir fs.FS, folder, class string) (sentenceModule, error) {
	switch class {
	case "Transformer":
		var settings struct {
			MaxSeqLength int `json:"max_seq_length"`
		}
		_, err := readJSON(dir, path.Join(folder, "sentence_bert_config.json"), &settings)
		c.maxTokens = settings.MaxSeqLength
		return nil, err
	case "Pooling":
		return readPooling(dir, path.Join(folder, "config.json"))
	case "Dense":
		return readDense(dir, folder)
	case "Normalize":
		return func(x tensor.Tensor, _ int) tensor.Tensor {
			for r := range x.Rows() {
				normalize(x.Row(r))
			}
			return x
		}, nil
	}
	return nil, fmt.Errorf("%w: sentence-transformers module %s; Transformer, Pooling, Dense and Normalize are", ErrUnsupported, class)
}

// apply runs the chain on one text's token vectors. The result is the caller's.
func (c *sentenceChain) apply(x tensor.Tensor, skip int) []float32 {
	for _, m := range c.modules {
		x = m(x, skip)
	}
	return slices.Clone(x.Row(0))
}

// prompt is what goes before a text.
func (c *sentenceChain) prompt(name string) (string, error) {
	if name == "" {
		return c.prompts[c.defaultPrompt], nil
	}
	prompt, ok := c.prompts[name]
	if !ok {
		return "", fmt.Errorf("%w: the model has no prompt %q", ErrInput, name)
	}
	return prompt, nil
}

func readPooling(dir fs.FS, name string) (sentenceModule, error) {
	settings := struct {
		Mode          string `json:"pooling_mode"` // sentence-transformers 5.3
		CLS           bool   `json:"pooling_mode_cls_token"`
		Mean          bool   `json:"pooling_mode_mean_tokens"`
		Max           bool   `json:"pooling_mode_max_tokens"`
		Last          bool   `json:"pooling_mode_lasttoken"`
		IncludePrompt bool   `json:"include_prompt"`
	}{IncludePrompt: true}
	if _, err := readJSON(dir, name, &settings); err != nil {
		return nil, err
	}
	modes := map[string]bool{"cls": settings.CLS, "max": settings.Max, "mean": settings.Mean, "lasttoken": settings.Last}
	kinds := []struct {
		name string
		kind nn.Pooling
	}{{"cls", nn.PoolFirst}, {"max", nn.PoolMax}, {"mean", nn.PoolMean}, {"lasttoken", nn.PoolLast}}
	var parts []sentenceModule
	for _, k := range kinds { // several are put side by side, in this order
		if modes[k.name] || settings.Mode == k.name {
			parts = append(parts, pooling(k.kind, !settings.IncludePrompt))
		}
	}
	switch len(parts) {
	case 0:
		return nil, fmt.Errorf("%w: %s has none of the pooling modes cls, max, mean and lasttoken", ErrUnsupported, name)
	case 1:
		return parts[0], nil
	}
	return func(x tensor.Tensor, skip int) tensor.Tensor {
		var joined []float32
		for _, part := range parts {
			joined = append(joined, part(x, skip).Data...)
		}
		return tensor.New(joined, 1, len(joined))
	}, nil
}

// pooling makes one vector of a text's; without the prompt's tokens if
// afterPrompt.
func pooling(kind nn.Pooling, afterPrompt bool) sentenceModule {
	return func(x tensor.Tensor, skip int) tensor.Tensor {
		if afterPrompt && skip < x.Rows() && kind != nn.PoolFirst {
			x = x.Slice(skip, x.Rows())
		}
		out := tensor.Zeros(1, x.Cols())
		nn.PoolInto(kind, out.Data, x)
		return out
	}
}

func readDense(dir fs.FS, folder string) (sentenceModule, error) {
	settings := struct {
		In         int    `json:"in_features"`
		Out        int    `json:"out_features"`
		Bias       bool   `json:"bias"`
		Activation string `json:"activation_function"`
	}{Bias: true, Activation: "torch.nn.modules.activation.Tanh"}
	if _, err := readJSON(dir, path.Join(folder, "config.json"), &settings); err != nil {
		return nil, err
	}
	acts := map[string]nn.Activation{"Tanh": kernel.Tanh, "Identity": nil, "ReLU": kernel.ReLU, "GELU": kernel.GELU, "Sigmoid": kernel.Sigmoid, "SiLU": kernel.SiLU}
	act, ok := acts[path.Base(pathOfType(settings.Activation))]
	if !ok {
		return nil, fmt.Errorf("%w: activation %s in %s", ErrUnsupported, settings.Activation, folder)
	}
	if settings.In <= 0 || settings.Out <= 0 || settings.In > 1<<20 || settings.Out > 1<<20 {
		return nil, fmt.Errorf("%w: %s has %d inputs and %d outputs", checkpoint.ErrFormat, folder, settings.In, settings.Out)
	}
	weight, bias, err := checkpoint.ReadDense(dir, path.Join(folder, "model.safetensors"), settings.In, settings.Out, settings.Bias)
	if err != nil {
		return nil, err
	}
	return func(x tensor.Tensor, _ int) tensor.Tensor {
		if x.Cols() != settings.In {
			panic(fmt.Errorf("%w: %s takes %d numbers and gets %d", checkpoint.ErrFormat, folder, settings.In, x.Cols()))
		}
		y := tensor.Zeros(x.Rows(), settings.Out)
		for r := range x.Rows() {
			for o := range settings.Out {
				y.Row(r)[o] = kernel.Dot(weight[o*settings.In:(o+1)*settings.In], x.Row(r))
			}
			if bias != nil {
				kernel.Add(y.Row(r), bias)
			}
			if act != nil {
				act(y.Row(r))
			}
		}
		return y
	}, nil
}
