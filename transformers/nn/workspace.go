package nn

import (
	"context"
	"iter"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Workspace is the memory and the threads of one running forward pass. It is
// used by one goroutine at a time and reused from pass to pass.
type Workspace struct {
	Pool  *kernel.Pool
	Arena tensor.Arena

	// Adapters are the ids of the low-rank adapters in force, see Linear.
	Adapters []int

	scratch   kernel.Scratch
	rows      rowTask
	attention attentionTask
	rope      ropeTask
	products  []kernel.Product // of one kernel.MatMulMany, kept between calls

	frequencies []float64 // of a rope that depends on the length
	integers    []uint32

	ctx    context.Context // of the pass, nil for one that nobody ends
	ctxErr error           // why the pass was given up
}

// NewWorkspace is a workspace over a pool of threads, which others may share.
func NewWorkspace(pool *kernel.Pool) *Workspace { return &Workspace{Pool: pool} }

// Begin starts a forward pass: the last one's tensors are no longer valid, and
// this one is given up when ctx ends, see Layers.
func (ws *Workspace) Begin(ctx context.Context) {
	ws.Arena.Reset()
	ws.ctx, ws.ctxErr = ctx, nil
}

// Layers counts the n layers of a network from 0. The count ends early when
// the context of the pass does; Err tells, and what the pass computed then
// means nothing.
func (ws *Workspace) Layers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n && ws.goesOn() && yield(i); i++ {
		}
	}
}

// goesOn asks before each layer whether the pass is still wanted.
func (ws *Workspace) goesOn() bool {
	if ws.ctxErr == nil && ws.ctx != nil && ws.ctx.Err() != nil {
		ws.ctxErr = context.Cause(ws.ctx)
	}
	return ws.ctxErr == nil
}

// Err is the cause of the context's end if the pass was given up, and nil if
// it ran through.
func (ws *Workspace) Err() error { return ws.ctxErr }

// rowTask applies a function to blocks of rows of a tensor.
type rowTask struct {
	f      func(dst, x []float32)
	dst, x tensor.Tensor
	block  int
}

// rowWork is about how many numbers make a part worth handing to a thread.
const rowWork = 1 << 14

// Part implements kernel.Task.
func (t *rowTask) Part(i int) {
	hi := min((i+1)*t.block, t.x.Rows())
	for r := i * t.block; r < hi; r++ {
		t.f(t.dst.Row(r), t.x.Row(r))
	}
}

// eachRow runs f over the rows of x and dst, in parallel if there is enough.
func (ws *Workspace) eachRow(dst, x tensor.Tensor, f func(dst, x []float32)) {
	rows, cols := x.Rows(), x.Cols()
	if rows*cols < 2*rowWork || rows == 1 {
		for r := range rows {
			f(dst.Row(r), x.Row(r))
		}
		return
	}
	block := max(1, rowWork/cols)
	ws.rows = rowTask{f: f, dst: dst, x: x, block: block}
	ws.Pool.Run((rows+block-1)/block, &ws.rows)
}

// Map applies f to every row of x in place.
func (ws *Workspace) Map(x tensor.Tensor, f func(x []float32)) {
	if x.Rows() == 1 { // no closure: a decoded token allocates nothing
		f(x.Data)
		return
	}
	ws.eachRow(x, x, func(dst, _ []float32) { f(dst) })
}

// Add adds y to x in place. y has the shape of x.
func (ws *Workspace) Add(x, y tensor.Tensor) { ws.eachRow(x, y, kernel.Add) }

// ints is scratch for n integers, valid until the next call.
func (ws *Workspace) ints(n int) []uint32 {
	ws.integers = slices.Grow(ws.integers[:0], n)[:n]
	return ws.integers
}
