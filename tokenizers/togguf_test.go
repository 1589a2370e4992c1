package tokenizers_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/tokenizers"
)

// FuzzToGGUF: a tokenizer.json is refused, or makes a vocabulary of as many
// tokens as were asked for that FromGGUF can read.
func FuzzToGGUF(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"<unk>":0,"<0x0A>":1,"a":2,"b":3,"ab":4},"merges":["a b"],"unk_token":"<unk>","byte_fallback":true},` +
		`"normalizer":{"type":"Prepend","prepend":"▁"},"added_tokens":[{"id":0,"content":"<unk>","special":true}]}`))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[` +
		`{"type":"Digits","individual_digits":true},{"type":"ByteLevel","use_regex":true}]},"added_tokens":[{"id":3,"content":"<s>","special":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		const size = 300
		var w gguf.Writer
		if err := tokenizers.ToGGUF(&w, fstest.MapFS{"tokenizer.json": {Data: data}}, size); err != nil {
			return
		}
		var file bytes.Buffer
		if _, err := w.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		h, err := gguf.ReadHeader(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := h.ArrayLen("tokenizer.ggml.tokens"); n != size {
			t.Fatalf("%d tokens", n)
		}
		if _, err := tokenizers.FromGGUF(h); err != nil && !errors.Is(err, tokenizers.ErrFormat) {
			t.Fatal(err)
		}
	})
}
