package chat

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a token of the template language. Operators are
// their own text.
type tokenKind string

const (
	tokEOF           tokenKind = "end of template"
	tokData          tokenKind = "text"
	tokBlockBegin    tokenKind = "begin of statement block"
	tokBlockEnd      tokenKind = "end of statement block"
	tokVariableBegin tokenKind = "begin of print statement"
	tokVariableEnd   tokenKind = "end of print statement"
	tokName          tokenKind = "name"
	tokString        tokenKind = "string"
	tokInteger       tokenKind = "integer"
	tokFloat         tokenKind = "float"
)

// token is a piece of a template.
type token struct {
	kind tokenKind
	text string // of a name, string or data: what it says
	num  value  // of an integer or float
	line int
}

func (t token) String() string {
	if t.kind == tokName {
		return t.text
	}
	return string(t.kind)
}

// lexer splits a template into tokens by the rules of jinja2/lexer.py with
// trim_blocks and lstrip_blocks.
type lexer struct {
	src          string
	pos, line    int
	lineStarting bool // the last match ended with a newline, or nothing was matched yet
	tokens       []token
}

// lex reads the whole template. It panics with an *Error.
func lex(source string) []token {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{src: source, line: 1, lineStarting: true}
	for l.pos < len(l.src) {
		l.root()
	}
	l.emit(token{kind: tokEOF})
	return l.tokens
}

func (l *lexer) fail(format string, args ...any) { failAt(l.line, format, args...) }

