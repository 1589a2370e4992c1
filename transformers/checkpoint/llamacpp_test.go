package checkpoint_test

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/qwen2"
	"github.com/pantryhub/pantry/transformers/models/qwen3"
	"github.com/pantryhub/pantry/transformers/nn"
)

// written keeps the GGUF files of this test for testdata/llamacpp.mjs, which
// lets llama.cpp read them and writes testdata/llamacpp.json.gz.
var written = flag.String("llamacpp", "", "folder to write the GGUF files for llama.cpp to")

// llamaCpp is what llama.cpp made of the files.
type llamaCpp struct {
	Seeds   map[string]uint64
	Greedy  map[string][]uint32
	LogProb map[string][]float64 // of each greedy token
	Strings []string
	IDs     map[string][][]uint32 // of each string, by vocabulary
}

func readLlamaCpp(t *testing.T) (golden llamaCpp) {
	t.Helper()
	f, err := os.Open("testdata/llamacpp.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&golden); err != nil {
		t.Fatal(err)
	}
	return golden
}

// tiny is a random model with a real tokenizer.
type tiny struct {
	name, kind, vocab string // of the file, model_type, tokenizer under tokenizers/testdata
	typ               kernel.Type
	config            map[string]any // changes
}

var tinies = []tiny{
	{"llama-f16", "llama", "llama3", kernel.F16, nil},
	{"llama-bf16", "llama", "llama3", kernel.BF16, nil},
	{"llama-q8_0", "llama", "llama3", kernel.Q8_0, nil},
	{"llama-q4_0", "llama", "llama3", kernel.Q4_0, nil},
	{"llama-q4_k", "llama", "llama3", kernel.Q4_K, nil},
	{"llama-q5_k", "llama", "llama3", kernel.Q5_K, nil},
	{"llama-q6_k", "llama", "llama3", kernel.Q6_K, nil},
	{"llama-long", "llama", "llama2", kernel.Q8_0, map[string]any{"rope_scaling": map[string]any{
		"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}}},
	{"mistral", "mistral", "tekken", kernel.Q4_K, map[string]any{"head_dim": 64}},
	{"qwen2", "qwen2", "qwen2", kernel.Q8_0, nil},
	{"qwen2-tied", "qwen2", "qwen2", kernel.F16, map[string]any{"tie_word_embeddings": true}},
	{"qwen3-f16", "qwen3", "qwen2", kernel.F16, map[string]any{"head_dim": 64, "rope_theta": 1e6}},
}

// vocabularies are the tokenizers that texts are compared with.
var vocabularies = []string{"llama2", "gemma", "llama3", "qwen2", "tekken", "gpt4o", "gpt2", "starcoder"}

const tinyLayers, tinyHidden, tinyFFN, tinyHeads, tinyKVHeads = 4, 256, 512, 8, 4

// folder writes the model as transformers saves it.
func (m tiny) folder(t testing.TB, seed uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), m.name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tokenizer := unzip(t, "../../tokenizers/testdata/"+m.vocab+".json.gz")
	write(t, dir, "tokenizer.json", tokenizer)
	write(t, dir, "tokenizer_config.json", []byte(`{"chat_template": "{{ messages[0].content }}"}`))
	tok, err := tokenizers.FromJSON(tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	// Four tokens more than the tokenizer has: real models round up.
	config := map[string]any{"model_type": m.kind, "vocab_size": int(tok.MaxID()) + 5, "hidden_size": tinyHidden, "intermediate_size": tinyFFN,
		"num_hidden_layers": tinyLayers, "num_attention_heads": tinyHeads, "num_key_value_heads": tinyKVHeads, "max_position_embeddings": 512,
		"rms_norm_eps": 1e-5, "rope_theta": 10000}
	for key, v := range m.config {
		config[key] = v
	}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "config.json", raw)
	write(t, dir, "model.safetensors", m.weights(config, seed))
	return dir
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func unzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// weights is a model.safetensors of random BF16 numbers. Each token has two
// likely successors between which the layers decide: of a network without any
// such order, two of the many logits are always so close that rounding decides.
func (m tiny) weights(config map[string]any, seed uint64) []byte {
	type tensor struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header, data := map[string]tensor{}, []byte(nil)
	random := rand.New(rand.NewPCG(seed, 7))
	save := func(name string, x []float64, shape ...int) {
		start := len(data)
		for _, v := range x {
			data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(float32(v))>>16))
		}
		header[name] = tensor{"BF16", shape, [2]int{start, len(data)}}
	}
	add := func(name string, scale, mean float64, shape ...int) []float64 {
		n := 1
		for _, d := range shape {
			n *= d
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = mean + scale*random.NormFloat64()
		}
		save(name, x, shape...)
		return x
	}
	dim, vocab := tinyHidden/tinyHeads, config["vocab_size"].(int)
	if d, ok := config["head_dim"].(int); ok {
		dim = d
	}
	embed := add("model.embed_tokens.weight", 1, 0, vocab, tinyHidden)
	if config["tie_word_embeddings"] != true {
		head := make([]float64, len(embed))
		for token := range vocab {
			for _, successor := range []int{(token*7 + 3) % vocab, (token*11 + 5) % vocab} {
				for i, v := range embed[token*tinyHidden : (token+1)*tinyHidden] {
					head[successor*tinyHidden+i] += 0.05 * v
				}
			}
		}
		save("lm_head.weight", head, vocab, tinyHidden)
	}
	add("model.norm.weight", 0.2, 1, tinyHidden)
	for i := range tinyLayers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		add(layer+"input_layernorm.weight", 0.2, 1, tinyHidden)
		add(layer+"post_attention_layernorm.weight", 0.2, 1, tinyHidden)
		add(layer+"self_attn.q_proj.weight", 0.06, 0, tinyHeads*dim, tinyHidden)
		add(layer+"self_attn.k_proj.weight", 0.06, 0, tinyKVHeads*dim, tinyHidden)
		add(layer+"self_attn.v_proj.weight", 0.06, 0, tinyKVHeads*dim, tinyHidden)
		add(layer+"self_attn.o_proj.weight", 0.06, 0, tinyHidden, tinyHeads*dim)
		add(layer+"mlp.gate_proj.weight", 0.06, 0, tinyFFN, tinyHidden)
		add(layer+"mlp.up_proj.weight", 0.06, 0, tinyFFN, tinyHidden)
		add(layer+"mlp.down_proj.weight", 0.05, 0, tinyHidden, tinyFFN)
		switch m.kind {
		case "qwen2":
			add(layer+"self_attn.q_proj.bias", 0.2, 0, tinyHeads*dim)
			add(layer+"self_attn.k_proj.bias", 0.2, 0, tinyKVHeads*dim)
			add(layer+"self_attn.v_proj.bias", 0.2, 0, tinyKVHeads*dim)
		case "qwen3":
			add(layer+"self_attn.q_norm.weight", 0.2, 1, dim)
			add(layer+"self_attn.k_norm.weight", 0.2, 1, dim)
		}
	}
	head, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...)
}

