package generate

import (
	"math"
	"slices"
	"unicode/utf8"
)

// automaton is a recursive transition network over bytes: states with edges,
// and calls of other rules which come back to a state of the caller. It is
// immutable once built.
type automaton struct {
	states   []autState
	builtins int // the first states, which are the same in every automaton
	rules    builtinRules
	classes  map[string]int32 // rules of sets of characters, see chars
	root     int32            // where the document begins
}

// autState is a state.
type autState struct {
	edges []edge
	eps   []int32
	calls []autCall
	final bool // it ends its rule
	nests bool // it begins an object or an array
	part  bool // it is within a character, a rule that is never looked at alone
	// In a string of limited length: how many characters must still come, and
	// how many may.
	counted    bool
	need, room int
}

// edge is taken by the bytes lo to hi.
type edge struct {
	lo, hi byte
	to     int32
}

// autCall runs the rule that begins at start, then goes on at back.
type autCall struct{ start, back int32 }

// builtinRules are the first states of the rules that every schema may need.
type builtinRules struct {
	space, char, plainChar, str, body, key, number, integer, value, object, array int32
}

// maxStates bounds an automaton; what needs more is refused.
const maxStates = 200_000

func (a *automaton) add() int32 {
	if len(a.states) >= maxStates {
		refuse("the schema is too large")
	}
	a.states = append(a.states, autState{})
	return int32(len(a.states) - 1)
}

// addFinal is a new state that ends a rule.
func (a *automaton) addFinal() int32 {
	s := a.add()
	a.states[s].final = true
	return s
}

func (a *automaton) edge(from int32, lo, hi byte, to int32) {
	a.states[from].edges = append(a.states[from].edges, edge{lo, hi, to})
}

func (a *automaton) eps(from, to int32) { a.states[from].eps = append(a.states[from].eps, to) }

func (a *automaton) call(from, start, back int32) {
	a.states[from].calls = append(a.states[from].calls, autCall{start, back})
}

// bytes goes from a state over the bytes of s to a new state.
func (a *automaton) bytes(from int32, s string) int32 {
	for i := range len(s) {
		to := a.add()
		a.edge(from, s[i], s[i], to)
		from = to
	}
	return from
}

// literal is a rule that is the text s.
func (a *automaton) literal(s string) int32 {
	start := a.add()
	a.states[a.bytes(start, s)].final = true
	return start
}

// choice is a rule that is any of others.
func (a *automaton) choice(starts []int32) int32 {
	if len(starts) == 1 {
		return starts[0]
	}
	start, end := a.add(), a.addFinal()
	for _, s := range starts {
		a.call(start, s, end)
	}
	return start
}

// newAutomaton has the builtin rules. A JSON value begins with its first byte,
// not with space; within objects and arrays there may be one space, or a
// newline with up to maxIndent spaces or tabs.
func newAutomaton() *automaton {
	a := &automaton{classes: map[string]int32{}}
	r := &a.rules
	r.space = a.spaceRule()
	r.char = a.charRule(true)
	r.plainChar = a.charRule(false)
	for i := range a.states[r.char:] {
		a.states[int(r.char)+i].part = true
	}
	r.str = a.repeated(r.char)
	r.body = a.states[r.str].edges[0].to
	r.key = a.repeated(r.plainChar)
	r.number = a.numberRule()
	r.integer = a.integerRule()
	r.value, r.object, r.array = a.add(), a.add(), a.add()
	a.states[r.object].nests, a.states[r.array].nests = true, true
	end := a.addFinal()
	for _, s := range []int32{r.str, r.number, r.object, r.array, a.literal("true"), a.literal("false"), a.literal("null")} {
		a.call(r.value, s, end)
	}
	a.eps(r.object, a.objectRule(nil, r.key, r.value))
	a.eps(r.array, a.arrayRule(nil, r.value, 0, -1))
	a.builtins = len(a.states)
	return a
}

const maxIndent = 32

func (a *automaton) spaceRule() int32 {
	start, end := a.addFinal(), a.addFinal()
	a.edge(start, ' ', ' ', end)
	s := a.addFinal()
	a.edge(start, '\n', '\n', s)
	for range maxIndent {
		next := a.addFinal()
		a.edge(s, ' ', ' ', next)
		a.edge(s, '\t', '\t', next)
		s = next
	}
	return start
}

