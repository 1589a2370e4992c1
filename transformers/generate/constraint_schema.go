package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// typed is the rule of the values of one type.
func (c *compiler) typed(o *ordered, t string) int32 {
	switch t {
	case "object":
		return c.objectType(o)
	case "array":
		return c.arrayType(o)
	case "string":
		return c.stringType(o)
	case "number", "integer":
		return c.numberType(o, t == "number")
	case "boolean":
		return c.a.choice([]int32{c.a.literal("true"), c.a.literal("false")})
	}
	return c.a.literal("null")
}

func (c *compiler) objectType(o *ordered) int32 {
	props, ok := o.values["properties"].(*ordered)
	if _, given := o.values["properties"]; given && !ok {
		refuse("properties is not an object")
	}
	if !ok {
		props = &ordered{}
	}
	var required []string
	if v, given := o.values["required"]; given {
		list, ok := v.([]any)
		for _, r := range list {
			name, isString := r.(string)
			ok = ok && isString
			required = append(required, name)
		}
		if !ok {
			refuse("required is not a list of strings")
		}
	}
	for _, name := range required {
		if !slices.Contains(props.keys, name) {
			refuse("the required property %q is not among the properties", name)
		}
	}
	var list []property
	for _, name := range props.keys {
		isRequired := slices.Contains(required, name)
		if props.values[name] == false {
			if isRequired {
				refuse("the required property %q may not be there", name)
			}
			continue
		}
		rule := c.in(func() int32 { return c.schema(props.values[name]) }, "properties", name)
		list = append(list, property{quoteJSON(name), rule, isRequired})
	}
	more, given := o.values["additionalProperties"]
	if more == false || !given && len(props.keys) > 0 {
		return c.a.objectRule(list, -1, -1)
	}
	value := c.a.rules.value
	if given {
		value = c.in(func() int32 { return c.schema(more) }, "additionalProperties")
	}
	return c.a.objectRule(list, c.a.except(props.keys), value)
}

func (c *compiler) arrayType(o *ordered) int32 {
	lo, hi := c.count(o, "minItems", 0), c.count(o, "maxItems", -1)
	if lo > maxItemsLimit || hi > maxItemsLimit {
		refuse("minItems and maxItems may be up to %d", maxItemsLimit)
	}
	var prefix []int32
	if v, given := o.values["prefixItems"]; given {
		list, ok := v.([]any)
		if !ok {
			refuse("prefixItems is not a list")
		}
		for i, s := range list {
			prefix = append(prefix, c.in(func() int32 { return c.schema(s) }, "prefixItems", strconv.Itoa(i)))
		}
	}
	items := c.a.rules.value
	if v, given := o.values["items"]; v == false {
		items = -1
	} else if given {
		items = c.in(func() int32 { return c.schema(v) }, "items")
	}
	if hi >= 0 && lo > hi || items < 0 && lo > len(prefix) {
		refuse("no array has so few and so many items")
	}
	return c.a.arrayRule(prefix, items, lo, hi)
}

// count is a keyword that is a number of things.
func (c *compiler) count(o *ordered, keyword string, or int) int {
	v, given := o.values[keyword]
	if !given {
		return or
	}
	n, ok := v.(json.Number)
	r, ok2 := new(big.Rat).SetString(string(n))
	if !ok || !ok2 || !r.IsInt() || r.Sign() < 0 || !r.Num().IsInt64() || r.Num().Int64() > 1<<30 {
		refuse("%s is not a number of things", keyword)
	}
	return int(r.Num().Int64())
}

func (c *compiler) stringType(o *ordered) int32 {
	lo, hi := c.count(o, "minLength", 0), c.count(o, "maxLength", -1)
	pattern, hasPattern := o.values["pattern"]
	format, hasFormat := o.values["format"]
	expr, isString := pattern.(string)
	switch {
	case hasPattern && !isString:
		refuse("pattern is not a string")
	case hasFormat:
		name, _ := format.(string)
		if expr = formats[name]; expr == "" {
			refuse("the format %v is not supported; those that are: %s", format, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
		}
	}
	if hasPattern && hasFormat || (hasPattern || hasFormat) && (lo > 0 || hi >= 0) {
		refuse("pattern, format and length of a string cannot be combined")
	}
	switch {
	case hasPattern || hasFormat:
		return c.a.pattern(expr)
	case lo > maxLengthLimit || hi > maxLengthLimit:
		refuse("minLength and maxLength may be up to %d", maxLengthLimit)
	case hi >= 0 && lo > hi:
		refuse("no string is so short and so long")
	case lo > 0 || hi >= 0:
		return c.a.counted(c.a.rules.char, lo, hi)
	}
	return c.a.rules.str
}

func (c *compiler) numberType(o *ordered, fractions bool) int32 {
	b := bounds{}
	b.lo, b.openLo = c.bound(o, "minimum", "exclusiveMinimum", fractions, 1)
	b.hi, b.openHi = c.bound(o, "maximum", "exclusiveMaximum", fractions, -1)
	switch {
	case b.lo == nil && b.hi == nil && fractions:
		return c.a.rules.number
	case b.lo == nil && b.hi == nil:
		return c.a.rules.integer
	case b.lo != nil && b.hi != nil && !c.between(b, fractions):
		refuse("no number is so small and so great")
	}
	return c.a.between(b, fractions)
}

// between tells whether there is a number within bounds.
func (c *compiler) between(b bounds, fractions bool) bool {
	gap := new(big.Int).Sub(b.hi, b.lo).Int64()
	if !new(big.Int).Sub(b.hi, b.lo).IsInt64() {
		return b.hi.Cmp(b.lo) > 0
	}
	need := int64(0)
	if b.openLo {
		need++
	}
	if b.openHi {
		need++
	}
	if fractions && need > 0 {
		need = 1
	}
	return gap >= need
}

// bound is the stricter of two keywords, for side 1 the greater. Bounds of
// integers are rounded inwards, others are whole.
func (c *compiler) bound(o *ordered, closed, open string, fractions bool, side int) (*big.Int, bool) {
	var best *big.Rat
	isOpen := false
	for _, keyword := range []string{closed, open} {
		v, given := o.values[keyword]
		if !given {
			continue
		}
		n, ok := v.(json.Number)
		if !ok || len(n) > 40 || strings.ContainsAny(string(n), "eE") {
			refuse("%s is not a plain number", keyword)
		}
		r, ok := new(big.Rat).SetString(string(n))
		if !ok {
			refuse("%s is not a plain number", keyword)
		}
		if best == nil || r.Cmp(best)*side > 0 || r.Cmp(best) == 0 && keyword == open {
			best, isOpen = r, keyword == open
		}
	}
	if best == nil {
		return nil, false
	}
	if best.IsInt() {
		return new(big.Int).Set(best.Num()), isOpen
	}
	if fractions {
		refuse("a bound of numbers that are no integers must be whole, not %s", best.FloatString(6))
	}
	floor := new(big.Int)
	floor.Div(best.Num(), best.Denom()) // Euclidean: rounds down for a positive divisor
	if side > 0 {
		floor.Add(floor, big.NewInt(1))
	}
	return floor, false
}
