package generate

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// quoteJSON writes a string with no more escapes than JSON asks for.
func quoteJSON(s string) string {
	const hex = "0123456789abcdef"
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	b := []byte{'"'}
	for _, c := range s {
		switch esc := short[c]; {
		case esc != "":
			b = append(b, esc...)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return string(append(b, '"'))
}

// except is a string that is none of names, with one spelling for each string,
// so that a name cannot come in another one.
func (a *automaton) except(names []string) int32 {
	if len(names) == 0 {
		return a.rules.key
	}
	var quoted []string
	for _, n := range names {
		q := quoteJSON(n)
		quoted = append(quoted, q[1:len(q)-1])
	}
	slices.Sort(quoted)
	start := a.add()
	body, end, rest := a.bytes(start, `"`), a.addFinal(), a.add()
	a.call(rest, a.rules.plainChar, rest)
	a.edge(rest, '"', '"', end)
	a.exceptBelow(body, rest, end, quoted, 0)
	return start
}

// exceptBelow goes on from a state at which the first depth bytes of all
// quoted names have been read. Whole characters are compared, so that a state
// is never within one.
func (a *automaton) exceptBelow(s, rest, end int32, quoted []string, depth int) {
	isName := false
	var taken []rune // characters, escaped ones as they are meant, that go on
	for len(quoted) > 0 {
		if len(quoted[0]) == depth {
			isName = true
			quoted = quoted[1:]
			continue
		}
		n := spelled(quoted[0][depth:])
		unit := quoted[0][depth : depth+n]
		same := 1
		for same < len(quoted) && len(quoted[same]) >= depth+n && quoted[same][depth:depth+n] == unit {
			same++
		}
		a.exceptBelow(a.bytes(s, unit), rest, end, quoted[:same], depth+n)
		taken = append(taken, meant(unit))
		quoted = quoted[same:]
	}
	if !isName {
		a.edge(s, '"', '"', end)
	}
	a.chars(s, rest, complement(taken))
}

// spelled is the length of the first character of s as JSON spells it.
func spelled(s string) int {
	if s[0] == '\\' && s[1] == 'u' {
		return 6
	}
	if s[0] == '\\' {
		return 2
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// meant is the character that a spelling of quoteJSON stands for.
func meant(unit string) rune {
	if unit[0] != '\\' {
		c, _ := utf8.DecodeRuneInString(unit)
		return c
	}
	if unit[1] == 'u' {
		c := rune(0)
		for _, d := range unit[2:] {
			if d >= 'a' {
				d -= 'a' - 10 - '0'
			}
			c = c<<4 + d - '0'
		}
		return c
	}
	return map[byte]rune{'"': '"', '\\': '\\', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[unit[1]]
}

// complement are the ranges of all other characters.
func complement(taken []rune) []rune {
	slices.Sort(taken)
	var out []rune
	next := rune(0)
	for _, c := range taken {
		if c > next {
			out = append(out, next, c-1)
		}
		next = max(next, c+1)
	}
	return append(out, next, utf8.MaxRune)
}

// chars goes over a character of the ranges as quoteJSON spells it. A set that
// takes many states is a rule of its own, which a pattern can use many times.
func (a *automaton) chars(from, to int32, ranges []rune) {
	if len(ranges) <= 8 && ranges[len(ranges)-1] < utf8.RuneSelf {
		a.spellings(from, to, ranges)
		return
	}
	key := string(ranges)
	rule, ok := a.classes[key]
	if !ok {
		rule = a.add()
		a.classes[key] = rule
		a.spellings(rule, a.addFinal(), ranges)
		for i := range a.states[rule:] {
			a.states[int(rule)+i].part = true
		}
	}
	a.call(from, rule, to)
}

// spellings goes over a character of the ranges.
func (a *automaton) spellings(from, to int32, ranges []rune) {
	var plain []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		for c := lo; c <= min(hi, '\\'); c++ {
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			q := quoteJSON(string(c))
			s := a.bytes(from, q[1:len(q)-2])
			a.edge(s, q[len(q)-2], q[len(q)-2], to)
		}
		for _, part := range [][2]rune{{' ', '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, utf8.MaxRune}} {
			if l, h := max(lo, part[0]), min(hi, part[1]); l <= h {
				plain = append(plain, l, h)
			}
		}
	}
	a.runes(from, to, plain)
}

// pattern is a string in which the regular expression finds something. It is
// RE2's; ^ and $ are allowed where they hold for the whole expression.
func (a *automaton) pattern(expr string) int32 {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		refuse("pattern %q: %v", expr, err)
	}
	start := a.add()
	open, end := a.bytes(start, `"`), a.addFinal()
	closing := a.add()
	a.edge(closing, '"', '"', end)
	a.search(expr, re.Simplify(), open, closing)
	return start
}

// search is re between texts of any kind, where no anchor says otherwise.
func (a *automaton) search(expr string, re *syntax.Regexp, from, to int32) {
	switch re.Op {
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			a.search(expr, sub, from, to)
		}
		return
	case syntax.OpCapture:
		a.search(expr, re.Sub[0], from, to)
		return
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	anything := func(from int32) int32 {
		s := a.add()
		a.eps(from, s)
		a.chars(s, s, []rune{0, utf8.MaxRune})
		return s
	}
	if len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts = parts[1:]
	} else {
		from = anything(from)
	}
	anchored := len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText
	if anchored {
		parts = parts[:len(parts)-1]
	}
	for _, p := range parts {
		next := a.add()
		a.regexp(expr, p, from, next)
		from = next
	}
	if !anchored {
		from = anything(from)
	}
	a.eps(from, to)
}

// regexp goes over what re matches.
func (a *automaton) regexp(expr string, re *syntax.Regexp, from, to int32) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		a.eps(from, to)
	case syntax.OpNoMatch:
	case syntax.OpLiteral:
		for i, c := range re.Rune {
			next := to
			if i < len(re.Rune)-1 {
				next = a.add()
			}
			set := []rune{c, c}
			if re.Flags&syntax.FoldCase != 0 {
				for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
					set = append(set, f, f)
				}
			}
			a.chars(from, next, set)
			from = next
		}
	case syntax.OpCharClass:
		a.chars(from, to, re.Rune)
	case syntax.OpAnyCharNotNL:
		a.chars(from, to, []rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune})
	case syntax.OpAnyChar:
		a.chars(from, to, []rune{0, utf8.MaxRune})
	case syntax.OpCapture:
		a.regexp(expr, re.Sub[0], from, to)
	case syntax.OpStar, syntax.OpPlus:
		s, e := a.add(), a.add()
		a.eps(from, s)
		a.regexp(expr, re.Sub[0], s, e)
		a.eps(e, s)
		if re.Op == syntax.OpStar {
			a.eps(s, to)
		}
		a.eps(e, to)
	case syntax.OpQuest:
		a.regexp(expr, re.Sub[0], from, to)
		a.eps(from, to)
	case syntax.OpConcat:
		for i, sub := range re.Sub {
			next := to
			if i < len(re.Sub)-1 {
				next = a.add()
			}
			a.regexp(expr, sub, from, next)
			from = next
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			a.regexp(expr, sub, from, to)
		}
	default:
		refuse("pattern %q: anchors and boundaries within it are not supported", expr)
	}
}

