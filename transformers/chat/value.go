package chat

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// value is what a template computes with: nil (None), bool, int64, *big.Int
// (an integer of the input beyond 64 bits), float64, string, and the types
// below. None of them changes after it was made, except namespaces, loops and
// generators, which belong to one rendering.
type value any

type (
	list  struct{ items []value }
	tuple struct{ items []value }
	// view is what dict.keys(), values() and items() give.
	view struct {
		kind  string
		items []value
		of    *dict
	}
	span struct{ start, stop, step, n int64 } // range()
	// generator gives its items once.
	// markup is the text that the filters safe and escape give: + escapes
	// what is joined to it. Everywhere else it is its string; see plain.
	markup    string
	generator struct {
		kind string // as Python names it in str()
		next func() (value, bool)
	}
	// undefined is the value of a name that does not exist. Most uses of it
	// fail with what.
	undefined struct{ what string }
	namespace struct{ attrs *dict }
	// builtin is a function or a bound method.
	builtin struct {
		name string
		call func(r *run, a callArgs) value
	}
	macro struct {
		*signature
		name  string
		scope *scope
		line  int
	}
)

// callArgs are the arguments of one call.
type callArgs struct {
	args   []value
	names  []string
	values []value
}

func undefinedName(name string) *undefined { return &undefined{quote(name) + " is undefined"} }

// plain makes a markup a string.
func plain(v value) value {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return v
}

func (r *run) newList(items []value) *list {
	r.alloc(16 * len(items))
	return &list{items}
}

// typeName is Python's name of the type of v.
func typeName(v value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, markup:
		return "str"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "dict"
	case *view:
		return v.kind
	case *span:
		return "range"
	case *generator:
		return v.kind
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	}
	return "builtin_function_or_method"
}

func truth(v value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *undefined:
		return false
	}
	if n, ok := length(v); ok {
		return n > 0
	}
	return true
}

// length is len(v), where v has one.
func length(v value) (int, bool) {
	switch v := plain(v).(type) {
	case string:
		return utf8.RuneCountInString(v), true
	case *list:
		return len(v.items), true
	case *tuple:
		return len(v.items), true
	case *dict:
		return len(v.keys), true
	case *view:
		return len(v.items), true
	case *span:
		return int(v.n), true
	case *undefined:
		return 0, true
	case *loop:
		return v.length(), true
	}
	return 0, false
}

// iterator walks over v once. It fails where v cannot be walked over.
func (r *run) iterator(v value) func() (value, bool) {
	var items []value
	switch v := v.(type) {
	case string:
		rest := v
		return func() (value, bool) {
			if rest == "" {
				return nil, false
			}
			r.step(1)
			_, n := utf8.DecodeRuneInString(rest)
			c := rest[:n]
			rest = rest[n:]
			return c, true
		}
	case *list:
		items = v.items
	case *tuple:
		items = v.items
	case *dict:
		items = v.keys
	case *view:
		items = v.items
	case *span:
		i := int64(0)
		return func() (value, bool) {
			if i >= v.n {
				return nil, false
			}
			r.step(1)
			i++
			return v.start + (i-1)*v.step, true
		}
	case *generator:
		return func() (value, bool) {
			r.step(1)
			return v.next()
		}
	case *loop:
		return func() (value, bool) {
			item, ok := v.advance()
			if !ok {
				return nil, false
			}
			return &tuple{[]value{item, v}}, true
		}
	case *undefined:
	default:
		r.fail("'%s' object is not iterable", typeName(v))
	}
	i := 0
	return func() (value, bool) {
		if i >= len(items) {
			return nil, false
		}
		r.step(1)
		i++
		return items[i-1], true
	}
}

// items is list(v), not to be changed.
func (r *run) items(v value) []value {
	switch v := v.(type) {
	case *list:
		return v.items
	case *tuple:
		return v.items
	case *dict:
		return v.keys
	case *view:
		return v.items
	}
	var out []value
	next := r.iterator(v)
	for item, ok := next(); ok; item, ok = next() {
		r.alloc(16)
		out = append(out, item)
	}
	return out
}

