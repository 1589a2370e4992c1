package tokenizers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/gguf"
)

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
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

func throughGGUF(t *testing.T, keys map[string]any) *Tokenizer {
	t.Helper()
	var w gguf.Writer
	for key, value := range keys {
		w.Set("tokenizer.ggml."+key, value)
	}
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	h, err := gguf.ReadHeader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromGGUF(h)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// jsonVocab is the model of a tokenizer.json, its tokens by id.
func jsonVocab(t *testing.T, name string) (tokens, merges []string, types []int32) {
	t.Helper()
	var f struct {
		Model struct {
			Vocab  map[string]int
			Merges []any
		}
		Added []AddedToken `json:"added_tokens"`
	}
	if err := json.Unmarshal(unzip(t, name+".json.gz"), &f); err != nil {
		t.Fatal(err)
	}
	tokens = make([]string, len(f.Model.Vocab))
	for token, id := range f.Model.Vocab {
		tokens[id] = token
	}
	for _, m := range f.Model.Merges {
		if pair, ok := m.([]any); ok {
			m = fmt.Sprintf("%s %s", pair...)
		}
		merges = append(merges, m.(string))
	}
	types = slices.Repeat([]int32{int32(pieceNormal)}, len(tokens))
	for _, a := range f.Added {
		types[a.ID] = int32(pieceControl)
	}
	return tokens, merges, types
}

var ggufTexts = []string{
	"", "Hello world", "  two  spaces  ", "it's 12345 o'clock, naïve café\n\n\tdef f(x): return x**2", "中文字 и русский", "a\u0301 \ufb01 ½ \U0001F600\u200d",
	"https://example.com/a?b=c&d=%20e#f", "don't STOP'LL foo_bar <|im_start|> x", strings.Repeat("word ", 40),
}

func compareTokenizers(t *testing.T, what string, got, want *Tokenizer, special bool) {
	t.Helper()
	for _, text := range ggufTexts {
		a, err := got.AppendIDs(nil, text, special)
		if err != nil {
			t.Fatal(err)
		}
		b, err := want.AppendIDs(nil, text, special)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a, b) {
			t.Errorf("%s of %q: %v from GGUF, want %v", what, text, a, b)
		}
		back, err := got.Decode(a, true)
		again, err2 := want.Decode(a, true)
		if err != nil || err2 != nil || back != again {
			t.Errorf("%s of %q: decodes to %q, want %q; %v %v", what, text, back, again, err, err2)
		}
	}
}

// TestFromGGUF: a vocabulary gives the same ids from a GGUF file as from its
// own.
func TestFromGGUF(t *testing.T) {
	data := unzip(t, "bpe.model.gz")
	m, err := parseSPM(data)
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	var scores []float32
	var types []int32
	for _, p := range m.pieces {
		tokens, scores, types = append(tokens, p.text), append(scores, p.score), append(types, int32(p.kind))
	}
	want, err := FromSentencePiece(data)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{
		"model": "llama", "tokens": tokens, "scores": scores, "token_type": types, "bos_token_id": uint32(m.bos),
		"eos_token_id": uint32(m.eos), "unknown_token_id": uint32(m.unk),
	}
	got := throughGGUF(t, keys)
	plain, err := got.AppendIDs(nil, "Hello", false)
	if err != nil {
		t.Fatal(err)
	}
	if framed, _ := got.AppendIDs(nil, "Hello", true); !slices.Equal(framed, append([]ID{ID(m.bos)}, plain...)) {
		t.Errorf("llama's text begins with %v, not BOS", framed)
	}
	if s := got.Special(); s.BOS != "<s>" || s.EOS != "</s>" {
		t.Errorf("special tokens are %+v", s)
	}
	// Not the texts with user-defined symbols: GGUF's are cut out of the text,
	// as llama.cpp does.
	for _, text := range []string{"Hello world", "  two  spaces", "中文 \x07 12345"} {
		a, _ := got.AppendIDs(nil, text, false)
		b, _ := want.AppendIDs(nil, text, false)
		if !slices.Equal(a, b) {
			t.Errorf("%q: %v from GGUF, want %v", text, a, b)
		}
	}

	for name, pre := range map[string]string{"gpt2": "gpt-2", "llama3": "llama-bpe", "tekken": "tekken", "deepseek": "deepseek-v3", "gpt4o": "gpt-4o"} {
		tokens, merges, types := jsonVocab(t, name)
		want, err := FromJSON(unzip(t, name+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		got := throughGGUF(t, map[string]any{"model": "gpt2", "pre": pre, "tokens": tokens, "merges": merges, "token_type": types})
		compareTokenizers(t, name, got, want, false)
	}

	tokens, _, types = jsonVocab(t, "bert")
	for i, token := range tokens {
		if inner, ok := strings.CutPrefix(token, "##"); ok {
			tokens[i] = inner
		} else if types[i] == int32(pieceNormal) {
			tokens[i] = spaceMark + token
		}
	}
	want, err = FromJSON(unzip(t, "bert.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	got = throughGGUF(t, map[string]any{
		"model": "bert", "tokens": tokens, "token_type": types, "unknown_token_id": uint32(1), "cls_token_id": uint32(2), "seperator_token_id": uint32(3),
	})
	compareTokenizers(t, "bert", got, want, true)
}

func TestBadGGUF(t *testing.T) {
	for _, keys := range []map[string]any{
		{}, {"model": "rwkv", "tokens": []string{"a"}}, {"model": "gpt2", "tokens": []string{"a"}},
		{"model": "gpt2", "tokens": []string{"a"}, "merges": []string{"a b"}, "pre": "gpt-2"},
		{"model": "gpt2", "tokens": []string{"a"}, "merges": []string{"x"}, "pre": "nobody's"},
		{"model": "llama", "tokens": []string{"a"}}, {"model": "llama", "tokens": []string{"a"}, "scores": []float32{1, 2}},
	} {
		var w gguf.Writer
		for key, value := range keys {
			w.Set("tokenizer.ggml."+key, value)
		}
		var file bytes.Buffer
		if _, err := w.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		h, err := gguf.ReadHeader(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromGGUF(h); err == nil {
			t.Errorf("%v is a tokenizer", keys)
		}
	}
}
