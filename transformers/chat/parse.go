package chat

import "slices"

// parser reads tokens into statements by the rules of jinja2/parser.py.
type parser struct {
	tokens []token
	pos    int
	depth  int
	// reads collects the names that the body of each open macro reads, for
	// varargs, kwargs and caller.
	reads []map[string]bool
	loops int // open for loops
}

// maxNesting bounds the nesting of statements and expressions.
const maxNesting = 200

func (p *parser) cur() token { return p.tokens[p.pos] }

func (p *parser) peek() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) fail(format string, args ...any) { failAt(p.cur().line, format, args...) }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

func (p *parser) isName(names ...string) bool {
	return p.cur().kind == tokName && slices.Contains(names, p.cur().text)
}

func (p *parser) skipName(name string) bool {
	if !p.isName(name) {
		return false
	}
	p.next()
	return true
}

func (p *parser) skip(kind tokenKind) bool {
	if p.cur().kind != kind {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(kind tokenKind) token {
	if p.cur().kind != kind {
		p.fail("expected %q, got %q", string(kind), p.cur())
	}
	return p.next()
}

func (p *parser) expectName(name string) {
	if !p.skipName(name) {
		p.fail("expected %q, got %q", name, p.cur())
	}
}

// nest enters a level of nesting; the caller defers what it returns.
func (p *parser) nest() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail("nested more than %d levels deep", maxNesting)
	}
	return func() { p.depth-- }
}

// body reads statements up to a block that begins with one of the names; that
// name is next afterwards. Without names it reads to the end.
func (p *parser) body(ends ...string) []node {
	defer p.nest()()
	var out []node
	for {
		t := p.cur()
		switch t.kind {
		case tokData:
			p.next()
			out = append(out, &text{t.text})
		case tokVariableBegin:
			p.next()
			out = append(out, &output{line: t.line, expr: p.tuple(tupleOptions{condexpr: true})})
			p.expect(tokVariableEnd)
		case tokBlockBegin:
			p.next()
			if p.isName(ends...) {
				return out
			}
			out = append(out, p.statement())
			p.expect(tokBlockEnd)
		case tokEOF:
			if len(ends) > 0 {
				p.fail("unexpected end of template, expected %v", ends)
			}
			return out
		default:
			p.fail("unexpected %q", t)
		}
	}
}

// block reads the body of a statement whose head has been read, and moves over
// the name that ends it.
func (p *parser) block(ends ...string) ([]node, string) {
	p.skip(":")
	p.expect(tokBlockEnd)
	nodes := p.body(ends...)
	return nodes, p.next().text
}

func (p *parser) statement() node {
	t := p.cur()
	if t.kind != tokName {
		p.fail("tag name expected, got %q", t)
	}
	p.next()
	switch t.text {
	case "for":
		return p.forStatement(t.line)
	case "if":
		return p.ifStatement(t.line)
	case "set":
		return p.setStatement(t.line)
	case "macro":
		m := &macroNode{line: t.line, name: p.expect(tokName).text}
		p.signature(&m.signature)
		p.macroBody(&m.signature, "endmacro")
		return m
	case "call":
		c := &callBlock{line: t.line}
		if p.cur().kind == "(" {
			p.signature(&c.signature)
		}
		call, ok := p.expression().(*call)
		if !ok {
			p.fail("expected call")
		}
		c.call = call
		p.macroBody(&c.signature, "endcall")
		return c
	case "filter":
		f := &filterBlock{line: t.line, filters: p.filters(nil, true)}
		f.body, _ = p.block("endfilter")
		return f
	case "with":
		return p.withStatement(t.line)
	case "generation":
		body, _ := p.block("endgeneration")
		return &scoped{body}
	case "print":
		return p.printStatement(t.line)
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a loop", t.text)
		}
		if t.text == "break" {
			return &jump{signalBreak}
		}
		return &jump{signalContinue}
	case "include", "import", "from", "extends", "block", "autoescape":
		p.fail("the statement %q does not exist in chat templates", t.text)
	}
	p.fail("unknown tag %q", t.text)
	return nil
}

