package generate

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// UnsupportedSchemaError says what a JSON schema has that a Constraint cannot
// keep, or that makes no sense.
type UnsupportedSchemaError struct {
	Path   string // JSON pointer into the schema
	Reason string
}

func (e *UnsupportedSchemaError) Error() string {
	return fmt.Sprintf("generate: JSON schema at #%s: %s", e.Path, e.Reason)
}

// refuse ends compiling; CompileSchema recovers the error and adds the path.
func refuse(format string, args ...any) {
	panic(&UnsupportedSchemaError{Reason: fmt.Sprintf(format, args...)})
}

// JSONObject is the schema of any JSON object, the response format
// json_object.
func JSONObject() *Schema {
	a := newAutomaton()
	a.root = a.rules.object
	return &Schema{aut: a, bases: map[baseKey]*base{}}
}

// CompileSchema compiles a JSON schema (draft 2020-12) as OpenAI's structured
// outputs use it: type, properties, required, additionalProperties, items,
// prefixItems, minItems, maxItems, enum, const, anyOf, oneOf, allOf of one,
// $ref and $defs, recursion among them, pattern, format, minLength, maxLength,
// minimum, maximum and their exclusive forms. What else would narrow the
// documents is an *UnsupportedSchemaError.
//
// A document that a Constraint lets through is valid. Of the valid ones it
// lets those through whose properties come in the order of the schema, whose
// additional properties come behind them, and which have no white space but
// one space, or a newline and its indentation, behind { [ , : and before } ].
// Objects whose schema lists properties have no others, unless it says
// additionalProperties. A number has up to 64 digits before and behind the
// point, and an exponent of two digits, within bounds none. oneOf is taken
// where its alternatives cannot both hold: different types, or different
// values of a required property.
func CompileSchema(schema []byte) (s *Schema, err error) {
	if len(schema) > maxSchema {
		return nil, &UnsupportedSchemaError{Reason: fmt.Sprintf("it has %d bytes, over %d", len(schema), maxSchema)}
	}
	root, err := decodeOrdered(schema)
	if err != nil {
		return nil, fmt.Errorf("generate: JSON schema: %w", err)
	}
	c := &compiler{a: newAutomaton(), root: root, refs: map[string]int32{}}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *UnsupportedSchemaError:
			e.Path = c.path()
			s, err = nil, e
		default:
			panic(e)
		}
	}()
	c.a.root = c.ref("#")
	if c.a.leftRecursive() {
		refuse("a schema refers to itself and says nothing else")
	}
	return &Schema{aut: c.a, bases: map[baseKey]*base{}}, nil
}

const (
	maxSchema      = 1 << 20
	maxSchemaDepth = 64
	maxItemsLimit  = 4096
	maxLengthLimit = 16384
)

// compiler turns a schema into an automaton.
type compiler struct {
	a     *automaton
	root  any
	refs  map[string]int32 // rules by the pointer of their schema
	trail []string         // where it is, as a JSON pointer
}

