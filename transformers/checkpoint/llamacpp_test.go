package checkpoint_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/models/gemma2"
	"github.com/pantryhub/pantry/transformers/models/gemma3"
	"github.com/pantryhub/pantry/transformers/models/gpt2"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/phi3"
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
	{"qwen3-q8_0", "qwen3", "qwen2", kernel.Q8_0, map[string]any{"head_dim": 64, "rope_theta": 1e6}},
	{"qwen3-q4_k", "qwen3", "qwen2", kernel.Q4_K, map[string]any{"head_dim": 64, "rope_theta": 1e6, "tie_word_embeddings": true}},
	{"gemma2-f16", "gemma2", "gemma", kernel.F16, gemmaConfig(nil)},
	{"gemma2-q4_k", "gemma2", "gemma", kernel.Q4_K, gemmaConfig(nil)},
	{"gemma3-f16", "gemma3_text", "gemma", kernel.F16, gemmaConfig(gemma3Config)},
	{"gemma3-q8_0", "gemma3_text", "gemma", kernel.Q8_0, gemmaConfig(gemma3Config)},
	// A name with "phi3" would make llama.cpp look for Phi-3's own tokens.
	{"phi-f16", "phi3", "llama2", kernel.F16, nil},
	{"phi-long", "phi3", "gpt4o", kernel.F16, map[string]any{
		"head_dim": nil, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 256, "rope_scaling": map[string]any{
			"type": "longrope", "short_factor": ramp(12, 1.1), "long_factor": ramp(12, 2)}}},
	{"phi-q5_k", "phi3", "gpt4o", kernel.Q5_K, map[string]any{"tie_word_embeddings": true}},
	{"gpt2-f16", "gpt2", "gpt2", kernel.F16, nil},
	{"gpt2-q8_0", "gpt2", "gpt2", kernel.Q8_0, map[string]any{"tie_word_embeddings": false}},
}

// gemmaConfig is what both gemmas need, whose window the prompt outgrows.
func gemmaConfig(more map[string]any) map[string]any {
	config := map[string]any{"head_dim": 64, "query_pre_attn_scalar": 64, "sliding_window": 16, "tie_word_embeddings": true}
	maps.Copy(config, more)
	return config
}

// gemma3Config has one layer in six that sees everything, by scaled positions.
var gemma3Config = map[string]any{"num_hidden_layers": 6, "rope_parameters": map[string]any{
	"full_attention":    map[string]any{"rope_type": "linear", "factor": 8, "rope_theta": 1e6},
	"sliding_attention": map[string]any{"rope_type": "default", "rope_theta": 1e4}}}

