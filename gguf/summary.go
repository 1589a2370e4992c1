package gguf

// Summary is the "gguf" field of a model on a hub.
type Summary struct {
	Total         int64  `json:"total"` // parameters
	Architecture  string `json:"architecture,omitempty"`
	ContextLength uint64 `json:"context_length,omitempty"`
	ImatrixFile   string `json:"quantize_imatrix_file,omitempty"`
	ChatTemplate  string `json:"chat_template,omitempty"`
	BOSToken      string `json:"bos_token,omitempty"`
	EOSToken      string `json:"eos_token,omitempty"`
	Causal        *bool  `json:"causal,omitempty"` // false for encoders; absent if the file does not say
	TotalFileSize int64  `json:"totalFileSize,omitempty"`
}

// Summarize describes a model split over one or more files, the first of which
// holds the key/values.
func Summarize(files []*Header) (Summary, error) {
	var s Summary
	if len(files) == 0 {
		return s, nil
	}
	for _, h := range files {
		s.TotalFileSize += h.size
		for _, t := range h.Tensors {
			s.Total += t.Elements()
		}
	}
	h := files[0]
	s.Architecture, _ = h.Text("general.architecture")
	s.ContextLength, _ = h.Uint(s.Architecture + ".context_length")
	s.ImatrixFile, _ = h.Text("quantize.imatrix.file")
	s.ChatTemplate, _ = h.Text("tokenizer.chat_template")
	if causal, ok := h.Bool(s.Architecture + ".attention.causal"); ok {
		s.Causal = &causal
	}
	return s, h.specialTokens(&s)
}

// specialTokens looks the ids of the first and last token up in the vocabulary.
func (h *Header) specialTokens(s *Summary) error {
	bos, hasBOS := h.Uint("tokenizer.ggml.bos_token_id")
	eos, hasEOS := h.Uint("tokenizer.ggml.eos_token_id")
	if !hasBOS && !hasEOS {
		return nil
	}
	vocabulary, err := h.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return err
	}
	if hasBOS && bos < uint64(len(vocabulary)) {
		s.BOSToken = vocabulary[bos]
	}
	if hasEOS && eos < uint64(len(vocabulary)) {
		s.EOSToken = vocabulary[eos]
	}
	return nil
}
