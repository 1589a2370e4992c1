package chat

// scope holds the variables of a block that has its own: the template, an
// iteration of a loop, a macro call, with, a captured block.
type scope struct {
	vars   []variable // few: looked through
	parent *scope
}

type variable struct {
	name string
	v    value
}

func newScope(parent *scope) *scope { return &scope{parent: parent} }

func (s *scope) set(name string, v value) {
	for i := range s.vars {
		if s.vars[i].name == name {
			s.vars[i].v = v
			return
		}
	}
	s.vars = append(s.vars, variable{name, v})
}

func (s *scope) lookup(name string) (value, bool) {
	for ; s != nil; s = s.parent {
		for i := range s.vars {
			if s.vars[i].name == name {
				return s.vars[i].v, true
			}
		}
	}
	return nil, false
}

// loop is the variable of that name in a for statement, as jinja2's
// LoopContext: it looks one item ahead when it is asked for last or nextitem.
type loop struct {
	r       *run
	source  value // what is walked over, for length
	next    func() (value, bool)
	index0  int // -1 before the first item
	depth0  int
	size    int // -1 while unknown
	after   value
	peeked  bool // after holds what next gave
	ended   bool // next gave its last
	current value
	before  value
	changed []value // the last arguments of changed()
	seen    bool    // changed() was called
	recurse func(items value, depth0 int) string
}

// advance moves to the next item.
func (l *loop) advance() (value, bool) {
	item, ok := l.peek()
	if !ok {
		return nil, false
	}
	l.peeked = false
	l.index0++
	l.before, l.current = l.current, item
	return item, true
}

func (l *loop) peek() (value, bool) {
	if !l.peeked && !l.ended {
		item, ok := l.next()
		l.after, l.peeked, l.ended = item, ok, !ok
	}
	return l.after, l.peeked
}

// length counts the items; those of a generator are read ahead for it.
func (l *loop) length() int {
	if l.size >= 0 {
		return l.size
	}
	if n, ok := length(l.source); ok {
		l.size = n
		return n
	}
	var rest []value
	for item, ok := l.next(); ok; item, ok = l.next() {
		l.r.alloc(16)
		rest = append(rest, item)
	}
	l.next = l.r.iterator(&list{rest})
	l.size = len(rest) + l.index0 + 1
	if l.peeked {
		l.size++
	}
	return l.size
}

// attr is an attribute of the variable loop.
func (l *loop) attr(name string) (value, bool) {
	switch name {
	case "index":
		return int64(l.index0 + 1), true
	case "index0":
		return int64(l.index0), true
	case "first":
		return l.index0 == 0, true
	case "last":
		_, more := l.peek()
		return !more, true
	case "length":
		return int64(l.length()), true
	case "revindex":
		return int64(l.length() - l.index0), true
	case "revindex0":
		return int64(l.length() - l.index0 - 1), true
	case "depth":
		return int64(l.depth0 + 1), true
	case "depth0":
		return int64(l.depth0), true
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		item, ok := l.peek()
		if !ok {
			return &undefined{"there is no next item"}, true
		}
		return item, true
	case "cycle":
		return &builtin{"cycle", func(r *run, a callArgs) value {
			if len(a.args) == 0 {
				r.fail("no items for cycling given")
			}
			return a.args[l.index0%len(a.args)]
		}}, true
	case "changed":
		return &builtin{"changed", func(r *run, a callArgs) value {
			same := l.seen && r.equalItems(l.changed, a.args)
			l.changed, l.seen = a.args, true
			return !same
		}}, true
	}
	return nil, false
}
