package nn

import (
	"fmt"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Linear is y = x·Wᵀ + b, with W of shape (out, in) in any format.
type Linear struct {
	W    kernel.Matrix
	Bias []float32 // nil: none
	// LowRank are the adapters by id; a missing one is nil. See Workspace.Adapters.
	LowRank []*checkpoint.LowRank
}

// NewLinear reads weight (out, in) and, if the layer has one, bias (out).
func NewLinear(w checkpoint.Weights, in, out int, bias bool) Linear {
	l := Linear{W: w.Linear(out, in), LowRank: w.LowRank(out, in)}
	if bias {
		l.Bias = w.Vector("bias", out)
	}
	return l
}

// Split cuts a layer that computes several things at once (query, key and
// value) into layers of so many outputs each. They share the weights.
func (l Linear) Split(outs ...int) []Linear {
	parts := make([]Linear, len(outs))
	lo := 0
	for i, out := range outs {
		parts[i].W = kernel.Matrix{Type: l.W.Type, Rows: out, Cols: l.W.Cols}
		if l.W.Data != nil { // nil: missing, which Weights reports
			parts[i].W = rows(l.W, lo, lo+out)
		}
		if l.Bias != nil {
			parts[i].Bias = l.Bias[lo : lo+out]
		}
		for _, a := range l.LowRank { // A is shared, B has a row for each output
			if a != nil {
				a = &checkpoint.LowRank{A: a.A, B: rows(a.B, lo, lo+out), Scale: a.Scale}
			}
			parts[i].LowRank = append(parts[i].LowRank, a)
		}
		lo += out
	}
	return parts
}

// rows is rows lo to hi of a matrix, sharing the numbers.
func rows(m kernel.Matrix, lo, hi int) kernel.Matrix {
	size := m.Type.RowBytes(m.Cols)
	return kernel.Matrix{Type: m.Type, Rows: hi - lo, Cols: m.Cols, Data: m.Data[lo*size : hi*size]}
}

// Forward is (tokens, in) -> (tokens, out).
func (l *Linear) Forward(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	y := ws.Arena.New(x.Rows(), l.W.Rows)
	l.multiply(ws, x, kernel.Product{Dst: y.Data})
	return y
}

// Activate is act of Forward.
func (l *Linear) Activate(ws *Workspace, x tensor.Tensor, act Activation) tensor.Tensor {
	y := ws.Arena.New(x.Rows(), l.W.Rows)
	if l.adapted(ws) { // the adapters come before the activation
		l.multiply(ws, x, kernel.Product{Dst: y.Data})
		act.Apply(ws, y)
		return y
	}
	l.multiply(ws, x, kernel.Product{Dst: y.Data, Act: act})
	return y
}

// AddTo adds Forward of x to y (tokens, out).
func (l *Linear) AddTo(ws *Workspace, y, x tensor.Tensor) {
	l.multiply(ws, x, kernel.Product{Dst: y.Data, Add: true})
}

// multiply computes the product that p describes, of this layer's weight and
// bias, and adds the adapters in force to its result.
func (l *Linear) multiply(ws *Workspace, x tensor.Tensor, p kernel.Product) {
	p.W, p.Bias = &l.W, l.Bias
	ws.products = append(ws.products[:0], p)
	kernel.MatMulMany(ws.Pool, &ws.scratch, x.Data, x.Rows(), ws.products)
	l.adapt(ws, x, p.Dst)
}

// adapted reports whether adapters are in force for this layer.
func (l *Linear) adapted(ws *Workspace) bool {
	for _, id := range ws.Adapters {
		if id < len(l.LowRank) && l.LowRank[id] != nil {
			return true
		}
	}
	return false
}

// adapt adds the adapters in force to y (tokens, out).
func (l *Linear) adapt(ws *Workspace, x tensor.Tensor, y []float32) {
	for _, id := range ws.Adapters {
		if id < len(l.LowRank) && l.LowRank[id] != nil {
			addLowRank(ws, l.LowRank[id], x, y)
		}
	}
}

func addLowRank(ws *Workspace, a *checkpoint.LowRank, x tensor.Tensor, y []float32) {
	mark := ws.Arena.Mark()
	down := ws.Arena.New(x.Rows(), a.A.Rows)
	kernel.MatMul(ws.Pool, &ws.scratch, down.Data, x.Data, x.Rows(), &a.A)
	kernel.Scale(down.Data, a.Scale)
	up := ws.Arena.New(x.Rows(), a.B.Rows)
	kernel.MatMul(ws.Pool, &ws.scratch, up.Data, down.Data, x.Rows(), &a.B)
	kernel.Add(y, up.Data)
	ws.Arena.Release(mark)
}

// ForwardMany applies several layers to the same x in one parallel region:
// query, key and value, or gate and up. The results are in ys, which has the
// length of layers.
func ForwardMany(ws *Workspace, x tensor.Tensor, ys []tensor.Tensor, layers ...*Linear) {
	ws.products = ws.products[:0]
	for i, l := range layers {
		ys[i] = ws.Arena.New(x.Rows(), l.W.Rows)
		ws.products = append(ws.products, kernel.Product{W: &l.W, Dst: ys[i].Data, Bias: l.Bias})
	}
	kernel.MatMulMany(ws.Pool, &ws.scratch, x.Data, x.Rows(), ws.products)
	for i, l := range layers {
		l.adapt(ws, x, ys[i].Data)
	}
}

// Embedding is a table of one row per token id, of shape (vocabulary, dim).
type Embedding struct{ W kernel.Matrix }

// NewEmbedding reads weight (vocabulary, dim).
func NewEmbedding(w checkpoint.Weights, vocabulary, dim int) Embedding {
	return Embedding{W: w.Matrix("weight", vocabulary, dim)}
}

// Forward looks up ids: (tokens, dim). An id that the table has no row for
// panics with an error that wraps checkpoint.ErrFormat: the tokenizer and the
// network, or a text's length and the table of positions, do not fit.
func (e *Embedding) Forward(ws *Workspace, ids []uint32) tensor.Tensor {
	y := ws.Arena.New(len(ids), e.W.Cols)
	for i, id := range ids {
		if int(id) >= e.W.Rows {
			panic(fmt.Errorf("%w: row %d of an embedding of %d rows", checkpoint.ErrFormat, id, e.W.Rows))
		}
		e.W.Row(y.Row(i), int(id))
	}
	return y
}

// Select copies some rows of x: (len(rows), dim).
func Select(ws *Workspace, x tensor.Tensor, rows []int) tensor.Tensor {
	y := ws.Arena.New(len(rows), x.Cols())
	for i, r := range rows {
		copy(y.Row(i), x.Row(r))
	}
	return y
}

// Linear is the table used as an output layer (tied weights).
func (e *Embedding) Linear() Linear { return Linear{W: e.W} }
