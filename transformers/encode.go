package transformers

import (
	"context"
	"fmt"

	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// batchTokens is how many tokens one forward pass of an encoder takes. Its
// sequences are not padded, so long and short ones mix freely.
const batchTokens = 2048

// headed is an encoder with the head of a task, nil for none.
type headed struct {
	model   *Model
	encoder encoder
	head    *nn.Head
}

// newHeaded builds the network that pick finds in the model's architecture.
func (m *Model) newHeaded(task string, pick func(architecture) buildHead) (headed, error) {
	release, err := m.hold()
	if err != nil {
		return headed{}, err
	}
	defer release()
	if _, err := m.text(); err != nil {
		return headed{}, err
	}
	a, err := m.architecture(task, func(a architecture) bool { return pick(a) != nil })
	if err != nil {
		return headed{}, err
	}
	e, head, err := pick(a)(m.checkpoint.Config, m.checkpoint.Weights())
	if err != nil {
		return headed{}, fmt.Errorf("%s: %w", task, err)
	}
	return headed{model: m, encoder: e, head: head}, nil
}

// forward runs encodings through the network, as many at a time as fit a
// batch, and gives each its rows: one for the sequence, or one for each token.
// visit must copy what it keeps.
func (h headed) forward(ctx context.Context, inputs []tokenizers.Encoding, visit func(i int, rows tensor.Tensor)) error {
	ws, done, err := h.model.workspace(ctx)
	if err != nil {
		return err
	}
	defer done()
	for first := 0; first < len(inputs); {
		var in nn.Input
		last := first
		for last < len(inputs) && (last == first || len(in.IDs)+inputs[last].Len() <= batchTokens) {
			e := &inputs[last]
			types := make([]uint32, e.Len())
			for i, t := range e.TypeIDs {
				types[i] = uint32(t)
			}
			in.Append(e.IDs, types)
			last++
		}
		ws.Begin(ctx)
		y := h.encoder.Forward(ws, &in)
		if err := ws.Err(); err != nil {
			return err
		}
		if h.head != nil {
			y = h.head.Forward(ws, y, in.Bounds)
		}
		if err := numbers(y.Data); err != nil {
			return err
		}
		for i := range last - first {
			lo, hi := i, i+1
			if h.head == nil || h.head.Pooling == nn.PoolTokens {
				lo, hi = in.Bounds[i], in.Bounds[i+1]
			}
			visit(first+i, y.Slice(lo, hi))
		}
		first = last
	}
	return nil
}

// numbers refuses the output of a network if a part of it is NaN.
func numbers(y []float32) error {
	for _, v := range y {
		if v != v {
			return ErrNotANumber
		}
	}
	return nil
}

// truncated is the tokenizer that cuts texts to what the model reads.
func (m *Model) truncated() *tokenizers.Tokenizer {
	t := m.tokenizer.WithPadding(nil)
	if limit := m.maxTokens(); limit > 0 {
		t = t.WithTruncation(&tokenizers.Truncation{MaxLength: limit})
	}
	return t
}
