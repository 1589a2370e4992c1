package checkpoint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Weights hands a network its tensors by name. A network is built top-down
// with narrower and narrower scopes (w.Sub("layers.0").Sub("self_attn")) and
// asks for every tensor with the shape that its configuration implies. What is
// missing or mis-shaped is remembered, not returned, so that building reads
// like the network; the builder asks Err once at the end. Only when a missing
// tensor would be large, or a thousand are missing, building ends with a panic
// that carries Err; package transformers returns it as an error.
type Weights struct {
	prefix string
	of     *loading
}

// loading is what all scopes of one network share.
type loading struct {
	checkpoint *Checkpoint
	used       map[string]bool
	adapted    map[*Adapter]int // layers
	problems   []error
}

// maxProblems is how many missing tensors one error names.
const maxProblems = 8

// Weights is the outermost scope, for building one network.
func (c *Checkpoint) Weights() Weights {
	return Weights{of: &loading{checkpoint: c, used: map[string]bool{}, adapted: map[*Adapter]int{}}}
}

// Sub is the scope of a module, by a dotted path.
func (w Weights) Sub(path string) Weights {
	return Weights{prefix: w.prefix + path + ".", of: w.of}
}

// Layer is the scope of item i of a module list: w.Layer("layers", 3).
func (w Weights) Layer(list string, i int) Weights {
	return w.Sub(fmt.Sprintf("%s.%d", list, i))
}

// Root is the first of the given scopes that holds a tensor named probe: the
// same network is saved with and without the prefix of its head's class
// ("bert.embeddings…" or "embeddings…").
func (w Weights) Root(probe string, prefixes ...string) Weights {
	for _, prefix := range prefixes {
		if s := w.Sub(prefix); s.Has(probe) {
			return s
		}
	}
	return w
}

// Has reports whether the scope holds a tensor.
func (w Weights) Has(name string) bool {
	_, ok := w.of.checkpoint.find(w.prefix + name)
	return ok
}

// find looks in what adapters saved first.
func (c *Checkpoint) find(name string) (entry, bool) {
	for _, a := range c.adapters {
		if e, ok := a.Saved.entries[name]; ok {
			return e, true
		}
	}
	e, ok := c.entries[name]
	return e, ok
}

// smaller is a matrix that Quantize made, unless an adapter brought another.
func (c *Checkpoint) smaller(name string) (kernel.Matrix, bool) {
	for _, a := range c.adapters {
		if _, ok := a.Saved.entries[name]; ok {
			return kernel.Matrix{}, false
		}
	}
	m, ok := c.quantised[name]
	return m, ok
}

// Matrix is a weight of shape (rows, cols); further dimensions of the stored
// tensor (a convolution's kernel) are folded into cols.
func (w Weights) Matrix(name string, rows, cols int) kernel.Matrix {
	return w.matrix(name, rows, cols, false)
}

// matrix is a weight of shape (rows, cols), or if it is stored transposed of
// (cols, rows): in its file, or as Quantize made it, which is never transposed.
func (w Weights) matrix(name string, rows, cols int, transposed bool) kernel.Matrix {
	nothing := kernel.Matrix{Type: kernel.F32, Rows: rows, Cols: cols}
	e, ok := w.lookup(name)
	if !ok {
		return nothing
	}
	stored := [2]int{rows, cols}
	if transposed {
		stored = [2]int{cols, rows}
	}
	if stored != [2]int{e.matrix.Rows, e.matrix.Cols} {
		w.fail("%s has shape %v, want (%d, %d)", name, e.shape, stored[0], stored[1])
		return nothing // as if it were missing
	}
	if m, ok := w.of.checkpoint.smaller(w.prefix + name); ok {
		return m
	}
	if !transposed {
		return e.matrix
	}
	if e.matrix.Type.Quantised() {
		w.fail("%s cannot be transposed from %v", name, e.matrix.Type)
		return nothing
	}
	return transpose(e.matrix)
}

// Linear is Matrix("weight"), with the changes of the adapters that are to be
// merged.
func (w Weights) Linear(rows, cols int) kernel.Matrix {
	return w.merged(w.Matrix("weight", rows, cols))
}

