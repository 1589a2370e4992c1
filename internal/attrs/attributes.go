package attrs

import (
	"bytes"
	"strings"
)

// maxGlobs is how many patterns with wildcards inside are kept; what follows is
// ignored. Each costs every path that is asked about, and real files have a few.
const maxGlobs = 1000

// maxAttributesLine is git's limit: longer lines of .gitattributes are ignored.
const maxAttributesLine = 2048

// blank separates the fields of a line.
const blank = " \t\r\n"

// Rules is a parsed .gitattributes file. The zero value has no rules.
type Rules struct {
	rules    []rule
	wild     []int            // rules with wildcards, in order
	literals map[string][]int // the other rules, in order, by what they name; "a" for a name, "/a/b" for a path
	globs    int              // of wild
	work     work             // of wild
	macros   map[string][]assignment
}

type rule struct {
	pattern pattern
	assign  []assignment
}

// assignment is one attribute of a line. The unset ("-name"), unspecified
// ("!name") and true ("name") forms have no value.
type assignment struct {
	name  string
	state attrState
	value string
}

type attrState uint8

const (
	attrTrue attrState = iota
	attrFalse
	attrUnspecified
	attrValue
)

// Parse reads the .gitattributes file at the top of a repository. Lines that
// git would skip with a warning are skipped.
func Parse(src []byte) Rules {
	r := Rules{literals: map[string][]int{}, macros: map[string][]assignment{
		"binary": {{name: "diff", state: attrFalse}, {name: "merge", state: attrFalse}, {name: "text", state: attrFalse}},
	}}
	for line := range lines(src) {
		r.add(line)
	}
	return r
}

// lines yields the lines of a file without their "\n", up to MaxBytes, without
// a byte order mark.
func lines(src []byte) func(yield func(string) bool) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if len(src) > MaxBytes {
		src = src[:bytes.LastIndexByte(src[:MaxBytes], '\n')+1]
	}
	return func(yield func(string) bool) {
		for len(src) > 0 {
			line, rest, _ := bytes.Cut(src, []byte("\n"))
			if !yield(string(line)) {
				return
			}
			src = rest
		}
	}
}

func (r *Rules) add(line string) {
	if len(line) >= maxAttributesLine {
		return
	}
	line = strings.TrimLeft(line, blank)
	if line == "" || line[0] == '#' {
		return
	}
	name, rest := cutPattern(line)
	assign, ok := parseAssignments(rest)
	if !ok {
		return
	}
	if macro, isMacro := strings.CutPrefix(name, "[attr]"); isMacro && macro != "" {
		macro = strings.TrimLeft(macro, blank)
		if end := strings.IndexAny(macro, blank); end >= 0 {
			macro = macro[:end]
		}
		if validAttribute(macro) {
			r.macros[macro] = assign
		}
		return
	}
	p, ok := compile(name)
	if !ok || p.negative {
		return // git forbids negative patterns in attributes
	}
	if p.kind == globPattern {
		if r.globs++; r.globs > maxGlobs {
			return
		}
	}
	i := len(r.rules)
	r.rules = append(r.rules, rule{pattern: p, assign: assign})
	switch {
	case p.kind != literalPattern:
		r.wild = append(r.wild, i)
		r.work.add(&p)
	case p.basename:
		r.literals[p.literal] = append(r.literals[p.literal], i)
	default:
		r.literals["/"+p.literal] = append(r.literals["/"+p.literal], i)
	}
}

// Steps bounds what LFS costs for a path, in units of some 3 ns: many patterns
// and many paths together can keep a processor busy for hours.
func (r Rules) Steps(path string) int { return r.work.steps(len(path)) }

// cutPattern splits a line into its pattern, which may be a quoted C string,
// and its attributes.
func cutPattern(line string) (name, rest string) {
	if strings.HasPrefix(line, `"`) {
		if name, rest, ok := unquote(line); ok {
			return name, rest
		}
	}
	if end := strings.IndexAny(line, blank); end >= 0 {
		return line[:end], line[end:]
	}
	return line, ""
}

// unquote reads the C string at the start of s, as git writes odd paths.
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return b.String(), s[i+1:], true
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if i++; i >= len(s) {
			return "", "", false
		}
		if at := strings.IndexByte(`abfnrtv\"`, s[i]); at >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v\\\""[at])
			continue
		}
		if s[i] > '3' || i+2 >= len(s) || !octal(s[i]) || !octal(s[i+1]) || !octal(s[i+2]) {
			return "", "", false
		}
		b.WriteByte((s[i]-'0')<<6 | (s[i+1]-'0')<<3 | (s[i+2] - '0'))
		i += 2
	}
	return "", "", false
}

func octal(c byte) bool { return '0' <= c && c <= '7' }

// parseAssignments reads the attributes of a line; one bad name spoils the
// line, as in git.
func parseAssignments(s string) ([]assignment, bool) {
	var out []assignment
	for field := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(blank, r) }) {
		a := assignment{name: field}
		name, value, hasValue := strings.Cut(field, "=")
		switch {
		case field[0] == '-':
			a.name, a.state = name[1:], attrFalse
		case field[0] == '!':
			a.name, a.state = name[1:], attrUnspecified
		case hasValue:
			a.name, a.state, a.value = name, attrValue, value
		}
		if !validAttribute(a.name) {
			return nil, false
		}
		out = append(out, a)
	}
	return out, true
}

func validAttribute(name string) bool {
	if name == "" || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// LFS reports whether the file at path is stored as a large file, that is
// whether its "filter" attribute is "lfs".
func (r Rules) LFS(path string) bool {
	a, ok := r.lookup(path, "filter")
	return ok && a.state == attrValue && a.value == "lfs"
}

// lookup finds the assignment that decides attribute name for path: the last
// one of the last line that matches, looking through macros.
func (r Rules) lookup(path, name string) (assignment, bool) {
	seen := make(map[string]bool, 8)
	// Some repositories list each of their files, so those are looked up.
	left := [][]int{r.wild, r.literals[path[strings.LastIndexByte(path, '/')+1:]], r.literals["/"+path]}
	for {
		from := last(left)
		if from < 0 {
			return assignment{}, false
		}
		end := len(left[from]) - 1
		rule := &r.rules[left[from][end]]
		left[from] = left[from][:end]
		if !rule.pattern.matches(path, false) {
			continue
		}
		if a, ok := r.find(rule.assign, name, seen); ok {
			return a, true
		}
	}
}

// last is which of the ascending lists ends with the largest number, -1 if all
// are empty.
func last(lists [][]int) int {
	at := -1
	for i, l := range lists {
		if len(l) > 0 && (at < 0 || l[len(l)-1] > lists[at][len(lists[at])-1]) {
			at = i
		}
	}
	return at
}

// find searches a line from its end, expanding each macro that it sets. An
// attribute counts only the first time it is met, hence seen.
func (r Rules) find(assign []assignment, name string, seen map[string]bool) (assignment, bool) {
	for i := len(assign) - 1; i >= 0; i-- {
		a := assign[i]
		if seen[a.name] {
			continue
		}
		seen[a.name] = true
		if a.name == name {
			return a, true
		}
		if macro, ok := r.macros[a.name]; ok && a.state == attrTrue {
			if a, ok := r.find(macro, name, seen); ok {
				return a, true
			}
		}
	}
	return assignment{}, false
}
