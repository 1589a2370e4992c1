package generate

import (
	"math/big"
	"strings"
)

// maxDigits is how many digits a number has before the point at most, and
// behind it: more would be noise, or overflow a float64.
const maxDigits = 64

// numberRule is a number of JSON, with an exponent of two digits at most.
func (a *automaton) numberRule() int32 {
	start, end := a.add(), a.addFinal()
	whole := a.whole(start)
	point, fraction, exp, sign := a.add(), a.add(), a.add(), a.add()

	a.edge(whole, '.', '.', point)
	a.someDigits(point, fraction, 1, maxDigits)
	for _, s := range []int32{whole, fraction} {
		a.edge(s, 'e', 'e', exp)
		a.edge(s, 'E', 'E', exp)
		a.eps(s, end)
	}
	a.edge(exp, '+', '+', sign)
	a.edge(exp, '-', '-', sign)
	a.eps(exp, sign)
	a.someDigits(sign, end, 1, 2)
	return start
}

// integerRule is an integer.
func (a *automaton) integerRule() int32 {
	start, end := a.add(), a.addFinal()
	a.eps(a.whole(start), end)
	return start
}

// whole goes over an integer, to the state that it gives.
func (a *automaton) whole(from int32) int32 {
	minus, more, end := a.add(), a.add(), a.add()
	a.edge(from, '-', '-', minus)
	a.eps(from, minus)
	a.edge(minus, '0', '0', end)
	a.edge(minus, '1', '9', more)
	a.someDigits(more, end, 0, maxDigits-1)
	return end
}

// someDigits goes over lo to hi digits.
func (a *automaton) someDigits(from, to int32, lo, hi int) {
	for n := 0; ; n++ {
		if n >= lo {
			a.eps(from, to)
		}
		if n == hi {
			return
		}
		next := a.add()
		a.edge(from, '0', '9', next)
		from = next
	}
}

// bounds are the least and the greatest number; nil is none.
type bounds struct {
	lo, hi         *big.Int
	openLo, openHi bool // the bound itself is not allowed
}

// between is an integer (or, with fractions, a number without an exponent)
// within bounds.
func (a *automaton) between(b bounds, fractions bool) int32 {
	start, end := a.add(), a.addFinal()
	zero := big.NewInt(0)
	if b.hi == nil || b.hi.Cmp(zero) > 0 || b.hi.Sign() == 0 && !b.openHi {
		lo, open := b.lo, b.openLo
		if lo == nil || lo.Sign() < 0 {
			lo, open = zero, false
		}
		a.magnitude(start, end, bounds{lo, b.hi, open, b.openHi}, fractions)
	}
	if b.lo == nil || b.lo.Sign() < 0 { // the negative ones: mirror the bounds
		lo, open := zero, true
		if b.hi != nil && b.hi.Sign() < 0 {
			lo, open = new(big.Int).Neg(b.hi), b.openHi
		}
		var hi *big.Int
		if b.lo != nil {
			hi = new(big.Int).Neg(b.lo)
		}
		a.magnitude(a.bytes(start, "-"), end, bounds{lo, hi, open, b.openLo}, fractions)
	}
	return start
}

// magnitude goes from a state to another over a number of at least zero. A
// number is its whole part n and a fraction; n from lo to hi-1 may have any
// fraction, hi none but zeros.
func (a *automaton) magnitude(from, to int32, b bounds, fractions bool) {
	one := big.NewInt(1)
	lo, hi := b.lo, b.hi
	if !fractions {
		if b.openLo {
			lo = new(big.Int).Add(lo, one)
		}
		if hi != nil && b.openHi {
			hi = new(big.Int).Sub(hi, one)
		}
		a.wholes(from, to, lo, hi)
		return
	}
	fraction := a.add() // behind a whole part of which all fractions are allowed
	a.eps(fraction, to)
	a.digits(a.bytes(fraction, "."), to, "0123456789", false)
	first := lo
	if b.openLo { // lo itself needs a fraction that is not zero
		first = new(big.Int).Add(lo, one)
		if hi == nil || lo.Cmp(hi) < 0 {
			a.digits(a.bytes(a.bytes(from, lo.String()), "."), to, "0123456789", true)
		}
	}
	if hi == nil {
		a.wholes(from, fraction, first, nil)
		return
	}
	a.wholes(from, fraction, first, new(big.Int).Sub(hi, one))
	if !b.openHi && lo.Cmp(hi) <= 0 && !(b.openLo && lo.Cmp(hi) == 0) {
		s := a.bytes(from, hi.String())
		a.eps(s, to)
		a.digits(a.bytes(s, "."), to, "0", false)
	}
}

// digits goes over one digit or more; with nonzero, at least one is not 0.
func (a *automaton) digits(from, to int32, set string, nonzero bool) {
	some := a.add()
	for i := range len(set) {
		if nonzero && set[i] == '0' {
			a.edge(from, '0', '0', from)
			continue
		}
		a.edge(from, set[i], set[i], some)
		a.edge(some, set[i], set[i], some)
	}
	if nonzero {
		a.edge(some, '0', '0', some)
	}
	a.eps(some, to)
}

// wholes goes over an integer from lo to hi, both at least zero; hi nil is
// without end.
func (a *automaton) wholes(from, to int32, lo, hi *big.Int) {
	if hi != nil && lo.Cmp(hi) > 0 {
		return
	}
	l := lo.String()
	if hi == nil {
		a.sameLength(from, to, l, strings.Repeat("9", len(l)))
		first := a.add() // of a number with more digits
		a.edge(from, '1', '9', first)
		a.someDigits(first, to, len(l), max(len(l)+1, maxDigits)-1)
		return
	}
	h := hi.String()
	for n := len(l); n <= len(h); n++ {
		low, high := "1"+strings.Repeat("0", n-1), strings.Repeat("9", n)
		if n == len(l) {
			low = l
		}
		if n == len(h) {
			high = h
		}
		a.sameLength(from, to, low, high)
	}
}

// sameLength goes over the digit strings from lo to hi, which are equally
// long.
func (a *automaton) sameLength(from, to int32, lo, hi string) {
	if lo == "" {
		a.eps(from, to)
		return
	}
	if lo[0] == hi[0] {
		a.sameLength(a.bytes(from, lo[:1]), to, lo[1:], hi[1:])
		return
	}
	rest := len(lo) - 1
	a.sameLength(a.bytes(from, lo[:1]), to, lo[1:], strings.Repeat("9", rest))
	a.sameLength(a.bytes(from, hi[:1]), to, strings.Repeat("0", rest), hi[1:])
	if lo[0]+1 <= hi[0]-1 {
		s := a.add()
		a.edge(from, lo[0]+1, hi[0]-1, s)
		for range rest {
			next := a.add()
			a.edge(s, '0', '9', next)
			s = next
		}
		a.eps(s, to)
	}
}
