package tokenizers

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// matcher finds what a normalizer replaces or a pre-tokenizer splits at.
type matcher interface {
	// find returns the first match that starts at from or later, or noMatch.
	find(text []byte, from int) (span, error)
}

var noMatch = span{-1, -1}

// nextMatch goes on after a match. An empty match right after another does not
// count.
func nextMatch(m matcher, text []byte, last span) (span, error) {
	from := int(last.end)
	for from <= len(text) {
		s, err := m.find(text, from)
		if err != nil || s == noMatch {
			return noMatch, err
		}
		if s.start != s.end || s.end != last.end {
			return s, nil
		}
		from += max(runeSize(text[from:]), 1)
	}
	return noMatch, nil
}

// literal matches a string.
type literal string

func (l literal) find(text []byte, from int) (span, error) {
	if len(l) == 0 {
		return noMatch, nil
	}
	var i int
	if len(l) == 1 {
		i = bytes.IndexByte(text[from:], l[0])
	} else {
		i = bytes.Index(text[from:], []byte(l))
	}
	if i < 0 {
		return noMatch, nil
	}
	return span{int32(from + i), int32(from + i + len(l))}, nil
}

// ErrPattern is wrapped by errors of regular expressions: what this package
// does not know, or what takes too long on a text.
var ErrPattern = errors.New("regular expression")

// pattern is a regular expression with the syntax (Ruby's) and the Unicode
// tables that the reference library has from Oniguruma, matched by
// backtracking over UTF-8.
type pattern struct {
	start   *node
	first   firstSet
	loops   int
	classes *classTable
}

// firstSet has the characters that a match may begin with; nil for any, and
// for matches of nothing.
type firstSet []*charset

func (f firstSet) has(c *classTable, r rune) bool {
	for _, s := range f {
		if s.has(c, r) {
			return true
		}
	}
	return false
}

type op uint8

const (
	opAccept       op = iota
	opNothing         // goes on with next
	opSet             // one character of set
	opRepeat          // min to max characters of set
	opAlternatives    // the first of branches that leads to a match
	opLoopStart       // enters loop number id
	opLoop            // body min to max times, then next
	opLookAhead
	opLookBehind
	opAtomic
	opLineStart
	opLineEnd
	opTextStart
	opTextEnd
	opTextEndNewline
	opWordEdge
	opNotWordEdge
)

type greed uint8

const (
	greedy greed = iota
	lazy
	possessive
)

const unlimited = 1 << 30

type node struct {
	op       op
	set      *charset
	min, max int
	greed    greed
	negated  bool // of looks
	id       int  // of loops
	body     *node
	branches []branch
	next     *node
}

// branch is an alternative, with the first characters it may have.
type branch struct {
	start *node
	first firstSet
}

// charset is a set of characters.
type charset struct {
	ascii   [2]uint64 // members below 128, everything taken into account
	any     class     // classes of members
	without []class   // members are outside one of these classes
	ranges  []rune    // pairs: first, last
	tables  []*unicode.RangeTable
	negated bool
}

func (s *charset) has(c *classTable, r rune) bool {
	if r < 128 {
		return s.ascii[r>>6]>>(r&63)&1 != 0
	}
	return s.hasSlow(c, r)
}

func (s *charset) hasSlow(c *classTable, r rune) bool {
	k := c.of(r)
	if k&s.any != 0 {
		return !s.negated
	}
	for _, w := range s.without {
		if k&w == 0 {
			return !s.negated
		}
	}
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i] <= r && r <= s.ranges[i+1] {
			return !s.negated
		}
	}
	for _, t := range s.tables {
		if unicode.Is(t, r) {
			return !s.negated
		}
	}
	return s.negated
}

// finish works out the members below 128.
func (s *charset) finish(c *classTable) *charset {
	s.ascii = [2]uint64{}
	for r := range rune(128) {
		if s.hasSlow(c, r) {
			s.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return s
}

// Limits of a search, so that a hostile pattern costs bounded time and memory.
const (
	stepsPerByte = 4_000
	freeSteps    = 100_000
	maxDepth     = 20_000
)

// search is one running find.
type search struct {
	*pattern
	text   []byte
	steps  int
	depth  int
	counts []int
	starts []int
	err    error
}

func (p *pattern) find(text []byte, from int) (span, error) {
	s := search{pattern: p, text: text, steps: freeSteps + stepsPerByte*(min(len(text)-from, 1<<16))}
	if p.loops > 0 {
		s.counts = make([]int, p.loops)
		s.starts = make([]int, p.loops)
	}
	for at := from; at <= len(text); {
		if p.first != nil {
			if at = p.skip(text, at); at == len(text) {
				break
			}
		}
		if end := s.run(p.start, at); end >= 0 {
			return span{int32(at), int32(end)}, nil
		}
		if s.err != nil {
			return noMatch, s.err
		}
		if at == len(text) {
			break
		}
		at += runeSize(text[at:])
	}
	return noMatch, nil
}

// skip passes over characters that no match begins with.
func (p *pattern) skip(text []byte, at int) int {
	for at < len(text) {
		r, size := decodeRune(text[at:])
		if p.first.has(p.classes, r) {
			break
		}
		at += size
	}
	return at
}

const failed = -1

func (s *search) fail(what string) int {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrPattern, what)
	}
	return failed
}

// run matches n and what follows at a place; the result is where the match
// ends, or failed.
func (s *search) run(n *node, at int) int {
	if s.depth++; s.depth > maxDepth {
		return s.fail("nests too deeply on this text")
	}
	end := s.walk(n, at)
	s.depth--
	return end
}

