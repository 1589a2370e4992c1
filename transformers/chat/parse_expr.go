package chat

import "slices"

func (p *parser) expression() expr { return p.condition(true) }

// condition reads an expression, with "a if b else c" unless condexpr is false.
func (p *parser) condition(condexpr bool) expr {
	defer p.nest()()
	e := p.or()
	for condexpr && p.skipName("if") {
		c := &conditional{then: e, test: p.or()}
		if p.skipName("else") {
			c.orElse = p.condition(true)
		}
		e = c
	}
	return e
}

func (p *parser) or() expr {
	x := p.and()
	for p.skipName("or") {
		x = &logical{x: x, y: p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for p.skipName("and") {
		x = &logical{and: true, x: x, y: p.not()}
	}
	return x
}

func (p *parser) not() expr {
	if p.isName("not") {
		defer p.nest()()
		p.next()
		return &not{p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	c := &compare{first: p.sum()}
	for {
		op := string(p.cur().kind)
		switch {
		case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
			p.next()
		case p.isName("in"):
			p.next()
			op = "in"
		case p.isName("not") && p.peek().kind == tokName && p.peek().text == "in":
			p.next()
			p.next()
			op = "not in"
		default:
			if len(c.ops) == 0 {
				return c.first
			}
			return c
		}
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, p.sum())
	}
}

func (p *parser) sum() expr {
	x := p.concat()
	for p.cur().kind == "+" || p.cur().kind == "-" {
		op := string(p.next().kind)
		x = &binary{op: op, x: x, y: p.concat()}
	}
	return x
}

func (p *parser) concat() expr {
	x := p.product()
	if p.cur().kind != "~" {
		return x
	}
	c := &concat{items: []expr{x}}
	for p.skip("~") {
		c.items = append(c.items, p.product())
	}
	return c
}

func (p *parser) product() expr {
	x := p.power()
	for slices.Contains([]tokenKind{"*", "/", "//", "%"}, p.cur().kind) {
		op := string(p.next().kind)
		x = &binary{op: op, x: x, y: p.power()}
	}
	return x
}

// power groups to the left, as Jinja does.
func (p *parser) power() expr {
	x := p.unary(true)
	for p.skip("**") {
		x = &binary{op: "**", x: x, y: p.unary(true)}
	}
	return x
}

func (p *parser) unary(withFilter bool) expr {
	defer p.nest()()
	var e expr
	if k := p.cur().kind; k == "-" || k == "+" {
		p.next()
		e = &unary{op: string(k), x: p.unary(false)}
	} else {
		e = p.primary(false)
	}
	e = p.postfix(e)
	if withFilter {
		e = p.filterExpr(e)
	}
	return e
}

// primary reads a name or a literal; with namespace also ns.attr as a target.
func (p *parser) primary(namespace bool) expr {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &literal{true}
		case "false", "False":
			return &literal{false}
		case "none", "None":
			return &literal{nil}
		}
		if namespace && p.skip(".") {
			return &attribute{&name{t.text}, p.expect(tokName).text}
		}
		for _, reads := range p.reads {
			reads[t.text] = true
		}
		return &name{t.text}
	case tokString:
		s := t.text
		for p.cur().kind == tokString {
			s += p.next().text
		}
		return &literal{s}
	case tokInteger, tokFloat:
		return &literal{t.num}
	case "(":
		e := p.tuple(tupleOptions{condexpr: true, parentheses: true})
		p.expect(")")
		return e
	case "[":
		items := p.sequence("]")
		return &listExpr{items}
	case "{":
		return p.dict()
	}
	failAt(t.line, "unexpected %q", t)
	return nil
}

// sequence reads expressions up to a closing bracket, which it moves over.
func (p *parser) sequence(end tokenKind) []expr {
	var items []expr
	for p.cur().kind != end {
		if len(items) > 0 {
			p.expect(",")
			if p.cur().kind == end {
				break
			}
		}
		items = append(items, p.expression())
	}
	p.expect(end)
	return items
}

func (p *parser) dict() expr {
	d := &dictExpr{}
	for p.cur().kind != "}" {
		if len(d.keys) > 0 {
			p.expect(",")
			if p.cur().kind == "}" {
				break
			}
		}
		d.keys = append(d.keys, p.expression())
		p.expect(":")
		d.values = append(d.values, p.expression())
	}
	p.expect("}")
	return d
}

// tupleOptions says where a tuple stands: names only (simplified), with
// ns.attr (namespace), with "a if b" (condexpr), in parentheses, and the name
// that ends it.
type tupleOptions struct {
	simplified, namespace, condexpr, parentheses bool
	end                                          string
}

// tuple reads an expression, or several with commas.
func (p *parser) tuple(o tupleOptions) expr {
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		k := p.cur().kind
		if k == tokVariableEnd || k == tokBlockEnd || k == ")" || (o.end != "" && p.isName(o.end)) {
			break
		}
		if o.simplified {
			items = append(items, p.simplified(o))
		} else {
			items = append(items, p.condition(o.condexpr))
		}
		if p.cur().kind != "," {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !o.parentheses {
			p.fail("expected an expression, got %q", p.cur())
		}
	}
	return &tupleExpr{items}
}

// simplified reads a name of a target, or targets in parentheses.
func (p *parser) simplified(o tupleOptions) expr {
	defer p.nest()()
	return p.primary(o.namespace)
}

func (p *parser) postfix(e expr) expr {
	for {
		switch p.cur().kind {
		case ".":
			p.next()
			t := p.next()
			switch t.kind {
			case tokName:
				e = &attribute{e, t.text}
			case tokInteger:
				e = &subscript{e, &literal{t.num}}
			default:
				p.fail("expected name or number, got %q", t)
			}
		case "[":
			p.next()
			e = &subscript{e, p.subscriptKey()}
		case "(":
			e = &call{e, p.arguments()}
		default:
			return e
		}
	}
}

// subscriptKey reads what stands in brackets.
func (p *parser) subscriptKey() expr {
	var keys []expr
	for p.cur().kind != "]" {
		if len(keys) > 0 {
			p.expect(",")
		}
		keys = append(keys, p.slice())
	}
	p.expect("]")
	if len(keys) == 1 {
		return keys[0]
	}
	return &tupleExpr{keys}
}

// slice reads key, or start:stop:step.
func (p *parser) slice() expr {
	s := &sliceExpr{}
	if p.cur().kind != ":" {
		s.start = p.expression()
		if p.cur().kind != ":" {
			return s.start
		}
	}
	p.expect(":")
	part := func() expr {
		if k := p.cur().kind; k == ":" || k == "]" || k == "," {
			return nil
		}
		return p.expression()
	}
	s.stop = part()
	if p.skip(":") {
		s.step = part()
	}
	return s
}

func (p *parser) filterExpr(e expr) expr {
	for {
		switch {
		case p.cur().kind == "|":
			e = p.filters(e, false)
		case p.isName("is"):
			e = p.test(e)
		case p.cur().kind == "(":
			e = &call{e, p.arguments()}
		default:
			return e
		}
	}
}

// filters reads |a|b(c) behind an operand; inline begins with a name instead
// of a bar. A nil operand stands for the block that the filters are given; the
// result is nil when there is no filter.
func (p *parser) filters(operand expr, inline bool) expr {
	e := operand
	for inline || p.cur().kind == "|" {
		if !inline {
			p.next()
		}
		inline = false
		if e == nil {
			e = captured{}
		}
		f := &filter{x: e, name: p.dotted()}
		if p.cur().kind == "(" {
			f.arguments = p.arguments()
		}
		e = f
	}
	return e
}

func (p *parser) dotted() string {
	s := p.expect(tokName).text
	for p.skip(".") {
		s += "." + p.expect(tokName).text
	}
	return s
}

func (p *parser) test(e expr) expr {
	p.expectName("is")
	negated := p.skipName("not")
	t := &test{x: e, name: p.dotted()}
	switch cur := p.cur(); {
	case cur.kind == "(":
		t.arguments = p.arguments()
	case p.isName("else", "or", "and"):
	case p.isName("is"):
		p.fail("you cannot chain multiple tests with is")
	case slices.Contains([]tokenKind{tokName, tokString, tokInteger, tokFloat, "[", "{"}, cur.kind):
		t.args = []expr{p.postfix(p.primary(false))}
	}
	if negated {
		return &not{t}
	}
	return t
}

// arguments reads (a, b=c, *d, **e).
func (p *parser) arguments() arguments {
	defer p.nest()()
	var a arguments
	p.expect("(")
	ensure := func(ok bool) {
		if !ok {
			p.fail("invalid syntax for function call expression")
		}
	}
	for first := true; p.cur().kind != ")"; first = false {
		if !first {
			p.expect(",")
			if p.cur().kind == ")" {
				break
			}
		}
		switch {
		case p.skip("*"):
			ensure(a.spread == nil && a.spread2 == nil)
			a.spread = p.expression()
		case p.skip("**"):
			ensure(a.spread2 == nil)
			a.spread2 = p.expression()
		case p.cur().kind == tokName && p.peek().kind == "=":
			ensure(a.spread2 == nil)
			key := p.next().text
			p.next()
			if slices.Contains(a.names, key) {
				p.fail("keyword argument repeated: %s", key)
			}
			a.names = append(a.names, key)
			a.values = append(a.values, p.expression())
		default:
			ensure(a.spread == nil && a.spread2 == nil && len(a.names) == 0)
			a.args = append(a.args, p.expression())
		}
	}
	p.expect(")")
	return a
}
