package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
)

// randomTensors is a model.safetensors of random BF16 numbers in the making.
type randomTensors struct {
	random *rand.Rand
	header map[string]tensorHeader
	data   []byte
}

type tensorHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// save adds a tensor.
func (r *randomTensors) save(name string, x []float64, shape ...int) {
	start := len(r.data)
	for _, v := range x {
		r.data = binary.LittleEndian.AppendUint16(r.data, uint16(math.Float32bits(float32(v))>>16))
	}
	r.header[name] = tensorHeader{"BF16", shape, [2]int{start, len(r.data)}}
}

// add adds a tensor of random numbers.
func (r *randomTensors) add(name string, scale, mean float64, shape ...int) []float64 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + scale*r.random.NormFloat64()
	}
	r.save(name, x, shape...)
	return x
}

// file is the whole file.
func (r *randomTensors) file() []byte {
	head, err := json.Marshal(r.header)
	if err != nil {
		panic(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), r.data...)
}

// weights is the model's model.safetensors. Unless the output layer is the
// table of tokens, each token has two likely successors between which the
// layers decide: of a network without any such order, two of the many logits
// are always so close that rounding decides.
func (m tiny) weights(config map[string]any, seed uint64) []byte {
	r := &randomTensors{random: rand.New(rand.NewPCG(seed, 7)), header: map[string]tensorHeader{}}
	vocab, dim, layers := config["vocab_size"].(int), tinyHidden/tinyHeads, tinyLayers
	if d, ok := config["head_dim"].(int); ok {
		dim = d
	}
	if n, ok := config["num_hidden_layers"].(int); ok {
		layers = n
	}
	tied, ok := config["tie_word_embeddings"].(bool)
	table, norm, scale, mean, last := "model.embed_tokens.weight", "model.norm", 1.0, 1.0, 1.0
	switch m.kind {
	case "gpt2":
		table, norm = "transformer.wte.weight", "transformer.ln_f"
		if tied = tied || !ok; tied {
			scale = 0.12
		}
	case "gemma2", "gemma3_text":
		scale, mean, last = 0.02, 0, 9 // the table is scaled up, one is added to the norms
	default:
		if tied {
			scale = 0.12
		}
	}
	// The table of a tied model is small, so that a token does not mostly follow
	// itself.
	embed := r.add(table, scale, 0, vocab, tinyHidden)
	if !tied {
		head := make([]float64, len(embed))
		for token := range vocab {
			for _, successor := range []int{(token*7 + 3) % vocab, (token*11 + 5) % vocab} {
				for i, v := range embed[token*tinyHidden : (token+1)*tinyHidden] {
					head[successor*tinyHidden+i] += 0.05 * v
				}
			}
		}
		r.save("lm_head.weight", head, vocab, tinyHidden)
	}
	r.add(norm+".weight", 0.2, last, tinyHidden)
	if m.kind == "gpt2" {
		r.add(norm+".bias", 0.2, 0, tinyHidden)
		r.add("transformer.wpe.weight", 0.1, 0, 512, tinyHidden)
	}
	for i := range layers {
		if m.kind == "gpt2" {
			r.gpt2Layer(fmt.Sprintf("transformer.h.%d.", i))
			continue
		}
		m.layer(r, fmt.Sprintf("model.layers.%d.", i), dim, mean)
	}
	return r.file()
}

// layer adds a layer of llama's kin.
func (m tiny) layer(r *randomTensors, layer string, dim int, mean float64) {
	norms := []string{"input_layernorm", "post_attention_layernorm"}
	if m.kind == "gemma2" || m.kind == "gemma3_text" {
		norms = append(norms, "pre_feedforward_layernorm", "post_feedforward_layernorm")
	}
	for _, name := range norms {
		r.add(layer+name+".weight", 0.2, mean, tinyHidden)
	}
	if m.kind == "phi3" {
		r.add(layer+"self_attn.qkv_proj.weight", 0.06, 0, (tinyHeads+2*tinyKVHeads)*dim, tinyHidden)
		r.add(layer+"mlp.gate_up_proj.weight", 0.06, 0, 2*tinyFFN, tinyHidden)
	} else {
		r.add(layer+"self_attn.q_proj.weight", 0.06, 0, tinyHeads*dim, tinyHidden)
		r.add(layer+"self_attn.k_proj.weight", 0.06, 0, tinyKVHeads*dim, tinyHidden)
		r.add(layer+"self_attn.v_proj.weight", 0.06, 0, tinyKVHeads*dim, tinyHidden)
		r.add(layer+"mlp.gate_proj.weight", 0.06, 0, tinyFFN, tinyHidden)
		r.add(layer+"mlp.up_proj.weight", 0.06, 0, tinyFFN, tinyHidden)
	}
	r.add(layer+"self_attn.o_proj.weight", 0.06, 0, tinyHidden, tinyHeads*dim)
	r.add(layer+"mlp.down_proj.weight", 0.05, 0, tinyHidden, tinyFFN)
	switch m.kind {
	case "qwen2":
		r.add(layer+"self_attn.q_proj.bias", 0.2, 0, tinyHeads*dim)
		r.add(layer+"self_attn.k_proj.bias", 0.2, 0, tinyKVHeads*dim)
		r.add(layer+"self_attn.v_proj.bias", 0.2, 0, tinyKVHeads*dim)
	case "qwen3", "gemma3_text":
		r.add(layer+"self_attn.q_norm.weight", 0.2, mean, dim)
		r.add(layer+"self_attn.k_norm.weight", 0.2, mean, dim)
	}
}

// gpt2Layer adds a layer of GPT-2, whose matrices are (in, out).
func (r *randomTensors) gpt2Layer(layer string) {
	for _, name := range []string{"ln_1", "ln_2"} {
		r.add(layer+name+".weight", 0.2, 1, tinyHidden)
		r.add(layer+name+".bias", 0.2, 0, tinyHidden)
	}
	for _, l := range []struct {
		name    string
		in, out int
	}{{"attn.c_attn", tinyHidden, 3 * tinyHidden}, {"attn.c_proj", tinyHidden, tinyHidden}, {"mlp.c_fc", tinyHidden, tinyFFN}, {"mlp.c_proj", tinyFFN, tinyHidden}} {
		r.add(layer+l.name+".weight", 0.06, 0, l.in, l.out)
		r.add(layer+l.name+".bias", 0.1, 0, l.out)
	}
}
