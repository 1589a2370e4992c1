package chat

import (
	"cmp"
	"math/big"
	"strings"
)

// number splits a number: ints and bools give i, floats f.
func number(v value) (i int64, f float64, isFloat, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, false, true
		}
		return 0, 0, false, true
	case int64:
		return v, float64(v), false, true
	case float64:
		return 0, v, true, true
	}
	return 0, 0, false, false
}

// equal is x == y.
func (r *run) equal(x, y value) bool {
	r.enter()
	defer r.leave()
	if xi, xf, xFloat, ok := number(x); ok {
		yi, yf, yFloat, ok := number(y)
		if !ok {
			return false
		}
		if !xFloat && !yFloat {
			return xi == yi
		}
		return xf == yf
	}
	switch x := x.(type) {
	case nil:
		return y == nil
	case string:
		y, ok := y.(string)
		return ok && x == y
	case *big.Int:
		y, ok := y.(*big.Int)
		return ok && x.Cmp(y) == 0
	case *undefined:
		_, ok := y.(*undefined)
		return ok
	case *list:
		y, ok := y.(*list)
		return ok && r.equalItems(x.items, y.items)
	case *tuple:
		y, ok := y.(*tuple)
		return ok && r.equalItems(x.items, y.items)
	case *span:
		y, ok := y.(*span)
		return ok && x.n == y.n && (x.n == 0 || x.start == y.start && (x.n == 1 || x.step == y.step))
	case *dict:
		y, ok := y.(*dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for i, k := range x.keys {
			v, ok := r.lookup(y, k)
			if !ok || !r.equal(x.values[i], v) {
				return false
			}
		}
		return true
	}
	return x == y
}

func (r *run) equalItems(x, y []value) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !r.equal(x[i], y[i]) {
			return false
		}
	}
	return true
}

// order compares x and y for op, one of < <= > >=. NaN compares as 2, so that
// every op is false.
func (r *run) order(op string, x, y value) int {
	r.enter()
	defer r.leave()
	r.defined(x)
	r.defined(y)
	xi, xf, xFloat, xok := number(x)
	yi, yf, yFloat, yok := number(y)
	switch {
	case xok && yok && !xFloat && !yFloat:
		return cmp.Compare(xi, yi)
	case xok && yok:
		switch {
		case xf < yf:
			return -1
		case xf > yf:
			return 1
		case xf == yf:
			return 0
		}
		return 2
	}
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			return strings.Compare(x, y)
		}
	case *list:
		if y, ok := y.(*list); ok {
			return r.orderItems(op, x.items, y.items)
		}
	case *tuple:
		if y, ok := y.(*tuple); ok {
			return r.orderItems(op, x.items, y.items)
		}
	}
	r.fail("'%s' not supported between instances of '%s' and '%s'", op, typeName(x), typeName(y))
	return 0
}

func (r *run) orderItems(op string, x, y []value) int {
	for i := 0; i < len(x) && i < len(y); i++ {
		if !r.equal(x[i], y[i]) {
			return r.order(op, x[i], y[i])
		}
	}
	return cmp.Compare(len(x), len(y))
}

// less is x < y.
func (r *run) less(x, y value) bool { return r.order("<", x, y) == -1 }

// contains is x in y.
func (r *run) contains(x, y value) bool {
	switch y := y.(type) {
	case string:
		r.defined(x)
		s, ok := x.(string)
		if !ok {
			r.fail("'in <string>' requires string as left operand, not %s", typeName(x))
		}
		r.step(len(y) / 64)
		return strings.Contains(y, s)
	case *dict:
		_, ok := r.lookup(y, x)
		return ok
	case *view:
		if y.kind == "dict_keys" {
			_, ok := r.lookup(y.of, x)
			return ok
		}
	case *span, *list, *tuple, *generator, *undefined, *loop:
	default:
		r.fail("argument of type '%s' is not iterable", typeName(y))
	}
	next := r.iterator(y)
	for item, ok := next(); ok; item, ok = next() {
		if item == x || r.equal(item, x) {
			return true
		}
	}
	return false
}

// compareOp applies one operator of a comparison.
func (r *run) compareOp(op string, x, y value) bool {
	switch op {
	case "==":
		return r.equal(x, y)
	case "!=":
		return !r.equal(x, y)
	case "in":
		return r.contains(x, y)
	case "not in":
		return !r.contains(x, y)
	}
	c := r.order(op, x, y)
	switch op {
	case "<":
		return c == -1
	case "<=":
		return c == -1 || c == 0
	case ">":
		return c == 1
	}
	return c == 1 || c == 0
}

// defined fails for an undefined value.
func (r *run) defined(v value) {
	if u, ok := v.(*undefined); ok {
		r.fail("%s", u.what)
	}
}
