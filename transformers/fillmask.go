package transformers

import (
	"context"
	"fmt"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// FillMaskParameters are the options of filling in words.
type FillMaskParameters struct {
	TopK    int      `json:"top_k,omitempty"`   // words returned; 0: 5
	Targets []string `json:"targets,omitempty"` // the only words to choose from; nil: all
}

// FillMaskOutputElement is a word for the mask.
type FillMaskOutputElement struct {
	Sequence string        `json:"sequence"` // the text with the word in its place
	Score    float32       `json:"score"`
	Token    tokenizers.ID `json:"token"`
	TokenStr string        `json:"token_str"`
}

// FillMaskPipeline finds words for the gaps of a text.
type FillMaskPipeline struct {
	headed
	mask tokenizers.ID
}

// FillMask builds the pipeline. The error wraps ErrUnsupported if the model
// cannot do it.
func (m *Model) FillMask() (p *FillMaskPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("fill-mask", func(a architecture) buildHead { return a.mask })
	if err != nil {
		return nil, err
	}
	mask, ok := m.tokenizer.TokenToID(m.tokenizer.Special().Mask)
	if !ok {
		return nil, fmt.Errorf("%w: fill-mask: the tokenizer has no mask token", ErrUnsupported)
	}
	return &FillMaskPipeline{headed: h, mask: mask}, nil
}

// MaskToken is what stands for a gap in the text, for example "[MASK]".
func (p *FillMaskPipeline) MaskToken() string { return p.model.tokenizer.Special().Mask }

// Run finds words for each mask of the text: one list, by falling score, for
// each. The error wraps ErrInput if there is no mask.
func (p *FillMaskPipeline) Run(ctx context.Context, text string, o FillMaskParameters) (out [][]FillMaskOutputElement, err error) {
	defer recovered(&err)
	encoded, err := p.model.truncated().Encode(text, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	var masks []int
	for i, id := range encoded.IDs {
		if id == p.mask {
			masks = append(masks, i)
		}
	}
	if len(masks) == 0 {
		return nil, fmt.Errorf("%w: the text has no %s to fill", ErrInput, p.MaskToken())
	}
	targets, err := p.targets(o.Targets)
	if err != nil {
		return nil, err
	}
	ws, done, err := p.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var in nn.Input
	in.Append(encoded.IDs, nil)
	hidden := p.encoder.Forward(ws, &in)
	if err := ws.Err(); err != nil {
		return nil, err
	}
	logits := p.head.Rows(ws, nn.Select(ws, hidden, masks)) // only the masks go through the large output layer
	if err := numbers(logits.Data); err != nil {
		return nil, err
	}
	for i, at := range masks {
		choices, err := p.choose(encoded.IDs, at, len(masks) == 1, logits.Slice(i, i+1), targets, o.TopK)
		if err != nil {
			return nil, err
		}
		out = append(out, choices)
	}
	return out, nil
}

// targets are the ids of the words to choose from, nil for all.
func (p *FillMaskPipeline) targets(words []string) ([]tokenizers.ID, error) {
	if len(words) == 0 {
		return nil, nil
	}
	t := p.model.tokenizer
	var ids []tokenizers.ID
	for _, word := range words {
		id, ok := t.TokenToID(word)
		if !ok || int(id) >= p.head.Out.W.Rows {
			first, err := t.AppendIDs(nil, word, false)
			if err != nil || len(first) == 0 {
				continue // as in Python, a word without tokens is left out
			}
			id = first[0]
			if int(id) >= p.head.Out.W.Rows {
				continue
			}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: none of the targets is in the vocabulary", ErrInput)
	}
	return ids, nil
}

// choose ranks the words for one mask.
func (p *FillMaskPipeline) choose(ids []tokenizers.ID, at int, only bool, logits tensor.Tensor, targets []tokenizers.ID, topK int) ([]FillMaskOutputElement, error) {
	scores := slices.Clone(logits.Data)
	kernel.Softmax(scores)
	if targets == nil {
		targets = make([]tokenizers.ID, len(scores))
		for i := range targets {
			targets[i] = tokenizers.ID(i)
		}
	} else {
		targets = slices.Clone(targets)
	}
	slices.SortStableFunc(targets, func(a, b tokenizers.ID) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	if topK <= 0 {
		topK = 5
	}
	filled := slices.Clone(ids)
	var out []FillMaskOutputElement
	for _, id := range targets[:min(topK, len(targets))] {
		filled[at] = id
		sequence, err := p.model.tokenizer.Decode(filled, only) // with several masks, keep the others visible
		if err != nil {
			return nil, err
		}
		word, err := p.model.tokenizer.Decode([]tokenizers.ID{id}, false)
		if err != nil {
			return nil, err
		}
		out = append(out, FillMaskOutputElement{Sequence: sequence, Score: scores[id], Token: id, TokenStr: word})
	}
	return out, nil
}
