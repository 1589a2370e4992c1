package tokenizers

import "unicode/utf8"

// postProcessor frames texts with special tokens. The zero value adds none.
type postProcessor struct {
	single, pair []frame // nil: just the texts
	// plainTypes: without special tokens, types are the texts' numbers, not
	// the template's (BertProcessing).
	plainTypes bool
	zeroTypes  bool // all types are 0, always (RobertaProcessing)
	trims      []trimming
}

// frame is a part of a template: a text or some special tokens.
type frame struct {
	text   int // 0 or 1; -1 for special tokens
	ids    []ID
	typeID uint8
}

// trimming takes the spaces of byte-level tokens out of their offsets.
type trimming struct{ prefixSpace bool }

// added is the number of special tokens.
func (p *postProcessor) added(pair bool) int {
	template, n := p.single, 0
	if pair {
		template = p.pair
	}
	for _, f := range template {
		n += len(f.ids)
	}
	return n
}

// bertFrames is BertProcessing.
func bertFrames(sep, cls ID) postProcessor {
	return postProcessor{
		single:     []frame{special(cls, 0), {text: 0}, special(sep, 0)},
		pair:       []frame{special(cls, 0), {text: 0}, special(sep, 0), {text: 1, typeID: 1}, special(sep, 1)},
		plainTypes: true,
	}
}

// robertaFrames is RobertaProcessing.
func robertaFrames(sep, cls ID) postProcessor {
	return postProcessor{
		single:    []frame{special(cls, 0), {text: 0}, special(sep, 0)},
		pair:      []frame{special(cls, 0), {text: 0}, special(sep, 0), special(sep, 0), {text: 1}, special(sep, 0)},
		zeroTypes: true,
	}
}

func special(id ID, typeID uint8) frame {
	return frame{text: -1, ids: []ID{id}, typeID: typeID}
}

// process frames one or two texts.
func (p *postProcessor) process(texts []window, addSpecial bool) Encoding {
	template := p.single
	if len(texts) == 2 {
		template = p.pair
	}
	if template == nil {
		template = plainSingle
		if len(texts) == 2 {
			template = plainPair
		}
	}
	n := 0
	for _, t := range texts {
		n += len(t.tokens)
	}
	var out Encoding
	out.grow(n + p.added(len(texts) == 2))
	for _, f := range template {
		if f.text < 0 {
			if addSpecial {
				p.mergeSpecial(&out, f)
			}
			continue
		}
		if f.text >= len(texts) {
			continue
		}
		t, typeID := texts[f.text], f.typeID
		overflowType := uint8(f.text)
		switch {
		case p.zeroTypes:
			typeID = 0
			if addSpecial {
				overflowType = 0
			}
		case p.plainTypes && !addSpecial:
			typeID = uint8(f.text)
		}
		if len(out.Overflow) == 0 && len(t.overflow) == 0 {
			out.addTokens(t.tokens, int8(f.text), typeID)
			continue
		}
		var one Encoding
		one.addTokens(t.tokens, int8(f.text), typeID)
		for _, tokens := range t.overflow {
			var over Encoding
			over.addTokens(tokens, int8(f.text), overflowType)
			one.Overflow = append(one.Overflow, over)
		}
		out.merge(&one)
	}
	return out
}

var (
	plainSingle = []frame{{text: 0}}
	plainPair   = []frame{{text: 0}, {text: 1, typeID: 1}}
)

func (p *postProcessor) mergeSpecial(out *Encoding, f frame) {
	for _, id := range f.ids {
		out.addOutside(id, f.typeID, 1, 1)
		for i := range out.Overflow {
			out.Overflow[i].addOutside(id, f.typeID, 1, 1)
		}
	}
}

// trim takes spaces out of the offsets of the tokens of a window of text. The
// space that the pre-tokenizer put before the text was never in it.
func (r trimming) trim(text string, tokens []token) {
	for i := range tokens {
		t := &tokens[i]
		lead, trail := int(t.lead), int(t.trail)
		if lead > 0 {
			if r.prefixSpace && lead == 1 && (i == 0 || t.start == 0) {
				lead = 0
			}
			for range lead {
				if t.start >= t.end {
					break
				}
				t.start += int32(max(sizeAt(text, t.start), 1))
			}
			t.start = min(t.start, t.end)
		}
		if trail > 0 {
			t.end = max(back(text, t.end, trail), t.start)
		}
	}
}

func sizeAt(text string, at int32) int {
	_, size := utf8.DecodeRuneInString(text[at:])
	return size
}

// back is the place n characters before at, or at if there are not so many.
func back(text string, at int32, n int) int32 {
	to := at
	for range n {
		if to == 0 {
			return at
		}
		_, size := utf8.DecodeLastRuneInString(text[:to])
		to -= int32(size)
	}
	return to
}