func ramp(n int, slope float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1 + slope*float64(i)/float64(n)
	}
	return x
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
	config := map[string]any{"model_type": m.kind, "vocab_size": int(tok.MaxID()) + 5}
	if m.kind == "gpt2" {
		maps.Copy(config, map[string]any{"n_embd": tinyHidden, "n_inner": tinyFFN, "n_layer": tinyLayers, "n_head": tinyHeads, "n_positions": 512})
	} else {
		maps.Copy(config, map[string]any{"hidden_size": tinyHidden, "intermediate_size": tinyFFN,
			"num_hidden_layers": tinyLayers, "num_attention_heads": tinyHeads, "num_key_value_heads": tinyKVHeads, "max_position_embeddings": 512,
			"rms_norm_eps": 1e-5, "rope_theta": 10000})
	}
	maps.Copy(config, m.config)
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
	case "gemma2":
		m, err = gemma2.New(c.Config, w)
	case "gemma3_text":
		m, err = gemma3.New(c.Config, w)
	case "phi3":
		m, err = phi3.New(c.Config, w)
	case "gpt2":
		m, err = gpt2.New(c.Config, w)
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
// architecture that is converted. With quantised weights both sides round what
// they are multiplied with to 8 bits, and not always to the same: ours must be
// as near to the same weights in F32 as theirs.
func TestGreedyAgainstLlamaCpp(t *testing.T) {
	if *written != "" {
		writeGreedy(t)
		return
	}
	golden := readLlamaCpp(t)
	for _, m := range tinies {
		t.Run(m.name, func(t *testing.T) {
			path := m.convert(t, m.folder(t, golden.Seeds[m.name]))
			ids, logProbs, margin := greedy(t, path)
			want, wantLogProbs := golden.Greedy[m.name], golden.LogProb[m.name]
			if len(want) != 64 || len(wantLogProbs) != 64 || !slices.Equal(ids, want) {
				i := 0
				for i < min(len(ids), len(want)) && ids[i] == want[i] {
					i++
				}
				t.Fatalf("token %d of %d differs: %d with log probabilities %.3f, llama.cpp %d with %.3f", i, len(want), ids, logProbs, want, wantLogProbs)
			}
			worst, mean := distance(logProbs, wantLogProbs)
			t.Logf("log probabilities differ by up to %.4f, %.4f on average; the closest choice has %.4f", worst, mean, margin)
			if !m.typ.Quantised() {
				if worst > 0.01 {
					t.Errorf("log probabilities differ by up to %.4f", worst)
				}
				return
			}
			exactIDs, exact, _ := greedy(t, save(t, path, checkpoint.GGUFOptions{Type: kernel.F32}))
			_, ours := distance(logProbs, exact)
			_, theirs := distance(wantLogProbs, exact)
			t.Logf("from the same weights in F32, ours are %.4f away on average, llama.cpp's %.4f", ours, theirs)
			if !slices.Equal(exactIDs, ids) || ours > 2*theirs {
				t.Errorf("in F32 the tokens are %d, not %d; ours are %.4f away, llama.cpp's %.4f", exactIDs, ids, ours, theirs)
			}
		})
	}
}

// distance is how far two lists of log probabilities are apart: the largest
// difference, and the root of the mean square.
func distance(a, b []float64) (worst, mean float64) {
	for i := range a {
		d := math.Abs(a[i] - b[i])
		worst = max(worst, d)
		mean += d * d
	}
	return worst, math.Sqrt(mean / float64(len(a)))
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

// mixes are models with layers enough for a mix to differ between them.
var mixes = []tiny{
	{"mix-llama", "llama", "llama2", kernel.F16, map[string]any{"num_hidden_layers": 17}},
	{"mix-gemma", "gemma3_text", "gemma", kernel.F16, gemmaConfig(map[string]any{"num_hidden_layers": 9})},
	{"mix-phi", "phi3", "gpt4o", kernel.F16, map[string]any{"num_hidden_layers": 8}},
	{"mix-gpt2", "gpt2", "gpt2", kernel.F16, nil},
}

// TestMixesAgainstLlamaCpp compares the type of each matrix with those that
// llama.cpp's quantiser chooses for the same file.
func TestMixesAgainstLlamaCpp(t *testing.T) {
	var golden map[string]map[string]map[string]string
	data, err := os.ReadFile("testdata/mixes.json")
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	for _, m := range mixes {
		path := m.convert(t, m.folder(t, 1))
		if *written != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []kernel.Type{kernel.Q4_K, kernel.Q5_K} {
			got, err := checkpoint.Open(save(t, path, checkpoint.GGUFOptions{Type: typ, Mix: true}))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			want, n := golden[m.name][typ.String()], 0
			for _, tensor := range got.GGUF.Tensors {
				if len(tensor.Shape) < 2 {
					continue
				}
				n++
				if tensor.Type.String() != want[tensor.Name] {
					t.Errorf("%s in %v_M: %s is %s, of llama.cpp %s", m.name, typ, tensor.Name, tensor.Type, want[tensor.Name])
				}
			}
			if n == 0 || n != len(want) {
				t.Errorf("%s in %v_M: %d matrices, of llama.cpp %d", m.name, typ, n, len(want))
			}
		}
	}
}
