package chat

import (
	"strings"
	"unicode/utf8"
)

func (r *run) evalAll(exprs []expr, s *scope) []value {
	out := make([]value, len(exprs))
	for i, e := range exprs {
		out[i] = plain(e.eval(r, s))
	}
	return out
}

func (e *literal) eval(*run, *scope) value { return e.v }

func (e *name) eval(r *run, s *scope) value {
	r.step(1)
	if v, ok := s.lookup(e.name); ok {
		return v
	}
	if g := global(e.name); g != nil {
		return g
	}
	return undefinedName(e.name)
}

func (e *tupleExpr) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	r.alloc(16 * len(e.items))
	return &tuple{r.evalAll(e.items, s)}
}

func (e *listExpr) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	return r.newList(r.evalAll(e.items, s))
}

func (e *dictExpr) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	r.alloc(48 * len(e.keys))
	d := newDict(len(e.keys))
	for i, k := range e.keys {
		key := plain(k.eval(r, s))
		d.put(r.hash(key), key, plain(e.values[i].eval(r, s)))
	}
	return d
}

func (e *attribute) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	return r.getattr(plain(e.obj.eval(r, s)), e.name)
}

// getattr is obj.name: an attribute, else an item.
func (r *run) getattr(obj value, name string) value {
	if v, ok := r.attribute(obj, name); ok {
		return v
	}
	if d, ok := obj.(*dict); ok {
		if v, ok := d.get(name); ok {
			return v
		}
	}
	return r.missing(obj, name)
}

func (r *run) missing(obj value, key value) value {
	if s, ok := key.(string); ok {
		return &undefined{"'" + typeName(obj) + " object' has no attribute " + quote(s)}
	}
	return &undefined{typeName(obj) + " object has no element " + r.reprString(key)}
}

// attribute is getattr(obj, name) of Python, within the sandbox.
func (r *run) attribute(obj value, name string) (value, bool) {
	r.defined(obj)
	if strings.HasPrefix(name, "_") {
		return nil, false
	}
	switch o := obj.(type) {
	case *namespace:
		return o.attrs.get(name)
	case *loop:
		return o.attr(name)
	case *macro:
		if name == "name" {
			return o.name, true
		}
		return nil, false
	}
	if changes(obj, name) {
		return &undefined{"access to attribute " + quote(name) + " of " + quote(typeName(obj)) + " object is unsafe."}, true
	}
	if m := method(obj, name); m != nil {
		return &builtin{name, func(r *run, a callArgs) value { return m(r, obj, a) }}, true
	}
	return nil, false
}

func (e *subscript) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	obj := plain(e.obj.eval(r, s))
	if sl, ok := e.key.(*sliceExpr); ok {
		return r.slice(obj, sl.part(r, s, sl.start), sl.part(r, s, sl.stop), sl.part(r, s, sl.step))
	}
	return r.getitem(obj, plain(e.key.eval(r, s)))
}

// getitem is obj[key]: an item, else an attribute.
func (r *run) getitem(obj, key value) value {
	r.defined(obj)
	switch o := obj.(type) {
	case *dict:
		if hashable(key) { // Jinja takes the TypeError of others for absence
			if v, ok := r.lookup(o, key); ok {
				return v
			}
		}
	case string:
		if i, ok := index(key, utf8.RuneCountInString(o)); ok {
			r.step(len(o) / 64)
			return runeAt(o, i)
		}
	case *list:
		if i, ok := index(key, len(o.items)); ok {
			return o.items[i]
		}
	case *tuple:
		if i, ok := index(key, len(o.items)); ok {
			return o.items[i]
		}
	case *span:
		if i, ok := index(key, int(o.n)); ok {
			return o.start + int64(i)*o.step
		}
	}
	if name, ok := key.(string); ok {
		if v, ok := r.attribute(obj, name); ok {
			return v
		}
	}
	return r.missing(obj, key)
}

