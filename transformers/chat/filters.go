package chat

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filterFunc is a filter applied to x.
type filterFunc func(r *run, x value, a callArgs) value

// filterNamed is the filter of that name; nil if there is none.
func filterNamed(name string) filterFunc {
	switch name {
	case "tojson":
		return tojson
	case "trim":
		return func(r *run, x value, a callArgs) value {
			chars, ok := r.bind(name, a, 0, "chars").optional(0)
			return strip(r.str(x), "strip", chars, ok)
		}
	case "upper", "lower", "capitalize":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return caseMethod(name)(r.str(x))
		}
	case "title":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return titleWords(r.str(x))
		}
	case "string":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return r.str(x)
		}
	case "safe":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return markup(r.str(x))
		}
	case "default", "d":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "default_value", "boolean")
			if _, undef := x.(*undefined); undef || b.truth(1, false) && !truth(x) {
				return b.value(0, "")
			}
			return x
		}
	case "length", "count":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			n, ok := length(x)
			if !ok {
				r.fail("object of type '%s' has no len()", typeName(x))
			}
			return int64(n)
		}
	case "replace":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 2, "old", "new", "count")
			count := int64(-1)
			if b.value(2, nil) != nil {
				count = b.integer(2, -1)
			}
			return r.replace(r.str(x), r.str(b.values[0]), r.str(b.values[1]), count)
		}
	case "indent":
		return indent
	case "truncate":
		return truncate
	case "center":
		return func(r *run, x value, a callArgs) value {
			return r.pad(r.str(x), "center", r.sized(r.bind(name, a, 0, "width").integer(0, 80)), " ")
		}
	case "escape", "e", "forceescape":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return r.escape(r.str(x))
		}
	case "wordcount":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			s := r.str(x)
			r.step(len(s) / 64)
			return int64(len(strings.FieldsFunc(s, func(c rune) bool { return !isWord(c) })))
		}
	case "format":
		return func(r *run, x value, a callArgs) value {
			if len(a.names) > 0 {
				r.fail("format: keyword arguments are not supported")
			}
			return r.percent(r.str(x), &tuple{a.args})
		}
	case "urlencode":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return r.urlEncode(x)
		}
	case "int":
		return toInt
	case "float":
		return toFloat
	case "abs":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			i, f, isFloat, ok := number(x)
			switch {
			case !ok:
				r.fail("bad operand type for abs(): '%s'", typeName(x))
			case isFloat:
				return math.Abs(f)
			case i == math.MinInt64:
				r.overflow()
			}
			return max(i, -i)
		}
	case "round":
		return round
	case "attr":
		return func(r *run, x value, a callArgs) value {
			attr := r.bind(name, a, 1, "name").str(0, "")
			if _, ok := x.(*undefined); !ok {
				if v, ok := r.attribute(x, attr); ok {
					return v
				}
			}
			return r.missing(x, attr)
		}
	}
	return listFilter(name)
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

func (r *run) escape(s string) markup {
	r.alloc(6 * len(s))
	return markup(htmlEscaper.Replace(s))
}

// titleWords is the filter title: a word begins behind a space, a hyphen or an
// opening bracket.
func titleWords(s string) string {
	var b strings.Builder
	start := true
	for _, c := range s {
		switch {
		case c == '-' || isSpace(c) || strings.ContainsRune("({[<", c):
			start = true
			b.WriteRune(c)
			continue
		case start:
			b.WriteString(upper(string(c)))
		default:
			b.WriteString(lower(string(c)))
		}
		start = false
	}
	return b.String()
}

func indent(r *run, x value, a callArgs) value {
	b := r.bind("indent", a, 0, "width", "first", "blank")
	s, ok := x.(string)
	if !ok {
		r.defined(x)
		r.fail("indent: the value must be str, not %s", typeName(x))
	}
	by, isString := b.value(0, int64(4)).(string)
	if !isString {
		n := r.sized(b.integer(0, 4))
		r.alloc(n)
		by = strings.Repeat(" ", n)
	}
	lines := splitLines(s+"\n", false)
	r.alloc(len(s) + len(by)*len(lines))
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteByte('\n')
		}
		if i > 0 && (line != "" || b.truth(2, false)) || i == 0 && b.truth(1, false) {
			out.WriteString(by)
		}
		out.WriteString(line)
	}
	return out.String()
}

