package chat

// node is a statement; expr is an expression; target is what is assigned to.
type (
	node   interface{ exec(r *run, s *scope) signal }
	expr   interface{ eval(r *run, s *scope) value }
	target interface {
		assign(r *run, s *scope, v value)
	}
)

// signal says how a statement ended.
type signal uint8

const (
	signalNone signal = iota
	signalBreak
	signalContinue
)

// Statements.
type (
	text   struct{ data string }
	output struct {
		line int
		expr expr
	}
	printNode struct{ exprs []*output }
	ifNode    struct {
		line         int
		test         expr
		body, orElse []node
	}
	forNode struct {
		line         int
		target       target
		iter, test   expr // test may be nil
		recursive    bool
		body, orElse []node
	}
	setNode struct {
		line   int
		target target
		expr   expr
	}
	setBlock struct {
		line    int
		target  target
		filters expr // of a captured nil operand; nil without filters
		body    []node
	}
	withNode struct {
		line    int
		targets []target
		values  []expr
		body    []node
	}
	signature struct {
		params                  []string
		defaults                []expr // of the last parameters
		body                    []node
		varargs, kwargs, caller bool // the body reads them
	}
	macroNode struct {
		line int
		name string
		signature
	}
	callBlock struct {
		line int
		call *call
		signature
	}
	filterBlock struct {
		line    int
		filters expr
		body    []node
	}
	scoped struct{ body []node }
	jump   struct{ signal signal }
)

// Targets.
type (
	nameTarget  struct{ name string }
	attrTarget  struct{ namespace, attr string }
	tupleTarget struct{ items []target }
)

// Expressions.
type (
	literal   struct{ v value }
	name      struct{ name string }
	tupleExpr struct{ items []expr }
	listExpr  struct{ items []expr }
	dictExpr  struct{ keys, values []expr }
	attribute struct {
		obj  expr
		name string
	}
	subscript struct{ obj, key expr }
	sliceExpr struct{ start, stop, step expr } // nil where left out
	unary     struct {
		op string
		x  expr
	}
	binary struct {
		op   string
		x, y expr
	}
	concat  struct{ items []expr }
	not     struct{ x expr }
	logical struct {
		and  bool
		x, y expr
	}
	compare struct {
		first expr
		ops   []string
		rest  []expr
	}
	conditional struct{ test, then, orElse expr } // orElse may be nil
	arguments   struct {
		args            []expr
		names           []string // of keyword arguments
		values          []expr
		spread, spread2 expr // *args, **kwargs; may be nil
	}
	call struct {
		fn expr
		arguments
	}
	filter struct {
		x    expr // nil: the captured block
		name string
		arguments
	}
	test struct {
		x    expr
		name string
		arguments
	}
	captured struct{} // the text of the block that a filter follows
)