// index resolves a Python index into n items.
func index(key value, n int) (int, bool) {
	i, _, isFloat, ok := number(key)
	if !ok || isFloat {
		return 0, false
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func runeAt(s string, i int) string {
	if len(s) == utf8.RuneCountInString(s) {
		return s[i : i+1]
	}
	for at := range s {
		if i == 0 {
			_, n := utf8.DecodeRuneInString(s[at:])
			return s[at : at+n]
		}
		i--
	}
	return ""
}

func (e *sliceExpr) part(r *run, s *scope, x expr) value {
	if x == nil {
		return nil
	}
	return x.eval(r, s)
}

// eval of a slice that is not alone in its brackets: nothing takes one.
func (e *sliceExpr) eval(r *run, _ *scope) value {
	r.fail("slices stand alone in brackets")
	return nil
}

// slice is obj[start:stop:step].
func (r *run) slice(obj, start, stop, step value) value {
	r.defined(obj)
	switch obj.(type) {
	case string, *list, *tuple, *span:
	default:
		r.fail("'%s' object is not subscriptable", typeName(obj))
	}
	n, _ := length(obj)
	bound := func(v value, none int64) int64 {
		if v == nil {
			return none
		}
		i, _, isFloat, ok := number(v)
		if !ok || isFloat {
			r.fail("slice indices must be integers or None")
		}
		return i
	}
	by := bound(step, 1)
	if by == 0 {
		r.fail("slice step cannot be zero")
	}
	first, last := int64(0), int64(n) // clamping bounds
	if by < 0 {
		first, last = -1, int64(n)-1
	}
	clamp := func(i int64) int64 {
		if i < 0 {
			i += int64(n)
		}
		return min(max(i, first), last)
	}
	from, to := first, last
	if by < 0 {
		from, to = last, first
	}
	if start != nil {
		from = clamp(bound(start, 0))
	}
	if stop != nil {
		to = clamp(bound(stop, 0))
	}
	var picked []int
	switch s, isString := obj.(string); {
	case by == 1 && isString:
		if from >= to {
			return ""
		}
		r.step(len(s) / 64)
		return runeSlice(s, int(from), int(to))
	case by > 0:
		for i := from; i < to; i += by {
			picked = append(picked, int(i))
			if i > to-by {
				break
			}
		}
	default:
		for i := from; i > to; i += by {
			picked = append(picked, int(i))
			if i < to-by {
				break
			}
		}
	}
	r.step(n)
	r.alloc(16 * len(picked))
	return r.pick(obj, picked)
}

func (r *run) pick(obj value, picked []int) value {
	take := func(items []value) []value {
		out := make([]value, len(picked))
		for i, at := range picked {
			out[i] = items[at]
		}
		return out
	}
	switch o := obj.(type) {
	case string:
		runes := []rune(o)
		var b strings.Builder
		for _, at := range picked {
			b.WriteRune(runes[at])
		}
		return b.String()
	case *tuple:
		return &tuple{take(o.items)}
	}
	return &list{take(r.items(obj))}
}

func runeSlice(s string, from, to int) string {
	if len(s) == utf8.RuneCountInString(s) {
		return s[from:to]
	}
	start, i := 0, 0
	for at := range s {
		if i == from {
			start = at
		}
		if i == to {
			return s[start:at]
		}
		i++
	}
	return s[start:]
}

func (e *not) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	return !truth(e.x.eval(r, s))
}

func (e *logical) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := e.x.eval(r, s)
	if truth(x) != e.and {
		return x
	}
	return e.y.eval(r, s)
}

func (e *compare) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := plain(e.first.eval(r, s))
	for i, op := range e.ops {
		y := plain(e.rest[i].eval(r, s))
		if !r.compareOp(op, x, y) {
			return false
		}
		x = y
	}
	return true
}

func (e *conditional) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	switch {
	case truth(e.test.eval(r, s)):
		return e.then.eval(r, s)
	case e.orElse == nil:
		return &undefined{"the inline if-expression evaluated to false and no else section was defined."}
	}
	return e.orElse.eval(r, s)
}

func (e *concat) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	var b strings.Builder
	for _, item := range e.items {
		text := r.str(item.eval(r, s))
		r.alloc(len(text))
		b.WriteString(text)
	}
	return b.String()
}

