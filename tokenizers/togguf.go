package tokenizers

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/gguf"
)

// ToGGUF writes the tokenizer.json of a folder as the vocabulary of a GGUF file
// of size tokens; those that the tokenizer does not have are filled up. Byte-
// level BPE becomes the model gpt2, BPE with bytes to fall back on (from
// SentencePiece) the model llama. As in every GGUF file, a normalisation such
// as NFC is lost. The error wraps ErrFormat if GGUF cannot hold the tokenizer.
func ToGGUF(w *gguf.Writer, fsys fs.FS, size int) error {
	t, err := Open(fsys)
	if err != nil {
		return err
	}
	data, err := (&folder{fsys: fsys}).read("tokenizer.json")
	if err != nil {
		return err
	}
	if data == nil {
		return fmt.Errorf("%w: only a tokenizer.json can be written as GGUF", ErrFormat)
	}
	g := ggufWriter{Writer: w, tokenizer: t}
	if err := json.Unmarshal(data, &g.source); err != nil {
		return fmt.Errorf("%w: tokenizer.json: %w", ErrFormat, err)
	}
	if err := g.writeVocab(size); err != nil {
		return fmt.Errorf("tokenizer.json: %w", err)
	}
	return g.writeSpecials()
}

// ggufWriter turns one tokenizer.json into keys.
type ggufWriter struct {
	*gguf.Writer
	tokenizer *Tokenizer
	source    struct {
		Normalizer   json.RawMessage `json:"normalizer"`
		PreTokenizer json.RawMessage `json:"pre_tokenizer"`
		Model        struct {
			Type         string         `json:"type"`
			Vocab        map[string]int `json:"vocab"`
			Merges       []mergePair    `json:"merges"`
			UnkToken     string         `json:"unk_token"`
			ByteFallback bool           `json:"byte_fallback"`
			IgnoreMerges bool           `json:"ignore_merges"`
		} `json:"model"`
	}
}

// mergePair is a merge, written as a list or as one string.
type mergePair [2]string

// UnmarshalJSON reads either form.
func (m *mergePair) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[2]string)(m))
	}
	var line string
	if err := json.Unmarshal(data, &line); err != nil {
		return err
	}
	left, right, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Errorf("merge %q has no space", line)
	}
	*m = mergePair{left, right}
	return nil
}

// writeVocab writes the tokens with their types, and how texts are cut up.
func (g *ggufWriter) writeVocab(size int) error {
	m := &g.source.Model
	steps, err := preTokenizerSteps(g.source.PreTokenizer)
	if err != nil {
		return err
	}
	bytelevel := slices.ContainsFunc(steps, func(s string) bool { return strings.HasPrefix(s, "ByteLevel") })
	if m.Type != "BPE" || !bytelevel && !m.ByteFallback {
		return fmt.Errorf("%w: a GGUF file of a decoder holds BPE that works on bytes or falls back on them; this is %s", ErrFormat, m.Type)
	}
	tokens, types := make([]string, size), make([]int32, size)
	place := func(text string, id int, kind pieceType) error {
		if id < 0 || id >= size {
			return fmt.Errorf("%w: token %q has id %d, the model has %d", ErrFormat, text, id, size)
		}
		tokens[id], types[id] = text, int32(kind)
		return nil
	}
	for text, id := range m.Vocab {
		kind := pieceNormal
		switch {
		case bytelevel:
		case text == m.UnkToken:
			kind = pieceUnknown
		case isByteToken(text):
			kind = pieceByte
		}
		if err := place(text, id, kind); err != nil {
			return err
		}
	}
	for _, a := range g.tokenizer.AddedTokens() {
		kind := pieceUserDefined
		switch {
		case a.Content == m.UnkToken && !bytelevel:
			kind = pieceUnknown
		case a.Special:
			kind = pieceControl
		}
		if err := place(a.Content, int(a.ID), kind); err != nil {
			return err
		}
	}
	for id, kind := range types {
		if kind == 0 {
			tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), int32(pieceUnused)
		}
	}
	if bytelevel {
		if err := g.writeByteLevel(steps); err != nil {
			return err
		}
	} else {
		g.writeSentencePiece(tokens)
	}
	g.Set(ggufPrefix+"tokens", tokens)
	g.Set(ggufPrefix+"token_type", types)
	return nil
}

// isByteToken recognises <0x0A>.
func isByteToken(text string) bool {
	var b byte
	n, err := fmt.Sscanf(text, "<0x%02X>", &b)
	return n == 1 && err == nil && len(text) == len("<0x00>")
}