// str is Python's str(v).
func (r *run) str(v value) string {
	switch v := plain(v).(type) {
	case string:
		return v
	case *undefined:
		return ""
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case *big.Int:
		return v.String()
	case float64:
		return floatRepr(v)
	}
	var b strings.Builder
	r.repr(&b, v)
	return b.String()
}

// reprString is Python's repr(v).
func (r *run) reprString(v value) string {
	var b strings.Builder
	r.repr(&b, v)
	return b.String()
}

func (r *run) repr(b *strings.Builder, v value) {
	r.enter()
	defer r.leave()
	at := b.Len()
	put := func(s string) {
		r.alloc(len(s))
		b.WriteString(s)
	}
	each := func(open string, items []value, closing string) {
		put(open)
		for i, item := range items {
			if i > 0 {
				put(", ")
			}
			r.repr(b, item)
		}
		put(closing)
	}
	switch v := v.(type) {
	case string:
		put(quote(v))
	case *undefined:
		put("Undefined")
	case *list:
		each("[", v.items, "]")
	case *tuple:
		if len(v.items) == 1 {
			each("(", v.items, ",)")
		} else {
			each("(", v.items, ")")
		}
	case *view:
		each(v.kind+"([", v.items, "])")
	case *dict:
		put("{")
		for i, k := range v.keys {
			if i > 0 {
				put(", ")
			}
			r.repr(b, k)
			put(": ")
			r.repr(b, v.values[i])
		}
		put("}")
	case *namespace:
		put("<Namespace ")
		r.repr(b, v.attrs)
		put(">")
	case *span:
		put("range(" + strconv.FormatInt(v.start, 10) + ", " + strconv.FormatInt(v.stop, 10))
		if v.step != 1 {
			put(", " + strconv.FormatInt(v.step, 10))
		}
		put(")")
	case *macro:
		put("<Macro " + quote(v.name) + ">")
	case *generator:
		put("<" + v.kind + " object>")
	case *builtin:
		put("<function " + v.name + ">")
	case *loop:
		put("<LoopContext " + strconv.Itoa(v.index0+1) + "/" + strconv.Itoa(v.length()) + ">")
	default:
		put(r.str(v))
	}
	r.step((b.Len() - at) / 64)
}

// floatRepr is Python's repr of a float.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exp, _ := strings.Cut(s, "e")
	if e, _ := strconv.Atoi(exp); e >= -4 && e < 16 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return mantissa + "e" + exp
}

// quote is Python's repr of a string.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := make([]byte, 0, len(s)+2)
	b = append(b, q)
	for _, c := range s {
		switch {
		case c == rune(q) || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c == 0x7f:
			b = appendHex(append(b, `\x`...), c, 2)
		case c < 0x7f || isPrintable(c):
			b = utf8.AppendRune(b, c)
		case c < 0x100:
			b = appendHex(append(b, `\x`...), c, 2)
		case c < 0x10000:
			b = appendHex(append(b, `\u`...), c, 4)
		default:
			b = appendHex(append(b, `\U`...), c, 8)
		}
	}
	return string(append(b, q))
}

func appendHex(b []byte, c rune, digits int) []byte {
	const hex = "0123456789abcdef"
	for i := (digits - 1) * 4; i >= 0; i -= 4 {
		b = append(b, hex[c>>i&15])
	}
	return b
}

func isPrintable(c rune) bool { return unicode.IsPrint(c) }

func isDigit(c rune) bool { return c >= '0' && c <= '9' }

// isWord: letters, digits and the underscore of identifiers.
func isWord(c rune) bool {
	return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) || (c > 0x7f && unicode.In(c, unicode.M, unicode.Nl, unicode.Pc))
}

// isSpace is str.isspace of one character.
func isSpace(c rune) bool { return unicode.IsSpace(c) || (c >= 0x1c && c <= 0x1f) }

func trimLeftSpace(s string) string  { return strings.TrimLeftFunc(s, isSpace) }
func trimRightSpace(s string) string { return strings.TrimRightFunc(s, isSpace) }
