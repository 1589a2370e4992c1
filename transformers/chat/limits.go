package chat

import "fmt"

// Limits bound what a template may do. The zero value is replaced by
// DefaultLimits.
type Limits struct {
	Steps  int // statements, operations and items visited
	Bytes  int // of all strings and lists that are built, together
	Output int // bytes of the rendered text
	Depth  int // of expressions, statements and macro calls within one another
}

// DefaultLimits let a conversation of millions of characters through, and end
// a hostile template within a second or two.
var DefaultLimits = Limits{Steps: 5_000_000, Bytes: 1 << 30, Output: 256 << 20, Depth: 3000}

// maxTemplate bounds the length of a template, in bytes. The longest in use
// have some 30 kB.
const maxTemplate = 1 << 20

// maxRange is the longest range() that Jinja's sandbox gives.
const maxRange = 100_000

// Error is a template that is wrong, or that failed.
type Error struct {
	Line    int    // of the template, from 1; 0 where it is not known
	Message string // what is wrong
	// Raised says that the template itself refused the conversation, with
	// raise_exception: Message is its reason, meant for whoever wrote it.
	Raised bool
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "chat template: " + e.Message
	}
	return fmt.Sprintf("chat template: line %d: %s", e.Line, e.Message)
}

// failAt ends parsing or rendering: Parse and Render recover the *Error, so
// that the hundreds of places which can fail stay readable.
func failAt(line int, format string, args ...any) {
	panic(&Error{Line: line, Message: fmt.Sprintf(format, args...)})
}

// recoverError turns the panic of failAt into *err and lets others through.
func recoverError(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

// run is the state of one rendering.
type run struct {
	in     *Input
	limits Limits
	steps  int
	bytes  int
	output int
	depth  int
	line   int // of the statement that runs
	out    *buffer
}

// buffer collects text. Only the outermost counts as output: what macros and
// set blocks collect is charged to it when it gets there.
type buffer struct {
	text  []byte
	inner bool
}

func (r *run) fail(format string, args ...any) { failAt(r.line, format, args...) }

// step charges n steps.
func (r *run) step(n int) {
	if r.steps += n; r.steps > r.limits.Steps || n < 0 {
		r.fail("the template runs more than %d steps", r.limits.Steps)
	}
}

// alloc charges n bytes of memory before they are allocated.
func (r *run) alloc(n int) {
	if n < 0 || r.bytes+n > r.limits.Bytes {
		r.fail("the template builds more than %d bytes", r.limits.Bytes)
	}
	r.bytes += n
}

// enter goes one level deeper; the caller defers leave.
func (r *run) enter() {
	if r.depth++; r.depth > r.limits.Depth {
		r.fail("maximum recursion depth exceeded")
	}
	r.step(1)
}

func (r *run) leave() { r.depth-- }

// write appends to the current output.
func (r *run) write(s string) {
	if r.out.inner {
		r.alloc(len(s))
	} else if r.output += len(s); r.output > r.limits.Output {
		r.fail("the template writes more than %d bytes", r.limits.Output)
	}
	r.out.text = append(r.out.text, s...)
}

// capture runs f and gives what it wrote.
func (r *run) capture(f func()) string {
	outer := r.out
	r.out = &buffer{inner: true}
	f()
	s := string(r.out.text)
	r.out = outer
	return s
}
