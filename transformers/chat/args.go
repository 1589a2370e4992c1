package chat

import "slices"

// absent is an argument that was not given.
type absent struct{}

// bound are the arguments of a builtin by the position of their parameter.
type bound struct {
	r      *run
	fn     string
	params []string
	values []value
}

// bind sorts the arguments of fn to its parameters, of which the first
// required ones must be there.
func (r *run) bind(fn string, a callArgs, required int, params ...string) bound {
	b := bound{r, fn, params, make([]value, len(params))}
	if len(a.args) > len(params) {
		r.fail("%s() takes at most %d arguments (%d given)", fn, len(params), len(a.args))
	}
	for i := range b.values {
		b.values[i] = absent{}
	}
	copy(b.values, a.args)
	for i, name := range a.names {
		at := slices.Index(params, name)
		if at < 0 {
			r.fail("%s() got an unexpected keyword argument %s", fn, quote(name))
		}
		if b.given(at) {
			r.fail("%s() got multiple values for argument %s", fn, quote(name))
		}
		b.values[at] = a.values[i]
	}
	for i := range required {
		if !b.given(i) {
			r.fail("%s() missing required argument: %s", fn, quote(params[i]))
		}
	}
	return b
}

func (b bound) given(i int) bool { return b.values[i] != absent{} }

// value is argument i, or the default.
func (b bound) value(i int, or value) value {
	if !b.given(i) {
		return or
	}
	return b.values[i]
}

// str is argument i, which is a string.
func (b bound) str(i int, or string) string {
	if !b.given(i) {
		return or
	}
	b.r.defined(b.values[i])
	s, ok := b.values[i].(string)
	if !ok {
		b.r.fail("%s(): argument %s must be str, not %s", b.fn, quote(b.params[i]), typeName(b.values[i]))
	}
	return s
}

// optional is argument i, which is a string or None.
func (b bound) optional(i int) (string, bool) {
	if v := b.value(i, nil); v == nil {
		return "", false
	}
	return b.str(i, ""), true
}

// integer is argument i, which is an integer.
func (b bound) integer(i int, or int64) int64 {
	if !b.given(i) {
		return or
	}
	b.r.defined(b.values[i])
	n, _, isFloat, ok := number(b.values[i])
	if !ok || isFloat {
		b.r.fail("%s(): argument %s must be int, not %s", b.fn, quote(b.params[i]), typeName(b.values[i]))
	}
	return n
}

// truth is argument i, of any type.
func (b bound) truth(i int, or bool) bool {
	if !b.given(i) {
		return or
	}
	return truth(b.values[i])
}

// sized is n as the length of something to build, which Limits bound.
func (r *run) sized(n int64) int {
	if n > int64(r.limits.Bytes) {
		r.alloc(-1)
	}
	return int(max(n, 0))
}
