package chat

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// jsonDump is Python's json.dumps with the arguments that the tojson filter of
// transformers passes on.
type jsonDump struct {
	r           *run
	b           strings.Builder
	ascii, sort bool
	indent      string
	lines       bool // with indent: every item on a line
	item, colon string
}

// tojson is the filter of that name. The positional arguments are those of
// transformers: ensure_ascii comes first.
func tojson(r *run, x value, a callArgs) value {
	b := r.bind("tojson", a, 0, "ensure_ascii", "indent", "separators", "sort_keys")
	d := &jsonDump{r: r, ascii: b.truth(0, false), sort: b.truth(3, false), item: ", ", colon: ": "}
	switch indent := b.value(1, nil).(type) {
	case nil:
	case string:
		d.indent, d.lines, d.item = indent, true, ","
	default:
		d.indent, d.lines, d.item = strings.Repeat(" ", r.sized(min(b.integer(1, 0), 1<<16))), true, ","
	}
	if s := b.value(2, nil); s != nil {
		parts := r.items(s)
		if len(parts) != 2 {
			r.fail("tojson: separators are a pair")
		}
		item, ok1 := parts[0].(string)
		colon, ok2 := parts[1].(string)
		if !ok1 || !ok2 {
			r.fail("tojson: separators are strings")
		}
		d.item, d.colon = item, colon
	}
	d.value(x, 0)
	return d.b.String()
}

func (d *jsonDump) put(s string) {
	d.r.alloc(len(s))
	d.b.WriteString(s)
}

func (d *jsonDump) newline(level int) {
	if d.lines {
		d.put("\n")
		for range level {
			d.put(d.indent)
		}
	}
}

func (d *jsonDump) value(v value, level int) {
	d.r.enter()
	defer d.r.leave()
	switch v := v.(type) {
	case nil:
		d.put("null")
	case bool:
		d.put(fmt.Sprint(v))
	case int64, *big.Int:
		d.put(d.r.str(v))
	case float64:
		d.put(jsonFloat(v))
	case string:
		d.string(v)
	case *list:
		d.array(v.items, level)
	case *tuple:
		d.array(v.items, level)
	case *dict:
		d.object(v, level)
	default:
		d.r.fail("Object of type %s is not JSON serializable", typeName(v))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatRepr(f)
}

func (d *jsonDump) array(items []value, level int) {
	if len(items) == 0 {
		d.put("[]")
		return
	}
	d.put("[")
	for i, item := range items {
		if i > 0 {
			d.put(d.item)
		}
		d.newline(level + 1)
		d.value(item, level+1)
	}
	d.newline(level)
	d.put("]")
}

func (d *jsonDump) object(v *dict, level int) {
	if len(v.keys) == 0 {
		d.put("{}")
		return
	}
	order := make([]int, len(v.keys))
	for i := range order {
		order[i] = i
	}
	if d.sort {
		slices.SortStableFunc(order, func(i, j int) int { return d.r.order("<", v.keys[i], v.keys[j]) })
	}
	d.put("{")
	for n, i := range order {
		if n > 0 {
			d.put(d.item)
		}
		d.newline(level + 1)
		d.key(v.keys[i])
		d.put(d.colon)
		d.value(v.values[i], level+1)
	}
	d.newline(level)
	d.put("}")
}

func (d *jsonDump) key(k value) {
	switch k := k.(type) {
	case string:
		d.string(k)
	case nil:
		d.put(`"null"`)
	case bool:
		d.put(fmt.Sprintf(`"%v"`, k))
	case int64, *big.Int:
		d.put(`"` + d.r.str(k) + `"`)
	case float64:
		d.put(`"` + jsonFloat(k) + `"`)
	default:
		d.r.fail("keys must be str, int, float, bool or None, not %s", typeName(k))
	}
}

func (d *jsonDump) string(s string) {
	out := make([]byte, 0, len(s)+2)
	out = append(out, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', byte(c))
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\f':
			out = append(out, `\f`...)
		case c == '\b':
			out = append(out, `\b`...)
		case c < ' ':
			out = appendHex(append(out, `\u`...), c, 4)
		case d.ascii && c >= 0x10000:
			c -= 0x10000
			out = appendHex(append(out, `\u`...), 0xd800+c>>10, 4)
			out = appendHex(append(out, `\u`...), 0xdc00+c&0x3ff, 4)
		case d.ascii && c >= 0x7f && c != 0x7f:
			out = appendHex(append(out, `\u`...), c, 4)
		default:
			out = utf8.AppendRune(out, c)
		}
	}
	d.put(string(append(out, '"')))
}
