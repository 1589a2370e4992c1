package tokenizers

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Encoding is a text, or a pair of texts, as a model reads it. All slices have
// one element per token.
type Encoding struct {
	IDs []ID
	// TypeIDs tell the texts of a pair apart, as the post-processor says
	// (token_type_ids).
	TypeIDs []uint8
	// Offsets are the bytes [start, end) of the text that a token came from;
	// [0, 0) for tokens that came from none. Whose text: see Sequences.
	Offsets [][2]int
	// Words number the words the pre-tokenizer made, within each text; -1 for
	// tokens that came from no text.
	Words []int32
	// Sequences are 0 for tokens of the text, 1 for those of the second text
	// of a pair, -1 for others.
	Sequences []int8
	// SpecialMask is 1 for tokens that came from no text, AttentionMask 0 for
	// padding.
	SpecialMask, AttentionMask []uint8
	// Overflow has what truncation cut off, in windows of the same length.
	Overflow []Encoding
}

// Len is the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// RuneOffsets are Offsets counted in code points, as Python counts, of one of
// the texts that were encoded. Tokens of other texts have [0, 0).
func (e *Encoding) RuneOffsets(text string, sequence int) [][2]int {
	out := make([][2]int, len(e.Offsets))
	at, runes := 0, 0
	count := func(to int) int {
		if to < at {
			at, runes = 0, 0
		}
		to = min(to, len(text))
		runes += utf8.RuneCountInString(text[at:to])
		at = to
		return runes
	}
	for i, o := range e.Offsets {
		if int(e.Sequences[i]) == sequence {
			start := count(o[0])
			out[i] = [2]int{start, count(o[1])}
		}
	}
	return out
}

func (e *Encoding) grow(n int) {
	e.IDs = slices.Grow(e.IDs, n)
	e.TypeIDs = slices.Grow(e.TypeIDs, n)
	e.Offsets = slices.Grow(e.Offsets, n)
	e.Words = slices.Grow(e.Words, n)
	e.Sequences = slices.Grow(e.Sequences, n)
	e.SpecialMask = slices.Grow(e.SpecialMask, n)
	e.AttentionMask = slices.Grow(e.AttentionMask, n)
}

// addTokens appends the tokens of a text.
func (e *Encoding) addTokens(tokens []token, sequence int8, typeID uint8) {
	e.grow(len(tokens))
	for i := range tokens {
		t := &tokens[i]
		e.IDs = append(e.IDs, t.id)
		e.TypeIDs = append(e.TypeIDs, typeID)
		e.Offsets = append(e.Offsets, [2]int{int(t.start), int(t.end)})
		e.Words = append(e.Words, t.word)
		e.Sequences = append(e.Sequences, sequence)
		e.SpecialMask = append(e.SpecialMask, 0)
		e.AttentionMask = append(e.AttentionMask, 1)
	}
}

// addOutside appends n tokens that came from no text.
func (e *Encoding) addOutside(id ID, typeID, attention uint8, n int) {
	for range n {
		e.IDs = append(e.IDs, id)
		e.TypeIDs = append(e.TypeIDs, typeID)
		e.Offsets = append(e.Offsets, [2]int{})
		e.Words = append(e.Words, -1)
		e.Sequences = append(e.Sequences, -1)
		e.SpecialMask = append(e.SpecialMask, 1)
		e.AttentionMask = append(e.AttentionMask, attention)
	}
}

// appendAll appends the tokens of other, not its overflow.
func (e *Encoding) appendAll(other *Encoding) {
	e.IDs = append(e.IDs, other.IDs...)
	e.TypeIDs = append(e.TypeIDs, other.TypeIDs...)
	e.Offsets = append(e.Offsets, other.Offsets...)
	e.Words = append(e.Words, other.Words...)
	e.Sequences = append(e.Sequences, other.Sequences...)
	e.SpecialMask = append(e.SpecialMask, other.SpecialMask...)
	e.AttentionMask = append(e.AttentionMask, other.AttentionMask...)
}

// joined is e followed by other, without overflow.
func (e *Encoding) joined(other *Encoding) Encoding {
	var out Encoding
	out.grow(e.Len() + other.Len())
	out.appendAll(e)
	out.appendAll(other)
	return out
}

// merge appends other; overflows go with every part of the other side, in the
// order of the reference.
func (e *Encoding) merge(other *Encoding) {
	var overflow []Encoding
	if len(e.Overflow) > 0 || len(other.Overflow) > 0 {
		for i := range e.Overflow {
			overflow = append(overflow, e.Overflow[i].joined(other))
			for k := range other.Overflow {
				overflow = append(overflow, e.Overflow[i].joined(&other.Overflow[k]))
			}
		}
		for k := range other.Overflow {
			overflow = append(overflow, e.joined(&other.Overflow[k]))
		}
	}
	e.appendAll(other)
	e.Overflow = overflow
}

