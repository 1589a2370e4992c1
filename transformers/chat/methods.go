package chat

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// methodFunc is a method of self.
type methodFunc func(r *run, self value, a callArgs) value

// changes tells the methods that would change a list or dict. The sandbox
// keeps them from templates.
func changes(obj value, name string) bool {
	switch obj.(type) {
	case *list:
		return slices.Contains([]string{"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}, name)
	case *dict:
		return slices.Contains([]string{"clear", "pop", "popitem", "setdefault", "update"}, name)
	}
	return false
}

// method is a method of obj by its name; nil if there is none.
func method(obj value, name string) methodFunc {
	switch obj.(type) {
	case string:
		return stringMethod(name)
	case *dict:
		return dictMethod(name)
	case *list:
		if name == "copy" {
			return func(_ *run, self value, _ callArgs) value { return self }
		}
		return sequenceMethod(name)
	case *tuple, *span:
		return sequenceMethod(name)
	case float64:
		if name == "is_integer" {
			return func(_ *run, self value, _ callArgs) value { return self.(float64) == float64(int64(self.(float64))) }
		}
	}
	return nil
}

func sequenceMethod(name string) methodFunc {
	switch name {
	case "count":
		return func(r *run, self value, a callArgs) value {
			b := r.bind(name, a, 1, "value")
			n := int64(0)
			for _, item := range r.items(self) {
				if r.equal(item, b.values[0]) {
					n++
				}
			}
			return n
		}
	case "index":
		return func(r *run, self value, a callArgs) value {
			b := r.bind(name, a, 1, "value", "start", "stop")
			items := r.items(self)
			from, to := window(b.value(1, nil), b.value(2, nil), len(items))
			for i := from; i < to; i++ {
				if r.equal(items[i], b.values[0]) {
					return int64(i)
				}
			}
			r.fail("%s is not in list", r.reprString(b.values[0]))
			return nil
		}
	}
	return nil
}

func dictMethod(name string) methodFunc {
	switch name {
	case "get":
		return func(r *run, self value, a callArgs) value {
			b := r.bind(name, a, 1, "key", "default")
			if v, ok := r.lookup(self.(*dict), b.values[0]); ok {
				return v
			}
			return b.value(1, nil)
		}
	case "keys", "values", "items":
		return func(r *run, self value, a callArgs) value {
			r.bind(name, a, 0)
			return r.view(self.(*dict), name)
		}
	case "copy":
		return func(_ *run, self value, _ callArgs) value { return self }
	}
	return nil
}

// view is d.keys(), d.values() or d.items().
func (r *run) view(d *dict, name string) *view {
	v := &view{kind: "dict_" + name, of: d}
	switch name {
	case "keys":
		v.items = d.keys
	case "values":
		v.items = d.values
	default:
		r.alloc(48 * len(d.keys))
		for i, k := range d.keys {
			v.items = append(v.items, &tuple{[]value{k, d.values[i]}})
		}
	}
	return v
}

// window resolves the optional bounds of a search in n items.
func window(start, stop value, n int) (from, to int) {
	clamp := func(v value, none int) int {
		i, _, isFloat, ok := number(v)
		if v == nil || !ok || isFloat {
			return none
		}
		if i < 0 {
			i += int64(n)
		}
		return int(min(max(i, 0), int64(n)))
	}
	return clamp(start, 0), clamp(stop, n)
}

// stringMethod is a method of str.
func stringMethod(name string) methodFunc {
	if f := caseMethod(name); f != nil {
		return func(r *run, self value, a callArgs) value {
			r.bind(name, a, 0)
			s := self.(string)
			r.alloc(len(s))
			return f(s)
		}
	}
	if f := isMethod(name); f != nil {
		return func(r *run, self value, a callArgs) value {
			r.bind(name, a, 0)
			r.step(len(self.(string)) / 64)
			return f(self.(string))
		}
	}
	f := textMethod(name)
	if f == nil {
		return nil
	}
	return func(r *run, self value, a callArgs) value {
		s := self.(string)
		r.step(len(s) / 64)
		return f(r, s, a)
	}
}

// textMethod is a method of str that takes arguments.
func textMethod(name string) func(r *run, s string, a callArgs) value {
	switch name {
	case "strip", "lstrip", "rstrip":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 0, "chars")
			chars, ok := b.optional(0)
			return strip(s, name, chars, ok)
		}
	case "split", "rsplit":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 0, "sep", "maxsplit")
			sep, ok := b.optional(0)
			if ok && sep == "" {
				r.fail("empty separator")
			}
			return r.stringList(split(s, sep, ok, b.integer(1, -1), name == "rsplit"))
		}
	case "splitlines":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 0, "keepends")
			return r.stringList(splitLines(s, b.truth(0, false)))
		}
	case "startswith", "endswith":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 1, "prefix", "start", "end")
			return r.hasAffix(name, cut(s, b), b.values[0])
		}
	case "replace":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 2, "old", "new", "count")
			return r.replace(s, b.str(0, ""), b.str(1, ""), b.integer(2, -1))
		}
	case "join":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 1, "iterable")
			items := r.items(b.values[0])
			parts := make([]string, len(items))
			for i, item := range items {
				part, ok := item.(string)
				if !ok {
					r.fail("sequence item %d: expected str instance, %s found", i, typeName(item))
				}
				parts[i] = part
			}
			return r.joinStrings(parts, s)
		}
	case "find", "rfind", "index", "rindex", "count":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 1, "sub", "start", "end")
			return r.search(name, s, b)
		}
	case "center", "ljust", "rjust":
		return func(r *run, s string, a callArgs) value {
			b := r.bind(name, a, 1, "width", "fillchar")
			fill := b.str(1, " ")
			if utf8.RuneCountInString(fill) != 1 {
				r.fail("the fill character must be exactly one character long")
			}
			return r.pad(s, name, r.sized(b.integer(0, 0)), fill)
		}
	case "zfill":
		return func(r *run, s string, a callArgs) value {
			width := r.sized(r.bind(name, a, 1, "width").integer(0, 0))
			sign := ""
			if s != "" && (s[0] == '+' || s[0] == '-') {
				sign, s, width = s[:1], s[1:], width-1
			}
			return sign + r.pad(s, "rjust", width, "0")
		}
	case "partition", "rpartition":
		return func(r *run, s string, a callArgs) value {
			sep := r.bind(name, a, 1, "sep").str(0, "")
			if sep == "" {
				r.fail("empty separator")
			}
			if name == "partition" {
				if before, after, ok := strings.Cut(s, sep); ok {
					return &tuple{[]value{before, sep, after}}
				}
				return &tuple{[]value{s, "", ""}}
			}
			if at := strings.LastIndex(s, sep); at >= 0 {
				return &tuple{[]value{s[:at], sep, s[at+len(sep):]}}
			}
			return &tuple{[]value{"", "", s}}
		}
	case "removeprefix":
		return func(r *run, s string, a callArgs) value {
			return strings.TrimPrefix(s, r.bind(name, a, 1, "prefix").str(0, ""))
		}
	case "removesuffix":
		return func(r *run, s string, a callArgs) value {
			return strings.TrimSuffix(s, r.bind(name, a, 1, "suffix").str(0, ""))
		}
	case "expandtabs":
		return func(r *run, s string, a callArgs) value {
			return r.expandTabs(s, r.sized(r.bind(name, a, 0, "tabsize").integer(0, 8)))
		}
	case "format":
		return func(r *run, s string, a callArgs) value { return r.format(s, a) }
	}
	return nil
}

