package inspect

import (
	"cmp"
	"slices"
)

// Report describes a model. Zero values are what its files do not say.
type Report struct {
	Format       string `json:"format"`                 // "safetensors", "gguf" or "" without weights
	Name         string `json:"name,omitempty"`         // as a GGUF file calls itself
	Architecture string `json:"architecture,omitempty"` // LlamaForCausalLM; of a GGUF file llama
	ModelType    string `json:"model_type,omitempty"`   // llama

	Parameters   int64            `json:"parameters"`
	Types        map[string]int64 `json:"dtypes"`                 // parameters by storage type
	Quantization string           `json:"quantization,omitempty"` // "Q4_K_M", "gptq, 4 bits"
	WeightBytes  int64            `json:"weight_bytes"`           // of the tensors' data
	WeightFiles  []File           `json:"weight_files"`
	Files        []File           `json:"files"` // all, the weights among them

	Shape        Shape    `json:"shape"`
	Tokenizer    string   `json:"tokenizer,omitempty"` // "tokenizer.json, LlamaTokenizer"
	ChatTemplate bool     `json:"chat_template"`
	Adapter      *Adapter `json:"adapter,omitempty"`
	Notes        []string `json:"notes,omitempty"` // what else one should know
	Tensors      []Tensor `json:"tensors,omitempty"`
}

// File is a file of a model.
type File struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
}

// Tensor is one tensor of the weights. Shape has the slowest dimension first,
// whatever the format.
type Tensor struct {
	Name  string  `json:"name"`
	Type  string  `json:"dtype"`
	Shape []int64 `json:"shape"`
	Size  int64   `json:"size"` // bytes; -1 if the type is not known
	File  string  `json:"file"`
}

// Shape is the size of a network.
type Shape struct {
	ContextLength int64 `json:"context_length,omitempty"` // tokens
	Layers        int64 `json:"layers,omitempty"`         // of the decoder, where there are two stacks
	Hidden        int64 `json:"hidden_size,omitempty"`
	Heads         int64 `json:"attention_heads,omitempty"`
	KVHeads       int64 `json:"key_value_heads,omitempty"`
	HeadDim       int64 `json:"head_dim,omitempty"`
	Vocabulary    int64 `json:"vocabulary,omitempty"` // tokens
	// CachePerToken is what a token adds to the key/value cache, in bytes with
	// F16 elements; 0 for a network that generates nothing.
	CachePerToken int64 `json:"kv_cache_bytes_per_token,omitempty"`
}

// Adapter is what a PEFT adapter adds to its base model.
type Adapter struct {
	Type      string `json:"type"` // LORA
	BaseModel string `json:"base_model,omitempty"`
	Rank      int64  `json:"rank,omitempty"`
}

// Memory is what running a model takes, in bytes. Weights are mapped from
// their files; the key/value cache holds every layer for the whole context,
// which a network with sliding windows does not fill.
type Memory struct {
	Context int64 `json:"context"` // tokens
	Weights int64 `json:"weights"`
	KVCache int64 `json:"kv_cache"`
	Total   int64 `json:"total"`
}

const (
	cacheElement = 2   // bytes of F16
	cachePage    = 256 // tokens; the cache grows by whole pages
	// usualContext is assumed when nobody says how long texts are.
	usualContext = 4096
)

// MemoryFor is the memory for texts of context tokens; 0 is 4096 tokens or
// what the model can take, if that is less.
func (r *Report) MemoryFor(context int64) Memory {
	if context <= 0 {
		context = usualContext
		if r.Shape.ContextLength > 0 {
			context = min(context, r.Shape.ContextLength)
		}
	}
	context = min(context, 1<<40)
	m := Memory{Context: context, Weights: r.WeightBytes}
	pages := (context + cachePage - 1) / cachePage
	if r.Shape.CachePerToken < (1<<62)/(pages*cachePage) {
		m.KVCache = pages * cachePage * r.Shape.CachePerToken
	}
	m.Total = m.Weights + m.KVCache
	return m
}

// TypesByCount lists the storage types, that of most parameters first.
func (r *Report) TypesByCount() []string {
	names := make([]string, 0, len(r.Types))
	for t := range r.Types {
		names = append(names, t)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Types[b], r.Types[a]), cmp.Compare(a, b))
	})
	return names
}
