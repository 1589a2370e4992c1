package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestConstraintsShareASchema: sequences on many goroutines, with the schema
// and the vocabulary of all.
func TestConstraintsShareASchema(t *testing.T) {
	v := byteVocabulary(rand.New(rand.NewPCG(3, 3)))
	s, err := CompileSchema([]byte(invoiceSchema))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, len(v.tokens))
	s.Constrain(v).Mask(want, nil)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 5 {
				c := s.Constrain(v)
				scores := make([]float32, len(v.tokens))
				for range 60 {
					clear(scores)
					c.Mask(scores, []uint32{0})
					var allowed []uint32
					for id := 1; id < len(scores); id++ {
						if scores[id] != negInf {
							allowed = append(allowed, uint32(id))
						}
					}
					if len(allowed) == 0 {
						break
					}
					if err := c.Accept(allowed[r.IntN(len(allowed))]); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	got := make([]float32, len(v.tokens))
	s.Constrain(v).Mask(got, nil)
	if !slices.Equal(got, want) {
		t.Error("the first mask changed")
	}
}

// TestNestingLimit: at the limit of the depth no token opens another level,
// and the document can still end.
func TestNestingLimit(t *testing.T) {
	v := byteVocabulary(rand.New(rand.NewPCG(3, 3)))
	s, err := CompileSchema([]byte(`true`))
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []string{"[", `{"a":`, `[{"":`} {
		c := s.Constrain(v)
		depth := 0
		for c.AcceptBytes([]byte(open)) == nil {
			depth += strings.Count(open, "[") + strings.Count(open, "{")
		}
		if depth < maxDepth-1 || depth > maxDepth {
			t.Errorf("%s: %d levels, want about %d", open, depth, maxDepth)
		}
		scores := make([]float32, len(v.tokens))
		c.Mask(scores, nil)
		for id, x := range scores {
			if err := c.fork().Accept(uint32(id)); (err == nil) != (x != negInf) {
				t.Fatalf("%s: at the limit the mask says %v of %q, reading it %v", open, x, v.tokens[id], err)
			}
		}
		if c.AcceptBytes([]byte(`null`)) != nil && c.AcceptBytes([]byte(`]`)) != nil {
			t.Errorf("%s: nothing ends it", open)
		}
	}
}

// TestLongDocument: the memory of a constraint stays bounded, and it goes on
// where it was when it forgets.
func TestLongDocument(t *testing.T) {
	v := byteVocabulary(rand.New(rand.NewPCG(3, 3)))
	s, err := CompileSchema([]byte(`{"type": "array", "items": {"type": "string", "maxLength": 12000}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := s.Constrain(v)
	text := []byte("[")
	for range 6 {
		text = append(text, `"`+strings.Repeat("x", 11_999)+`",`...)
	}
	text = append(text, `"end"]`...)
	for len(text) > 0 {
		n := min(len(text), 100)
		if err := c.AcceptBytes(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if !c.Complete() || len(c.m.configs) > maxConfigs+200 {
		t.Errorf("complete %v with %d configurations", c.Complete(), len(c.m.configs))
	}
}

// TestSamplerKeepsToSchema: random logits, and still JSON.
func TestSamplerKeepsToSchema(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	v := byteVocabulary(r)
	s, err := CompileSchema([]byte(`{"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}, "b": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}}, "required": ["a", "b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range 40 {
		cfg := seeded(DefaultConfig(), int64(seed))
		cfg.EOSTokenID = IDs{0}
		sampler, err := NewSampler(cfg, SamplerOptions{Vocab: len(v.tokens), Mask: s.Constrain(v)})
		if err != nil {
			t.Fatal(err)
		}
		var doc []byte
		for range 200 {
			tok, err := sampler.Next(randomLogits(r, len(v.tokens)))
			if err != nil {
				t.Fatalf("behind %q: %v", doc, err)
			}
			if tok.ID == 0 {
				break
			}
			doc = append(doc, v.tokens[tok.ID]...)
		}
		var x struct {
			A *string
			B []bool
		}
		if err := json.Unmarshal(doc, &x); err != nil || x.A == nil || x.B == nil || len(x.B) > 2 {
			t.Errorf("got %q (%v)", doc, err)
		}
	}
}

// TestBeamsKeepToSchema: the finished hypotheses of a search are documents of
// the schema.
func TestBeamsKeepToSchema(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 12))
	v := byteVocabulary(r)
	s, err := CompileSchema([]byte(`{"type": "object", "properties": {"a": {"enum": ["x", "yz"]}, "b": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["a", "b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		cfg := DefaultConfig()
		cfg.NumBeams, cfg.NumReturnSequences, cfg.MaxNewTokens, cfg.EOSTokenID = 4, 2, 100, IDs{0}
		b, err := NewBeams(cfg, BeamOptions{Vocab: len(v.tokens), Prompt: []uint32{5}, Constraint: s.Constrain(v)})
		if err != nil {
			t.Fatal(err)
		}
		for !b.Done() {
			rows := make([][]float32, len(b.Running()))
			for i := range rows {
				rows[i] = randomLogits(r, len(v.tokens))
			}
			if _, err := b.Step(rows); err != nil {
				t.Fatal(err)
			}
		}
		for _, result := range b.Results() {
			var doc []byte
			for _, id := range result.IDs[:len(result.IDs)-1] {
				doc = append(doc, v.tokens[id]...)
			}
			if result.IDs[len(result.IDs)-1] != 0 || !accepts(s, v, string(doc)) {
				t.Errorf("round %d: %v is %q", round, result, doc)
			}
		}
	}
}

// FuzzSchema: whatever a schema says, it is compiled or refused, and a
// document of a few tokens stays valid JSON so far.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{invoiceSchema, `{"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#"}}}}`, `{"pattern": "^a|[^b-z]{2,5}$"}`,
		`{"oneOf": [{"const": 1}, {"type": "string"}]}`, `{"type": "number", "minimum": -17, "exclusiveMaximum": 250}`, `{"enum": [{"a": [1, null]}, "x"]}`,
		`{"type": ["string", "null"], "minLength": 2, "maxLength": 4}`, `{"properties": {"a\"\u0001é": true}, "additionalProperties": {"format": "date"}}`} {
		f.Add([]byte(s), uint64(1))
	}
	v := byteVocabulary(rand.New(rand.NewPCG(3, 3)))
	f.Fuzz(func(t *testing.T, schema []byte, seed uint64) {
		s, err := CompileSchema(schema)
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		c := s.Constrain(v)
		var doc []byte
		scores := make([]float32, len(v.tokens))
		for range 12 {
			clear(scores)
			c.Mask(scores, []uint32{0})
			var allowed []uint32
			for id := 1; id < len(scores); id++ {
				if scores[id] != negInf {
					allowed = append(allowed, uint32(id))
				}
			}
			if c.Complete() {
				var x any
				if err := json.Unmarshal(doc, &x); err != nil {
					t.Fatalf("%s\nlet %q through: %v", schema, doc, err)
				}
			}
			if len(allowed) == 0 {
				if !c.Complete() {
					t.Fatalf("%s\nleads into a dead end at %q", schema, doc)
				}
				return
			}
			id := allowed[r.IntN(len(allowed))]
			if err := c.Accept(id); err != nil {
				t.Fatal(err)
			}
			doc = append(doc, v.tokens[id]...)
		}
	})
}

func ExampleCompileSchema() {
	_, err := CompileSchema([]byte(`{"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 3}}}`))
	var unsupported *UnsupportedSchemaError
	fmt.Println(errors.As(err, &unsupported), err)
	// Output: true generate: JSON schema at #/properties/n/multipleOf: the keyword is not supported here
}