func (r *run) stringList(parts []string) value {
	items := make([]value, len(parts))
	for i, p := range parts {
		items[i] = p
	}
	return r.newList(items)
}

func strip(s, name, chars string, given bool) string {
	drop := isSpace
	if given {
		drop = func(c rune) bool { return strings.ContainsRune(chars, c) }
	}
	if name != "rstrip" {
		s = strings.TrimLeftFunc(s, drop)
	}
	if name != "lstrip" {
		s = strings.TrimRightFunc(s, drop)
	}
	return s
}

// split is str.split and rsplit; without a separator at runs of white space.
func split(s, sep string, given bool, limit int64, right bool) []string {
	if limit < 0 {
		limit = int64(len(s)) + 1
	}
	var out []string
	if right {
		for ; limit > 0; limit-- {
			if !given {
				if s = trimRightSpace(s); s == "" {
					break
				}
			}
			start, end := cutRight(s, sep, given)
			if end < 0 {
				break
			}
			out = append(out, s[end:])
			s = s[:start]
		}
		if !given {
			s = trimRightSpace(s)
		}
		if given || s != "" {
			out = append(out, s)
		}
		slices.Reverse(out)
		return out
	}
	for ; limit > 0; limit-- {
		if !given {
			if s = trimLeftSpace(s); s == "" {
				return out
			}
		}
		start, end := strings.Index(s, sep), 0
		if given {
			end = start + len(sep)
		} else if start = strings.IndexFunc(s, isSpace); start >= 0 {
			_, n := utf8.DecodeRuneInString(s[start:])
			end = start + n
		}
		if start < 0 {
			break
		}
		out = append(out, s[:start])
		s = s[end:]
	}
	if !given {
		s = trimLeftSpace(s)
	}
	if given || s != "" {
		out = append(out, s)
	}
	return out
}

