package card

import (
	"fmt"
	"strconv"
)

// Text is a scalar field as a string, "" if it is absent, a list or a mapping.
func (d Data) Text(key string) string { return text(d[key]) }

// List is a field that holds a string or a list of them; other items, and
// duplicates, are left out. Mappings, which old dataset cards use to give
// values by configuration, yield their values.
func (d Data) List(key string) []string {
	var out []string
	seen := map[string]bool{}
	collect(d[key], 0, func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	})
	return out
}

func collect(v any, depth int, add func(string)) {
	switch v := v.(type) {
	case []any:
		if depth < 2 {
			for _, item := range v {
				collect(item, depth+1, add)
			}
		}
	case map[string]any:
		if depth < 2 {
			for _, k := range sortedKeys(v) {
				collect(v[k], depth+1, add)
			}
		}
	default:
		add(text(v))
	}
}

// text spells a scalar as JavaScript would.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return fmt.Sprint(v)
	}
	return ""
}
