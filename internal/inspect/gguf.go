package inspect

import (
	"io"
	"io/fs"
	"slices"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
)

// fileTypes names general.file_type as llama.cpp does (enum llama_ftype).
var fileTypes = map[uint64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
	13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
	21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
	29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}

// readGGUF fills the report of a GGUF model of one or more parts, in order.
func (r *Report) readGGUF(fsys fs.FS, parts []File) error {
	if total := gguf.Parts(parts[0].Path); total != len(parts) {
		return hub.Errorf(hub.CodeInvalid, "The model %s is in %d parts, of which %d are there.", parts[0].Path, total, len(parts))
	}
	headers := make([]*gguf.Header, len(parts))
	err := readHeaders(fsys, parts, func(i int, at io.ReaderAt) (err error) {
		if headers[i], err = gguf.ReadHeader(at, parts[i].Size); err != nil || i > 0 {
			return err
		}
		return r.readKeys(headers[0]) // while the file, where arrays stay, is open
	})
	if err != nil {
		return err
	}
	r.Format, r.WeightFiles = "gguf", parts
	for i, h := range headers {
		for _, t := range h.Tensors {
			shape := slices.Clone(t.Shape)
			slices.Reverse(shape)
			r.Tensors = append(r.Tensors, Tensor{t.Name, t.Type.String(), shape, t.Size, parts[i].Path})
			r.WeightBytes += max(t.Size, 0)
			r.Parameters += t.Elements()
			r.Types[t.Type.String()] += t.Elements()
		}
	}
	if types := r.TypesByCount(); r.Quantization == "" && len(types) > 0 {
		r.Quantization = types[0]
	}
	return nil
}

// readKeys reads what the key/values of a file say of its network.
func (r *Report) readKeys(h *gguf.Header) error {
	arch, _ := h.Text("general.architecture")
	r.Architecture, r.ModelType = arch, arch
	r.Name, _ = h.Text("general.name")
	if t, ok := h.Uint("general.file_type"); ok {
		r.Quantization = fileTypes[t]
	}
	r.Shape = Shape{
		ContextLength: keyCount(h, arch+".context_length"), Layers: keyCount(h, arch+".block_count"),
		Hidden: keyCount(h, arch+".embedding_length"),
	}
	if n, ok := h.ArrayLen("tokenizer.ggml.tokens"); ok {
		r.Shape.Vocabulary = int64(n)
	}
	r.Tokenizer, _ = h.Text("tokenizer.ggml.model")
	template, _ := h.Text("tokenizer.chat_template")
	r.ChatTemplate = template != ""
	return r.Shape.readHeads(h, arch)
}

// keyCount is a number of a header, 0 for one that no network has.
func keyCount(h *gguf.Header, key string) int64 {
	n, ok := h.Uint(key)
	if !ok || n > 1<<31 {
		return 0
	}
	return int64(n)
}

// readHeads reads the attention's shape, which may differ from layer to layer.
func (s *Shape) readHeads(h *gguf.Header, arch string) error {
	heads, err := perLayer(h, arch+".attention.head_count", s.Layers)
	if err != nil {
		return err
	}
	kv, err := perLayer(h, arch+".attention.head_count_kv", s.Layers)
	if err != nil {
		return err
	}
	if len(kv) == 0 {
		kv = heads
	}
	if len(heads) == 0 {
		return nil
	}
	s.Heads, s.KVHeads = slices.Max(heads), slices.Max(kv)
	key, value := keyCount(h, arch+".attention.key_length"), keyCount(h, arch+".attention.value_length")
	if s.HeadDim = key; key == 0 && s.Heads > 0 {
		s.HeadDim = s.Hidden / s.Heads
	}
	key, value = firstCount(count(key), count(s.HeadDim)), firstCount(count(value), count(s.HeadDim))
	if causal, ok := h.Bool(arch + ".attention.causal"); ok && !causal || key+value > maxCount {
		return nil
	}
	for _, n := range kv {
		s.CachePerToken += min(n, maxCount) * (key + value) * cacheElement
	}
	return nil
}

// maxLayers is beyond every network's depth.
const maxLayers = 10_000

// perLayer is a number for each layer: one for all, or an array.
func perLayer(h *gguf.Header, key string, layers int64) ([]int64, error) {
	layers = min(layers, maxLayers)
	if n := keyCount(h, key); n > 0 {
		return slices.Repeat([]int64{n}, int(layers)), nil
	}
	if n, ok := h.ArrayLen(key); !ok || n > maxLayers {
		return nil, nil
	}
	numbers, err := h.Numbers(key)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, n := range numbers {
		if n >= 0 && n <= maxCount {
			out = append(out, int64(n))
		}
	}
	return out, nil
}
