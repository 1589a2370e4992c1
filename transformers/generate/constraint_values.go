package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ordered is a JSON object with its members in order.
type ordered struct {
	keys   []string
	values map[string]any
}

func decodeOrdered(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeNext(dec, 0)
	if err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func decodeNext(dec *json.Decoder, depth int) (any, error) {
	if depth > 4*maxSchemaDepth {
		return nil, errors.New("nested too deep")
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decodeNext(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	case json.Delim('{'):
		o := &ordered{values: map[string]any{}}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeNext(dec, depth+1)
			if err != nil {
				return nil, err
			}
			key := k.(string)
			if _, twice := o.values[key]; !twice {
				o.keys = append(o.keys, key)
			}
			o.values[key] = v
		}
		_, err := dec.Token()
		return o, err
	}
	return t, nil
}

// compact writes a value as the only spelling that a constant has.
func compact(v any) string {
	switch v := v.(type) {
	case string:
		return quoteJSON(v)
	case json.Number:
		return string(v)
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, compact(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *ordered:
		var parts []string
		for _, k := range v.keys {
			parts = append(parts, quoteJSON(k)+":"+compact(v.values[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// disjoint tells that no document can be valid for both schemas, where that is
// easy to see.
func (c *compiler) disjoint(x, y any) bool {
	a, b := c.behindRefs(x), c.behindRefs(y)
	if a == nil || b == nil {
		return false
	}
	if va, vb := constants(a), constants(b); va != nil && vb != nil {
		return !slices.ContainsFunc(va, func(v string) bool { return slices.Contains(vb, v) })
	}
	ta, tb := c.types(a), c.types(b)
	if ta == nil || tb == nil {
		return false
	}
	common := slices.DeleteFunc(slices.Clone(ta), func(t string) bool {
		return !slices.ContainsFunc(tb, func(u string) bool {
			return t == u || t == "number" && u == "integer" || t == "integer" && u == "number"
		})
	})
	if len(common) == 0 {
		return true
	}
	if !slices.Equal(common, []string{"object"}) {
		return false
	}
	pa, pb := requiredConstants(c, a), requiredConstants(c, b)
	for name, va := range pa {
		vb := pb[name]
		if vb != nil && !slices.ContainsFunc(va, func(v string) bool { return slices.Contains(vb, v) }) {
			return true
		}
	}
	return false
}

// behindRefs follows references; nil for what is no object, or goes round.
func (c *compiler) behindRefs(v any) *ordered {
	for range maxSchemaDepth {
		o, ok := v.(*ordered)
		if !ok {
			return nil
		}
		ref, ok := o.values["$ref"].(string)
		if !ok {
			return o
		}
		if ref != "#" && !strings.HasPrefix(ref, "#/") {
			return nil
		}
		v = c.resolve(ref)
	}
	return nil
}

// constants are the values of enum or const; strings and such, not numbers,
// which have many spellings.
func constants(o *ordered) []string {
	list, ok := o.values["enum"].([]any)
	if v, isConst := o.values["const"]; isConst {
		list, ok = []any{v}, true
	}
	if !ok {
		return nil
	}
	out := []string{}
	for _, v := range list {
		switch v.(type) {
		case string, bool, nil:
			out = append(out, compact(v))
		default:
			return nil
		}
	}
	return out
}

func requiredConstants(c *compiler, o *ordered) map[string][]string {
	out := map[string][]string{}
	props, _ := o.values["properties"].(*ordered)
	required, _ := o.values["required"].([]any)
	for _, r := range required {
		name, _ := r.(string)
		if props == nil {
			continue
		}
		if p := c.behindRefs(props.values[name]); p != nil {
			if v := constants(p); v != nil {
				out[name] = v
			}
		}
	}
	return out
}
