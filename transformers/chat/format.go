package chat

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is how a value is laid out, by % or by str.format.
type spec struct {
	fill      string
	align     byte // < > ^ =, 0 for the type's own
	sign      byte // + or space
	alt, zero bool
	comma     byte // , or _ between thousands
	width     int
	precision int // -1 without
	verb      byte
}

// percent is s % arg.
func (r *run) percent(s string, arg value) value {
	args := []value{arg}
	if t, ok := arg.(*tuple); ok {
		args = t.items
	}
	mapping, _ := arg.(*dict)
	used := 0
	take := func() value {
		if used == len(args) {
			r.fail("not enough arguments for format string")
		}
		used++
		return args[used-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		var key string
		hasKey := false
		if i < len(s) && s[i] == '(' {
			end := strings.IndexByte(s[i:], ')')
			if end < 0 || mapping == nil {
				r.fail("format requires a mapping")
			}
			key, hasKey = s[i+1:i+end], true
			i += end + 1
		}
		f := spec{fill: " ", precision: -1, align: '>'}
		for ; i < len(s) && strings.IndexByte("-+ #0", s[i]) >= 0; i++ {
			switch s[i] {
			case '-':
				f.align = '<'
			case '#':
				f.alt = true
			case '0':
				f.zero = true
			case '+':
				f.sign = '+'
			default:
				if f.sign == 0 {
					f.sign = ' '
				}
			}
		}
		number := func() int {
			if i < len(s) && s[i] == '*' {
				i++
				n, _, isFloat, ok := number(take())
				if !ok || isFloat || n < 0 {
					r.fail("* wants int")
				}
				return r.sized(n)
			}
			start := i
			for i < len(s) && isDigit(rune(s[i])) {
				i++
			}
			n, err := strconv.ParseInt("0"+s[start:i], 10, 64)
			if err != nil {
				r.alloc(-1)
			}
			return r.sized(n)
		}
		f.width = number()
		if i < len(s) && s[i] == '.' {
			i++
			f.precision = number()
		}
		if i == len(s) {
			r.fail("incomplete format")
		}
		f.verb = s[i]
		if f.verb == '%' {
			b.WriteByte('%')
			continue
		}
		var v value
		if hasKey {
			item, ok := mapping.get(key)
			if !ok {
				r.fail("KeyError: %s", quote(key))
			}
			v = item
		} else {
			v = take()
		}
		text := r.percentVerb(f, v)
		r.alloc(len(text))
		b.WriteString(text)
	}
	if used < len(args) && !subscriptable(arg) {
		r.fail("not all arguments converted during string formatting")
	}
	r.alloc(b.Len())
	return b.String()
}

// subscriptable tells the values that % takes for a mapping, which need not be
// used.
func subscriptable(v value) bool {
	switch v.(type) {
	case *dict, *list, *span, *undefined:
		return true
	}
	return false
}

func (r *run) percentVerb(f spec, v value) string {
	switch f.verb {
	case 's', 'r', 'a':
		text := ""
		if f.verb == 's' {
			text = r.str(v)
		} else {
			text = r.reprString(v)
		}
		f.zero = false
		return r.layout(f, "", f.cut(text))
	case 'c':
		if i, ok := v.(int64); ok {
			v = string(rune(i))
		}
		return r.layout(f, "", r.str(v))
	case 'd', 'i', 'u':
		if x, ok := v.(float64); ok {
			if !(math.Abs(x) < 1<<63) {
				r.overflow()
			}
			v = int64(x)
		}
		f.verb = 'd'
	}
	if f.align == '<' {
		f.zero = false
	}
	return r.formatNumber(f, v)
}

func (f spec) cut(s string) string {
	if f.precision >= 0 && utf8.RuneCountInString(s) > f.precision {
		return runeSlice(s, 0, f.precision)
	}
	return s
}

// formatNumber lays out a number by its verb.
func (r *run) formatNumber(f spec, v value) string {
	i, x, isFloat, ok := number(v)
	if !ok {
		r.defined(v)
		r.fail("%%%c format: a number is required, not %s", f.verb, typeName(v))
	}
	if f.precision > 1000 {
		r.fail("precision too big")
	}
	neg := x < 0 || math.Signbit(x) && isFloat
	digits := ""
	switch f.verb {
	case 'd', 'x', 'X', 'o', 'b', 'n':
		if isFloat {
			r.fail("%%%c format: an integer is required, not float", f.verb)
		}
		base := map[byte]int{'d': 10, 'n': 10, 'x': 16, 'X': 16, 'o': 8, 'b': 2}[f.verb]
		digits = strings.TrimPrefix(strconv.FormatInt(i, base), "-")
		for len(digits) < f.precision {
			digits = "0" + digits
		}
		if f.verb == 'X' {
			digits = strings.ToUpper(digits)
		}
		if f.alt && base != 10 {
			digits = "0" + string(f.verb) + digits
		}
	case 'e', 'E', 'f', 'F', 'g', 'G', '%', 0:
		digits = f.floatDigits(math.Abs(x))
	default:
		r.fail("unsupported format character %q", rune(f.verb))
	}
	if f.comma != 0 {
		digits = thousands(digits, string(f.comma))
	}
	sign := ""
	switch {
	case neg:
		sign = "-"
	case f.sign != 0:
		sign = string(f.sign)
	}
	if f.align == 0 {
		f.align = '>'
	}
	return r.layout(f, sign, digits)
}

// floatDigits writes a float that is not negative.
func (f spec) floatDigits(x float64) string {
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	verb := f.verb | 0x20
	switch {
	case math.IsInf(x, 0):
		return "inf"
	case math.IsNaN(x):
		return "nan"
	case f.verb == 0 && f.precision < 0:
		return floatRepr(x)
	case f.verb == '%':
		return strconv.FormatFloat(x*100, 'f', precision, 64) + "%"
	case f.verb == 0 || verb == 'g':
		precision = max(precision, 1)
		e, _ := strconv.Atoi(strings.SplitN(strconv.FormatFloat(x, 'e', precision-1, 64), "e", 2)[1])
		limit := precision
		if f.verb == 0 {
			limit = precision - 1
		}
		s := ""
		if x != 0 && (e < -4 || e >= limit) {
			s = strconv.FormatFloat(x, 'e', precision-1, 64)
			mantissa, exp, _ := strings.Cut(s, "e")
			s = trimZeros(mantissa) + "e" + exp
		} else {
			s = trimZeros(strconv.FormatFloat(x, 'f', max(precision-1-e, 0), 64))
			if f.verb == 0 && !strings.Contains(s, ".") {
				s += ".0"
			}
		}
		if f.verb == 'G' {
			s = strings.ToUpper(s)
		}
		return s
	}
	s := strconv.FormatFloat(x, verb, precision, 64)
	if f.verb == 'E' {
		s = strings.ToUpper(s)
	}
	return s
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func thousands(digits, sep string) string {
	n := 0
	for n < len(digits) && isDigit(rune(digits[n])) {
		n++
	}
	out := digits[n:]
	for ; n > 3; n -= 3 {
		out = sep + digits[n-3:n] + out
	}
	return digits[:n] + out
}

// layout pads sign and body to the width.
func (r *run) layout(f spec, sign, body string) string {
	missing := f.width - utf8.RuneCountInString(sign) - utf8.RuneCountInString(body)
	if missing <= 0 {
		return sign + body
	}
	r.alloc(missing * max(len(f.fill), 1))
	if f.zero && f.align != '<' && f.align != '^' {
		return sign + strings.Repeat("0", missing) + body
	}
	switch f.align {
	case '<':
		return sign + body + strings.Repeat(f.fill, missing)
	case '^':
		return strings.Repeat(f.fill, missing/2) + sign + body + strings.Repeat(f.fill, missing-missing/2)
	case '=':
		return sign + strings.Repeat(f.fill, missing) + body
	}
	return strings.Repeat(f.fill, missing) + sign + body
}

// format is str.format.
func (r *run) format(s string, a callArgs) value {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '{' && s[i] != '}':
			b.WriteByte(s[i])
			continue
		case i+1 < len(s) && s[i+1] == s[i]:
			b.WriteByte(s[i])
			i++
			continue
		case s[i] == '}':
			r.fail("single '}' encountered in format string")
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			r.fail("single '{' encountered in format string")
		}
		field := s[i+1 : i+end]
		i += end
		field, layout, _ := strings.Cut(field, ":")
		field, conversion, _ := strings.Cut(field, "!")
		v := r.field(field, a, &auto)
		switch conversion {
		case "":
		case "r":
			v = r.reprString(v)
		case "s":
			v = r.str(v)
		default:
			r.fail("unknown conversion specifier %s", quote(conversion))
		}
		text := r.formatValue(layout, v)
		r.alloc(len(text))
		b.WriteString(text)
	}
	r.alloc(b.Len())
	return b.String()
}

