package tokenizers_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pantryhub/pantry/tokenizers"
)

var kinds = []string{"gpt2", "llama3", "glm", "bert", "t5", "xlmr", "llama2", "clip", "falcon", "wordlevel", "charbpe", "bpe.model"}

// TestManyGoroutines: one tokenizer, 16 goroutines, the same results.
func TestManyGoroutines(t *testing.T) {
	corpus := loadCorpus(t)
	for _, name := range []string{"llama3", "bert", "t5", "llama2"} {
		tok := loadTokenizer(t, name)
		want := make([][]tokenizers.ID, 300)
		for i := range want {
			var err error
			if want[i], err = tok.AppendIDs(nil, corpus.string(i), true); err != nil {
				t.Fatal(err)
			}
		}
		var group sync.WaitGroup
		for g := range 16 {
			group.Go(func() {
				for k := range want {
					i := (k*7 + g*31) % len(want)
					e, err := tok.Encode(corpus.string(i), true)
					if err != nil || !slices.Equal(e.IDs, want[i]) {
						t.Errorf("%s: string %d gives %v, %v; want %v", name, i, e.IDs, err, want[i])
						return
					}
				}
			})
		}
		group.Wait()
	}
}

func TestBatch(t *testing.T) {
	tok := loadTokenizer(t, "bert").WithPadding(&tokenizers.Padding{ID: 0, Token: "[PAD]"})
	texts := []string{"a", "some more words", "", "two words"}
	all, err := tok.EncodeBatch(texts, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		if e.Len() != all[1].Len() {
			t.Errorf("text %d has %d tokens, not %d", i, e.Len(), all[1].Len())
		}
		one, err := tok.WithPadding(nil).Encode(texts[i], true)
		if err != nil || !slices.Equal(e.IDs[:one.Len()], one.IDs) {
			t.Errorf("text %d: %v and alone %v, %v", i, e.IDs, one.IDs, err)
		}
	}
}

// TestLongTexts: a megabyte without a space takes time in proportion.
func TestLongTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte('a' + r.IntN(26))
	}
	for _, name := range kinds {
		tok := loadTokenizer(t, name)
		for what, text := range map[string]string{
			"one letter": strings.Repeat("a", 1<<20), "letters": string(random), "spaces": strings.Repeat(" ", 1<<20),
			"Chinese": strings.Repeat("中文字", 1<<17), "marks": "a" + strings.Repeat("\u0301\u0323", 1<<18), "breaks": strings.Repeat("\r\n", 1<<19),
		} {
			start := time.Now()
			if _, err := tok.Encode(text, true); err != nil {
				t.Errorf("%s of 1 MB of %s: %v", name, what, err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s of 1 MB of %s took %v", name, what, took)
			}
		}
	}
}

// TestInvalidUTF8: broken bytes count as U+FFFD, and offsets stay within the
// text.
func TestInvalidUTF8(t *testing.T) {
	for _, name := range kinds {
		tok := loadTokenizer(t, name)
		for _, text := range []string{"\xff", "a\xc3", "\xe4\xb8 b", "x\xed\xa0\x80y", "\x80\x80<s>\xff</s>", "ok \xf0\x9f\x98"} {
			e, err := tok.Encode(text, true)
			if err != nil {
				t.Errorf("%s %q: %v", name, text, err)
				continue
			}
			valid := strings.ToValidUTF8(text, "\x00")
			if !strings.Contains(valid, "\x00") {
				continue
			}
			for i, o := range e.Offsets {
				if o[0] < 0 || o[0] > o[1] || o[1] > len(text) {
					t.Errorf("%s %q: token %d at %v of %d bytes", name, text, i, o, len(text))
				}
			}
			var clean strings.Builder
			for _, r := range text {
				clean.WriteRune(r)
			}
			want, err := tok.AppendIDs(nil, clean.String(), true)
			if err != nil || !slices.Equal(want, e.IDs) {
				t.Errorf("%s %q: %v, with U+FFFD %v, %v", name, text, e.IDs, want, err)
			}
		}
	}
}

// TestStream: text piece by piece is the text of all ids.
func TestStream(t *testing.T) {
	corpus := loadCorpus(t)
	for _, name := range []string{"gpt2", "llama2", "t5", "bert", "bpe.model", "qwen2"} {
		tok := loadTokenizer(t, name)
		for i := range 500 {
			ids, err := tok.AppendIDs(nil, corpus.string(i), false)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tok.Decode(ids, true)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			s := tok.NewStream(true)
			for _, id := range ids {
				text, err := s.Add(id)
				if err != nil {
					t.Fatal(err)
				}
				if !utf8.ValidString(text) {
					t.Errorf("%s string %d: %q is no text", name, i, text)
				}
				got.WriteString(text)
			}
			rest, err := s.Flush()
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(rest)
			if got.String() != want {
				t.Errorf("%s string %d: streamed %q, decoded %q", name, i, got.String(), want)
			}
		}
	}
}

