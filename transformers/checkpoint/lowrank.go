package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
)

// LowRank is what an adapter adds to one linear layer: Scale · (x·Aᵀ)·Bᵀ, with
// A of shape (rank, in) and B (out, rank).
//
// Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
type LowRank struct {
	A, B  kernel.Matrix
	Scale float32
	// Magnitude are the lengths that DoRA gives the rows of the sum; nil for
	// LoRA. Such a part can only be merged.
	//
	// Source: Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation".
	Magnitude []float32
}

// Adapter is a set of changes to a checkpoint. Package adapter reads one from a
// folder.
type Adapter struct {
	Name string
	// Parts are the changes by the dotted path of the linear layer.
	Parts map[string]LowRank
	// Saved are tensors that replace the checkpoint's, or that it lacks: the
	// head of a task.
	Saved *Checkpoint
	// Merge adds the changes to the weights when a network is built, which
	// costs memory but no time afterwards; otherwise they are applied by the
	// passes that ask for the adapter.
	Merge bool
}

// With is the checkpoint with adapters, whose order gives their numbers. They
// stay open as long as the checkpoint. The error wraps ErrFormat.
//
// An adapter's layers are named, and their rows ordered, as in transformers.
// Over a GGUF file of a llama, whose query and key rows are in another order,
// the adapter's are put into that order.
func (c *Checkpoint) With(adapters ...*Adapter) (*Checkpoint, error) {
	changed := *c
	changed.adapters = adapters
	if c.GGUF == nil || len(adapters) == 0 {
		return &changed, nil
	}
	var shape struct {
		Interleaved bool `json:"gguf_rope_interleaved"`
		HeadDim     int  `json:"head_dim"`
		Hidden      int  `json:"hidden_size"`
		Heads       int  `json:"num_attention_heads"`
	}
	if err := json.Unmarshal(c.Config, &shape); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if shape.HeadDim == 0 && shape.Heads > 0 {
		shape.HeadDim = shape.Hidden / shape.Heads
	}
	if !shape.Interleaved {
		return &changed, nil
	}
	if shape.HeadDim <= 0 || shape.HeadDim%2 != 0 {
		return nil, fmt.Errorf("%w: heads of %d numbers", ErrFormat, shape.HeadDim)
	}
	changed.adapters = nil
	for _, a := range adapters {
		changed.adapters = append(changed.adapters, a.reordered(shape.HeadDim))
	}
	return &changed, nil
}

// reordered is the adapter for query and key rows in the order of GGUF.
func (a *Adapter) reordered(dim int) *Adapter {
	changed := *a
	changed.Parts = maps.Clone(a.Parts)
	for path, p := range a.Parts {
		if !strings.HasSuffix(path, "self_attn.q_proj") && !strings.HasSuffix(path, "self_attn.k_proj") || p.B.Rows%dim != 0 {
			continue
		}
		order, b := reorder(dim), make([]float32, p.B.Rows*p.B.Cols)
		for i := range p.B.Rows {
			p.B.Row(b[i*p.B.Cols:(i+1)*p.B.Cols], order(i))
		}
		if p.Magnitude != nil {
			lengths := slices.Clone(p.Magnitude)
			for i := range lengths {
				lengths[i] = p.Magnitude[order(i)]
			}
			p.Magnitude = lengths
		}
		p.B = kernel.MatrixOf(b, p.B.Rows, p.B.Cols)
		changed.Parts[path] = p
	}
	return &changed
}

// part finds an adapter's change to the layer of a scope. The paths may differ
// by the prefix of the head's class ("bert.encoder…" or "encoder…").
func (a *Adapter) part(path string) (LowRank, bool) {
	if p, ok := a.Parts[path]; ok {
		return p, true
	}
	for name, p := range a.Parts {
		if strings.HasSuffix(name, "."+path) || strings.HasSuffix(path, "."+name) {
			return p, true
		}
	}
	return LowRank{}, false
}

// LowRank are the changes to the linear layer of the scope, which is (rows,
// cols), by the adapters' numbers; nil if there is none. Merged ones are not
// among them.
func (w Weights) LowRank(rows, cols int) []*LowRank {
	path := strings.TrimSuffix(w.prefix, ".")
	var list []*LowRank
	for i, a := range w.of.checkpoint.adapters {
		p, ok := a.part(path)
		if !ok || a.Merge {
			continue
		}
		w.of.adapted[a]++
		if p.Magnitude != nil {
			w.fail("weight: adapter %s is DoRA, which can only be merged", a.Name)
			continue
		}
		if !p.fits(rows, cols) {
			w.fail("weight is (%d, %d); adapter %s has (%d, %d) and (%d, %d)", rows, cols, a.Name, p.B.Rows, p.B.Cols, p.A.Rows, p.A.Cols)
			continue
		}
		for len(list) <= i {
			list = append(list, nil)
		}
		list[i] = &p
	}
	return list
}

// merged is a weight with the changes of the adapters that are to be merged.
func (w Weights) merged(m kernel.Matrix) kernel.Matrix {
	path := strings.TrimSuffix(w.prefix, ".")
	for _, a := range w.of.checkpoint.adapters {
		p, ok := a.part(path)
		if !ok || !a.Merge {
			continue
		}
		w.of.adapted[a]++
		if m.Type.Quantised() {
			w.fail("weight is quantised (%v): adapter %s can be applied, not merged", m.Type, a.Name)
			return m
		}
		if !p.fits(m.Rows, m.Cols) {
			w.fail("weight is (%d, %d); adapter %s has (%d, %d) and (%d, %d)", m.Rows, m.Cols, a.Name, p.B.Rows, p.B.Cols, p.A.Rows, p.A.Cols)
			return m
		}
		m = p.merge(m)
	}
	return m
}

// fits reports whether the change is one of a layer of (rows, cols).
func (p *LowRank) fits(rows, cols int) bool {
	return p.A.Cols == cols && p.B.Rows == rows && p.A.Rows == p.B.Cols
}

// merge is m + Scale·B·A, in F32.
func (p *LowRank) merge(m kernel.Matrix) kernel.Matrix {
	sum := make([]float32, m.Rows*m.Cols)
	a := make([]float32, p.A.Rows*m.Cols)
	for r := range p.A.Rows {
		p.A.Row(a[r*m.Cols:(r+1)*m.Cols], r)
	}
	b := make([]float32, p.B.Cols)
	for o := range m.Rows {
		row := sum[o*m.Cols : (o+1)*m.Cols]
		m.Row(row, o)
		p.B.Row(b, o)
		for r, v := range b {
			kernel.Axpy(row, p.Scale*v, a[r*m.Cols:(r+1)*m.Cols])
		}
		if p.Magnitude != nil {
			length := math.Sqrt(float64(kernel.Dot(row, row)))
			kernel.Scale(row, float32(float64(p.Magnitude[o])/length))
		}
	}
	return kernel.MatrixOf(sum, m.Rows, m.Cols)
}

// unusedAdapter is an error for an adapter of which a part changes nothing of
// the network: it was made for another.
func (w Weights) unusedAdapter() error {
	for _, a := range w.of.checkpoint.adapters {
		if used := w.of.adapted[a]; used < len(a.Parts) {
			return fmt.Errorf("%w: of the %d layers that adapter %s changes, %d are in the model", ErrFormat, len(a.Parts), a.Name, used)
		}
	}
	return nil
}