func (c *compiler) path() string {
	var b strings.Builder
	for _, part := range c.trail {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return b.String()
}

// in runs f for what is below.
func (c *compiler) in(f func() int32, below ...string) int32 {
	if len(c.trail) > maxSchemaDepth {
		refuse("it is nested more than %d levels deep", maxSchemaDepth)
	}
	c.trail = append(c.trail, below...)
	rule := f()
	c.trail = c.trail[:len(c.trail)-len(below)]
	return rule
}

// ref is the rule of the schema that a reference names.
func (c *compiler) ref(pointer string) int32 {
	if rule, ok := c.refs[pointer]; ok {
		return rule
	}
	if pointer != "#" && !strings.HasPrefix(pointer, "#/") {
		refuse("the reference %q leaves the schema", pointer)
	}
	at := c.resolve(pointer)
	rule := c.a.add()
	c.refs[pointer] = rule
	was := c.trail
	c.trail = nil
	if pointer != "#" {
		for part := range strings.SplitSeq(pointer[2:], "/") {
			c.trail = append(c.trail, unescapePointer(part))
		}
	}
	inner := c.schema(at)
	c.trail = was
	end := c.a.addFinal()
	c.a.call(rule, inner, end)
	return rule
}

func unescapePointer(s string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(s) }

func (c *compiler) resolve(pointer string) any {
	at := c.root
	if pointer == "#" {
		return at
	}
	for part := range strings.SplitSeq(pointer[2:], "/") {
		part = unescapePointer(part)
		found := false
		switch v := at.(type) {
		case *ordered:
			at, found = v.values[part]
		case []any:
			if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(v) {
				at, found = v[i], true
			}
		}
		if !found {
			refuse("the reference %q names nothing", pointer)
		}
	}
	return at
}

// annotations narrow nothing.
var annotations = []string{
	"$schema", "$id", "$comment", "$defs", "$anchor", "definitions", "title", "description", "default", "examples", "example",
	"deprecated", "readOnly", "writeOnly", "strict", "discriminator",
}

// keywords that narrow the values of one type.
var keywords = map[string][]string{
	"object":  {"properties", "required", "additionalProperties"},
	"array":   {"items", "prefixItems", "minItems", "maxItems"},
	"string":  {"minLength", "maxLength", "pattern", "format"},
	"number":  {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"},
	"integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"},
	"boolean": nil,
	"null":    nil,
}

// schema is the rule of a schema.
func (c *compiler) schema(v any) int32 {
	switch v := v.(type) {
	case bool:
		if v {
			return c.a.rules.value
		}
		refuse("false allows nothing")
	case *ordered:
		return c.in(func() int32 { return c.object(v) })
	}
	refuse("a schema is an object or a boolean")
	return 0
}

func (c *compiler) object(o *ordered) int32 {
	for _, combiner := range []string{"$ref", "anyOf", "oneOf", "allOf", "const", "enum"} {
		if _, ok := o.values[combiner]; ok {
			return c.combined(o, combiner)
		}
	}
	types := c.types(o)
	if types == nil {
		c.only(o)
		return c.a.rules.value
	}
	allowed := []string{"type"}
	for _, t := range types {
		allowed = append(allowed, keywords[t]...)
	}
	c.only(o, allowed...)
	var rules []int32
	for _, t := range types {
		rules = append(rules, c.typed(o, t))
	}
	return c.a.choice(rules)
}

// only refuses keywords that are neither annotations nor among these.
func (c *compiler) only(o *ordered, allowed ...string) {
	for _, k := range o.keys {
		if !slices.Contains(annotations, k) && !slices.Contains(allowed, k) {
			c.trail = append(c.trail, k)
			refuse("the keyword is not supported here")
		}
	}
}

// types are the types that a schema names, or that its keywords imply; none
// for any.
func (c *compiler) types(o *ordered) []string {
	switch t := o.values["type"].(type) {
	case string:
		return c.known([]string{t})
	case []any:
		var names []string
		for _, n := range t {
			s, ok := n.(string)
			if !ok {
				refuse("type is a list of strings")
			}
			names = append(names, s)
		}
		if len(names) == 0 {
			refuse("type is empty")
		}
		return c.known(names)
	case nil:
		for _, t := range []string{"object", "array", "string", "number"} {
			for _, k := range keywords[t] {
				if _, ok := o.values[k]; ok && k != "format" {
					return []string{t}
				}
			}
		}
		if _, ok := o.values["format"]; ok {
			return []string{"string"}
		}
		return nil
	}
	refuse("type is a string or a list")
	return nil
}

func (c *compiler) known(types []string) []string {
	for _, t := range types {
		if _, ok := keywords[t]; !ok {
			refuse("the type %q does not exist", t)
		}
	}
	if slices.Contains(types, "number") { // of which an integer is one
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	return types
}

// combined is a schema of which one keyword says all.
func (c *compiler) combined(o *ordered, combiner string) int32 {
	switch v := o.values[combiner].(type) {
	case string:
		if combiner == "$ref" {
			c.only(o, "$ref")
			return c.ref(v)
		}
	case []any:
		switch combiner {
		case "anyOf", "oneOf", "allOf":
			c.only(o, combiner)
			return c.alternatives(v, combiner)
		case "enum":
			c.only(o, "enum", "type")
			return c.values(o, v)
		}
	}
	if combiner == "const" {
		c.only(o, "const", "type")
		return c.values(o, []any{o.values["const"]})
	}
	refuse("%s has the wrong type", combiner)
	return 0
}

func (c *compiler) alternatives(list []any, combiner string) int32 {
	switch {
	case len(list) == 0:
		refuse("%s is empty", combiner)
	case combiner == "allOf" && len(list) > 1:
		refuse("allOf of several schemas is not supported")
	case combiner == "oneOf":
		for i := range list {
			for j := range i {
				if !c.disjoint(list[i], list[j]) {
					refuse("the alternatives %d and %d of oneOf may both hold; use anyOf, or give them a required property with different constants", j, i)
				}
			}
		}
	}
	var rules []int32
	for i, s := range list {
		rules = append(rules, c.in(func() int32 { return c.schema(s) }, combiner, strconv.Itoa(i)))
	}
	return c.a.choice(rules)
}

// values are the constants of enum and const that have the right type.
func (c *compiler) values(o *ordered, list []any) int32 {
	types := c.types(o)
	var rules []int32
	for _, v := range list {
		if types == nil || slices.ContainsFunc(types, func(t string) bool { return hasType(v, t) }) {
			rules = append(rules, c.a.literal(compact(v)))
		}
	}
	if len(rules) == 0 {
		refuse("no value is allowed")
	}
	return c.a.choice(rules)
}

func hasType(v any, t string) bool {
	switch v := v.(type) {
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case nil:
		return t == "null"
	case json.Number:
		return t == "number" || t == "integer" && isWhole(v)
	case []any:
		return t == "array"
	}
	return t == "object"
}

func isWhole(n json.Number) bool {
	r, ok := new(big.Rat).SetString(string(n))
	return ok && r.IsInt()
}
