package inspect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pantryhub/pantry/hub"
)

// weights is a safetensors file with tensors of zeros.
func weights(t *testing.T, metadata string, tensors map[string][]int64) []byte {
	t.Helper()
	header := map[string]any{}
	if metadata != "" {
		header["__metadata__"] = json.RawMessage(metadata)
	}
	var at int64
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		size := int64(2) // BF16
		for _, d := range tensors[name] {
			size *= d
		}
		header[name] = map[string]any{"dtype": "BF16", "shape": tensors[name], "data_offsets": []int64{at, at + size}}
		at += size
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(b, text...), make([]byte, at)...)
}

// ggufFile is a GGUF file with integer and string keys, arrays of int32, and
// one F16 tensor of n elements.
func ggufFile(n uint64, keys map[string]any) []byte {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	str := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(uint32(3))
	put(uint64(1))
	put(uint64(len(keys)))
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		str(k)
		switch v := keys[k].(type) {
		case int:
			put(uint32(4))
			put(uint32(v))
		case bool:
			put(uint32(7))
			put(v)
		case string:
			put(uint32(8))
			str(v)
		case []int32:
			put(uint32(9))
			put(uint32(5))
			put(uint64(len(v)))
			put(v)
		}
	}
	str("blk.0.attn_q.weight")
	put(uint32(2))
	put(n)
	put(uint64(2))
	put(uint32(1)) // F16
	put(uint64(0))
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
	b.Write(make([]byte, 4*n))
	return b.Bytes()
}

