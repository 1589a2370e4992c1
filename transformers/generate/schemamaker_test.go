package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// schemaMaker makes random schemas and documents for them.
type schemaMaker struct{ r *rand.Rand }

// member and node are a schema whose properties keep their order.
type schemaNode struct {
	kind     string
	words    map[string]any
	names    []string
	required map[string]bool
	more     *schemaNode // additional properties
	inner    []*schemaNode
}

// MarshalJSON writes the schema.
func (n *schemaNode) MarshalJSON() ([]byte, error) {
	var parts []string
	put := func(k string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		parts = append(parts, fmt.Sprintf("%q:%s", k, data))
	}
	for k, v := range n.words {
		put(k, v)
	}
	switch n.kind {
	case "object":
		var props, required []string
		for i, name := range n.names {
			data, err := json.Marshal(n.inner[i])
			if err != nil {
				return nil, err
			}
			key, _ := json.Marshal(name)
			props = append(props, fmt.Sprintf("%s:%s", key, data))
			if n.required[name] {
				required = append(required, string(key))
			}
		}
		parts = append(parts, `"properties":{`+strings.Join(props, ",")+`}`, `"required":[`+strings.Join(required, ",")+`]`)
		if n.more != nil {
			put("additionalProperties", n.more)
		} else {
			put("additionalProperties", false)
		}
	case "array":
		put("items", n.inner[0])
	case "anyOf":
		put("anyOf", n.inner)
	}
	if n.kind != "anyOf" && n.kind != "enum" {
		put("type", n.kind)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

var someNames = []string{"a", "b", "name", "id", "value", "n\"q", "é", "a b", "na", "x\ny"}

// patterns with texts that they match.
var somePatterns = map[string][]string{
	"^[a-c]+$":         {"a", "abccba"},
	"^\\d{3}(-\\d)?$":  {"123", "456-7"},
	"x":                {"x", "axé", "\nx\""},
	"^(foo|bar)?baz":   {"baz", "foobaz", "barbaz!"},
	"^\\w+@[^\"\\\\]$": {"a@b", "x_1@é"},
	"世|界$":             {"世", "a界"},
}

var someFormats = map[string][]string{
	"date":      {"2024-02-29", "1987-11-05"},
	"date-time": {"2024-02-29T12:34:56Z", "2001-01-01T00:00:00.5-03:30"},
	"ipv4":      {"127.0.0.1", "255.0.10.99"},
	"ipv6":      {"::1", "2001:db8::ff00:42:8329"},
	"email":     {"a@b.c", "x.y+z@example.org"},
	"uuid":      {"123e4567-e89b-12d3-a456-426614174000"},
}

func (g *schemaMaker) schema(depth int) *schemaNode {
	kinds := []string{"string", "string", "integer", "number", "boolean", "null", "enum", "object", "object", "array", "anyOf"}
	if depth == 0 {
		kinds = kinds[:7]
	}
	n := &schemaNode{kind: kinds[g.r.IntN(len(kinds))], words: map[string]any{}}
	switch n.kind {
	case "string":
		switch g.r.IntN(5) {
		case 0:
			lo := g.r.IntN(4)
			n.words["minLength"], n.words["maxLength"] = lo, lo+g.r.IntN(5)
		case 1:
			n.words["pattern"] = pickKey(g.r, somePatterns)
		case 2:
			n.words["format"] = pickKey(g.r, someFormats)
		}
	case "integer", "number":
		lo := g.r.IntN(400) - 200
		if g.r.IntN(2) == 0 {
			n.words[[]string{"minimum", "exclusiveMinimum"}[g.r.IntN(2)]] = lo
		}
		if g.r.IntN(2) == 0 {
			n.words[[]string{"maximum", "exclusiveMaximum"}[g.r.IntN(2)]] = lo + 2 + g.r.IntN(1500)
		}
	case "enum":
		n.words["enum"] = []any{"red", 3, nil, true, "gr\"ün"}[:1+g.r.IntN(5)]
	case "object":
		n.required = map[string]bool{}
		for _, i := range g.r.Perm(len(someNames))[:g.r.IntN(5)] {
			n.names = append(n.names, someNames[i])
			n.inner = append(n.inner, g.schema(depth-1))
			n.required[someNames[i]] = g.r.IntN(2) == 0
		}
		if g.r.IntN(3) == 0 {
			n.more = g.schema(depth - 1)
		}
	case "array":
		n.inner = []*schemaNode{g.schema(depth - 1)}
		if g.r.IntN(2) == 0 {
			lo := g.r.IntN(3)
			n.words["minItems"], n.words["maxItems"] = lo, lo+g.r.IntN(3)
		}
	case "anyOf":
		for range 1 + g.r.IntN(3) {
			n.inner = append(n.inner, g.schema(depth-1))
		}
	}
	return n
}

func pickKey[V any](r *rand.Rand, m map[string]V) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys[r.IntN(len(keys))]
}

func plainJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// document makes a valid document, compact, with the properties in order.
func (g *schemaMaker) document(n *schemaNode) string {
	r := g.r
	switch n.kind {
	case "string":
		if p, ok := n.words["pattern"].(string); ok {
			return plainJSON(somePatterns[p][r.IntN(len(somePatterns[p]))])
		}
		if f, ok := n.words["format"].(string); ok {
			return plainJSON(someFormats[f][r.IntN(len(someFormats[f]))])
		}
		lo, hi := 0, 8
		if v, ok := n.words["minLength"].(int); ok {
			lo, hi = v, n.words["maxLength"].(int)
		}
		s := make([]rune, lo+r.IntN(hi-lo+1))
		for i := range s {
			s[i] = []rune("abc \"\\\n\té世🌍/<&\x01\x7f")[r.IntN(16)]
		}
		return plainJSON(string(s))
	case "integer", "number":
		lo, hasLo := n.words["minimum"].(int)
		if v, ok := n.words["exclusiveMinimum"].(int); ok {
			lo, hasLo = v+1, true
		}
		hi, hasHi := n.words["maximum"].(int)
		if v, ok := n.words["exclusiveMaximum"].(int); ok {
			hi, hasHi = v-1, true
		}
		switch {
		case !hasLo && !hasHi:
			lo, hi = -100000, 100000
		case !hasLo:
			lo = hi - 5000
		case !hasHi:
			hi = lo + 5000
		}
		x := lo + r.IntN(hi-lo+1)
		if n.kind == "number" && x < hi && x >= 0 && r.IntN(2) == 0 {
			return fmt.Sprintf("%d.%d", x, r.IntN(1000))
		}
		return fmt.Sprint(x)
	case "boolean":
		return []string{"true", "false"}[r.IntN(2)]
	case "enum":
		list := n.words["enum"].([]any)
		return plainJSON(list[r.IntN(len(list))])
	case "object":
		var parts []string
		for i, name := range n.names {
			if n.required[name] || r.IntN(2) == 0 {
				parts = append(parts, plainJSON(name)+":"+g.document(n.inner[i]))
			}
		}
		for i := range r.IntN(3) {
			if n.more != nil {
				parts = append(parts, fmt.Sprintf(`"%c%c":%s`, 'n'+rune(i), "b\u00e9z"[0], g.document(n.more)))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	case "array":
		lo, hi := 0, 4
		if v, ok := n.words["minItems"].(int); ok {
			lo, hi = v, n.words["maxItems"].(int)
		}
		var parts []string
		for range lo + r.IntN(hi-lo+1) {
			parts = append(parts, g.document(n.inner[0]))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case "anyOf":
		return g.document(n.inner[r.IntN(len(n.inner))])
	}
	return "null"
}
