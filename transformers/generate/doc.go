// Package generate turns the logits of a language model into text: the
// settings of generation_config.json, logits processors, sampling, beam
// search, stop strings, and output that must match a JSON schema.
//
// The names and the order of operations are those of transformers'
// GenerationMixin, and the numbers agree with it to float precision: bias →
// penalties → n-grams and bad words → lengths → constraint → forced tokens →
// suppressed tokens, then, when sampling, temperature → top_k → top_p → min_p
// → typical_p.
//
// Random choices are the same on every machine: a request has a PCG-DXSM
// generator (math/rand/v2) of its seed and the number of the sequence, takes
// one 53-bit number per token, and walks over the candidates in the order of
// their ids. A step allocates nothing once buffers have grown.
//
// An Engine runs a model with all that: several sequences side by side, prompts
// that begin alike from where they part. The rest of the package knows token ids
// and numbers only.
package generate
