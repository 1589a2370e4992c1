package tokenizers

import (
	"slices"
	"unicode/utf8"
)

// span is a range [start, end) of bytes of the text given to Encode.
type span struct{ start, end int32 }

// normalized is text on its way through normalizers and pre-tokenizers, with
// the place in the original text that each of its bytes came from.
type normalized struct {
	text []byte
	// align has a span per byte of text, the whole character's. nil while the
	// text is a verbatim piece of the original that starts at base, or when
	// nobody asked for offsets.
	align []span
	base  int32

	offsets bool // somebody asks for offsets
	spare   []byte
	spares  []span
}

// change is one character of a normalizer's output, as the reference library
// counts them: delta 1 adds a character, 0 replaces the next one, -n replaces
// it and drops n after it. Spans follow from that.
type change struct {
	r     rune
	delta int32
}

// reset makes n a verbatim piece of the original text.
func (n *normalized) reset(piece string, base int) {
	n.text = append(n.text[:0], piece...)
	n.align = nil
	n.base = int32(base)
}

// spanOf is where the bytes [from, to) of the text came from.
func (n *normalized) spanOf(from, to int) span {
	if n.align != nil {
		if from >= to || to > len(n.align) {
			return span{int32(from), int32(to)}
		}
		return span{n.align[from].start, n.align[to-1].end}
	}
	// Verbatim text: spans are whole characters.
	for from > 0 && from < len(n.text) && !utf8.RuneStart(n.text[from]) {
		from--
	}
	for to < len(n.text) && !utf8.RuneStart(n.text[to]) {
		to++
	}
	return span{n.base + int32(from), n.base + int32(to)}
}

// alignment is align, made from verbatim text where it is still nil.
func (n *normalized) alignment() []span {
	if n.align == nil {
		n.align = appendVerbatim(n.spares[:0], n.text, n.base)
		n.spares = nil
	}
	return n.align
}

// appendVerbatim appends the spans of text that is itself the original.
func appendVerbatim(to []span, text []byte, base int32) []span {
	to = slices.Grow(to, len(text))
	for i := 0; i < len(text); {
		size := 1
		if text[i] >= utf8.RuneSelf {
			_, size = utf8.DecodeRune(text[i:])
		}
		s := span{base + int32(i), base + int32(i+size)}
		for range size {
			to = append(to, s)
		}
		i += size
	}
	return to
}

// rewrite starts a new text; finish replaces the old one by it.
func (n *normalized) rewrite() (text []byte, align []span) {
	if n.offsets {
		n.alignment()
	}
	return n.spare[:0], n.spares[:0]
}

func (n *normalized) finish(text []byte, align []span) {
	n.text, n.spare = text, n.text[:0]
	if n.offsets {
		n.align, n.spares = align, n.align[:0]
	}
}

// transform replaces the text by changes; skip characters at its start are
// dropped.
func (n *normalized) transform(changes []change, skip int) {
	text, align := n.rewrite()
	at := 0 // in the old text
	for range skip {
		at += runeSize(n.text[at:])
	}
	for _, c := range changes {
		before := len(text)
		text = utf8.AppendRune(text, c.r)
		if n.offsets {
			var s span
			if c.delta > 0 {
				if at > 0 {
					s = n.align[at-1]
				}
			} else if at < len(n.align) {
				s = n.align[at]
			}
			for range len(text) - before {
				align = append(align, s)
			}
		}
		if c.delta <= 0 {
			for range 1 - c.delta {
				at += runeSize(n.text[at:])
			}
		}
	}
	n.finish(text, align)
}

func runeSize(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	if p[0] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRune(p)
	return size
}

// filter keeps the characters for which keep holds.
func (n *normalized) filter(scratch *[]change, keep func(rune) bool) {
	changes := (*scratch)[:0]
	skip, dropped := 0, int32(0)
	any := false
	for i := 0; i < len(n.text); {
		r, size := decodeRune(n.text[i:])
		i += size
		if !keep(r) {
			dropped++
			any = true
			continue
		}
		if len(changes) == 0 {
			skip = int(dropped)
		} else {
			changes[len(changes)-1].delta = -dropped
		}
		dropped = 0
		changes = append(changes, change{r, 0})
	}
	*scratch = changes
	if any {
		n.transform(changes, skip)
	}
}

func decodeRune(p []byte) (rune, int) {
	if p[0] < utf8.RuneSelf {
		return rune(p[0]), 1
	}
	return utf8.DecodeRune(p)
}

// prepend puts s before a text that is not empty. Its bytes share the span of
// the first character.
func (n *normalized) prepend(s string) {
	if len(n.text) == 0 {
		return
	}
	text, align := n.rewrite()
	text = append(append(text, s...), n.text...)
	if n.offsets {
		for range len(s) {
			align = append(align, n.align[0])
		}
		align = append(align, n.align...)
	}
	n.finish(text, align)
}

// replace puts content in the place of every match. It shares the span of the
// last byte it replaces.
func (n *normalized) replace(m matcher, content string) error {
	at := 0
	found, err := m.find(n.text, 0)
	if err != nil || found == noMatch {
		return err
	}
	text, align := n.rewrite()
	for found != noMatch {
		text = append(append(text, n.text[at:int(found.start)]...), content...)
		if n.offsets {
			align = append(align, n.align[at:int(found.start)]...)
			var s span
			if found.end > 0 {
				s = n.align[found.end-1]
			}
			for range len(content) {
				align = append(align, s)
			}
		}
		at = int(found.end)
		if found, err = nextMatch(m, n.text, found); err != nil {
			return err
		}
	}
	text = append(text, n.text[at:]...)
	if n.offsets {
		align = append(align, n.align[at:]...)
	}
	n.finish(text, align)
	return nil
}