func (l *lexer) emit(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// take moves over n bytes and keeps count of lines.
func (l *lexer) take(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.pos += n
	l.line += strings.Count(s, "\n")
	if n > 0 {
		l.lineStarting = s[n-1] == '\n'
	}
	return s
}

// takeSpace moves over white space.
func (l *lexer) takeSpace() { l.take(len(l.src) - l.pos - len(trimLeftSpace(l.src[l.pos:]))) }

// root reads text up to the next tag, then that tag.
func (l *lexer) root() {
	rest := l.src[l.pos:]
	at := -1
	for i := 0; ; i++ {
		j := strings.IndexByte(rest[i:], '{')
		if j < 0 || i+j+1 >= len(rest) {
			break
		}
		i += j
		if c := rest[i+1]; c == '{' || c == '%' || c == '#' {
			at = i
			break
		}
	}
	if at < 0 {
		l.data(l.take(len(rest)))
		return
	}
	open := rest[at+1]
	sign := byte(0)
	if at+2 < len(rest) && (rest[at+2] == '-' || rest[at+2] == '+') {
		sign = rest[at+2]
	}
	text := rest[:at]
	starting := l.lineStarting
	switch {
	case sign == '-':
		text = trimRightSpace(text)
	case sign != '+' && open != '{':
		text = l.lstrip(text, starting)
	}
	l.data(text)
	l.take(at + 2)
	if sign != 0 {
		l.take(1)
	}
	switch open {
	case '#':
		l.comment()
	case '{':
		l.emit(token{kind: tokVariableBegin})
		l.inside(tokVariableEnd)
	default:
		if n := rawOpen(l.src[l.pos:]); n > 0 {
			l.take(n)
			l.raw()
			return
		}
		l.emit(token{kind: tokBlockBegin})
		l.inside(tokBlockEnd)
	}
}

// lstrip drops the white space between the start of the line and the tag.
func (l *lexer) lstrip(text string, starting bool) string {
	at := strings.LastIndexByte(text, '\n') + 1
	if (at > 0 || starting) && trimLeftSpace(text[at:]) == "" {
		return text[:at]
	}
	return text
}

func (l *lexer) data(text string) {
	if text != "" {
		l.emit(token{kind: tokData, text: text})
	}
}

func (l *lexer) comment() {
	end := strings.Index(l.src[l.pos:], "#}")
	if end < 0 {
		l.fail("missing end of comment tag")
	}
	body := l.src[l.pos : l.pos+end]
	l.take(end + 2)
	l.afterTag(body)
}

// afterTag applies the sign before the end of a tag: - eats all white space
// that follows, + eats none, and no sign eats one newline.
func (l *lexer) afterTag(before string) {
	switch {
	case strings.HasSuffix(before, "-"):
		l.takeSpace()
	case strings.HasSuffix(before, "+"):
	case strings.HasPrefix(l.src[l.pos:], "\n"):
		l.take(1)
	}
}

// rawOpen is the length of the rest of {% raw %} after {%, 0 when s is another
// statement.
func rawOpen(s string) int {
	t := trimLeftSpace(s)
	if !strings.HasPrefix(t, "raw") {
		return 0
	}
	t = trimLeftSpace(t[3:])
	switch {
	case strings.HasPrefix(t, "-%}"):
		return len(s) - len(trimLeftSpace(t[3:]))
	case strings.HasPrefix(t, "%}"):
		return len(s) - len(t) + 2
	}
	return 0
}

// raw reads the text up to {% endraw %}.
func (l *lexer) raw() {
	rest := l.src[l.pos:]
	for i := 0; ; i++ {
		j := strings.Index(rest[i:], "{%")
		if j < 0 {
			l.fail("missing end of raw directive")
		}
		i += j
		tail := rest[i+2:]
		sign := byte(0)
		if tail != "" && (tail[0] == '-' || tail[0] == '+') {
			sign, tail = tail[0], tail[1:]
		}
		tail = trimLeftSpace(tail)
		if !strings.HasPrefix(tail, "endraw") {
			continue
		}
		tail = trimLeftSpace(tail[len("endraw"):])
		before := ""
		if tail != "" && (tail[0] == '-' || tail[0] == '+') {
			before, tail = tail[:1], tail[1:]
		}
		if !strings.HasPrefix(tail, "%}") {
			continue
		}
		text := rest[:i]
		switch sign {
		case '-':
			text = trimRightSpace(text)
		case 0:
			text = l.lstrip(text, l.lineStarting)
		}
		l.data(text)
		l.take(len(rest) - len(tail) + 2)
		l.afterTag(before)
		return
	}
}

// operators, longest first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

// inside reads the tokens of a tag up to its end.
func (l *lexer) inside(end tokenKind) {
	var open []byte
	for {
		rest := l.src[l.pos:]
		if rest == "" {
			return // the parser says what is missing
		}
		if len(open) == 0 && l.end(end) {
			return
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case isSpace(r):
			l.takeSpace()
		case isDigit(r):
			l.number()
		case r == '_' || unicode.IsLetter(r) || (size > 1 && isWord(r)):
			n := len(rest) - len(strings.TrimLeftFunc(rest, isWord))
			l.emit(token{kind: tokName, text: rest[:n]})
			l.take(n)
		case r == '\'' || r == '"':
			l.string(byte(r))
		default:
			open = l.operator(open)
		}
	}
}

// end reads the end of a tag if it is next.
func (l *lexer) end(kind tokenKind) bool {
	rest := l.src[l.pos:]
	closing := "%}"
	if kind == tokVariableEnd {
		closing = "}}"
	}
	sign := ""
	if rest[0] == '-' || (rest[0] == '+' && kind == tokBlockEnd) {
		sign = rest[:1]
	}
	if !strings.HasPrefix(rest[len(sign):], closing) {
		return false
	}
	l.emit(token{kind: kind})
	l.take(len(sign) + 2)
	if kind == tokVariableEnd && sign == "" {
		return true
	}
	l.afterTag(sign)
	return true
}

func (l *lexer) operator(open []byte) []byte {
	rest := l.src[l.pos:]
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch c := op[0]; c {
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || !strings.Contains("()[]{}", string(open[len(open)-1])+op) {
				l.fail("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(token{kind: tokenKind(op)})
		l.take(len(op))
		return open
	}
	r, _ := utf8.DecodeRuneInString(rest)
	l.fail("unexpected char %q", r)
	return nil
}

// digits is the length of the digits of s in a base, where single underscores
// may stand between them.
func digits(s string, base int) int {
	n := 0
	for n < len(s) {
		i := n
		if s[i] == '_' && n > 0 {
			i++
		}
		if i >= len(s) || digitValue(s[i]) >= base {
			break
		}
		n = i + 1
	}
	return n
}

func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 99
}

func (l *lexer) number() {
	rest := l.src[l.pos:]
	whole := digits(rest, 10)
	n := whole
	if n+1 < len(rest) && rest[n] == '.' {
		if d := digits(rest[n+1:], 10); d > 0 {
			n += 1 + d
		}
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		sign := 0
		if n+1 < len(rest) && (rest[n+1] == '+' || rest[n+1] == '-') {
			sign = 1
		}
		if d := digits(rest[n+1+sign:], 10); d > 0 {
			n += 1 + sign + d
		}
	}
	if n > whole && !(l.pos > 0 && l.src[l.pos-1] == '.') {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64)
		l.emit(token{kind: tokFloat, num: f})
		l.take(n)
		return
	}
	base, prefix := 10, 0
	if len(rest) > 2 && rest[0] == '0' {
		switch rest[1] | 0x20 {
		case 'b':
			base, prefix = 2, 2
		case 'o':
			base, prefix = 8, 2
		case 'x':
			base, prefix = 16, 2
		}
	}
	body := rest[prefix:]
	if prefix > 0 && body[0] == '_' {
		prefix, body = prefix+1, body[1:]
	}
	n = digits(body, base)
	switch {
	case prefix > 0 && n == 0: // 0x without digits: a zero, then a name
		prefix, n, body, base = 0, 1, rest, 10
	case base == 10 && rest[0] == '0': // no leading zeros
		n = len(rest[:n]) - len(strings.TrimLeft(rest[:n], "0_"))
		n = len(strings.TrimRight(rest[:n], "_"))
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(body[:n], "_", ""), base, 64)
	if err != nil {
		l.fail("integer out of range")
	}
	l.emit(token{kind: tokInteger, num: i})
	l.take(prefix + n)
}

// string reads a literal and resolves its escapes as Python does.
func (l *lexer) string(quote byte) {
	rest := l.src[l.pos:]
	end := 1
	for end < len(rest) && rest[end] != quote {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		l.fail("unexpected char %q", quote)
	}
	l.emit(token{kind: tokString, text: l.unescape(rest[1:end])})
	l.take(end + 1)
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

func (l *lexer) unescape(s string) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch text, ok := simpleEscapes[c]; {
		case ok:
			b.WriteString(text)
		case width > 0:
			if i+width > len(s) {
				l.fail("truncated \\%c escape", c)
			}
			code, err := strconv.ParseUint(s[i:i+width], 16, 32)
			if err != nil || code > unicode.MaxRune {
				l.fail("bad \\%c escape", c)
			}
			b.WriteRune(rune(code))
			i += width
		case c >= '0' && c <= '7':
			n := 1
			for n < 3 && i-1+n < len(s) && s[i-1+n] >= '0' && s[i-1+n] <= '7' {
				n++
			}
			code, _ := strconv.ParseUint(s[i-1:i-1+n], 8, 32)
			b.WriteRune(rune(code))
			i += n - 1
		case c == 'N':
			l.fail("named characters (\\N) are not supported")
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}
