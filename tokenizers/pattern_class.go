package tokenizers

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// class parses a set after its [.
func (p *patternParser) class() (*charset, error) {
	set := &charset{negated: p.take("^")}
	for first := true; ; first = false {
		if !first && p.take("]") {
			return set.finish(p.classes), nil
		}
		if strings.HasPrefix(p.rest, "&&") || strings.HasPrefix(p.rest, "[") {
			return nil, p.errorf("sets within sets are not known")
		}
		from, single, err := p.member(set)
		if err != nil {
			return nil, err
		}
		if !single {
			continue
		}
		to := from
		if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
			p.rest = p.rest[1:]
			if to, single, err = p.member(set); err != nil {
				return nil, err
			}
			if !single || to < from {
				return nil, p.errorf("a range that ends in no character after it")
			}
		}
		set.add(from, to, p.fold)
	}
}

// member parses one character of a set, or adds a whole class to it.
func (p *patternParser) member(set *charset) (r rune, single bool, err error) {
	if r, err = p.rune(); err != nil || r != '\\' {
		return r, true, err
	}
	if p.take("b") {
		return '\b', true, nil
	}
	before := len(set.ranges)
	fold := p.fold
	p.fold = false
	err = p.escape(set)
	p.fold = fold
	if err != nil {
		return 0, false, err
	}
	if len(set.ranges) == before+2 && set.ranges[before] == set.ranges[before+1] {
		r = set.ranges[before]
		set.ranges = set.ranges[:before]
		return r, true, nil
	}
	return 0, false, nil
}

// escape parses what follows a backslash and adds it to a set.
func (p *patternParser) escape(set *charset) error {
	r, err := p.rune()
	if err != nil {
		return err
	}
	with := func(c class) error { set.any |= c; return nil }
	without := func(c class) error { set.without = append(set.without, c); return nil }
	one := func(r rune) error { set.add(r, r, p.fold); return nil }
	switch r {
	case 's':
		return with(isSpace)
	case 'S':
		return without(isSpace)
	case 'w':
		return with(isWord)
	case 'W':
		return without(isWord)
	case 'd':
		return with(isDigit)
	case 'D':
		return without(isDigit)
	case 'h':
		set.ranges = append(set.ranges, '0', '9', 'a', 'f', 'A', 'F')
		return nil
	case 'p', 'P':
		return p.property(set, r == 'P')
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 't':
		return one('\t')
	case 'f':
		return one('\f')
	case 'v':
		return one('\v')
	case 'a':
		return one('\a')
	case 'e':
		return one(0x1B)
	case '0':
		return one(0)
	case 'x':
		if p.take("{") {
			end := strings.IndexByte(p.rest, '}')
			if end < 0 {
				return p.errorf("missing }")
			}
			digits := p.rest[:end]
			p.rest = p.rest[end+1:]
			return p.hex(digits, one)
		}
		return p.hexDigits(2, one)
	case 'u':
		return p.hexDigits(4, one)
	}
	if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return p.errorf("\\%c is not known", r)
	}
	return one(r)
}

func (p *patternParser) hexDigits(n int, one func(rune) error) error {
	if len(p.rest) < n {
		return p.errorf("it ends too early")
	}
	digits := p.rest[:n]
	p.rest = p.rest[n:]
	return p.hex(digits, one)
}

func (p *patternParser) hex(digits string, one func(rune) error) error {
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || v >= maxRune {
		return p.errorf("bad character %q", digits)
	}
	return one(rune(v))
}

// propertyClasses are the properties the generated tables know exactly.
var propertyClasses = map[string]class{
	"l": isLetter, "letter": isLetter, "lu": isUpper, "ll": isLower, "lt": isTitle, "lm": isModifier, "lo": isOtherLetter,
	"n": isNumber, "number": isNumber, "nd": isDigit, "m": isMark, "mark": isMark, "p": isPunctuation,
	"punctuation": isPunctuation, "punct": isPunctuation, "s": isSymbol, "symbol": isSymbol,
	"space": isSpace, "word": isWord, "digit": isDigit,
}

// property parses {Name}, {^Name} or one letter after \p.
func (p *patternParser) property(set *charset, negated bool) error {
	var name string
	if p.take("{") {
		end := strings.IndexByte(p.rest, '}')
		if end < 0 {
			return p.errorf("missing }")
		}
		name = p.rest[:end]
		p.rest = p.rest[end+1:]
	} else {
		r, err := p.rune()
		if err != nil {
			return err
		}
		name = string(r)
	}
	if strings.HasPrefix(name, "^") {
		negated = !negated
		name = name[1:]
	}
	if c, ok := propertyClasses[strings.ToLower(name)]; ok {
		if negated {
			set.without = append(set.without, c)
		} else {
			set.any |= c
		}
		return nil
	}
	table := rangeTable(name)
	if table == nil {
		return p.errorf("the property %q is not known", name)
	}
	if negated {
		table = complement(table)
	}
	set.tables = append(set.tables, table)
	return nil
}

// rangeTable finds a property by any spelling: among the generated scripts,
// then in the standard library, whose Unicode is older.
func rangeTable(name string) *unicode.RangeTable {
	plain := func(s string) string {
		return strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(s))
	}
	if runs, ok := scriptRuns[plain(name)]; ok {
		t := &unicode.RangeTable{}
		for r := range eachRun(runs) {
			t.R32 = append(t.R32, unicode.Range32{Lo: uint32(r[0]), Hi: uint32(r[1] - 1), Stride: 1})
		}
		return splitTable(t)
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts, unicode.Properties} {
		if t, ok := tables[name]; ok {
			return t
		}
		for known, t := range tables {
			if plain(known) == plain(name) {
				return t
			}
		}
	}
	return nil
}

func complement(t *unicode.RangeTable) *unicode.RangeTable {
	var inside [][2]rune
	for _, r := range t.R16 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			inside = append(inside, [2]rune{c, c})
		}
	}
	for _, r := range t.R32 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			inside = append(inside, [2]rune{c, c})
		}
	}
	slices.SortFunc(inside, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	out := &unicode.RangeTable{}
	at := rune(0)
	for _, r := range append(inside, [2]rune{maxRune, maxRune}) {
		if r[0] > at {
			out.R32 = append(out.R32, unicode.Range32{Lo: uint32(at), Hi: uint32(r[0] - 1), Stride: 1})
		}
		at = r[1] + 1
	}
	// R32 must hold what R16 could not; Is looks at R16 first for small ones.
	return splitTable(out)
}

// splitTable moves what fits into 16 bits to R16.
func splitTable(t *unicode.RangeTable) *unicode.RangeTable {
	out := &unicode.RangeTable{}
	for _, r := range t.R32 {
		if r.Lo <= 0xFFFF {
			out.R16 = append(out.R16, unicode.Range16{Lo: uint16(r.Lo), Hi: uint16(min(r.Hi, 0xFFFF)), Stride: 1})
		}
		if r.Hi > 0xFFFF {
			out.R32 = append(out.R32, unicode.Range32{Lo: max(r.Lo, 0x10000), Hi: r.Hi, Stride: 1})
		}
	}
	return out
}
