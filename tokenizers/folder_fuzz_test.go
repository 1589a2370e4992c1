package tokenizers_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pantryhub/pantry/tokenizers"
)

// FuzzOpen opens folders of slow tokenizers with any configuration and any
// vocabulary.
func FuzzOpen(f *testing.F) {
	const words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\na\n##b\n"
	pairs := `{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"a":5,"b":6,"ab":7,"H":8,"Ġ":9}`
	for _, class := range []string{"Bert", "MPNet", "GPT2", "Roberta", "Qwen2", "CLIP", "Llama", "T5", "XLMRoberta", "Marian", "DistilBert"} {
		config := []byte(`{"tokenizer_class":"` + class + `TokenizerFast","bos_token":"<s>","eos_token":{"content":"</s>"},"unk_token":"<unk>","model_max_length":1e30,` +
			`"added_tokens_decoder":{"9":{"content":"<x>","special":true,"lstrip":true}},"extra_ids":3,"legacy":false,"add_prefix_space":true}`)
		f.Add(uint8(0), config, []byte(words), []byte(`{"<y>":8}`))
		f.Add(uint8(1), config, []byte(pairs), []byte("#version: 0.2\na b\n"))
		f.Add(uint8(2), config, []byte("\n\r\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\n\x0a\n\x01a\x15\x00\x00\x80\xbf"), []byte(`{"a":0,"<unk>":1,"</s>":2,"<pad>":3}`))
	}
	f.Fuzz(func(_ *testing.T, kind uint8, config, vocabulary, more []byte) {
		files := fstest.MapFS{"tokenizer_config.json": {Data: config}}
		switch kind % 4 {
		case 0:
			files["vocab.txt"], files["added_tokens.json"] = &fstest.MapFile{Data: vocabulary}, &fstest.MapFile{Data: more}
		case 1:
			files["vocab.json"], files["merges.txt"] = &fstest.MapFile{Data: vocabulary}, &fstest.MapFile{Data: more}
		case 2:
			for _, name := range []string{"tokenizer.model", "spiece.model", "source.spm", "target.spm"} {
				files[name] = &fstest.MapFile{Data: vocabulary}
			}
			files["vocab.json"] = &fstest.MapFile{Data: more}
		case 3:
			files["tokenizer.json"], files["special_tokens_map.json"] = &fstest.MapFile{Data: vocabulary}, &fstest.MapFile{Data: more}
		}
		if tok, err := tokenizers.Open(files); err == nil {
			exercise(tok, "Hello  ab a\xff 文<x><s>")
		}
	})
}

// TestManyAddedTokens: a configuration may add many tokens, in time.
func TestManyAddedTokens(t *testing.T) {
	var more bytes.Buffer
	more.WriteString(`{"<y>":8`)
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&more, `,"<%d>":%d`, i, i+9)
	}
	more.WriteString("}")
	start := time.Now()
	tok, err := tokenizers.Open(fstest.MapFS{
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class":"BertTokenizer"}`)}, "added_tokens.json": {Data: more.Bytes()},
		"vocab.txt": {Data: []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\na\n##b\n")},
	})
	if err != nil || tok.VocabSize() != n+9 {
		t.Fatalf("%v, %v", tok, err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("%d added tokens took %v", n, d)
	}
	e, err := tok.Encode("hello <199999>", false)
	if err != nil || len(e.IDs) != 2 || e.IDs[1] != n+8 {
		t.Errorf("%v, %v", e, err)
	}
}