// charRule is one character of a string: UTF-8 or an escape. Without escapes
// of code points and of the slash, each string has one spelling.
func (a *automaton) charRule(all bool) int32 {
	start, end := a.add(), a.addFinal()
	a.runes(start, end, []rune{' ', '"' - 1, '"' + 1, '\\' - 1, '\\' + 1, utf8.MaxRune})
	esc := a.bytes(start, `\`)
	short := `"\bfnrt`
	if all {
		short += "/"
	}
	for i := range len(short) {
		a.edge(esc, short[i], short[i], end)
	}
	u := a.bytes(esc, "u")
	if !all { // the control characters that have no short escape
		zero := a.bytes(u, "00")
		hi0, hi1 := a.add(), a.add()
		a.edge(zero, '0', '0', hi0)
		a.edge(zero, '1', '1', hi1)
		for _, d := range []byte("01234567bef") {
			a.edge(hi0, d, d, end)
		}
		a.hex(hi1, end, "0123456789abcdef")
		return start
	}
	// \uXXXX, in which a high surrogate is followed by a low one.
	const digits = "0123456789abcdefABCDEF"
	last1, last2, last3 := a.add(), a.add(), a.add()
	a.hex(last1, end, digits)
	a.hex(last2, last1, digits)
	a.hex(last3, last2, digits)
	a.hex(u, last3, "0123456789abcefABCEF")
	d := a.add()
	a.hex(u, d, "dD")
	a.hex(d, last2, "01234567")
	high1, high2 := a.add(), a.add()
	a.hex(d, high1, "89abAB")
	a.hex(high1, high2, digits)
	pair := a.add()
	a.hex(high2, pair, digits)
	low, lowD := a.bytes(pair, `\u`), a.add()
	a.hex(low, lowD, "dD")
	a.hex(lowD, last2, "cdefCDEF")
	return start
}

func (a *automaton) hex(from, to int32, digits string) {
	for i := range len(digits) {
		a.edge(from, digits[i], digits[i], to)
	}
}

// repeated is a string of any number of the characters of a rule.
func (a *automaton) repeated(char int32) int32 {
	start := a.add()
	body, end := a.bytes(start, `"`), a.addFinal()
	a.call(body, char, body)
	a.edge(body, '"', '"', end)
	return start
}

// counted is a string of lo to hi characters of a rule; hi -1 is no limit.
func (a *automaton) counted(char int32, lo, hi int) int32 {
	start := a.add()
	s, end := a.bytes(start, `"`), a.addFinal()
	for n := 0; ; n++ {
		a.states[s].counted, a.states[s].need, a.states[s].room = true, max(lo-n, 0), hi-n
		if hi < 0 {
			a.states[s].room = math.MaxInt
		}
		if n >= lo {
			a.edge(s, '"', '"', end)
		}
		if n == hi {
			return start
		}
		if n >= lo && hi < 0 {
			a.call(s, char, s)
			return start
		}
		next := a.add()
		a.call(s, char, next)
		s = next
	}
}

// runes goes from a state to another over a character of the ranges, which are
// pairs of the first and the last, in UTF-8.
func (a *automaton) runes(from, to int32, ranges []rune) {
	for i := 0; i+1 < len(ranges); i += 2 {
		for _, seq := range utf8Ranges(ranges[i], ranges[i+1]) {
			s := from
			for k, b := range seq {
				next := to
				if k < len(seq)-1 {
					next = a.add()
				}
				a.edge(s, b[0], b[1], next)
				s = next
			}
		}
	}
}

// utf8Ranges splits a range of characters into sequences of byte ranges
// (Cox 2010, Regular Expression Matching in the Wild).
func utf8Ranges(lo, hi rune) [][][2]byte {
	const surrogateMin, surrogateMax = 0xd800, 0xdfff
	switch {
	case lo > hi:
		return nil
	case lo <= surrogateMax && hi >= surrogateMin:
		return append(utf8Ranges(lo, surrogateMin-1), utf8Ranges(surrogateMax+1, hi)...)
	}
	for _, limit := range []rune{0x7f, 0x7ff, 0xffff} { // of one length in bytes
		if lo <= limit && hi > limit {
			return append(utf8Ranges(lo, limit), utf8Ranges(limit+1, hi)...)
		}
	}
	if hi > 0x7f {
		for i := 1; i < utf8.UTFMax; i++ { // the last i bytes all free, or the same
			m := rune(1)<<(6*i) - 1
			if lo&^m == hi&^m {
				continue
			}
			if lo&m != 0 {
				return append(utf8Ranges(lo, lo|m), utf8Ranges((lo|m)+1, hi)...)
			}
			if hi&m != m {
				return append(utf8Ranges(lo, hi&^m-1), utf8Ranges(hi&^m, hi)...)
			}
		}
	}
	a, b := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	seq := make([][2]byte, len(a))
	for i := range a {
		seq[i] = [2]byte{a[i], b[i]}
	}
	return [][][2]byte{seq}
}

// property is a member of an object.
type property struct {
	name     string // as it is written, with quotes
	value    int32  // rule
	required bool
}

// objectRule is an object of properties in their order, and behind them others
// whose key and value are rules; key -1 allows none.
func (a *automaton) objectRule(props []property, key, value int32) int32 {
	start := a.add()
	a.states[start].nests = true
	open, end := a.bytes(start, "{"), a.addFinal()
	first, more := a.add(), a.add() // before the next property: none, some are written
	a.call(open, a.rules.space, first)
	for _, p := range props {
		nextFirst, nextMore := a.add(), a.add()
		comma := a.add()
		a.call(a.bytes(more, ","), a.rules.space, comma)
		a.eps(first, comma)
		colon := a.add()
		a.call(a.bytes(comma, p.name+":"), a.rules.space, colon)
		a.call(colon, p.value, nextMore)
		if !p.required {
			a.eps(first, nextFirst)
			a.eps(more, nextMore)
		}
		// behind a property of its own the comma is needed, so first and more
		// differ until the end
		first, more = nextFirst, nextMore
	}
	if key >= 0 {
		comma, colon, value2 := a.add(), a.add(), a.add()
		a.call(a.bytes(more, ","), a.rules.space, comma)
		a.eps(first, comma)
		a.call(comma, key, colon)
		a.call(a.bytes(colon, ":"), a.rules.space, value2)
		a.call(value2, value, more)
	}
	a.edge(first, '}', '}', end)
	closing := a.add()
	a.call(more, a.rules.space, closing)
	a.edge(closing, '}', '}', end)
	return start
}

// arrayRule is an array of prefix, then of items; items -1 allows none. It has
// lo to hi items in all; hi -1 is no limit.
func (a *automaton) arrayRule(prefix []int32, items int32, lo, hi int) int32 {
	start := a.add()
	a.states[start].nests = true
	s, end := a.add(), a.addFinal()
	a.call(a.bytes(start, "["), a.rules.space, s)
	for n := 0; ; n++ {
		if n >= lo {
			closing := s
			if n > 0 {
				closing = a.add()
				a.call(s, a.rules.space, closing)
			}
			a.edge(closing, ']', ']', end)
		}
		item := items
		if n < len(prefix) {
			item = prefix[n]
		}
		if n == hi || item < 0 {
			return start
		}
		at := s
		if n > 0 {
			at = a.add()
			a.call(a.bytes(s, ","), a.rules.space, at)
		}
		if n >= max(lo, 1) && n >= len(prefix) && hi < 0 {
			a.call(at, item, s)
			return start
		}
		next := a.add()
		a.call(at, item, next)
		s = next
	}
}

// leftRecursive tells whether a rule can call itself before it has read a
// byte: {"$ref": "#"} alone says nothing.
func (a *automaton) leftRecursive() bool {
	const inProgress, done = 1, 2
	color := map[int32]int{}
	var visit func(rule int32) bool
	visit = func(rule int32) bool {
		if color[rule] != 0 {
			return color[rule] == inProgress
		}
		color[rule] = inProgress
		if slices.ContainsFunc(a.first(rule), visit) {
			return true
		}
		color[rule] = done
		return false
	}
	return visit(a.root)
}

// first are the rules that a rule can call before it has read a byte.
func (a *automaton) first(rule int32) []int32 {
	var called []int32
	seen := map[int32]bool{}
	work := []int32{rule}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		work = append(work, a.states[s].eps...)
		for _, c := range a.states[s].calls {
			called = append(called, c.start)
			if c.start == a.rules.space {
				work = append(work, c.back)
			}
		}
	}
	return called
}