// cutRight finds the last separator: the text before it ends at start, the
// text after it begins at end, which is -1 without one.
func cutRight(s, sep string, given bool) (start, end int) {
	if given {
		at := strings.LastIndex(s, sep)
		if at < 0 {
			return 0, -1
		}
		return at, at + len(sep)
	}
	at := strings.LastIndexFunc(s, isSpace)
	if at < 0 {
		return 0, -1
	}
	_, n := utf8.DecodeRuneInString(s[at:])
	return at, at + n
}

func splitLines(s string, keep bool) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		end := i
		i += n
		switch c {
		case '\r':
			if i < len(s) && s[i] == '\n' {
				i++
			}
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		default:
			continue
		}
		if keep {
			end = i
		}
		out = append(out, s[start:end])
		start = i
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// cut is the window of s that arguments 1 and 2 name, in characters.
func cut(s string, b bound) string {
	if !b.given(1) && !b.given(2) {
		return s
	}
	from, to := window(b.value(1, nil), b.value(2, nil), utf8.RuneCountInString(s))
	if from >= to {
		return ""
	}
	return runeSlice(s, from, to)
}

func (r *run) hasAffix(name, s string, affix value) bool {
	if t, ok := affix.(*tuple); ok {
		return slices.ContainsFunc(t.items, func(v value) bool { return r.hasAffix(name, s, v) })
	}
	a, ok := affix.(string)
	if !ok {
		r.defined(affix)
		r.fail("%s first arg must be str or a tuple of str, not %s", name, typeName(affix))
	}
	if name == "startswith" {
		return strings.HasPrefix(s, a)
	}
	return strings.HasSuffix(s, a)
}

func (r *run) replace(s, old, with string, count int64) string {
	n := int64(strings.Count(s, old))
	if count >= 0 {
		n = min(n, count)
	}
	grow := int64(len(with)-len(old)) * n
	r.alloc(r.sized(int64(len(s)) + max(grow, 0)))
	return strings.Replace(s, old, with, int(n))
}

func (r *run) joinStrings(parts []string, sep string) string {
	n := len(sep) * len(parts)
	for _, p := range parts {
		n += len(p)
	}
	r.alloc(n)
	return strings.Join(parts, sep)
}

// search is find, rfind, index, rindex and count, in characters.
func (r *run) search(name, s string, b bound) value {
	sub := b.str(0, "")
	from, _ := window(b.value(1, nil), nil, utf8.RuneCountInString(s))
	s = cut(s, b)
	if name == "count" {
		return int64(strings.Count(s, sub))
	}
	at := strings.Index(s, sub)
	if name[0] == 'r' {
		at = strings.LastIndex(s, sub)
	}
	if at < 0 {
		if strings.HasSuffix(name, "index") {
			r.fail("substring not found")
		}
		return int64(-1)
	}
	return int64(from + utf8.RuneCountInString(s[:at]))
}

// pad is center, ljust and rjust to a width in characters.
func (r *run) pad(s, how string, width int, fill string) string {
	missing := width - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s
	}
	r.alloc(len(s) + missing*len(fill))
	left := 0
	switch how {
	case "rjust":
		left = missing
	case "center":
		left = missing/2 + missing&width&1
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, missing-left)
}

func (r *run) expandTabs(s string, size int) string {
	r.alloc(r.sized(int64(len(s)) + int64(strings.Count(s, "\t"))*int64(size)))
	var b strings.Builder
	column := 0
	for _, c := range s {
		switch c {
		case '\t':
			if size > 0 {
				n := size - column%size
				column += n
				b.WriteString(strings.Repeat(" ", n))
			}
			continue
		case '\n', '\r':
			column = -1
		}
		column++
		b.WriteRune(c)
	}
	return b.String()
}