func TestLookups(t *testing.T) {
	tok := loadTokenizer(t, "roberta")
	for id := range tok.MaxID() + 1 {
		token, ok := tok.IDToToken(id)
		if !ok {
			t.Fatalf("id %d has no token", id)
		}
		if back, ok := tok.TokenToID(token); !ok || back != id {
			t.Fatalf("token %q of id %d has the id %d", token, id, back)
		}
	}
	if n := tok.VocabSize(); n != int(tok.MaxID())+1 {
		t.Errorf("%d tokens, the last id is %d", n, tok.MaxID())
	}
	if _, ok := tok.IDToToken(tok.MaxID() + 1); ok {
		t.Error("an id after the last has a token")
	}
	mask, ok := tok.TokenToID("<mask>")
	if !ok || !tok.IsSpecial(mask) {
		t.Errorf("<mask> is %d, special %v", mask, tok.IsSpecial(mask))
	}
	space, _ := tok.TokenToID("Ġ")
	if text, ok := tok.Bytes(space); !ok || string(text) != " " {
		t.Errorf("the bytes of Ġ are %q", text)
	}
	ids, err := tok.WithSplitSpecialTokens(true).AppendIDs(nil, "</s>", false)
	if err != nil || len(ids) < 2 {
		t.Errorf("</s> as text is %v, %v", ids, err)
	}
	if got := tok.Tokens([]tokenizers.ID{0, 2}); !reflect.DeepEqual(got, []string{"<s>", "</s>"}) {
		t.Errorf("tokens 0 and 2 are %q", got)
	}
}

func TestBadFiles(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", "null", `{"model":null}`, `{"model":{"type":"BPE"}}`, `{"model":{"type":"X","vocab":{}}}`,
		`{"version":"2.0","model":{"type":"WordLevel","vocab":{},"unk_token":"u"}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`, `{"model":{"type":"BPE","vocab":{"a":4294967295},"merges":[]}}`,
		`{"model":{"type":"BPE","vocab":{"a":4000000000},"merges":[]}}`, `{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":3}}`,
		`{"model":{"type":"Unigram","vocab":[["a","x"]],"unk_id":0}}`, `{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"Nope"}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0}},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 100) + strings.Repeat("]}", 100) + "}",
		`{"model":{"type":"WordLevel","vocab":{"a":0}},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}}`,
	} {
		if tok, err := tokenizers.FromJSON([]byte(text)); err == nil {
			t.Errorf("%.90s is a tokenizer: %v", text, tok.VocabSize())
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	for _, name := range []string{"wordlevel", "charbpe", "falcon", "llama2"} {
		f.Add(tokenizerJSON(f, name)[:3000])
	}
	f.Add([]byte(`{"model":{"type":"Unigram","vocab":[["<unk>",0],["a",-1]],"unk_id":0,"byte_fallback":true},"pre_tokenizer":{"type":"Metaspace"}}`))
	f.Add([]byte(`{"added_tokens":[{"id":3,"content":"x","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"special":false}],` +
		`"normalizer":{"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"Regex":"a|b"},"content":"c"},{"type":"Lowercase"},{"type":"BertNormalizer"}]},` +
		`"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]],"unk_token":"a","fuse_unk":true,"end_of_word_suffix":""}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if tok, err := tokenizers.FromJSON(data); err == nil {
			exercise(tok, "Hello ab aabb  x\n文字\xff")
		}
	})
}

// exercise calls what must not panic.
func exercise(tok *tokenizers.Tokenizer, text string) {
	if e, err := tok.Encode(text, true); err == nil {
		_, _ = tok.Decode(e.IDs, true)
		_ = e.RuneOffsets(text, 0)
		s := tok.NewStream(false)
		for _, id := range e.IDs {
			_, _ = s.Add(id)
		}
	}
	_, _ = tok.EncodePair(text, text, true)
	_, _ = tok.AppendIDs(nil, text, false)
}

func FuzzFromSentencePiece(f *testing.F) {
	for _, name := range []string{"bpe.model.gz", "unigram.model.gz"} {
		data := readGzip(f, name)
		f.Add(data[:min(len(data), 4000)])
	}
	f.Add([]byte("\n\r\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\n\x0a\n\x01a\x15\x00\x00\x80\xbf"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if tok, err := tokenizers.FromSentencePiece(data); err == nil {
			exercise(tok, "Hello  ab\xff 文")
		}
	})
}

func FuzzEncode(f *testing.F) {
	var all []*tokenizers.Tokenizer
	for _, name := range kinds {
		all = append(all, loadTokenizer(f, name))
	}
	corpus := loadCorpus(f)
	for i := range 40 {
		f.Add(corpus.string(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		tok := all[int(which)%len(all)]
		e, err := tok.Encode(text, true)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		ids, err := tok.AppendIDs(nil, text, true)
		if err != nil || !slices.Equal(ids, e.IDs) {
			t.Errorf("%q: AppendIDs gives %v, %v; Encode %v", text, ids, err, e.IDs)
		}
		for i, o := range e.Offsets {
			if o[0] < 0 || o[1] > len(text) || o[0] > o[1] {
				t.Errorf("%q: token %d at %v", text, i, o)
			}
		}
		exercise(tok, text)
	})
}

// BenchmarkEncode encodes 10 kB of English-like words.
func BenchmarkEncode(b *testing.B) {
	corpus := loadCorpus(b)
	r := random(1)
	var text bytes.Buffer
	for text.Len() < 10_000 {
		fmt.Fprintf(&text, "%s ", r.of(corpus.Words))
	}
	for _, name := range []string{"llama3", "bert", "t5", "llama2"} {
		tok := loadTokenizer(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			var ids []tokenizers.ID
			for b.Loop() {
				ids, _ = tok.AppendIDs(ids[:0], text.String(), true)
			}
		})
	}
}
