package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// byteVocabulary has every byte as a token, pieces of JSON, and token 0 for
// the end.
func byteVocabulary(r *rand.Rand) *Vocabulary {
	tokens := [][]byte{nil}
	for b := range 256 {
		tokens = append(tokens, []byte{byte(b)})
	}
	for _, s := range []string{`{"`, `":`, `","`, `"}`, `, `, `": "`, `\"`, `\u00`, `[]`, `{}`, `true`, `null`, `"]`, `]}`, `}}`, "世界", "🌍", `",`, "\n  ", `[[`, `12`, `-1`, `.5`, `abc`, `"a":1,"b":`, `1}`, `a"`} {
		tokens = append(tokens, []byte(s))
	}
	for range 300 {
		t := make([]byte, 1+r.IntN(6))
		for i := range t {
			t[i] = `{}[]",: abcdxyz0123456789-\.eEu`[r.IntN(31)]
		}
		tokens = append(tokens, t)
	}
	return NewVocabulary(tokens)
}

// follow draws tokens until the document ends, and checks each mask against
// reading all tokens one by one.
func follow(t *testing.T, s *Schema, v *Vocabulary, r *rand.Rand, check bool) ([]byte, bool) {
	t.Helper()
	c := s.Constrain(v)
	var doc []byte
	for step := range 400 {
		scores := make([]float32, len(v.tokens))
		c.Mask(scores, []uint32{0})
		var allowed, closing []uint32
		for id, x := range scores {
			if x != negInf {
				allowed = append(allowed, uint32(id))
				if id > 0 && bytes.ContainsAny(v.tokens[id], `]}"`) {
					closing = append(closing, uint32(id))
				}
			}
		}
		if check {
			for id := 1; id < len(v.tokens); id++ {
				ok := c.fork().Accept(uint32(id)) == nil
				if ok != slices.Contains(allowed, uint32(id)) {
					t.Fatalf("behind %q the mask says %v of %q, reading it %v", doc, !ok, v.tokens[id], ok)
				}
			}
		}
		if (scores[0] != negInf) != c.Complete() {
			t.Fatalf("behind %q the end is allowed: %v, complete: %v", doc, scores[0] != negInf, c.Complete())
		}
		if len(allowed) == 0 {
			t.Fatalf("behind %q nothing is allowed", doc)
		}
		if c.Complete() && (step > 60 || r.IntN(4) == 0 || len(allowed) == 1) {
			return doc, true
		}
		if step > 60 && len(closing) > 0 && r.IntN(2) == 0 {
			allowed = closing // end at some time
		}
		id := allowed[r.IntN(len(allowed))]
		if id == 0 {
			return doc, true
		}
		if err := c.Accept(id); err != nil {
			t.Fatalf("behind %q: %v", doc, err)
		}
		doc = append(doc, v.tokens[id]...)
	}
	return doc, false
}

// accepts tells whether a document passes byte by byte.
func accepts(s *Schema, v *Vocabulary, doc string) bool {
	c := s.Constrain(v)
	return c.AcceptBytes([]byte(doc)) == nil && c.Complete()
}

