package generate

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// largeVocabulary has the size and the shape of that of Qwen 2.5: bytes, words
// with and without a space before them, numbers, code and punctuation.
func largeVocabulary() [][]byte {
	const size = 151_936
	r := rand.New(rand.NewPCG(9, 9))
	seen := map[string]bool{}
	tokens := [][]byte{nil}
	add := func(s string) {
		if !seen[s] && len(tokens) < size {
			seen[s] = true
			tokens = append(tokens, []byte(s))
		}
	}
	for b := range 256 {
		add(string([]byte{byte(b)}))
	}
	syllables := []string{"an", "er", "in", "the", "st", "re", "on", "al", "ing", "ed", "es", "co", "de", "la", "ti", "mo", "pr", "qu", "x", "z", "ly", "ness", "ful", "un", "ка", "но", "世", "界", "日本", "é", "ü", "get", "Set", "_id", "Name"}
	marks := []string{`":`, `",`, `"}`, `{"`, `"`, `":"`, `","`, `)`, `);`, `.`, `,`, `=`, `->`, `\n`, `\"`, "\n", "\n\n", "  ", "        ", `[]`, `{}`, `](`, `")`, `",\n`}
	for len(tokens) < size {
		s := ""
		switch r.IntN(20) {
		case 0:
			for range 1 + r.IntN(4) {
				s += marks[r.IntN(len(marks))]
			}
		case 1:
			for range 1 + r.IntN(3) {
				s += string(rune('0' + r.IntN(10)))
			}
		default:
			if r.IntN(2) == 0 {
				s = " "
			}
			for range 1 + r.IntN(4) {
				s += syllables[r.IntN(len(syllables))]
			}
			if r.IntN(10) == 0 {
				s += marks[r.IntN(len(marks))]
			}
		}
		add(s)
	}
	return tokens
}

const invoiceSchema = `{"type": "object", "properties": {
	"id": {"type": "string", "pattern": "^INV-[0-9]{4,8}$"},
	"date": {"type": "string", "format": "date"},
	"customer": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 60}, "vat": {"type": ["string", "null"]}}, "required": ["name", "vat"], "additionalProperties": false},
	"lines": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "maximum": 999}, "price": {"type": "number"}, "kind": {"enum": ["goods", "service"]}}, "required": ["text", "count", "price", "kind"], "additionalProperties": false}},
	"notes": {"type": "object", "additionalProperties": {"type": "string"}}
}, "required": ["id", "date", "customer", "lines", "notes"], "additionalProperties": false}`

const invoice = `{"id": "INV-20240", "date": "2024-05-17", "customer": {"name": "Ünal & Söhne \"GmbH\" 世界 the name", "vat": null}, "lines": [{"text": "a long text that is not at an end soon, and says the same thing in many words", "count": 12, "price": 9.99, "kind": "goods"}, {"text": "second", "count": 1, "price": 100, "kind": "service"}], "notes": {"delivery": "by truck", "terms": "30 days"}}`

// tokenize cuts text into the longest tokens.
func tokenize(v *Vocabulary, ids map[string]uint32, text string) []uint32 {
	var out []uint32
	for text != "" {
		n := min(len(text), 24)
		for ; n > 0; n-- {
			if id, ok := ids[text[:n]]; ok {
				out = append(out, id)
				break
			}
		}
		text = text[n:]
	}
	return out
}

// BenchmarkMask writes a document with a vocabulary of 151,936 tokens. It
// reports the time of masking and reading a token, that of the slowest, and
// those of the first document of a schema, where nothing is known yet.
func BenchmarkMask(b *testing.B) {
	tokens := largeVocabulary()
	start := time.Now()
	v := NewVocabulary(tokens)
	b.Logf("vocabulary of %d nodes built in %v", len(v.nodes), time.Since(start))
	ids := map[string]uint32{}
	for id, t := range tokens {
		ids[string(t)] = uint32(id)
	}
	start = time.Now()
	s, err := CompileSchema([]byte(invoiceSchema))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("schema of %d states compiled in %v", len(s.aut.states), time.Since(start))
	doc := tokenize(v, ids, invoice)
	scores := make([]float32, len(tokens))
	run := func() []time.Duration {
		c := s.Constrain(v)
		var times []time.Duration
		for _, id := range doc {
			clear(scores)
			start := time.Now()
			c.Mask(scores, []uint32{0})
			if scores[id] == negInf {
				b.Fatalf("token %q is masked", tokens[id])
			}
			if err := c.Accept(id); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(start))
		}
		if !c.Complete() {
			b.Fatal("the document is not complete")
		}
		return times
	}
	// The least time of each token over the rounds: other programs of the
	// machine can only add to it.
	first := run()
	least := run()
	for b.Loop() {
		for i, d := range run() {
			least[i] = min(least[i], d)
		}
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	sum := time.Duration(0)
	for _, d := range least {
		sum += d
	}
	b.ReportMetric(us(sum)/float64(len(least)), "µs/token")
	b.ReportMetric(us(slices.Max(least)), "µs-worst")
	slices.Sort(first)
	b.ReportMetric(us(first[len(first)/2]), "µs-first-median")
	b.ReportMetric(us(first[len(first)-1]), "µs-first-worst")
	b.ReportMetric(float64(len(doc)), "tokens")
}