// field finds the value of {name.attr[key]}.
func (r *run) field(field string, a callArgs, auto *int) value {
	n := strings.IndexAny(field, ".[")
	if n < 0 {
		n = len(field)
	}
	first, rest := field[:n], field[n:]
	var v value
	if first == "" {
		first = strconv.Itoa(*auto)
		*auto++
	}
	if at, err := strconv.Atoi(first); err == nil {
		if at < 0 || at >= len(a.args) {
			r.fail("replacement index %d out of range for positional args tuple", at)
		}
		v = a.args[at]
	} else {
		found := false
		for i, name := range a.names {
			if name == first {
				v, found = a.values[i], true
			}
		}
		if !found {
			r.fail("KeyError: %s", quote(first))
		}
	}
	for rest != "" {
		r.step(1)
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			v, rest = r.getattr(v, rest[1:1+n]), rest[1+n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if n < 0 || rest[0] != '[' {
			r.fail("missing ']' in format string")
		}
		var key value = rest[1:n]
		if at, err := strconv.ParseInt(rest[1:n], 10, 64); err == nil {
			key = at
		}
		v, rest = r.getitem(v, key), rest[n+1:]
	}
	return v
}

// formatValue is format(v, layout).
func (r *run) formatValue(layout string, v value) string {
	if layout == "" {
		return r.str(v)
	}
	f := spec{fill: " ", precision: -1}
	rest := layout
	if c, n := utf8.DecodeRuneInString(rest); len(rest) > n && strings.IndexByte("<>^=", rest[n]) >= 0 {
		f.fill, f.align, rest = string(c), rest[n], rest[n+1:]
	} else if strings.IndexByte("<>^=", rest[0]) >= 0 {
		f.align, rest = rest[0], rest[1:]
	}
	flag := func(set string) byte {
		if rest == "" || strings.IndexByte(set, rest[0]) < 0 {
			return 0
		}
		c := rest[0]
		rest = rest[1:]
		return c
	}
	number := func() int {
		n := digits(rest, 10)
		i, err := strconv.ParseInt("0"+rest[:n], 10, 64)
		if err != nil {
			r.alloc(-1)
		}
		rest = rest[n:]
		return r.sized(i)
	}
	f.sign = flag("+- ")
	if f.sign == '-' {
		f.sign = 0
	}
	f.alt = flag("#") != 0
	f.zero = flag("0") != 0 && f.align == 0
	f.width = number()
	f.comma = flag(",_")
	if flag(".") != 0 {
		f.precision = number()
	}
	if rest != "" {
		f.verb, rest = rest[0], rest[1:]
	}
	if rest != "" {
		r.fail("invalid format specifier %s", quote(layout))
	}
	if s, ok := v.(string); ok {
		if f.verb != 0 && f.verb != 's' || f.align == '=' {
			r.fail("invalid format specifier %s for object of type 'str'", quote(layout))
		}
		if f.align == 0 {
			f.align = '<'
		}
		return r.layout(f, "", f.cut(s))
	}
	if _, isFloat := v.(float64); !isFloat && f.verb == 0 {
		f.verb = 'd'
	}
	return r.formatNumber(f, v)
}
