package tokenizers

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// compilePattern parses a regular expression in Ruby's syntax. Back
// references, conditions and set intersections are refused: no tokenizer is
// known to use them.
func compilePattern(text string) (*pattern, error) {
	if len(text) > 1<<16 {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrPattern, len(text))
	}
	p := &patternParser{rest: text, classes: classes()}
	compiled := &pattern{classes: p.classes}
	accept := &node{op: opAccept}
	start, err := p.alternatives(accept)
	if err == nil && p.rest != "" {
		err = p.errorf("unmatched )")
	}
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	compiled.start, compiled.loops, compiled.first = start, p.loops, firstsOf(start)
	return compiled, nil
}

type patternParser struct {
	rest    string
	classes *classTable
	loops   int
	depth   int
	fold    bool // (?i)
	dotAll  bool // (?m)
	ignore  bool // (?x)
}

func (p *patternParser) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrPattern, fmt.Sprintf(format, args...))
}

func (p *patternParser) take(prefix string) bool {
	if !strings.HasPrefix(p.rest, prefix) {
		return false
	}
	p.rest = p.rest[len(prefix):]
	return true
}

func (p *patternParser) rune() (rune, error) {
	if p.rest == "" {
		return 0, p.errorf("it ends too early")
	}
	r, size := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[size:]
	return r, nil
}

// part is a piece of a sequence, linked once to what follows it.
type part func(next *node) *node

// alternatives parses up to ) or the end.
func (p *patternParser) alternatives(next *node) (*node, error) {
	if p.depth++; p.depth > 100 {
		return nil, p.errorf("it nests too deeply")
	}
	defer func() { p.depth-- }()
	fold, dotAll, ignore := p.fold, p.dotAll, p.ignore
	defer func() { p.fold, p.dotAll, p.ignore = fold, dotAll, ignore }()
	var branches []branch
	for {
		parts, err := p.sequence()
		if err != nil {
			return nil, err
		}
		start := next
		for i := len(parts) - 1; i >= 0; i-- {
			start = parts[i](start)
		}
		branches = append(branches, branch{start, firstsOf(start)})
		if !p.take("|") {
			break
		}
	}
	if len(branches) == 1 {
		return branches[0].start, nil
	}
	return &node{op: opAlternatives, branches: branches}, nil
}

// firstsOf are the sets one of which has the first character of every match
// from n; nil if they are not known.
func firstsOf(n *node) firstSet {
	switch {
	case n == nil:
	case n.op == opSet, n.op == opRepeat && n.min > 0:
		return firstSet{n.set}
	case n.op == opRepeat:
		if after := firstsOf(n.next); after != nil {
			return append(firstSet{n.set}, after...)
		}
	case n.op == opNothing, n.op == opLookAhead, n.op == opLookBehind, n.op == opWordEdge, n.op == opNotWordEdge,
		n.op == opLineStart, n.op == opTextStart:
		return firstsOf(n.next)
	case n.op == opAlternatives:
		var all firstSet
		for _, b := range n.branches {
			if b.first == nil {
				return nil
			}
			all = append(all, b.first...)
		}
		return all
	}
	return nil
}

func (p *patternParser) sequence() ([]part, error) {
	var parts []part
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		if p.ignore && strings.IndexByte(" \t\n\r\f", p.rest[0]) >= 0 {
			p.rest = p.rest[1:]
			continue
		}
		one, set, err := p.atom()
		if err != nil {
			return nil, err
		}
		if one == nil && set == nil {
			continue // options
		}
		if one, err = p.quantified(one, set); err != nil {
			return nil, err
		}
		parts = append(parts, one)
	}
	return parts, nil
}

// atom parses one thing that a quantifier may follow: a set, or something
// else.
func (p *patternParser) atom() (part, *charset, error) {
	r, err := p.rune()
	if err != nil {
		return nil, nil, err
	}
	simple := func(o op) (part, *charset, error) {
		return func(next *node) *node { return &node{op: o, next: next} }, nil, nil
	}
	switch r {
	case '(':
		one, err := p.group()
		return one, nil, err
	case '[':
		set, err := p.class()
		return nil, set, err
	case '.':
		set := &charset{negated: true}
		if !p.dotAll {
			set.ranges = []rune{'\n', '\n'}
		}
		return nil, set.finish(p.classes), nil
	case '^':
		return simple(opLineStart)
	case '$':
		return simple(opLineEnd)
	case '*', '+', '?':
		return nil, nil, p.errorf("nothing before %c", r)
	case '\\':
		if p.rest != "" {
			if o, ok := map[byte]op{'b': opWordEdge, 'B': opNotWordEdge, 'A': opTextStart, 'z': opTextEnd, 'Z': opTextEndNewline}[p.rest[0]]; ok {
				p.rest = p.rest[1:]
				return simple(o)
			}
		}
		set := &charset{}
		if err := p.escape(set); err != nil {
			return nil, nil, err
		}
		return nil, set.finish(p.classes), nil
	}
	return nil, p.single(r), nil
}

// single is the set of one character, and of its other cases if case does not
// matter.
func (p *patternParser) single(r rune) *charset {
	set := &charset{}
	set.add(r, r, p.fold)
	return set.finish(p.classes)
}