// convert writes the model's GGUF file.
func (m tiny) convert(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), m.name+".gguf")
	if *written != "" {
		path = filepath.Join(*written, m.name+".gguf")
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SaveGGUF(t.Context(), path, checkpoint.GGUFOptions{Type: m.typ}); err != nil {
		t.Fatal(err)
	}
	return path
}

func network(t testing.TB, c *checkpoint.Checkpoint) generate.Model {
	t.Helper()
	w := c.Weights()
	var m generate.Model
	var err error
	switch c.ModelType() {
	case "llama", "mistral":
		m, err = llama.New(c.Config, w)
	case "qwen2":
		m, err = qwen2.New(c.Config, w)
	case "qwen3":
		m, err = qwen3.New(c.Config, w)
	}
	if err != nil {
		t.Fatal(err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Fatalf("tensors %v are not used", unused)
	}
	return m
}

// prompt is every model's.
func prompt() []uint32 {
	ids := make([]uint32, 40)
	for i := range ids {
		ids[i] = uint32(10 + i*i*37%1100)
	}
	return ids
}

// greedy continues the prompt by 64 tokens. It also gives each one's log
// probability, and how much less likely the second best was, at the least.
func greedy(t testing.TB, path string) (ids []uint32, logProbs []float64, margin float64) {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return continued(t, c)
}

// continued is greedy of an open checkpoint.
func continued(t testing.TB, c *checkpoint.Checkpoint) (ids []uint32, logProbs []float64, margin float64) {
	t.Helper()
	pool := kernel.NewPool(2)
	defer pool.Close()
	config := generate.DefaultConfig()
	config.MaxNewTokens, config.DoSample, config.LogProbs, config.TopLogProbs = 64, false, true, 2
	margin = math.Inf(1)
	request := generate.Request{Prompt: prompt(), Config: config, Emit: func(token generate.Token) bool {
		logProbs = append(logProbs, float64(token.LogProb.LogProb))
		margin = min(margin, float64(token.Top[0].LogProb-token.Top[1].LogProb))
		return false
	}}
	out, err := generate.NewEngine(network(t, c), 0).Run(context.Background(), nn.NewWorkspace(pool), &request)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].IDs, logProbs, margin
}