// Transposed is a weight of shape (rows, cols) that transformers stores as
// (cols, rows), GGUF files do not, with the changes of adapters as in Linear.
func (w Weights) Transposed(name string, rows, cols int) kernel.Matrix {
	return w.merged(w.matrix(name, rows, cols, w.of.checkpoint.GGUF == nil))
}

// Shape is the stored shape of a tensor, nil if it is missing.
func (w Weights) Shape(name string) []int {
	e, _ := w.of.checkpoint.find(w.prefix + name)
	return e.shape
}

// Vector is a copy of a tensor of n numbers: a bias or a norm's weight.
func (w Weights) Vector(name string, n int) []float32 {
	e, ok := w.lookup(name)
	if !ok {
		return w.blank(n)
	}
	if e.matrix.Rows*e.matrix.Cols != n {
		w.fail("%s has shape %v, want %d numbers", name, e.shape, n)
		return w.blank(n)
	}
	return e.floats()
}

// OptionalVector is Vector, or nil if the tensor is missing.
func (w Weights) OptionalVector(name string, n int) []float32 {
	if !w.Has(name) {
		return nil
	}
	return w.Vector(name, n)
}

// Tensor is a copy of a tensor in float32, of exactly the given shape.
func (w Weights) Tensor(name string, dims ...int) tensor.Tensor {
	e, ok := w.lookup(name)
	if ok && !equal(e.shape, dims) {
		w.fail("%s has shape %v, want %v", name, e.shape, dims)
		ok = false
	}
	if !ok {
		n := 1
		for _, d := range dims {
			if d < 0 || d > maxBlank || n > maxBlank {
				n = -1
				break
			}
			n *= d
		}
		return tensor.New(w.blank(n), dims...)
	}
	return tensor.New(e.floats(), dims...)
}

// maxBlank is how many numbers stand in for a tensor that is missing, so that
// building goes on and the error can name the others.
const maxBlank = 1 << 16

// blank is n zeros in the place of a tensor that is missing. A larger one ends
// the building here: sizes in config.json are not to be trusted with memory
// before a tensor confirms them.
func (w Weights) blank(n int) []float32 {
	if n < 0 || n > maxBlank {
		panic(w.Err())
	}
	return make([]float32, n)
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (e entry) floats() []float32 {
	out := make([]float32, e.matrix.Rows*e.matrix.Cols)
	for i := range e.matrix.Rows {
		e.matrix.Row(out[i*e.matrix.Cols:(i+1)*e.matrix.Cols], i)
	}
	return out
}

func (w Weights) lookup(name string) (entry, bool) {
	e, ok := w.of.checkpoint.find(w.prefix + name)
	if !ok {
		w.fail("%s is missing", name)
	}
	w.of.used[w.prefix+name] = true
	return e, ok
}

func (w Weights) fail(format string, args ...any) {
	w.of.problems = append(w.of.problems, fmt.Errorf("tensor "+w.prefix+format, args...))
	if len(w.of.problems) > givenUp {
		panic(w.Err())
	}
}

// givenUp is how many problems end the building: config.json may ask for any
// number of layers.
const givenUp = 1000

// Err is nil if every tensor that was asked for is there and fits; otherwise
// it wraps ErrFormat and names the first few.
func (w Weights) Err() error {
	problems := w.of.problems
	if len(problems) == 0 {
		return w.unusedAdapter()
	}
	var more error
	if len(problems) > maxProblems {
		more = fmt.Errorf("and %d more", len(problems)-maxProblems)
		problems = problems[:maxProblems]
	}
	return fmt.Errorf("%w: %w", ErrFormat, errors.Join(append(problems[:len(problems):len(problems)], more)...))
}

// Unused lists the tensors of the checkpoint that the network did not ask for,
// sorted: a head of another task, or a sign of a wrong architecture.
func (w Weights) Unused() []string {
	var names []string
	for _, name := range w.of.checkpoint.Names() {
		if !w.of.used[name] && !strings.HasSuffix(name, "position_ids") {
			names = append(names, name)
		}
	}
	return names
}