func (s *charset) add(from, to rune, fold bool) {
	s.ranges = append(s.ranges, from, to)
	for r := from; fold && r <= to && r-from < 1024; r++ {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			s.ranges = append(s.ranges, f, f)
		}
	}
}

func (p *patternParser) group() (part, error) {
	body := func(o op, negated bool) (part, error) {
		start, err := p.alternatives(&node{op: opAccept})
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.errorf("missing )")
		}
		return func(next *node) *node { return &node{op: o, negated: negated, body: start, next: next} }, nil
	}
	switch {
	case p.take("?="):
		return body(opLookAhead, false)
	case p.take("?!"):
		return body(opLookAhead, true)
	case p.take("?<="):
		return body(opLookBehind, false)
	case p.take("?<!"):
		return body(opLookBehind, true)
	case p.take("?>"):
		return body(opAtomic, false)
	case p.take("?#"):
		end := strings.IndexByte(p.rest, ')')
		if end < 0 {
			return nil, p.errorf("missing )")
		}
		p.rest = p.rest[end+1:]
		return nil, nil
	case p.take("?<"), p.take("?P<"):
		end := strings.IndexByte(p.rest, '>')
		if end <= 0 {
			return nil, p.errorf("a group without a name")
		}
		p.rest = p.rest[end+1:]
	case p.take("?"):
		fold, dotAll, ignore := p.fold, p.dotAll, p.ignore
		whole, err := p.options()
		if err != nil || whole {
			return nil, err
		}
		defer func() { p.fold, p.dotAll, p.ignore = fold, dotAll, ignore }()
	}
	return p.captured()
}

// captured parses the rest of a group.
func (p *patternParser) captured() (part, error) {
	exit := &node{op: opNothing} // stands for what follows, not known yet
	start, err := p.alternatives(exit)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.errorf("missing )")
	}
	return func(next *node) *node {
		exit.next = next
		return start
	}, nil
}

// options parses (?im-x: or (?im-x). whole says that they hold for the rest of
// the group around.
func (p *patternParser) options() (whole bool, err error) {
	on := true
	for {
		r, err := p.rune()
		if err != nil {
			return false, err
		}
		switch r {
		case ':':
			return false, nil
		case ')':
			return true, nil
		case '-':
			on = false
		case 'i':
			p.fold = on
		case 'm':
			p.dotAll = on
		case 'x':
			p.ignore = on
		case 's', 'u', 'a', 'd':
		default:
			return false, p.errorf("unknown group (?%c", r)
		}
	}
}

// quantified reads the quantifiers after an atom.
func (p *patternParser) quantified(one part, set *charset) (part, error) {
	for first := true; ; first = false {
		low, high, found, interval, err := p.quantifier()
		if err != nil {
			return nil, err
		}
		if !found {
			if first && set != nil {
				return func(next *node) *node { return &node{op: opSet, set: set, next: next} }, nil
			}
			return one, nil
		}
		how := greedy
		switch {
		case p.take("?"):
			how = lazy
		case !interval && p.take("+"):
			how = possessive
		}
		if first && set != nil {
			one = func(next *node) *node {
				return &node{op: opRepeat, set: set, min: low, max: high, greed: how, next: next}
			}
			continue
		}
		one = p.repeated(one, low, high, how)
	}
}

func (p *patternParser) repeated(body part, low, high int, how greed) part {
	if how == possessive {
		inner := p.repeated(body, low, high, greedy)
		return func(next *node) *node {
			return &node{op: opAtomic, body: inner(&node{op: opAccept}), next: next}
		}
	}
	id := p.loops
	p.loops++
	return func(next *node) *node {
		loop := &node{op: opLoop, id: id, min: low, max: high, greed: how, next: next}
		loop.body = body(loop)
		return &node{op: opLoopStart, id: id, next: loop}
	}
}

func (p *patternParser) quantifier() (low, high int, found, interval bool, err error) {
	switch {
	case p.take("*"):
		return 0, unlimited, true, false, nil
	case p.take("+"):
		return 1, unlimited, true, false, nil
	case p.take("?"):
		return 0, 1, true, false, nil
	case !strings.HasPrefix(p.rest, "{"):
		return 0, 0, false, false, nil
	}
	end := strings.IndexByte(p.rest, '}')
	if end < 0 {
		return 0, 0, false, false, nil
	}
	from, to, comma := strings.Cut(p.rest[1:end], ",")
	if from == "" && to == "" {
		return 0, 0, false, false, nil // a brace like any other character
	}
	high = unlimited
	if from != "" {
		if low, err = strconv.Atoi(from); err != nil {
			return 0, 0, false, false, nil
		}
	}
	if !comma {
		high = low
	} else if to != "" {
		if high, err = strconv.Atoi(to); err != nil {
			return 0, 0, false, false, nil
		}
	}
	if low < 0 || low > 100_000 || high < low || high > unlimited {
		return 0, 0, false, false, p.errorf("bad interval %s", p.rest[:end+1])
	}
	p.rest = p.rest[end+1:]
	return low, high, true, true, nil
}
