package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/tokenizers"
)

// convert plans a file from a folder with the names of transformers.
//
// Source: llama.cpp's convert_hf_to_gguf.py.
func (c *Checkpoint) convert(w *ggufWriter) error {
	arch, ok := architectures[c.ModelType()]
	if !ok {
		return fmt.Errorf("%w: a model of type %q; %s can", ErrConvert, c.ModelType(), strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	k, err := c.keys(arch)
	if err != nil {
		return err
	}
	w.Set("general.architecture", arch)
	w.Set("general.name", modelName(c.Dir))
	k.write(w, arch)
	if err := k.writeRope(w, arch); err != nil {
		return err
	}
	if err := tokenizers.ToGGUF(&w.Writer, os.DirFS(c.Dir), k.VocabSize); err != nil {
		return fmt.Errorf("%w: %w", ErrConvert, err)
	}
	if err := c.convertEnds(w); err != nil {
		return err
	}
	template, err := c.ChatTemplate()
	if err != nil {
		return err
	}
	if template != "" {
		w.Set("tokenizer.chat_template", template)
	}
	return c.convertTensors(w, arch, k)
}

// tokenIDs is a token id, a list of them, or null.
type tokenIDs []uint32

// UnmarshalJSON reads any of the forms.
func (ids *tokenIDs) UnmarshalJSON(data []byte) error {
	var one uint32
	if json.Unmarshal(data, &one) == nil && string(data) != "null" {
		*ids = tokenIDs{one}
		return nil
	}
	return json.Unmarshal(data, (*[]uint32)(ids))
}

// convertEnds writes the tokens that end an answer beside the tokenizer's own:
// generation_config.json's, or config.json's. GGUF has a key for the end of a
// turn and one for the end of a message.
func (c *Checkpoint) convertEnds(w *ggufWriter) error {
	var ends struct {
		IDs tokenIDs `json:"eos_token_id"`
	}
	data, err := ReadLimited(os.DirFS(c.Dir), "generation_config.json", MaxConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, source := range [][]byte{data, c.Config} {
		if len(ends.IDs) > 0 || source == nil {
			continue
		}
		if err := json.Unmarshal(source, &ends); err != nil {
			return fmt.Errorf("%w: eos_token_id: %w", ErrFormat, err)
		}
	}
	tok, err := tokenizers.Open(os.DirFS(c.Dir))
	if err != nil {
		return err
	}
	keys := []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}
	eos, known := tok.TokenToID(tok.Special().EOS)
	if !known {
		keys = slices.Insert(keys, 0, "tokenizer.ggml.eos_token_id")
	}
	for _, id := range ends.IDs {
		switch {
		case known && id == eos:
			continue
		case len(keys) == 0:
			return fmt.Errorf("%w: %d tokens that end an answer", ErrConvert, len(ends.IDs))
		}
		key := 0
		if names := tok.Tokens([]tokenizers.ID{id}); len(keys) == 2 && len(names) == 1 && strings.Contains(names[0], "eom") {
			key = 1
		}
		w.Set(keys[key], id)
		keys = slices.Delete(keys, key, key+1)
	}
	return nil
}

// convertTensors plans the weights. Llama's queries and keys change their
// order, see reorder; gemma's norms, whose weights are what is added to 1, get
// it; GPT-2's matrices are transposed.
func (c *Checkpoint) convertTensors(w *ggufWriter, arch string, k *decoderKeys) error {
	_, head := c.entries["lm_head.weight"]
	w.tied, w.layers = k.TieWordEmbeddings || !head, k.NumHiddenLayers
	if arch == "gemma2" && !w.tied {
		return fmt.Errorf("%w: gemma2 with an output layer of its own", ErrConvert)
	}
	for _, name := range c.Names() {
		e := c.entries[name]
		stored := name
		if arch == "gpt2" {
			name = strings.TrimPrefix(name, "transformer.")
		}
		theirs, ok := ggufName(arch, name)
		switch {
		case name == "lm_head.weight" && w.tied, strings.HasSuffix(name, "rotary_emb.inv_freq"),
			strings.HasSuffix(name, ".attn.bias"), strings.HasSuffix(name, ".attn.masked_bias"): // GPT-2's masks
			continue
		case !ok:
			return fmt.Errorf("%w: the tensor %s has no name there", ErrConvert, name)
		}
		how := shaping{transposed: c.isTransposed(stored)}
		switch {
		case arch == "llama" && (strings.HasSuffix(name, ".self_attn.q_proj.weight") || strings.HasSuffix(name, ".self_attn.k_proj.weight")):
			if k.HeadDim%2 != 0 || e.matrix.Rows%k.HeadDim != 0 {
				return fmt.Errorf("%w: %s has %d rows in heads of %d", ErrFormat, name, e.matrix.Rows, k.HeadDim)
			}
			how.order = reorder(k.HeadDim)
		case strings.HasPrefix(arch, "gemma") && strings.HasSuffix(name, "norm.weight"):
			x := e.floats()
			for i := range x {
				x[i]++
			}
			w.addVector(theirs, x)
			continue
		}
		w.add(theirs, e, w.typeOf(theirs, e, how), how)
	}
	return nil
}

// reorder is the order of llama's query and key rows in GGUF, where the rope
// pairs neighbours: within each head of dim rows, those of the first and the
// second half alternate.
func reorder(dim int) func(i int) int {
	return func(i int) int {
		head, within := i/dim, i%dim
		return head*dim + within%2*(dim/2) + within/2
	}
}

// ChatTemplate is the model's chat template, "" if it has none: of the GGUF
// file, or of chat_template.jinja or tokenizer_config.json.
func (c *Checkpoint) ChatTemplate() (string, error) {
	if c.GGUF != nil {
		template, _ := c.GGUF.Text("tokenizer.chat_template")
		return template, nil
	}
	data, err := ReadLimited(os.DirFS(c.Dir), "chat_template.jinja", MaxConfig)
	if !errors.Is(err, fs.ErrNotExist) {
		return string(data), err
	}
	data, err = ReadLimited(os.DirFS(c.Dir), "tokenizer_config.json", MaxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var settings struct {
		ChatTemplate templates `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &settings); err != nil {
		return "", fmt.Errorf("%w: tokenizer_config.json: %w", ErrFormat, err)
	}
	return string(settings.ChatTemplate), nil
}

// templates is a template, or the one named "default" of several.
type templates string

// UnmarshalJSON reads either form.
func (t *templates) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		return json.Unmarshal(data, (*string)(t))
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(data, &several); err != nil {
		return err
	}
	for _, one := range several {
		if one.Name == "default" {
			*t = templates(one.Template)
		}
	}
	return nil
}

// modelName is what a model in a folder is called: the folder's name, or that of
// the repository if the folder is a snapshot in Hugging Face's cache,
// models--NAMESPACE--NAME/snapshots/COMMIT.
func modelName(dir string) string {
	snapshots, base := filepath.Split(filepath.Clean(dir))
	repository, folder := filepath.Split(filepath.Clean(snapshots))
	if id, ok := strings.CutPrefix(filepath.Base(repository), "models--"); ok && folder == "snapshots" {
		parts := strings.Split(id, "--")
		return parts[len(parts)-1]
	}
	return base
}