func TestConstraintCases(t *testing.T) {
	v := byteVocabulary(rand.New(rand.NewPCG(1, 2)))
	for _, c := range []struct {
		schema  string
		yes, no []string
	}{
		{`{"type": "string"}`, []string{`""`, `"aé世🌍"`, `"\"\\\/\b\f\n\r\t\u00e9\ud83c\udf0d"`}, []string{`"`, `a`, "\"\n\"", `"\x"`, `"\u12"`, `"\ud83c"`, `"\udf0d"`, "\"\xff\"", "\"\xe4\xb8\"", ` ""`, `"" `}},
		{`{"type": "string", "minLength": 2, "maxLength": 3}`, []string{`"ab"`, `"世界🌍"`, `"\u00e9\n"`}, []string{`"a"`, `"abcd"`, `""`}},
		{`{"type": "string", "minLength": 1}`, []string{`"a"`, `"abc"`}, []string{`""`}},
		{`{"type": "integer"}`, []string{`0`, `-0`, `-12`, `99999999999999999999`}, []string{`01`, `+1`, `1.0`, `1e3`, `-`, ``}},
		{`{"type": "number"}`, []string{`0`, `-1.5`, `1e9`, `1E-9`, `0.10`}, []string{`01`, `1.`, `.5`, `1e`, `--1`, `NaN`}},
		{`{"type": "integer", "minimum": -5, "maximum": 120}`, []string{`-5`, `0`, `9`, `10`, `99`, `120`, `-1`}, []string{`-6`, `121`, `1000`, `-10`, `00`, `-0`}},
		{`{"type": "integer", "minimum": 17}`, []string{`17`, `99`, `100`, `123456`}, []string{`16`, `9`, `-20`, `1`}},
		{`{"type": "integer", "exclusiveMaximum": 0}`, []string{`-1`, `-100`}, []string{`0`, `1`, `-0`}},
		{`{"type": "integer", "minimum": 1.5, "maximum": 3.9}`, []string{`2`, `3`}, []string{`1`, `4`}},
		{`{"type": "number", "minimum": 0, "maximum": 1}`, []string{`0`, `0.5`, `1`, `1.00`, `0.999`}, []string{`1.01`, `-0.1`, `2`, `1e0`}},
		{`{"type": "number", "exclusiveMinimum": 0}`, []string{`0.001`, `12.50`, `7`}, []string{`0`, `0.0`, `-1`}},
		{`{"type": "number", "minimum": -2, "exclusiveMaximum": 10}`, []string{`-2`, `-2.0`, `-1.99`, `-0.5`, `9.99`}, []string{`-2.1`, `10`, `10.0`}},
		{`{"type": "boolean"}`, []string{`true`, `false`}, []string{`True`, `1`}},
		{`{"type": ["null", "integer"]}`, []string{`null`, `3`}, []string{`"null"`, `nul`}},
		{`{"enum": ["a", 1, null, {"x": [true]}, "é\n"]}`, []string{`"a"`, `1`, `null`, `{"x":[true]}`, `"é\n"`}, []string{`"b"`, `2`, `{"x":true}`}},
		{`{"type": "string", "enum": ["a", 1]}`, []string{`"a"`}, []string{`1`}},
		{`{"const": "x"}`, []string{`"x"`}, []string{`"y"`, `x`}},
		{`{"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}`, []string{`[1]`, `[1, 2]`, "[\n  1,\n  2,\n  3\n]"}, []string{`[]`, `[1,2,3,4]`, `[1,]`, `[,1]`, `["a"]`, `[1 ,2]`}},
		{`{"type": "array", "items": {"type": "integer"}, "minItems": 2}`, []string{`[1,2]`, `[1,2,3,4,5]`}, []string{`[1]`}},
		{`{"type": "array", "maxItems": 0}`, []string{`[]`, `[ ]`}, []string{`[1]`}},
		{`{"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}`, []string{`["a",1]`, `["a"]`, `[]`}, []string{`["a",1,2]`, `[1]`}},
		{`{"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "null"}}`, []string{`["a",null,null]`, `[]`}, []string{`["a",1]`, `[null]`}},
		{`{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a", "b"], "additionalProperties": false}`,
			[]string{`{"a":1,"b":"x"}`, `{"a": 1, "b": "x"}`, "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"}, []string{`{"a":1}`, `{"b":"x","a":1}`, `{}`, `{"a":1,"b":"x","c":1}`, `{"a":1,"b":"x",}`, `{"a":1,"a":1,"b":"x"}`}},
		{`{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}}, "required": ["b"]}`,
			[]string{`{"b":1}`, `{"a":1,"b":2}`, `{"b":1,"c":2}`, `{"a":1,"b":2,"c":3}`}, []string{`{}`, `{"a":1}`, `{"a":1,"c":1}`, `{"b":1,"a":2}`}},
		{`{"type": "object", "properties": {"a": true, "é\"": {"type": "null"}}, "additionalProperties": {"type": "integer"}}`,
			[]string{`{}`, `{"a":"x"}`, `{"a":1,"é\"":null,"b":2,"aa":3,"é":4}`, `{"b":2}`, `{"":1}`}, []string{`{"b":"x"}`, `{"b":1,"a":2}`, `{"\u0061":1}`, `{"é\"":1}`}},
		{`{"type": "object"}`, []string{`{}`, `{"x":[1,{"y":null}],"z":"\u00e9"}`}, []string{`[]`, `{x:1}`}},
		{`{"type": "object", "additionalProperties": {"type": "integer"}}`, []string{`{}`, `{"a":1,"b":2}`}, []string{`{"a":"1"}`}},
		{`{}`, []string{`1`, `"a"`, `{"a":[]}`, `null`}, []string{``, `x`}},
		{`true`, []string{`1`, `[]`}, []string{`]`}},
		{`{"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}`, []string{`12`, `"a"`}, []string{`"ab"`, `true`}},
		{`{"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}, "v": {"type": "integer"}}, "required": ["k", "v"]}, {"type": "object", "properties": {"k": {"enum": ["b", "c"]}}, "required": ["k"]}]}`,
			[]string{`{"k":"a","v":1}`, `{"k":"b"}`}, []string{`{"k":"a"}`, `{"k":"c","v":1}`}},
		{`{"allOf": [{"type": "null"}]}`, []string{`null`}, []string{`1`}},
		{`{"$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["v", "next"]}}, "$ref": "#/$defs/node"}`,
			[]string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}`}, []string{`{"v":1}`, `{"v":1,"next":{}}`}},
		{`{"type": "object", "properties": {"c": {"type": "array", "items": {"$ref": "#"}}}}`, []string{`{}`, `{"c":[{"c":[]},{}]}`}, []string{`{"c":[1]}`}},
		{`{"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}`, []string{`"AB-1"`, `"XY-123"`}, []string{`"A-1"`, `"AB-"`, `"ab-1"`, `"AB-1x"`}},
		{`{"type": "string", "pattern": "b+c"}`, []string{`"bc"`, `"xxbbcyy"`, `"\n\"bc\\"`}, []string{`"b"`, `"cb"`}},
		{`{"type": "string", "pattern": "^(?i)yes|no$"}`, []string{`"YES!"`, `"yEs"`, `"oh no"`, `"No"`}, []string{`"nope"`, `"ye"`}},
		{`{"type": "string", "pattern": "^.é世\"$"}`, []string{`"xé世\""`, `"🌍é世\""`}, []string{`"\né世\""`, `"é世\""`}},
		{`{"type": "string", "format": "date"}`, []string{`"2024-02-29"`, `"1999-12-31"`, `"2000-02-29"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2024-13-01"`, `"2024-04-31"`}},
		{`{"type": "string", "format": "date-time"}`, []string{`"2024-02-29T23:59:59Z"`, `"2024-01-01T00:00:00.123+02:00"`}, []string{`"2024-01-01 00:00:00Z"`, `"2024-01-01T24:00:00Z"`}},
		{`{"type": "string", "format": "uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567"`}},
		{`{"type": "string", "format": "ipv6"}`, []string{`"::"`, `"::1"`, `"fe80::1"`, `"1:2:3:4:5:6:7:8"`, `"1::"`}, []string{`"1:2"`, `":1"`}},
	} {
		s, err := CompileSchema([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		for _, doc := range c.yes {
			if !accepts(s, v, doc) {
				t.Errorf("%s refuses %s", c.schema, doc)
			}
		}
		for _, doc := range c.no {
			if accepts(s, v, doc) {
				t.Errorf("%s accepts %s", c.schema, doc)
			}
		}
	}
	if s := JSONObject(); !accepts(s, v, `{"a":[1]}`) || accepts(s, v, `[1]`) {
		t.Error("JSONObject is not any object")
	}
}

func TestSchemasRefused(t *testing.T) {
	for schema, path := range map[string]string{
		`{"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 3}}}`: "/properties/a/multipleOf",
		`{"not": {"type": "null"}}`:                            "/not",
		`{"type": "array", "uniqueItems": true}`:               "/uniqueItems",
		`{"type": "object", "patternProperties": {}}`:          "/patternProperties",
		`{"type": "whatever"}`:                                 "",
		`{"type": "string", "pattern": "(?=a)"}`:               "",
		`{"type": "string", "pattern": "a\\bc"}`:               "",
		`{"type": "string", "pattern": "(x{1000}){1000}"}`:     "",
		`{"type": "string", "format": "iban"}`:                 "",
		`{"type": "string", "format": "date", "minLength": 3}`: "",
		`{"$ref": "#"}`: "",
		`{"anyOf": [{"$ref": "#"}, {"type": "null"}]}`:         "",
		`{"$ref": "https://example.org/x"}`:                    "",
		`{"$ref": "#/$defs/x"}`:                                "",
		`{"oneOf": [{"type": "integer"}, {"type": "number"}]}`: "",
		`{"oneOf": [{"enum": ["a"]}, {"enum": ["a", "b"]}]}`:   "",
		`{"allOf": [{}, {}]}`:                                  "",
		`{"anyOf": []}`:                                        "",
		`{"enum": []}`:                                         "",
		`{"type": "string", "enum": [1]}`:                      "",
		`false`:                                                "",
		`3`:                                                    "",
		`{"type": "object", "required": ["a"]}`:                "",
		`{"type": "number", "minimum": 0.5}`:                   "",
		`{"type": "integer", "minimum": 3, "maximum": 2}`:      "",
		`{"type": "integer", "minimum": 3, "exclusiveMaximum": 4, "exclusiveMinimum": 3}`: "",
		`{"type": "string", "minLength": 3, "maxLength": 2}`:                              "",
		`{"type": "string", "maxLength": 1000000}`:                                        "",
		`{"type": "array", "minItems": -1}`:                                               "",
		`{"type": "array", "items": false, "minItems": 1}`:                                "",
		`{"type": "string", "minimum": 3}`:                                                "/minimum",
		`{"type": "object", "anyOf": [{"type": "object"}]}`:                               "/type",
	} {
		_, err := CompileSchema([]byte(schema))
		var e *UnsupportedSchemaError
		if !errors.As(err, &e) {
			t.Errorf("%s: got the error %v, want an UnsupportedSchemaError", schema, err)
		} else if path != "" && e.Path != path {
			t.Errorf("%s: the error is at %s, want %s", schema, e.Path, path)
		}
	}
	deep := strings.Repeat(`{"items":`, 1000) + "true" + strings.Repeat("}", 1000)
	for _, schema := range []string{deep, `{`, ``, `{} {}`} {
		if _, err := CompileSchema([]byte(schema)); err == nil {
			t.Errorf("%.40q was accepted", schema)
		}
	}
}

// TestConstraintProperties: for random schemas, whatever gets through the
// masks is valid, and every valid document of a generator gets through.
func TestConstraintProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	v := byteVocabulary(r)
	done := 0
	for i := range 400 {
		g := &schemaMaker{r: r}
		schema := g.schema(3)
		data, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		s, err := CompileSchema(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		var plain map[string]any
		if err := json.Unmarshal(data, &plain); err != nil {
			t.Fatal(err)
		}
		for k := range 4 {
			doc, ok := follow(t, s, v, r, i%40 == 0 && k == 0)
			if !ok {
				continue
			}
			done++
			if why := invalid(plain, decoded(t, doc)); why != "" {
				t.Fatalf("%s\nlet %s through: %s", data, doc, why)
			}
		}
		for range 6 {
			doc := g.document(schema)
			if why := invalid(plain, decoded(t, []byte(doc))); why != "" {
				t.Fatalf("the test made %s for %s: %s", doc, data, why)
			}
			if !accepts(s, v, doc) {
				t.Fatalf("%s\nrefuses %s", data, doc)
			}
		}
	}
	if done < 1000 {
		t.Errorf("only %d documents came to an end", done)
	}
}

func decoded(t *testing.T, doc []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q is not JSON: %v", doc, err)
	}
	if dec.More() || !json.Valid(doc) || !utf8.Valid(doc) {
		t.Fatalf("%q is not one JSON value", doc)
	}
	return v
}

// invalid is a small validator of JSON schemas: it says why v is not valid, ""
// if it is.
func invalid(schema map[string]any, v any) string {
	num := func(k string) (*big.Rat, bool) {
		f, ok := schema[k].(float64)
		if !ok {
			return nil, false
		}
		return new(big.Rat).SetFloat64(f), true
	}
	if c, ok := schema["enum"]; ok {
		for _, x := range c.([]any) {
			a, _ := json.Marshal(x)
			b, _ := json.Marshal(v)
			if bytes.Equal(a, b) {
				return ""
			}
		}
		return "not in enum"
	}
	if alts, ok := schema["anyOf"]; ok {
		for _, a := range alts.([]any) {
			if invalid(a.(map[string]any), v) == "" {
				return ""
			}
		}
		return "no alternative holds"
	}
	switch v := v.(type) {
	case string:
		n := utf8.RuneCountInString(v)
		if lo, ok := schema["minLength"].(float64); ok && n < int(lo) {
			return "too short"
		}
		if hi, ok := schema["maxLength"].(float64); ok && n > int(hi) {
			return "too long"
		}
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return "pattern"
		}
		if f, ok := schema["format"].(string); ok && !validFormat(f, v) {
			return "format " + f
		}
		return ofType(schema, "string")
	case json.Number:
		x, ok := new(big.Rat).SetString(string(v))
		if !ok {
			return ofType(schema, "number") // 1e999999999 is a number
		}
		if b, ok := num("minimum"); ok && x.Cmp(b) < 0 {
			return "under minimum"
		}
		if b, ok := num("maximum"); ok && x.Cmp(b) > 0 {
			return "over maximum"
		}
		if b, ok := num("exclusiveMinimum"); ok && x.Cmp(b) <= 0 {
			return "under exclusiveMinimum"
		}
		if b, ok := num("exclusiveMaximum"); ok && x.Cmp(b) >= 0 {
			return "over exclusiveMaximum"
		}
		if x.IsInt() && ofType(schema, "integer") == "" {
			return ""
		}
		return ofType(schema, "number")
	case bool:
		return ofType(schema, "boolean")
	case nil:
		return ofType(schema, "null")
	case []any:
		if lo, ok := schema["minItems"].(float64); ok && len(v) < int(lo) {
			return "too few items"
		}
		if hi, ok := schema["maxItems"].(float64); ok && len(v) > int(hi) {
			return "too many items"
		}
		for i, item := range v {
			if s, ok := schema["items"].(map[string]any); ok {
				if why := invalid(s, item); why != "" {
					return fmt.Sprintf("item %d: %s", i, why)
				}
			}
		}
		return ofType(schema, "array")
	case map[string]any:
		props, _ := schema["properties"].(map[string]any)
		for k, x := range v {
			s, ok := props[k].(map[string]any)
			if !ok {
				if schema["additionalProperties"] == false {
					return "unexpected property " + k
				}
				s, _ = schema["additionalProperties"].(map[string]any)
			}
			if why := invalid(s, x); why != "" {
				return k + ": " + why
			}
		}
		required, _ := schema["required"].([]any)
		for _, k := range required {
			if _, ok := v[k.(string)]; !ok {
				return "no property " + k.(string)
			}
		}
		return ofType(schema, "object")
	}
	return "what?"
}

func ofType(schema map[string]any, t string) string {
	switch want := schema["type"].(type) {
	case nil:
		return ""
	case string:
		if want == t {
			return ""
		}
	case []any:
		if slices.Contains(want, any(t)) {
			return ""
		}
	}
	return "not of its type but " + t
}

func validFormat(format, s string) bool {
	var err error
	switch format {
	case "date":
		_, err = time.Parse("2006-01-02", s)
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, s)
	case "email":
		_, err = mail.ParseAddress(s)
	case "ipv4", "ipv6":
		var a netip.Addr
		if a, err = netip.ParseAddr(s); err == nil && a.Is4() != (format == "ipv4") {
			return false
		}
	}
	return err == nil
}
