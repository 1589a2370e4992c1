package transformers_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/transformers"
)

// FuzzConfig opens tiny checkpoints with any config.json: the weights do not
// change, so whatever sizes it asks for must be refused before they are
// allocated.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("models/parity/testdata/*/config.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no tiny models", err)
	}
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	for _, config := range []struct{ model, config string }{
		{"bert", `{"model_type": "bert", "hidden_size": 1099511627776, "vocab_size": 64, "num_attention_heads": 1}`},
		{"llama", `{"model_type": "llama", "hidden_size": -32, "num_hidden_layers": 9223372036854775807}`},
		{"t5", `{"model_type": "t5", "num_layers": 1000000000, "d_model": 32}`},
		{"resnet", `{"model_type": "resnet", "depths": [1000000000], "hidden_sizes": [16]}`},
		{"clip", `{"model_type": "clip", "text_config": null, "vision_config": {"image_size": 1000000000, "patch_size": 1}}`},
		{"gemma3", `{"model_type": "gemma3_text", "layer_types": ["x"], "rope_parameters": {"full_attention": 7}}`},
		{"llama", `{"model_type": "llama", "max_position_embeddings": 9223372036854775807, "rope_scaling": {"rope_type": "dynamic", "factor": 1e300}}`},
	} {
		which := slices.Index(files, "models/parity/testdata/"+config.model+"/config.json")
		if which < 0 {
			which = slices.Index(files, "models/parity/testdata/"+config.model+"-model/config.json")
		}
		f.Add(uint8(which), []byte(config.config))
	}
	f.Fuzz(func(t *testing.T, which uint8, config []byte) {
		from := filepath.Dir(files[int(which)%len(files)])
		dir := t.TempDir()
		weights, err := os.ReadFile(filepath.Join(from, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "model.safetensors"), weights)
		write(t, filepath.Join(dir, "config.json"), config)
		tokenizer, err := os.ReadFile("testdata/chat/tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "tokenizer.json"), tokenizer)
		m, err := transformers.Open(context.Background(), dir, transformers.Options{Threads: 1})
		if err != nil {
			return
		}
		defer m.Close()
		for _, task := range transformers.Tasks() {
			if _, err := m.Pipeline(task); errors.Is(err, transformers.ErrInternal) {
				t.Errorf("%s: %v", task, err)
			}
		}
	})
}
