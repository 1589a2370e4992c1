package chat

import (
	"math"
	"math/bits"
	"strings"
)

func (e *unary) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := e.x.eval(r, s)
	r.defined(x)
	i, f, isFloat, ok := number(x)
	switch {
	case !ok:
		r.fail("bad operand type for unary %s: '%s'", e.op, typeName(x))
	case e.op == "+" && isFloat:
		return f
	case e.op == "+":
		return i
	case isFloat:
		return -f
	case i == math.MinInt64:
		r.overflow()
	}
	return -i
}

func (e *binary) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := e.x.eval(r, s)
	return r.binary(e.op, x, e.y.eval(r, s))
}

func (r *run) overflow() { r.fail("integer overflow: integers have 64 bits here") }

// binary is x op y.
func (r *run) binary(op string, x, y value) value {
	r.defined(x)
	if v, ok := r.joinMarkup(op, x, y); ok {
		return v
	}
	x, y = plain(x), plain(y)
	if s, ok := x.(string); ok && op == "%" {
		return r.percent(s, y)
	}
	r.defined(y)
	xi, xf, xFloat, xok := number(x)
	yi, yf, yFloat, yok := number(y)
	switch {
	case xok && yok && (xFloat || yFloat || op == "/"):
		return r.floatOp(op, xf, yf)
	case xok && yok:
		return r.intOp(op, xi, yi)
	case op == "+":
		if v, ok := r.join(x, y); ok {
			return v
		}
	case op == "*" && yok && !yFloat:
		if v, ok := r.repeat(x, yi); ok {
			return v
		}
	case op == "*" && xok && !xFloat:
		if v, ok := r.repeat(y, xi); ok {
			return v
		}
	}
	r.fail("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(x), typeName(y))
	return nil
}

// joinMarkup is + where one side is markup: the other, if it is a string, is
// escaped.
func (r *run) joinMarkup(op string, x, y value) (value, bool) {
	safe := func(v value) (markup, bool) {
		switch v := v.(type) {
		case markup:
			return v, true
		case string:
			return r.escape(v), true
		}
		return "", false
	}
	_, xIs := x.(markup)
	_, yIs := y.(markup)
	if op != "+" || !xIs && !yIs {
		return nil, false
	}
	xm, xok := safe(x)
	ym, yok := safe(y)
	r.alloc(len(xm) + len(ym))
	return xm + ym, xok && yok
}

// join is + of two sequences of one type.
func (r *run) join(x, y value) (value, bool) {
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			r.alloc(len(x) + len(y))
			return x + y, true
		}
	case *list:
		if y, ok := y.(*list); ok {
			return r.newList(r.joinItems(x.items, y.items)), true
		}
	case *tuple:
		if y, ok := y.(*tuple); ok {
			return &tuple{r.joinItems(x.items, y.items)}, true
		}
	}
	return nil, false
}

func (r *run) joinItems(x, y []value) []value {
	r.step((len(x) + len(y)) / 8)
	r.alloc(16 * (len(x) + len(y)))
	return append(append(make([]value, 0, len(x)+len(y)), x...), y...)
}

// repeat is x * n of a sequence.
func (r *run) repeat(x value, n int64) (value, bool) {
	n = max(n, 0)
	size := func(unit int) int {
		hi, lo := bits.Mul64(uint64(unit), uint64(n))
		if hi != 0 || lo > math.MaxInt32 {
			return -1
		}
		return int(lo)
	}
	items := func(in []value) []value {
		r.alloc(size(16 * len(in)))
		out := make([]value, 0, len(in)*int(n))
		for range n * int64(min(len(in), 1)) {
			out = append(out, in...)
		}
		return out
	}
	switch x := x.(type) {
	case string:
		r.alloc(size(len(x)))
		if x == "" {
			return "", true
		}
		return strings.Repeat(x, int(n)), true
	case *list:
		return &list{items(x.items)}, true
	case *tuple:
		return &tuple{items(x.items)}, true
	}
	return nil, false
}

func (r *run) intOp(op string, x, y int64) value {
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s
		}
	case "-":
		if d := x - y; (d < x) == (y > 0) {
			return d
		}
	case "*":
		if p, ok := mul(x, y); ok {
			return p
		}
	case "//", "%":
		if y == 0 {
			r.fail("integer division or modulo by zero")
		}
		if x == math.MinInt64 && y == -1 {
			break
		}
		q, m := x/y, x%y
		if m != 0 && (m < 0) != (y < 0) {
			q, m = q-1, m+y
		}
		if op == "//" {
			return q
		}
		return m
	case "**":
		if y < 0 {
			return r.floatOp(op, float64(x), float64(y))
		}
		if v, ok := pow(x, y); ok {
			return v
		}
	}
	r.overflow()
	return nil
}

func mul(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	p := x * y
	return p, p/y == x && !(x == -1 && y == math.MinInt64) && !(y == -1 && x == math.MinInt64)
}

func pow(x, y int64) (int64, bool) {
	if x == 0 || x == 1 || x == -1 {
		switch {
		case y == 0:
			return 1, true
		case x == -1 && y%2 == 0:
			return 1, true
		}
		return x, true
	}
	if y > 64 {
		return 0, false
	}
	v, ok := int64(1), true
	for range y {
		if v, ok = mul(v, x); !ok {
			return 0, false
		}
	}
	return v, true
}

func (r *run) floatOp(op string, x, y float64) value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y == 0 {
			r.fail("division by zero")
		}
		return x / y
	case "//", "%":
		if y == 0 {
			r.fail("float modulo by zero")
		}
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		} else if m == 0 {
			m = math.Copysign(0, y)
		}
		if op == "%" {
			return m
		}
		q := math.Floor((x - m) / y)
		if (x-m)/y-q > 0.5 {
			q++
		}
		return q
	}
	if x == 0 && y < 0 {
		r.fail("0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) {
		r.fail("complex numbers do not exist in chat templates")
	}
	return math.Pow(x, y)
}