// writeGreedy writes each model's file for llama.cpp, of the seed with the
// clearest choices, so that rounding decides none.
func writeGreedy(t *testing.T) {
	seeds := map[string]uint64{}
	for _, m := range tinies {
		best := 0.0
		for seed := range uint64(24) {
			if _, _, margin := greedy(t, m.convert(t, m.folder(t, seed))); margin > best {
				best, seeds[m.name] = margin, seed
			}
		}
		t.Logf("%s: seed %d, margin %.3f", m.name, seeds[m.name], best)
		m.convert(t, m.folder(t, seeds[m.name]))
	}
	data, err := json.Marshal(map[string]any{"seeds": seeds, "prompt": prompt()})
	if err != nil {
		t.Fatal(err)
	}
	write(t, *written, "seeds.json", data)
}

// TestGreedyAgainstLlamaCpp compares 64 greedy tokens, and their
// probabilities, with llama.cpp on the same file, for every type and
// architecture that is converted.
func TestGreedyAgainstLlamaCpp(t *testing.T) {
	if *written != "" {
		writeGreedy(t)
		return
	}
	golden := readLlamaCpp(t)
	for _, m := range tinies {
		t.Run(m.name, func(t *testing.T) {
			ids, logProbs, margin := greedy(t, m.convert(t, m.folder(t, golden.Seeds[m.name])))
			want, wantLogProbs := golden.Greedy[m.name], golden.LogProb[m.name]
			if len(want) != 64 || len(wantLogProbs) != 64 || !slices.Equal(ids, want) {
				i := 0
				for i < min(len(ids), len(want)) && ids[i] == want[i] {
					i++
				}
				t.Fatalf("token %d of %d differs: %d with log probabilities %.3f, llama.cpp %d with %.3f", i, len(want), ids, logProbs, want, wantLogProbs)
			}
			worst := 0.0
			for i, p := range wantLogProbs {
				worst = max(worst, math.Abs(logProbs[i]-p))
			}
			t.Logf("log probabilities differ by up to %.4f; the closest choice has %.4f", worst, margin)
			if tolerance := logProbTolerance(m.typ); worst > tolerance {
				t.Errorf("log probabilities differ by up to %.4f, more than %v", worst, tolerance)
			}
		})
	}
}

// logProbTolerance is how far log probabilities may be apart. With quantised
// weights both sides round activations to 8 bits, and not always to the same.
func logProbTolerance(t kernel.Type) float64 {
	if t.Quantised() {
		return 0.1
	}
	return 0.01
}

// TestTokensAgainstLlamaCpp compares the vocabularies of converted files with
// llama.cpp, string by string.
func TestTokensAgainstLlamaCpp(t *testing.T) {
	golden := llamaCpp{}
	if *written == "" {
		golden = readLlamaCpp(t)
	}
	for _, vocab := range vocabularies {
		t.Run(vocab, func(t *testing.T) {
			m := tiny{name: "vocab-" + vocab, kind: "llama", vocab: vocab, typ: kernel.Q4_0}
			path := m.convert(t, m.folder(t, 1))
			if *written != "" {
				return
			}
			c, err := checkpoint.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			tok, err := tokenizers.FromGGUF(c.GGUF)
			if err != nil {
				t.Fatal(err)
			}
			want := golden.IDs[vocab]
			if len(golden.Strings) < 300 || len(want) != len(golden.Strings) {
				t.Fatalf("%d results of %d strings", len(want), len(golden.Strings))
			}
			bad := 0
			for i, text := range golden.Strings {
				ids, err := tok.AppendIDs(nil, text, false)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(ids, want[i]) {
					if bad++; bad < 6 {
						t.Errorf("%q is %d (%q), llama.cpp %d (%q)", text, ids, tok.Tokens(ids), want[i], tok.Tokens(want[i]))
					}
				}
			}
			if bad > 0 {
				t.Errorf("%d of %d strings differ", bad, len(golden.Strings))
			}
		})
	}
}