func truncate(r *run, x value, a callArgs) value {
	b := r.bind("truncate", a, 0, "length", "killwords", "end", "leeway")
	n, end, leeway := b.integer(0, 255), b.str(2, "..."), int64(5)
	if b.value(3, nil) != nil {
		leeway = b.integer(3, 5)
	}
	keep := n - int64(utf8.RuneCountInString(end))
	if keep < 0 || leeway < 0 {
		r.fail("truncate: expected a greater length")
	}
	if size, ok := length(x); ok && int64(size) <= n+leeway {
		return x
	}
	s, ok := x.(string)
	if !ok {
		r.fail("truncate: the value must be str, not %s", typeName(x))
	}
	s = runeSlice(s, 0, int(keep))
	if !b.truth(1, false) {
		if at := strings.LastIndexByte(s, ' '); at >= 0 {
			s = s[:at]
		}
	}
	return s + end
}

func (r *run) urlEncode(x value) value {
	quoteFor := func(v value, safe string) string {
		s := r.str(v)
		r.alloc(3 * len(s))
		var b strings.Builder
		for i := range len(s) {
			c := s[i]
			switch {
			case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-~"+safe, c) >= 0:
				b.WriteByte(c)
			case c == ' ' && safe == "":
				b.WriteByte('+')
			default:
				b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
			}
		}
		return b.String()
	}
	if _, isString := x.(string); isString || !typeTest("iterable")(x) {
		return quoteFor(x, "/")
	}
	pairs := r.items(x)
	if d, ok := x.(*dict); ok {
		pairs = r.view(d, "items").items
	}
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		kv := r.items(p)
		if len(kv) != 2 {
			r.fail("urlencode: expected pairs")
		}
		parts[i] = quoteFor(kv[0], "") + "=" + quoteFor(kv[1], "")
	}
	return r.joinStrings(parts, "&")
}

// parseInt is int(s, base).
func parseInt(s string, base int) (int64, bool) {
	s = strings.ToLower(strip(s, "strip", "", false))
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if strings.HasPrefix(s, prefix) && (base == b || base == 0) {
			s, base = strings.TrimPrefix(s[2:], "_"), b
		}
	}
	if base == 0 {
		base = 10
	}
	if base < 2 || base > 36 || s == "" || s[0] == '-' || s[0] == '+' || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return 0, false
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), base, 64)
	if neg {
		i = -i
	}
	return i, err == nil
}

func toInt(r *run, x value, a callArgs) value {
	b := r.bind("int", a, 0, "default", "base")
	f, ok := 0.0, false
	switch x := x.(type) {
	case string:
		if i, ok := parseInt(x, int(b.integer(1, 10))); ok {
			return i
		}
		f, ok = parseFloat(x)
	case float64:
		f, ok = x, true
	case *big.Int:
		return x
	case *undefined:
		r.defined(x)
	default:
		if i, _, _, ok := number(x); ok {
			return i
		}
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return b.value(0, int64(0))
	}
	if math.Abs(f) >= 1<<63 {
		r.overflow()
	}
	return int64(f)
}

// parseFloat is float(s).
func parseFloat(s string) (float64, bool) {
	s = strings.ToLower(strip(s, "strip", "", false))
	switch strings.TrimLeft(s, "+-") {
	case "inf", "infinity", "nan":
	default:
		if strings.ContainsAny(s, "xpin") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func toFloat(r *run, x value, a callArgs) value {
	b := r.bind("float", a, 0, "default")
	switch x := x.(type) {
	case string:
		if f, ok := parseFloat(x); ok {
			return f
		}
	case *undefined:
		r.defined(x)
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	default:
		if _, f, _, ok := number(x); ok {
			return f
		}
	}
	return b.value(0, 0.0)
}

func round(r *run, x value, a callArgs) value {
	b := r.bind("round", a, 0, "precision", "method")
	i, f, isFloat, ok := number(x)
	if !ok {
		r.defined(x)
		r.fail("type %s doesn't define __round__ method", typeName(x))
	}
	if b.value(0, absent{}) == nil && isFloat {
		return int64(math.RoundToEven(f))
	} else if b.value(0, absent{}) == nil {
		return i
	}
	digits := b.integer(0, 0)
	if digits > 300 || digits < -300 {
		r.fail("round: precision out of range")
	}
	scale := math.Pow(10, float64(digits))
	if !isFloat && digits >= 0 {
		f = float64(i)
	}
	switch b.str(1, "common") {
	case "common":
		if !isFloat {
			if digits >= 0 {
				return i
			}
			return int64(math.RoundToEven(float64(i)*scale) / scale)
		}
		if digits >= 0 {
			f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
			return f
		}
		return math.RoundToEven(f*scale) / scale
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	}
	r.fail("method must be common, ceil or floor")
	return nil
}
