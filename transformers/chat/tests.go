package chat

import (
	"math/big"
)

// testFunc is a test of x: what stands behind is.
type testFunc func(r *run, x value, a callArgs) bool

// testNamed is the test of that name; nil if there is none.
func testNamed(name string) testFunc {
	if op := testOperators[name]; op != "" {
		return func(r *run, x value, a callArgs) bool {
			return r.compareOp(op, x, r.bind(name, a, 1, "other").values[0])
		}
	}
	if f := typeTest(name); f != nil {
		return func(r *run, x value, a callArgs) bool {
			r.bind(name, a, 0)
			return f(x)
		}
	}
	switch name {
	case "odd", "even", "divisibleby":
		return func(r *run, x value, a callArgs) bool {
			by, rest := value(int64(2)), int64(0)
			switch name {
			case "odd":
				rest = 1
				r.bind(name, a, 0)
			case "even":
				r.bind(name, a, 0)
			default:
				by = r.bind(name, a, 1, "num").values[0]
			}
			return r.equal(r.binary("%", x, by), rest)
		}
	case "lower", "upper":
		return func(r *run, x value, a callArgs) bool {
			r.bind(name, a, 0)
			return isMethod("is" + name)(r.str(x))
		}
	case "sameas":
		return func(r *run, x value, a callArgs) bool { return x == r.bind(name, a, 1, "other").values[0] }
	case "filter":
		return func(r *run, x value, a callArgs) bool {
			r.bind(name, a, 0)
			s, ok := x.(string)
			return ok && filterNamed(s) != nil
		}
	case "test":
		return func(r *run, x value, a callArgs) bool {
			r.bind(name, a, 0)
			s, ok := x.(string)
			return ok && testNamed(s) != nil
		}
	}
	return nil
}

// testOperators are the tests that are an operator.
var testOperators = map[string]string{
	"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=",
	">": ">", "gt": ">", "greaterthan": ">", "ge": ">=", ">=": ">=",
	"<": "<", "lt": "<", "lessthan": "<", "<=": "<=", "le": "<=", "in": "in",
}

// typeTest is a test that looks at the type of the value.
func typeTest(name string) func(value) bool {
	switch name {
	case "defined", "undefined":
		return func(v value) bool {
			_, undef := v.(*undefined)
			return undef == (name == "undefined")
		}
	case "none":
		return func(v value) bool { return v == nil }
	case "boolean":
		return func(v value) bool { return v == true || v == false }
	case "true":
		return func(v value) bool { return v == true }
	case "false":
		return func(v value) bool { return v == false }
	case "integer":
		return func(v value) bool {
			_, isBool := v.(bool)
			return !isBool && isInteger(v)
		}
	case "float":
		return func(v value) bool { _, ok := v.(float64); return ok }
	case "number":
		return func(v value) bool { _, ok := v.(float64); return ok || isInteger(v) }
	case "string":
		return func(v value) bool { _, ok := v.(string); return ok }
	case "mapping":
		return func(v value) bool { _, ok := v.(*dict); return ok }
	case "sequence":
		return func(v value) bool {
			switch v.(type) {
			case string, *list, *tuple, *dict, *span, *undefined:
				return true
			}
			return false
		}
	case "iterable":
		return func(v value) bool {
			switch v.(type) {
			case string, *list, *tuple, *dict, *span, *undefined, *view, *generator, *loop:
				return true
			}
			return false
		}
	case "callable":
		return func(v value) bool {
			switch v.(type) {
			case *builtin, *macro, *loop, *undefined:
				return true
			}
			return false
		}
	case "escaped":
		return func(value) bool { return false }
	}
	return nil
}

// isInteger tells ints and bools.
func isInteger(v value) bool {
	if _, ok := v.(*big.Int); ok {
		return true
	}
	_, _, isFloat, ok := number(v)
	return ok && !isFloat
}
