package chat

// execAll runs statements until one breaks out of a loop.
func (r *run) execAll(nodes []node, s *scope) signal {
	for _, n := range nodes {
		if sig := n.exec(r, s); sig != signalNone {
			return sig
		}
	}
	return signalNone
}

// at enters the statement of a line.
func (r *run) at(line int) {
	r.line = line
	r.enter()
}

func (n *text) exec(r *run, _ *scope) signal {
	r.step(1)
	r.write(n.data)
	return signalNone
}

func (n *output) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	r.write(r.str(n.expr.eval(r, s)))
	return signalNone
}

func (n *printNode) exec(r *run, s *scope) signal {
	for _, o := range n.exprs {
		o.exec(r, s)
	}
	return signalNone
}

func (n *ifNode) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	if truth(n.test.eval(r, s)) {
		return r.execAll(n.body, s)
	}
	return r.execAll(n.orElse, s)
}

func (n *forNode) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	n.run(r, s, plain(n.iter.eval(r, s)), 0)
	return signalNone
}

// run walks over items. A recursive loop calls itself with deeper ones.
func (n *forNode) run(r *run, s *scope, items value, depth0 int) {
	l := &loop{r: r, source: items, next: r.iterator(items), index0: -1, size: -1, depth0: depth0}
	if n.test != nil {
		all := l.next
		l.source = nil // its length is not that of what passes the test
		l.next = func() (value, bool) {
			for item, ok := all(); ok; item, ok = all() {
				inner := newScope(s)
				n.target.assign(r, inner, item)
				if truth(n.test.eval(r, inner)) {
					return item, true
				}
			}
			return nil, false
		}
	}
	if n.recursive {
		l.recurse = func(items value, depth0 int) string {
			r.enter()
			defer r.leave()
			return r.capture(func() { n.run(r, s, items, depth0) })
		}
	}
	ran := false
	for item, ok := l.advance(); ok; item, ok = l.advance() {
		ran = true
		r.step(4)
		inner := newScope(s)
		n.target.assign(r, inner, item)
		inner.set("loop", l)
		if r.execAll(n.body, inner) == signalBreak {
			return
		}
	}
	if !ran {
		r.execAll(n.orElse, newScope(s))
	}
}

func (n *setNode) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	n.target.assign(r, s, n.expr.eval(r, s))
	return signalNone
}

func (n *setBlock) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	n.target.assign(r, s, r.filtered(n.body, n.filters, s))
	return signalNone
}

// capturedText is the variable that holds the text of a block for its filters.
// No name of a template can be it.
const capturedText = " block"

// filtered runs a block and passes its text through filters.
func (r *run) filtered(body []node, filters expr, s *scope) value {
	inner := newScope(s)
	text := r.capture(func() { r.execAll(body, inner) })
	if filters == nil {
		return text
	}
	inner.set(capturedText, text)
	return filters.eval(r, inner)
}

func (captured) eval(_ *run, s *scope) value {
	v, _ := s.lookup(capturedText)
	return v
}

func (n *filterBlock) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	r.write(r.str(r.filtered(n.body, n.filters, s)))
	return signalNone
}

func (n *withNode) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	inner := newScope(s)
	values := r.evalAll(n.values, s)
	for i, t := range n.targets {
		t.assign(r, inner, values[i])
	}
	return r.execAll(n.body, inner)
}

func (n *macroNode) exec(_ *run, s *scope) signal {
	s.set(n.name, &macro{signature: &n.signature, name: n.name, scope: s, line: n.line})
	return signalNone
}

func (n *callBlock) exec(r *run, s *scope) signal {
	r.at(n.line)
	defer r.leave()
	a := n.call.arguments.eval(r, s)
	a.names = append(a.names, "caller")
	a.values = append(a.values, &macro{signature: &n.signature, name: "caller", scope: s, line: n.line})
	r.write(r.str(r.call(n.call.fn.eval(r, s), a)))
	return signalNone
}

func (n *scoped) exec(r *run, s *scope) signal { return r.execAll(n.body, newScope(s)) }

func (n *jump) exec(*run, *scope) signal { return n.signal }

func (t *nameTarget) assign(_ *run, s *scope, v value) { s.set(t.name, v) }

func (t *attrTarget) assign(r *run, s *scope, v value) {
	ns, _ := s.lookup(t.namespace)
	n, ok := ns.(*namespace)
	if !ok {
		r.fail("cannot assign attribute on non-namespace object")
	}
	r.checkAttr(t.attr)
	n.attrs.set(t.attr, v)
}

func (t *tupleTarget) assign(r *run, s *scope, v value) {
	items := r.items(plain(v))
	if len(items) != len(t.items) {
		r.fail("expected %d values to unpack, got %d", len(t.items), len(items))
	}
	for i, item := range t.items {
		item.assign(r, s, items[i])
	}
}