// Strategy says which text of a pair truncation shortens.
type Strategy uint8

// The strategies of truncation.
const (
	LongestFirst Strategy = iota
	OnlyFirst
	OnlySecond
)

// Truncation limits the length of encodings.
type Truncation struct {
	MaxLength int // tokens, those of the post-processor included
	Stride    int // tokens that neighbouring windows share
	Strategy  Strategy
	Left      bool // cut at the start instead of the end
}

// Padding makes encodings equally long.
type Padding struct {
	Length     int // tokens; 0 for the longest of a batch
	MultipleOf int // rounds lengths up; 0 for not
	Left       bool
	ID         ID
	TypeID     uint8
	Token      string
}

// window is a run of tokens, with what truncation cut off it.
type window struct {
	tokens   []token
	overflow [][]token
}

// Errors of truncation.
var (
	errStride      = errors.New("the truncation's stride is not less than its length, less the special tokens")
	errTooShort    = errors.New("the text to truncate is too short for the truncation's length")
	errNoSecond    = errors.New("the truncation is of the second text, and there is none")
	errTooManyCuts = errors.New("the truncation makes too many windows")
)

// maxWindows bounds what overlapping windows of one text hold.
const maxWindows = 1 << 20

func truncatedTo(tokens []token, length int, t *Truncation) (window, error) {
	n := len(tokens)
	switch {
	case length >= n:
		return window{tokens: tokens}, nil
	case length == 0:
		return window{overflow: [][]token{tokens}}, nil
	case t.Stride >= length:
		return window{}, errStride
	}
	step := length - t.Stride
	if n/step > maxWindows {
		return window{}, errTooManyCuts
	}
	var cuts [][]token
	if t.Left {
		for stop := n; stop > 0; stop -= step {
			start := max(stop-length, 0)
			cuts = append(cuts, tokens[start:stop])
			if start == 0 {
				break
			}
		}
	} else {
		for start := 0; start < n; start += step {
			stop := min(start+length, n)
			cuts = append(cuts, tokens[start:stop])
			if stop == n {
				break
			}
		}
	}
	return window{cuts[0], cuts[1:]}, nil
}

// truncate shortens one or two texts to a number of tokens in all.
func truncate(texts [][]token, limit int, t *Truncation) ([]window, error) {
	windows := make([]window, len(texts))
	lengths := make([]int, len(texts))
	total := 0
	for i, tokens := range texts {
		lengths[i] = len(tokens)
		total += len(tokens)
	}
	excess := total - limit
	switch {
	case limit <= 0:
		clear(lengths)
	case excess <= 0:
	case t.Strategy == LongestFirst && len(texts) == 1:
		lengths[0] = limit
	case t.Strategy == LongestFirst:
		lengths[0], lengths[1] = longestFirst(lengths[0], lengths[1], limit)
	default:
		target := 0
		if t.Strategy == OnlySecond {
			if target = 1; len(texts) < 2 {
				return nil, errNoSecond
			}
		}
		if lengths[target] <= excess {
			return nil, errTooShort
		}
		lengths[target] -= excess
	}
	for i, tokens := range texts {
		var err error
		if windows[i], err = truncatedTo(tokens, lengths[i], t); err != nil {
			return nil, err
		}
	}
	return windows, nil
}

// longestFirst shares a limit out: the shorter text stays whole if it can.
func longestFirst(a, b, limit int) (int, int) {
	swap := a > b
	if swap {
		a, b = b, a
	}
	if a > limit {
		b = a
	} else {
		b = max(a, limit-a)
	}
	if a+b > limit {
		a = limit / 2
		b = a + limit%2
	}
	if swap {
		a, b = b, a
	}
	return a, b
}

// pad makes encodings equally long.
func (p *Padding) pad(encodings []Encoding) error {
	length := p.Length
	if length == 0 {
		for i := range encodings {
			length = max(length, encodings[i].Len())
		}
	}
	if p.MultipleOf > 0 && length%p.MultipleOf > 0 {
		length += p.MultipleOf - length%p.MultipleOf
	}
	if length > maxPadding {
		return fmt.Errorf("padding to %d tokens is too much", length)
	}
	for i := range encodings {
		encodings[i].pad(length, p)
	}
	return nil
}

const maxPadding = 1 << 24

func (e *Encoding) pad(length int, p *Padding) {
	for i := range e.Overflow {
		e.Overflow[i].pad(length, p)
	}
	n := length - e.Len()
	if n <= 0 {
		return
	}
	if !p.Left {
		e.grow(n)
		e.addOutside(p.ID, p.TypeID, 0, n)
		return
	}
	var out Encoding
	out.grow(length)
	out.addOutside(p.ID, p.TypeID, 0, n)
	out.appendAll(e)
	out.Overflow = e.Overflow
	*e = out
}
