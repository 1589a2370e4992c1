package tokenizers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/pantryhub/pantry/tokenizers"
)

// shape is a case of shapes.py.
type shape struct {
	Tokenizer      string
	I              int
	Length, Stride int
	Strategy       string
	Left           bool
	Pair, Special  bool
	Pad            *struct {
		Direction string
		Length    *int
		Multiple  int `json:"pad_to_multiple_of"`
	}
	Want string // hashes of the encoding and its overflow, at most six
}

func fieldsOf(e tokenizers.Encoding, texts []string, top bool) string {
	h := uint64(fnvStart)
	row := func(n int, at func(i int) uint32) {
		for i := range n {
			h = fnv(h, at(i))
		}
		h = fnv(h, uint32(n))
	}
	offsets := make([]uint32, 0, 2*e.Len())
	first := e.RuneOffsets(texts[0], 0)
	second := e.RuneOffsets(texts[len(texts)-1], 1)
	for i := range e.IDs {
		o := first[i]
		if e.Sequences[i] == 1 {
			o = second[i]
		}
		offsets = append(offsets, uint32(o[0]), uint32(o[1]))
	}
	row(e.Len(), func(i int) uint32 { return e.IDs[i] })
	row(e.Len(), func(i int) uint32 { return uint32(e.TypeIDs[i]) })
	row(2*e.Len(), func(i int) uint32 { return offsets[i] })
	row(e.Len(), func(i int) uint32 { return uint32(e.SpecialMask[i]) })
	row(e.Len(), func(i int) uint32 { return uint32(e.AttentionMask[i]) })
	row(e.Len(), func(i int) uint32 { return uint32(e.Words[i] + 1) })
	row(e.Len(), func(i int) uint32 { return uint32(e.Sequences[i] + 1) })
	if !top {
		return fmt.Sprintf("%016x", h)
	}
	h = fnv(h, uint32(len(e.Overflow)))
	out := fmt.Sprintf("%016x", h)
	for _, over := range e.Overflow {
		out += fieldsOf(over, texts, false)
	}
	return out
}

// TestTruncationAndPadding compares every field of truncated and padded
// encodings, and of their overflow, with the Rust library's.
func TestTruncationAndPadding(t *testing.T) {
	data, err := os.ReadFile("testdata/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []shape
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	corpus := loadCorpus(t)
	loaded := map[string]*tokenizers.Tokenizer{}
	strategies := map[string]tokenizers.Strategy{
		"longest_first": tokenizers.LongestFirst, "only_first": tokenizers.OnlyFirst, "only_second": tokenizers.OnlySecond,
	}
	for _, c := range cases {
		tok := loaded[c.Tokenizer]
		if tok == nil {
			tok = loadTokenizer(t, c.Tokenizer)
			loaded[c.Tokenizer] = tok
		}
		tok = tok.WithTruncation(&tokenizers.Truncation{MaxLength: c.Length, Stride: c.Stride, Strategy: strategies[c.Strategy], Left: c.Left})
		if c.Pad != nil {
			p := &tokenizers.Padding{ID: 1, TypeID: 1, Token: "<pad>", Left: c.Pad.Direction == "left", MultipleOf: c.Pad.Multiple}
			if c.Pad.Length != nil {
				p.Length = *c.Pad.Length
			}
			tok = tok.WithPadding(p)
		}
		texts := []string{corpus.string(c.I)}
		var e tokenizers.Encoding
		if c.Pair {
			texts = append(texts, corpus.string(c.I+3))
			e, err = tok.EncodePair(texts[0], texts[1], c.Special)
		} else {
			e, err = tok.Encode(texts[0], c.Special)
		}
		got := "error"
		if err == nil {
			got = fieldsOf(e, texts, true)
		}
		if got = got[:min(len(got), 96)]; got != c.Want {
			t.Errorf("%+v pad %+v: got %s, error %v", c, c.Pad, got, err)
		}
	}
}