func (p *parser) forStatement(line int) node {
	f := &forNode{line: line, target: p.assignTarget(tupleOptions{simplified: true, end: "in"})}
	p.expectName("in")
	f.iter = p.tuple(tupleOptions{end: "recursive"})
	if p.skipName("if") {
		f.test = p.expression()
	}
	f.recursive = p.skipName("recursive")
	p.loops++
	body, end := p.block("endfor", "else")
	p.loops--
	f.body = body
	if end == "else" {
		f.orElse, _ = p.block("endfor")
	}
	return f
}

func (p *parser) ifStatement(line int) node {
	root := &ifNode{line: line}
	n := root
	for {
		n.test = p.tuple(tupleOptions{})
		body, end := p.block("elif", "else", "endif")
		n.body = body
		switch end {
		case "elif":
			next := &ifNode{line: p.cur().line}
			n.orElse = []node{next}
			n = next
			continue
		case "else":
			n.orElse, _ = p.block("endif")
		}
		return root
	}
}

func (p *parser) setStatement(line int) node {
	target := p.assignTarget(tupleOptions{simplified: true, namespace: true})
	if p.skip("=") {
		return &setNode{line: line, target: target, expr: p.tuple(tupleOptions{condexpr: true})}
	}
	s := &setBlock{line: line, target: target, filters: p.filters(nil, false)}
	s.body, _ = p.block("endset")
	return s
}

func (p *parser) withStatement(line int) node {
	w := &withNode{line: line}
	for p.cur().kind != tokBlockEnd {
		if len(w.targets) > 0 {
			p.expect(",")
		}
		w.targets = append(w.targets, p.assignTarget(tupleOptions{simplified: true}))
		p.expect("=")
		w.values = append(w.values, p.expression())
	}
	w.body, _ = p.block("endwith")
	return w
}

func (p *parser) printStatement(line int) node {
	s := &printNode{}
	for p.cur().kind != tokBlockEnd {
		if len(s.exprs) > 0 {
			p.expect(",")
		}
		s.exprs = append(s.exprs, &output{line: line, expr: p.expression()})
	}
	return s
}

// signature reads (a, b=default, …).
func (p *parser) signature(s *signature) {
	p.expect("(")
	for p.cur().kind != ")" {
		if len(s.params) > 0 {
			p.expect(",")
		}
		s.params = append(s.params, p.expect(tokName).text)
		if p.skip("=") {
			s.defaults = append(s.defaults, p.expression())
		} else if len(s.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
	}
	p.expect(")")
}

// macroBody reads what a macro or a call block does.
func (p *parser) macroBody(s *signature, end string) {
	loops := p.loops
	p.loops = 0
	p.reads = append(p.reads, map[string]bool{})
	s.body, _ = p.block(end)
	reads := p.reads[len(p.reads)-1]
	p.reads = p.reads[:len(p.reads)-1]
	p.loops = loops
	explicit := func(name string) bool { return slices.Contains(s.params, name) }
	s.varargs = reads["varargs"] && !explicit("varargs")
	s.kwargs = reads["kwargs"] && !explicit("kwargs")
	s.caller = reads["caller"] && !explicit("caller")
}

// assignTarget reads what a statement assigns to. The grammar is that of an
// expression, so that a wrong one is named.
func (p *parser) assignTarget(o tupleOptions) target { return p.asTarget(p.tuple(o)) }

func (p *parser) asTarget(e expr) target {
	switch e := e.(type) {
	case *name:
		return &nameTarget{e.name}
	case *attribute:
		if ns, ok := e.obj.(*name); ok {
			return &attrTarget{ns.name, e.name}
		}
	case *tupleExpr:
		t := &tupleTarget{}
		for _, item := range e.items {
			t.items = append(t.items, p.asTarget(item))
		}
		return t
	}
	p.fail("can't assign to this expression")
	return nil
}
