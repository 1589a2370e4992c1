package generate

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

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