// eval evaluates arguments from left to right.
func (e *arguments) eval(r *run, s *scope) callArgs {
	a := callArgs{args: r.evalAll(e.args, s), values: r.evalAll(e.values, s)}
	a.names = append(a.names, e.names...)
	if e.spread != nil {
		a.args = append(a.args, r.items(plain(e.spread.eval(r, s)))...)
	}
	if e.spread2 != nil {
		d, ok := e.spread2.eval(r, s).(*dict)
		if !ok {
			r.fail("argument after ** must be a mapping")
		}
		for i, k := range d.keys {
			key, ok := k.(string)
			if !ok {
				r.fail("keywords must be strings")
			}
			a.names = append(a.names, key)
			a.values = append(a.values, d.values[i])
		}
	}
	return a
}

func (e *call) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	fn := e.fn.eval(r, s)
	return r.call(fn, e.arguments.eval(r, s))
}

// call is fn(a).
func (r *run) call(fn value, a callArgs) value {
	r.defined(fn)
	switch fn := fn.(type) {
	case *builtin:
		return fn.call(r, a)
	case *macro:
		return r.callMacro(fn, a)
	case *loop:
		if fn.recurse == nil {
			r.fail("the loop must have the 'recursive' marker to be called recursively")
		}
		if len(a.args) != 1 {
			r.fail("loop() takes one argument")
		}
		return fn.recurse(a.args[0], fn.depth0+1)
	}
	r.fail("'%s' object is not callable", typeName(fn))
	return nil
}

// callMacro binds the arguments as Python does and gives the macro's text.
func (r *run) callMacro(m *macro, a callArgs) value {
	r.enter()
	defer r.leave()
	inner := newScope(m.scope)
	used := make([]bool, len(a.names))
	named := func(name string) (value, bool) {
		for i, n := range a.names {
			if n == name && !used[i] {
				used[i] = true
				return a.values[i], true
			}
		}
		return nil, false
	}
	for i, p := range m.params {
		if i < len(a.args) {
			inner.set(p, a.args[i])
			continue
		}
		v, ok := named(p)
		if d := i - (len(m.params) - len(m.defaults)); !ok && d >= 0 {
			v = m.defaults[d].eval(r, inner)
		} else if !ok {
			v = &undefined{"parameter " + quote(p) + " was not provided"}
		}
		inner.set(p, v)
	}
	if m.caller {
		c, ok := named("caller")
		if !ok {
			c = &undefined{"No caller defined"}
		}
		inner.set("caller", c)
	}
	kwargs := newDict(0)
	for i, n := range a.names {
		if used[i] {
			continue
		}
		if !m.kwargs {
			r.fail("macro %s takes no keyword argument %s", quote(m.name), quote(n))
		}
		kwargs.set(n, a.values[i])
	}
	if m.kwargs {
		inner.set("kwargs", kwargs)
	}
	extra := a.args[min(len(m.params), len(a.args)):]
	if m.varargs {
		inner.set("varargs", &tuple{extra})
	} else if len(extra) > 0 {
		r.fail("macro %s takes not more than %d argument(s)", quote(m.name), len(m.params))
	}
	line := r.line
	text := r.capture(func() { r.execAll(m.body, inner) })
	r.line = line
	return text
}

func (e *filter) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := e.x.eval(r, s)
	return r.filter(e.name, x, e.arguments.eval(r, s))
}

// filter applies a filter by its name.
func (r *run) filter(name string, x value, a callArgs) value {
	f := filterNamed(name)
	if f == nil {
		r.fail("no filter named %s", quote(name))
	}
	if m, ok := x.(markup); ok && (name == "escape" || name == "e") {
		return m
	}
	return f(r, plain(x), a)
}

func (e *test) eval(r *run, s *scope) value {
	r.enter()
	defer r.leave()
	x := plain(e.x.eval(r, s))
	return r.test(e.name, x, e.arguments.eval(r, s))
}

// test applies a test by its name.
func (r *run) test(name string, x value, a callArgs) bool {
	f := testNamed(name)
	if f == nil {
		r.fail("no test named %s", quote(name))
	}
	return f(r, x, a)
}