// formats are patterns of the formats that OpenAI's structured outputs have.
// What they match is valid; a leap second and rare spellings are left out.
var formats = map[string]string{
	"date":      `^` + datePattern + `$`,
	"time":      `^` + timePattern + `$`,
	"date-time": `^` + datePattern + `T` + timePattern + `$`,
	"duration":  `^P([0-9]+W|[0-9]+Y([0-9]+M([0-9]+D)?)?(` + durationTime + `)?|[0-9]+M([0-9]+D)?(` + durationTime + `)?|[0-9]+D(` + durationTime + `)?|` + durationTime + `)$`,
	"email":     `^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@` + hostPattern + `$`,
	"hostname":  `^` + hostPattern + `$`,
	"ipv4":      `^` + ipv4Pattern + `$`,
	"ipv6":      `^(` + ipv6Pattern + `)$`,
	"uuid":      `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`,
	"uri":       `^[a-z][a-z0-9+.-]*://` + hostPattern + `(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*(\?[A-Za-z0-9._~=&+-]*)?(#[A-Za-z0-9._~-]*)?$`,
}

const (
	datePattern = `([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))` +
		`|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)`
	timePattern  = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	durationTime = `T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)`
	hostPattern  = `[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?)*`
	ipv6Pattern  = `([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}|:(:[0-9a-fA-F]{1,4}){1,7}|::`
	ipv4Pattern  = `((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
)