// preTokenizerSteps are the steps of a pre_tokenizer in a canonical form.
func preTokenizerSteps(raw json.RawMessage) ([]string, error) {
	var p *struct {
		Type             string
		Pretokenizers    []json.RawMessage
		Pattern          struct{ Regex, String string }
		IndividualDigits bool  `json:"individual_digits"`
		UseRegex         *bool `json:"use_regex"`
		AddPrefixSpace   bool  `json:"add_prefix_space"`
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("%w: pre_tokenizer: %w", ErrFormat, err)
	}
	switch {
	case p == nil:
		return nil, nil
	case p.Type == "Sequence":
		var steps []string
		for _, inner := range p.Pretokenizers {
			more, err := preTokenizerSteps(inner)
			if err != nil {
				return nil, err
			}
			steps = append(steps, more...)
		}
		return steps, nil
	case p.Type == "Split":
		return []string{"Split " + p.Pattern.Regex + p.Pattern.String}, nil
	case p.Type == "Digits" && p.IndividualDigits:
		return []string{`Split \p{N}`}, nil
	case p.Type == "ByteLevel" && (p.UseRegex == nil || *p.UseRegex):
		return []string{"Split " + gpt2Pattern, "ByteLevel"}, nil
	}
	return []string{p.Type}, nil
}

// preTokenizerNames are llama.cpp's names of what tokenizer.json spells out.
var preTokenizerNames = []struct {
	name     string
	patterns []string
	// ignoreMerges must be as the name implies.
	ignoreMerges bool
}{
	{"llama-bpe", []string{llamaPattern}, true},
	{"smaug-bpe", []string{llamaPattern}, false},
	{"qwen2", []string{qwenPattern}, false},
	{"qwen35", []string{qwenMPattern}, false},
	{"gpt-4o", []string{gpt4oPattern}, false},
	{"tekken", []string{tekkenPattern}, true},
	{"starcoder", []string{`\p{N}`, gpt2Pattern}, false},
	{"gpt-2", []string{gpt2Pattern}, false},
}

func (g *ggufWriter) writeByteLevel(steps []string) error {
	m := &g.source.Model
	for _, known := range preTokenizerNames {
		want := make([]string, 0, len(known.patterns)+1)
		for _, p := range known.patterns {
			want = append(want, "Split "+p)
		}
		if m.IgnoreMerges != known.ignoreMerges || !slices.Equal(steps, append(want, "ByteLevel")) {
			continue
		}
		g.Set(ggufPrefix+"model", "gpt2")
		g.Set(ggufPrefix+"pre", known.name)
		merges := make([]string, len(m.Merges))
		for i, pair := range m.Merges {
			merges[i] = pair[0] + " " + pair[1]
		}
		g.Set(ggufPrefix+"merges", merges)
		return nil
	}
	return fmt.Errorf("%w: llama.cpp has no name for the pre-tokenizer %q", ErrFormat, steps)
}

// writeSentencePiece writes scores that make llama.cpp join pieces in the
// order of the merges: the piece of an earlier merge scores higher.
func (g *ggufWriter) writeSentencePiece(tokens []string) {
	m := &g.source.Model
	g.Set(ggufPrefix+"model", "llama")
	g.Set(ggufPrefix+"pre", "default")
	rank := make(map[string]int, len(m.Merges))
	for i, pair := range m.Merges {
		if _, earlier := rank[pair[0]+pair[1]]; !earlier {
			rank[pair[0]+pair[1]] = i
		}
	}
	scores := make([]float32, len(tokens))
	for id, text := range tokens {
		if r, ok := rank[text]; ok {
			scores[id] = -float32(r)
		}
	}
	g.Set(ggufPrefix+"scores", scores)
	prefix := strings.Contains(string(g.source.Normalizer), `"Prepend"`) ||
		strings.Contains(string(g.source.PreTokenizer), `"Metaspace"`) && !strings.Contains(string(g.source.PreTokenizer), `"never"`)
	g.Set(ggufPrefix+"add_space_prefix", prefix)
}

// writeSpecials writes the special tokens and whether they go around a text,
// which a probe shows.
func (g *ggufWriter) writeSpecials() error {
	s := g.tokenizer.Special()
	ids := map[string]ID{}
	for _, r := range []struct{ role, token string }{{"bos", s.BOS}, {"eos", s.EOS}, {"unknown", s.UNK}, {"padding", s.PAD}} {
		if id, ok := g.tokenizer.TokenToID(r.token); ok && r.token != "" {
			ids[r.role] = id
			g.Set(ggufPrefix+r.role+"_token_id", uint32(id))
		}
	}
	probe, err := g.tokenizer.WithPadding(nil).AppendIDs(nil, "a", true)
	if err != nil {
		return err
	}
	bos, hasBOS := ids["bos"]
	eos, hasEOS := ids["eos"]
	g.Set(ggufPrefix+"add_bos_token", hasBOS && len(probe) > 0 && probe[0] == bos)
	g.Set(ggufPrefix+"add_eos_token", hasEOS && len(probe) > 1 && probe[len(probe)-1] == eos)
	return nil
}