func folder(files map[string]string) fstest.MapFS {
	f := fstest.MapFS{}
	for name, text := range files {
		f[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return f
}

// tinyLlama is the configuration of TinyLlama-1.1B.
const tinyLlama = `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":2048,"num_hidden_layers":22,
	"num_attention_heads":32,"num_key_value_heads":4,"max_position_embeddings":2048,"vocab_size":32000}`

func TestCheckpoint(t *testing.T) {
	r, err := Folder(folder(map[string]string{
		"config.json": tinyLlama, "tokenizer.json": "{}",
		"tokenizer_config.json":        `{"tokenizer_class":"LlamaTokenizer","chat_template":"{{ x }}"}`,
		"model.safetensors.index.json": `{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}`,
		"model-1.safetensors":          string(weights(t, "", map[string][]int64{"a": {3, 5}})),
		"model-2.safetensors":          string(weights(t, "", map[string][]int64{"b": {7}})),
		"other.safetensors":            "not the model's",
		".cache/x":                     "hidden",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Architecture != "LlamaForCausalLM" || r.ModelType != "llama" || r.Format != "safetensors" || r.Parameters != 22 ||
		r.Types["BF16"] != 22 || r.WeightBytes != 44 || len(r.WeightFiles) != 2 || len(r.Files) != 7 ||
		r.Tokenizer != "tokenizer.json, LlamaTokenizer" || !r.ChatTemplate {
		t.Errorf("the report is %+v", r)
	}
	want := Shape{ContextLength: 2048, Layers: 22, Hidden: 2048, Heads: 32, KVHeads: 4, HeadDim: 64, Vocabulary: 32000, CachePerToken: 22 * 4 * 64 * 2 * 2}
	if r.Shape != want {
		t.Errorf("shape %+v, want %+v", r.Shape, want)
	}
	for context, want := range map[int64]Memory{
		0:    {Context: 2048, Weights: 44, KVCache: 2048 * 22528, Total: 44 + 2048*22528},
		1:    {Context: 1, Weights: 44, KVCache: 256 * 22528, Total: 44 + 256*22528},
		8192: {Context: 8192, Weights: 44, KVCache: 8192 * 22528, Total: 44 + 8192*22528},
	} {
		if got := r.MemoryFor(context); got != want {
			t.Errorf("memory for %d: %+v, want %+v", context, got, want)
		}
	}
	if len(r.Tensors) != 2 || r.Tensors[1].Name != "b" || r.Tensors[1].File != "model-2.safetensors" {
		t.Errorf("tensors %+v", r.Tensors)
	}
}

// TestShapes: the families name their sizes differently.
func TestShapes(t *testing.T) {
	tests := []struct {
		name, config string
		want         Shape
	}{
		{"gpt2", `{"architectures":["GPT2LMHeadModel"],"n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"vocab_size":50257}`,
			Shape{1024, 12, 768, 12, 12, 64, 50257, 12 * 768 * 4}},
		{"bert", `{"architectures":["BertModel"],"hidden_size":384,"num_hidden_layers":6,"num_attention_heads":12,"max_position_embeddings":512}`,
			Shape{512, 6, 384, 12, 12, 32, 0, 0}},
		{"t5", `{"architectures":["T5ForConditionalGeneration"],"is_encoder_decoder":true,"d_model":512,"num_layers":6,"num_decoder_layers":8,"num_heads":8,"d_kv":64}`,
			Shape{0, 8, 512, 8, 8, 64, 0, 2 * 8 * 512 * 4}},
		{"marian", `{"architectures":["MarianMTModel"],"is_encoder_decoder":true,"d_model":512,"decoder_layers":6,"decoder_attention_heads":8,"max_position_embeddings":512}`,
			Shape{512, 6, 512, 8, 8, 64, 0, 2 * 6 * 512 * 4}},
		{"gemma3", `{"architectures":["Gemma3ForConditionalGeneration"],"text_config":{"hidden_size":2560,"num_hidden_layers":34,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256}}`,
			Shape{0, 34, 2560, 8, 4, 256, 0, 34 * 4 * 256 * 4}},
		{"nonsense", `{"architectures":[7],"hidden_size":"big","num_hidden_layers":-3,"num_attention_heads":null,"max_position_embeddings":1e30}`, Shape{}},
		{"huge", `{"architectures":["XForCausalLM"],"hidden_size":2e9,"num_hidden_layers":2e9,"num_attention_heads":2e9}`,
			Shape{0, 2e9, 2e9, 2e9, 2e9, 1, 0, 0}},
	}
	for _, tt := range tests {
		c, err := parseConfig([]byte(tt.config))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got := c.shape(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestGGUF(t *testing.T) {
	keys := map[string]any{
		"general.architecture": "llama", "general.name": "tiny", "general.file_type": 15, "llama.context_length": 4096,
		"llama.block_count": 3, "llama.embedding_length": 64, "llama.attention.head_count": 4,
		"llama.attention.head_count_kv": []int32{2, 1, 0}, "tokenizer.ggml.model": "gpt2", "tokenizer.chat_template": "{{ x }}",
	}
	r, err := Folder(fstest.MapFS{"sub/m.gguf": {Data: ggufFile(10, keys)}, "mmproj-m.gguf": {Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	want := Shape{ContextLength: 4096, Layers: 3, Hidden: 64, Heads: 4, KVHeads: 2, HeadDim: 16, CachePerToken: 3 * (16 + 16) * 2}
	if r.Format != "gguf" || r.Name != "tiny" || r.Quantization != "Q4_K_M" || r.Parameters != 20 || r.WeightBytes != 40 ||
		r.Tokenizer != "gpt2" || !r.ChatTemplate || r.Shape != want || !slices.Equal(r.Tensors[0].Shape, []int64{2, 10}) {
		t.Errorf("the report is %+v", r)
	}
	encoder := maps.Clone(keys)
	encoder["llama.attention.causal"] = false
	delete(encoder, "general.file_type")
	r, err = Folder(fstest.MapFS{"m.gguf": {Data: ggufFile(10, encoder)}})
	if err != nil || r.Shape.CachePerToken != 0 || r.Quantization != "F16" {
		t.Errorf("an encoder: %+v, %v", r, err)
	}
}

// TestParts: a split model is one, of several models one is chosen.
func TestParts(t *testing.T) {
	file := ggufFile(10, map[string]any{"general.architecture": "llama"})
	fsys := fstest.MapFS{}
	for i := 1; i <= 3; i++ {
		fsys[fmt.Sprintf("big-%05d-of-00003.gguf", i)] = &fstest.MapFile{Data: file}
	}
	r, err := Folder(fsys)
	if err != nil || len(r.WeightFiles) != 3 || r.Parameters != 60 {
		t.Errorf("three parts: %+v, %v", r, err)
	}
	fsys["small.gguf"] = &fstest.MapFile{Data: file}
	fsys["small-q8_0.gguf"] = fsys["small.gguf"]
	r, err = Folder(fsys)
	if err != nil || len(r.WeightFiles) != 1 || r.WeightFiles[0].Path != "small-q8_0.gguf" {
		t.Fatalf("three models: %+v, %v", r, err)
	}
	if want := "This is small-q8_0.gguf. There are also: big-00001-of-00003.gguf, small.gguf."; r.Notes[0] != want {
		t.Errorf("three models: %q, want %q", r.Notes, want)
	}
	if r, err := Variant(fsys, "BIG-00001-of-00003.gguf"); err != nil || r.Parameters != 60 {
		t.Errorf("the one of three parts: %+v, %v", r, err)
	}
	if _, err := Variant(fsys, "Q4_0"); hub.CodeOf(err) != hub.CodeInvalid || !strings.Contains(err.Error(), "small-q8_0.gguf\n  small.gguf") {
		t.Errorf("a model that is not there: %v", err)
	}
	delete(fsys, "small-q8_0.gguf")
	for name, parts := range map[string]int{"small.gguf": 1, "big-00002-of-00003.gguf": 3} {
		if r, err := ModelFile(fsys, name); err != nil || len(r.WeightFiles) != parts {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	delete(fsys, "big-00002-of-00003.gguf")
	if _, err := ModelFile(fsys, "big-00001-of-00003.gguf"); err == nil || !strings.Contains(err.Error(), "2 are there") {
		t.Errorf("a part is missing: %v", err)
	}
}

func TestOthers(t *testing.T) {
	r, err := Folder(folder(map[string]string{"config.json": tinyLlama, "pytorch_model.bin": "PK"}))
	if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "pickle") || r.Format != "" {
		t.Errorf("a pickle: %+v, %v", r, err)
	}
	r, err = Folder(folder(map[string]string{
		"adapter_config.json":       `{"peft_type":"LORA","r":16,"base_model_name_or_path":"ada/llama"}`,
		"adapter_model.safetensors": string(weights(t, "", map[string][]int64{"lora_A": {16, 4}})),
	}))
	if err != nil || r.Adapter == nil || *r.Adapter != (Adapter{"LORA", "ada/llama", 16}) || r.Parameters != 64 {
		t.Errorf("an adapter: %+v, %v", r, err)
	}
	r, err = Folder(folder(map[string]string{
		"config.json":       `{"quantization_config":{"quant_method":"gptq","bits":4}}`,
		"model.safetensors": string(weights(t, `{"format":"pt"}`, map[string][]int64{"w": {4}})),
	}))
	if err != nil || r.Quantization != "gptq, 4 bits" {
		t.Errorf("gptq: %+v, %v", r, err)
	}
	for name, files := range map[string]map[string]string{
		"nothing":       {"README.md": "hello"},
		"bad config":    {"config.json": "[1"},
		"bad weights":   {"config.json": "{}", "model.safetensors": "\x05\x00\x00\x00\x00\x00\x00\x00{\"a\""},
		"missing shard": {"model.safetensors.index.json": `{"weight_map":{"a":"gone.safetensors"}}`},
		"bad gguf":      {"m.gguf": "GGUF\x03"},
	} {
		if r, err := Folder(folder(files)); err == nil {
			t.Errorf("%s: %+v, want an error", name, r)
		}
	}
	if _, err := ModelFile(folder(map[string]string{"w.bin": "x"}), "w.bin"); hub.CodeOf(err) != hub.CodeUnsupported {
		t.Errorf("a pickle by name: %v", err)
	}
}

// TestReferenceFiles reads what the reference implementations wrote.
func TestReferenceFiles(t *testing.T) {
	for name, format := range map[string]string{
		"../../gguf/testdata/little.gguf": "gguf", "../../gguf/testdata/big.gguf": "gguf", "../../safetensors/testdata/mixed.safetensors": "safetensors",
	} {
		dir, file := path.Split(name)
		r, err := ModelFile(os.DirFS(dir), file)
		if err != nil || r.Format != format || r.Parameters == 0 || len(r.Tensors) == 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// FuzzFolder: no configuration breaks a report.
func FuzzFolder(f *testing.F) {
	f.Add([]byte(tinyLlama), []byte(`{"chat_template":null}`), []byte(`{"r":8}`))
	f.Add([]byte(`{"text_config":{"head_dim":1e9},"quantization_config":7}`), []byte(`[]`), []byte(`{"r":"x"}`))
	f.Fuzz(func(t *testing.T, config, tokenizer, adapter []byte) {
		fsys := fstest.MapFS{"config.json": {Data: config}, "tokenizer_config.json": {Data: tokenizer}, "adapter_config.json": {Data: adapter}}
		r, err := Folder(fsys)
		if err != nil {
			return
		}
		if m := r.MemoryFor(1 << 20); m.Total < 0 || m.KVCache < 0 || m.Weights < 0 {
			t.Errorf("%q: memory %+v", config, m)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
