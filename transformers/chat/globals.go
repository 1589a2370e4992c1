package chat

import "strings"

// global is a function that every template can call; nil if there is none of
// that name.
func global(name string) value {
	var f func(r *run, a callArgs) value
	switch name {
	case "raise_exception":
		f = func(r *run, a callArgs) value {
			b := r.bind(name, a, 1, "message")
			panic(&Error{Line: r.line, Message: r.str(b.values[0]), Raised: true})
		}
	case "strftime_now":
		f = func(r *run, a callArgs) value {
			return strftime(r.now(), r.bind(name, a, 1, "format").str(0, ""))
		}
	case "range":
		f = newSpan
	case "namespace":
		f = func(r *run, a callArgs) value {
			d := newMapping(r, a)
			for _, k := range d.keys {
				if s, ok := k.(string); ok {
					r.checkAttr(s)
				}
			}
			return &namespace{d}
		}
	case "dict":
		f = func(r *run, a callArgs) value { return newMapping(r, a) }
	default:
		return nil
	}
	return &builtin{name, f}
}

// checkAttr refuses the names that reach into Python.
func (r *run) checkAttr(name string) {
	if strings.HasPrefix(name, "_") {
		r.fail("chat templates cannot store underscore-prefixed attributes on a namespace, but got %s", quote(name))
	}
}

// newMapping is dict(mapping or pairs, **kwargs).
func newMapping(r *run, a callArgs) *dict {
	d := newDict(len(a.names))
	if len(a.args) > 1 {
		r.fail("dict expected at most 1 argument, got %d", len(a.args))
	}
	for _, arg := range a.args {
		switch arg := arg.(type) {
		case *dict:
			d = r.copyDict(arg)
		default:
			for _, pair := range r.items(arg) {
				kv := r.items(pair)
				if len(kv) != 2 {
					r.fail("dictionary update sequence element has length %d; 2 is required", len(kv))
				}
				r.alloc(48)
				d.put(r.hash(kv[0]), kv[0], kv[1])
			}
		}
	}
	r.alloc(48 * len(a.names))
	for i, n := range a.names {
		d.set(n, a.values[i])
	}
	return d
}

func newSpan(r *run, a callArgs) value {
	b := r.bind("range", callArgs{args: a.args}, 1, "start", "stop", "step")
	if len(a.names) > 0 {
		r.fail("range() takes no keyword arguments")
	}
	s := &span{step: b.integer(2, 1)}
	if b.given(1) {
		s.start, s.stop = b.integer(0, 0), b.integer(1, 0)
	} else {
		s.stop = b.integer(0, 0)
	}
	const far = 1 << 60 // keeps the sums below from overflowing
	if max(s.start, -s.start, s.stop, -s.stop, s.step, -s.step) > far || s.step < -far {
		r.overflow()
	}
	switch {
	case s.step == 0:
		r.fail("range() arg 3 must not be zero")
	case s.step > 0 && s.stop > s.start:
		s.n = (s.stop - s.start + s.step - 1) / s.step
	case s.step < 0 && s.stop < s.start:
		s.n = (s.start - s.stop - s.step - 1) / -s.step
	}
	if s.n > maxRange {
		r.fail("range too big: the sandbox blocks ranges larger than %d", maxRange)
	}
	return s
}
