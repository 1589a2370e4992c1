package attrs

import (
	"strings"
)

// MaxBytes is how much of a .gitattributes or .gitignore file is read; what
// follows is ignored. The largest known public ones are under 100 KiB.
const MaxBytes = 512 << 10

// maxPattern is the longest pattern that is kept. A path has at most 2048
// bytes, so a longer pattern is junk.
const maxPattern = 4096

// pattern is one compiled line: git's wildmatch plus the rules about slashes.
type pattern struct {
	negative bool // began with "!"
	dirOnly  bool // ended with "/"
	basename bool // holds no "/": matched against the last segment

	literal string // with no wildcard: must equal the subject
	suffix  string // "*suffix" and basename: the subject must end so
	kind    patternKind
	tokens  []token // globPattern
}

type patternKind uint8

const (
	literalPattern patternKind = iota
	suffixPattern
	globPattern
)

// compile parses a pattern in git's order: negation, trailing slash, then
// whether any slash is left.
func compile(s string) (pattern, bool) {
	var p pattern
	if len(s) > maxPattern || strings.IndexByte(s, 0) >= 0 {
		return p, false
	}
	s, p.negative = strings.CutPrefix(s, "!")
	s, p.dirOnly = strings.CutSuffix(s, "/")
	p.basename = !strings.Contains(s, "/")
	if !p.basename {
		s = strings.TrimPrefix(s, "/")
	}

	wild := strings.IndexAny(s, `*?[\`)
	switch {
	case wild < 0:
		p.kind, p.literal = literalPattern, s
	case p.basename && wild == 0 && s[0] == '*' && !strings.ContainsAny(s[1:], `*?[\`):
		p.kind, p.suffix = suffixPattern, s[1:]
	default:
		p.kind = globPattern
		// git compares the part before the first wildcard literally and hands
		// only the rest to wildmatch, which therefore sees "**" in "foo**" at
		// the start of its pattern and lets it cross slashes.
		p.tokens = appendLiteral(nil, s[:wild])
		p.tokens = appendGlob(p.tokens, s[wild:], !p.basename)
	}
	return p, true
}

// matches reports whether the pattern names path, which is a folder if dir.
func (p *pattern) matches(path string, dir bool) bool {
	if p.dirOnly && !dir {
		return false
	}
	if p.basename {
		path = path[strings.LastIndexByte(path, '/')+1:]
	}
	switch p.kind {
	case literalPattern:
		return path == p.literal
	case suffixPattern:
		return strings.HasSuffix(path, p.suffix)
	default:
		return matchTokens(p.tokens, path)
	}
}

// work sums up the patterns of a file.
type work struct {
	tokens  int // of all globs; each may be met at every byte of a path
	compare int // comparisons for everything else
}

func (w *work) add(p *pattern) {
	switch p.kind {
	case literalPattern, suffixPattern:
		w.compare += 4
	case globPattern:
		w.tokens += len(p.tokens) + 1
	}
}

// steps is how long all the patterns may take with n bytes of a path at most,
// in units of some 3 ns.
func (w *work) steps(n int) int { return w.compare + w.tokens*n }

// token is one step of a compiled glob.
type token struct {
	kind tokenKind
	char byte     // literal
	set  *byteSet // class
}

type tokenKind uint8

const (
	literalToken  tokenKind = iota
	classToken              // one byte of a set
	starToken               // any run of bytes but "/"
	deepToken               // any run of bytes
	optionalToken           // nothing; the next two tokens may be skipped
	neverToken              // a malformed rest, which matches nothing
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }
func (s *byteSet) remove(c byte)   { s[c>>6] &^= 1 << (c & 63) }

func (s *byteSet) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

func appendLiteral(tokens []token, s string) []token {
	for i := range len(s) {
		tokens = append(tokens, token{kind: literalToken, char: s[i]})
	}
	return tokens
}

// appendGlob compiles a wildmatch pattern. With pathname set, wildcards do not
// cross "/", except "**" that stands alone between slashes.
func appendGlob(tokens []token, s string, pathname bool) []token {
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '\\':
			if i+1 == len(s) {
				return append(tokens, token{kind: neverToken})
			}
			tokens = append(tokens, token{kind: literalToken, char: s[i+1]})
			i += 2
		case '?':
			set := new(byteSet)
			set.invert()
			if pathname {
				set.remove('/')
			}
			tokens = append(tokens, token{kind: classToken, set: set})
			i++
		case '[':
			set, end := parseClass(s, i)
			if set == nil {
				return append(tokens, token{kind: neverToken})
			}
			if pathname {
				set.remove('/')
			}
			tokens = append(tokens, token{kind: classToken, set: set})
			i = end
		case '*':
			end := i
			for end < len(s) && s[end] == '*' {
				end++
			}
			tokens = appendStars(tokens, s, i, end, pathname)
			i = end
		default:
			tokens = append(tokens, token{kind: literalToken, char: c})
			i++
		}
	}
	return tokens
}

// appendStars compiles the stars s[i:end].
func appendStars(tokens []token, s string, i, end int, pathname bool) []token {
	if !pathname {
		return append(tokens, token{kind: deepToken})
	}
	rest := s[end:]
	alone := end-i >= 2 && (i == 0 || s[i-1] == '/')
	switch {
	case alone && strings.HasPrefix(rest, "/"):
		// "**/" is nothing, or any run and a slash; the slash is compiled next.
		return append(tokens, token{kind: optionalToken}, token{kind: deepToken})
	case alone && (rest == "" || strings.HasPrefix(rest, `\/`)):
		return append(tokens, token{kind: deepToken})
	}
	return append(tokens, token{kind: starToken})
}

// parseClass reads the bracket expression at s[i] and returns its set and the
// index behind it; nil if it is malformed, which makes the pattern match
// nothing.
func parseClass(s string, i int) (*byteSet, int) {
	set := new(byteSet)
	i++ // "["
	negated := i < len(s) && (s[i] == '!' || s[i] == '^')
	if negated {
		i++
	}
	var prev byte // low end of a range, 0 if none can start here
	for first := true; ; first = false {
		if i >= len(s) {
			return nil, 0
		}
		c := s[i]
		switch {
		case c == ']' && !first:
			if negated {
				set.invert()
			}
			return set, i + 1
		case c == '\\':
			if i+1 >= len(s) {
				return nil, 0
			}
			i++
			c = s[i]
			set.add(c)
		case c == '-' && prev != 0 && i+1 < len(s) && s[i+1] != ']':
			i++
			hi := s[i]
			if hi == '\\' {
				if i++; i >= len(s) {
					return nil, 0
				}
				hi = s[i]
			}
			set.addRange(prev, hi)
			c = 0
		case c == '[' && i+1 < len(s) && s[i+1] == ':':
			end := strings.IndexByte(s[i+2:], ']')
			if end < 0 {
				return nil, 0
			}
			name, named := strings.CutSuffix(s[i+2:i+2+end], ":")
			if !named {
				set.add('[') // no ":]": an ordinary "["
				break
			}
			if !set.addNamed(name) {
				return nil, 0
			}
			i += 2 + end
			c = 0
		default:
			set.add(c)
		}
		prev = c
		i++
	}
}

// addNamed adds a POSIX class in the C locale.
func (s *byteSet) addNamed(name string) bool {
	switch name {
	case "alnum":
		s.addRange('0', '9')
		s.addRange('A', 'Z')
		s.addRange('a', 'z')
	case "alpha":
		s.addRange('A', 'Z')
		s.addRange('a', 'z')
	case "blank":
		s.add(' ')
		s.add('\t')
	case "cntrl":
		s.addRange(0, 31)
		s.add(127)
	case "digit":
		s.addRange('0', '9')
	case "graph":
		s.addRange('!', '~')
	case "lower":
		s.addRange('a', 'z')
	case "print":
		s.addRange(' ', '~')
	case "punct":
		s.addRange('!', '/')
		s.addRange(':', '@')
		s.addRange('[', '`')
		s.addRange('{', '~')
	case "space":
		s.add(' ')
		s.addRange('\t', '\r')
	case "upper":
		s.addRange('A', 'Z')
	case "xdigit":
		s.addRange('0', '9')
		s.addRange('A', 'F')
		s.addRange('a', 'f')
	default:
		return false
	}
	return true
}

// matchTokens runs the tokens over s as a non-deterministic automaton: cur[t]
// means that tokens[:t] match what has been read. It takes
// len(tokens) × len(s) steps whatever the pattern.
func matchTokens(tokens []token, s string) bool {
	n := len(tokens)
	states := make([]bool, 2*(n+1))
	cur, next := states[:n+1], states[n+1:]
	cur[0] = true
	for i := range len(s) {
		clear(next)
		alive := false
		for t := range tokens {
			if !cur[t] {
				continue
			}
			k := &tokens[t]
			k.skip(cur, t)
			if to, ok := k.step(t, s[i]); ok {
				next[to], alive = true, true
			}
		}
		if !alive {
			return false
		}
		cur, next = next, cur
	}
	for t := range tokens {
		if cur[t] {
			tokens[t].skip(cur, t)
		}
	}
	return cur[n]
}

// skip marks the states that t reaches without reading anything. They are all
// behind t, so one pass in order closes over them.
func (k *token) skip(states []bool, t int) {
	switch k.kind {
	case starToken, deepToken:
		states[t+1] = true
	case optionalToken:
		states[t+1], states[t+3] = true, true
	}
}

// step is the state that t leads to on c.
func (k *token) step(t int, c byte) (int, bool) {
	switch k.kind {
	case literalToken:
		return t + 1, c == k.char
	case classToken:
		return t + 1, k.set.has(c)
	case starToken:
		return t, c != '/'
	case deepToken:
		return t, true
	}
	return 0, false
}