func (s *search) walk(n *node, at int) int {
	for {
		if s.steps--; s.steps < 0 {
			return s.fail("takes too long on this text")
		}
		if s.err != nil {
			return failed
		}
		switch n.op {
		case opAccept:
			return at
		case opNothing:
		case opSet:
			if at >= len(s.text) {
				return failed
			}
			r, size := decodeRune(s.text[at:])
			if !n.set.has(s.classes, r) {
				return failed
			}
			at += size
		case opRepeat:
			end, done := s.repeat(n, at)
			if done {
				return end
			}
			at = end
		case opAlternatives:
			return s.alternatives(n, at)
		case opLoopStart:
			return s.enterLoop(n, at)
		case opLoop:
			return s.loop(n, at)
		case opLookAhead:
			if (s.run(n.body, at) >= 0) == n.negated {
				return failed
			}
		case opLookBehind:
			if s.behind(n.body, at) == n.negated {
				return failed
			}
		case opAtomic:
			if at = s.run(n.body, at); at < 0 {
				return failed
			}
		default:
			if !s.stands(n.op, at) {
				return failed
			}
		}
		n = n.next
	}
}

// repeat matches a set several times. done says that end is the end of the
// whole match; otherwise the match goes on at end.
func (s *search) repeat(n *node, at int) (end int, done bool) {
	count, p := 0, at
	step := func() bool {
		if p >= len(s.text) {
			return false
		}
		r, size := decodeRune(s.text[p:])
		if !n.set.has(s.classes, r) {
			return false
		}
		p += size
		count++
		return true
	}
	if n.greed == lazy {
		for {
			if count >= n.min {
				if end := s.run(n.next, p); end >= 0 || s.err != nil {
					return end, true
				}
			}
			if count == n.max || !step() {
				return failed, true
			}
		}
	}
	for count < n.max && step() {
	}
	if count < n.min {
		return failed, true
	}
	s.steps -= count >> 3
	if n.greed == possessive || count == n.min || n.next.op == opAccept {
		return p, false
	}
	for {
		if end := s.run(n.next, p); end >= 0 || s.err != nil {
			return end, true
		}
		if count == n.min {
			return failed, true
		}
		count--
		_, size := utf8.DecodeLastRune(s.text[at:p])
		p -= size
	}
}

func (s *search) alternatives(n *node, at int) int {
	var r rune
	have := at < len(s.text)
	if have {
		r, _ = decodeRune(s.text[at:])
	}
	for i := range n.branches {
		b := &n.branches[i]
		if b.first != nil && (!have || !b.first.has(s.classes, r)) {
			continue
		}
		if end := s.run(b.start, at); end >= 0 || s.err != nil {
			return end
		}
	}
	return failed
}

func (s *search) enterLoop(n *node, at int) int {
	count, start := s.counts[n.id], s.starts[n.id]
	s.counts[n.id], s.starts[n.id] = 0, failed
	end := s.run(n.next, at)
	if end < 0 {
		s.counts[n.id], s.starts[n.id] = count, start
	}
	return end
}

func (s *search) loop(n *node, at int) int {
	count, start := s.counts[n.id], s.starts[n.id]
	again := func() int {
		if count >= n.max || start == at && count >= n.min {
			return failed // an empty turn gains nothing
		}
		s.counts[n.id], s.starts[n.id] = count+1, at
		end := s.run(n.body, at)
		if end < 0 {
			s.counts[n.id], s.starts[n.id] = count, start
		}
		return end
	}
	onward := func() int {
		if count < n.min {
			return failed
		}
		return s.run(n.next, at)
	}
	if n.greed == lazy {
		if end := onward(); end >= 0 || s.err != nil {
			return end
		}
		return again()
	}
	if end := again(); end >= 0 || s.err != nil {
		return end
	}
	return onward()
}

// behind reports whether body matches a text that ends at at. Looks behind
// reach 64 bytes.
func (s *search) behind(body *node, at int) bool {
	if body.op == opSet && body.next.op == opAccept {
		r, _ := utf8.DecodeLastRune(s.text[:at])
		return at > 0 && body.set.has(s.classes, r)
	}
	for from := at; from >= max(at-64, 0); from-- {
		if from < len(s.text) && !utf8.RuneStart(s.text[from]) {
			continue
		}
		part := search{pattern: s.pattern, text: s.text[:at], steps: s.steps, depth: s.depth, counts: s.counts, starts: s.starts}
		end := part.run(body, from)
		s.steps = part.steps
		if end == at {
			return true
		}
	}
	return false
}

func (s *search) stands(o op, at int) bool {
	switch o {
	case opLineStart:
		return at == 0 || s.text[at-1] == '\n'
	case opLineEnd:
		return at == len(s.text) || s.text[at] == '\n'
	case opTextStart:
		return at == 0
	case opTextEnd:
		return at == len(s.text)
	case opTextEndNewline:
		return at == len(s.text) || at == len(s.text)-1 && s.text[at] == '\n'
	}
	before, after := false, false
	if at > 0 {
		r, _ := utf8.DecodeLastRune(s.text[:at])
		before = s.classes.of(r)&isWord != 0
	}
	if at < len(s.text) {
		r, _ := decodeRune(s.text[at:])
		after = s.classes.of(r)&isWord != 0
	}
	return (before != after) == (o == opWordEdge)
}
