package transformers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// QuestionAnsweringParameters are the options of a search for an answer.
type QuestionAnsweringParameters struct {
	TopK                   int  `json:"top_k,omitempty"`          // answers returned; 0: 1
	DocStride              int  `json:"doc_stride,omitempty"`     // tokens that windows of a long context overlap by; 0: 128
	MaxAnswerLen           int  `json:"max_answer_len,omitempty"` // tokens; 0: 15
	MaxSeqLen              int  `json:"max_seq_len,omitempty"`    // tokens of a window, question included; 0: 384
	HandleImpossibleAnswer bool `json:"handle_impossible_answer,omitempty"`
	// AlignToWords widens an answer to whole words; nil: true.
	AlignToWords *bool `json:"align_to_words,omitempty"`
}

// QuestionAnsweringOutputElement is a part of the context.
type QuestionAnsweringOutputElement struct {
	Answer string  `json:"answer"`
	Score  float32 `json:"score"`
	Start  int     `json:"start"` // in code points of the context, as Python counts
	End    int     `json:"end"`
}

// QuestionAnsweringPipeline finds the answer to a question in a context.
type QuestionAnsweringPipeline struct{ headed }

// QuestionAnswering builds the pipeline. The error wraps ErrUnsupported if the
// model cannot do it.
func (m *Model) QuestionAnswering() (p *QuestionAnsweringPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("question-answering", func(a architecture) buildHead { return a.answer })
	return &QuestionAnsweringPipeline{h}, err
}

// defaults of the pipeline, as in transformers.
const (
	defaultSequence = 384
	defaultStride   = 128
	defaultAnswer   = 15
)

// Run finds answers: by falling score.
func (p *QuestionAnsweringPipeline) Run(ctx context.Context, question, text string, o QuestionAnsweringParameters) (out []QuestionAnsweringOutputElement, err error) {
	defer recovered(&err)
	if question == "" || text == "" {
		return nil, fmt.Errorf("%w: question-answering needs a question and a context", ErrInput)
	}
	if min(o.TopK, o.DocStride, o.MaxAnswerLen, o.MaxSeqLen) < 0 {
		return nil, fmt.Errorf("%w: top_k, doc_stride, max_answer_len and max_seq_len cannot be negative", ErrInput)
	}
	o.MaxSeqLen = cmp.Or(o.MaxSeqLen, defaultSequence)
	if limit := p.model.maxTokens(); limit > 0 {
		o.MaxSeqLen = min(o.MaxSeqLen, limit)
	}
	o.DocStride = cmp.Or(o.DocStride, min(o.MaxSeqLen/2, defaultStride))
	o.MaxAnswerLen, o.TopK = cmp.Or(o.MaxAnswerLen, defaultAnswer), cmp.Or(o.TopK, 1)
	if o.DocStride > o.MaxSeqLen {
		return nil, fmt.Errorf("%w: doc_stride %d is over max_seq_len %d", ErrInput, o.DocStride, o.MaxSeqLen)
	}
	t := p.model.tokenizer.WithTruncation(&tokenizers.Truncation{MaxLength: o.MaxSeqLen, Stride: o.DocStride, Strategy: tokenizers.OnlySecond})
	encoded, err := t.EncodePair(question, text, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	room := 0 // tokens of the context in the first window
	for _, sequence := range encoded.Sequences {
		if sequence == 1 {
			room++
		}
	}
	if encoded.Len() > o.MaxSeqLen || len(encoded.Overflow) > 0 && room <= o.DocStride {
		return nil, fmt.Errorf("%w: the question leaves no room for the context in a window of %d tokens (max_seq_len) that overlap by %d (doc_stride)", ErrInput, o.MaxSeqLen, o.DocStride)
	}
	windows := append([]tokenizers.Encoding{encoded}, encoded.Overflow...)
	found := answers{context: text, align: o.AlignToWords == nil || *o.AlignToWords}
	impossible := float32(1)
	err = p.forward(ctx, windows, func(i int, rows tensor.Tensor) {
		null := found.add(&windows[i], rows, p.special(), o)
		impossible = min(impossible, null)
	})
	if err != nil {
		return nil, err
	}
	if o.HandleImpossibleAnswer {
		found.list = append(found.list, QuestionAnsweringOutputElement{Score: impossible})
	}
	slices.SortStableFunc(found.list, func(a, b QuestionAnsweringOutputElement) int { return cmp.Compare(b.Score, a.Score) })
	return found.list[:min(o.TopK, len(found.list))], nil
}

// special is the id of the token that stands for "no answer".
func (p *QuestionAnsweringPipeline) special() (cls tokenizers.ID) {
	t := p.model.tokenizer
	if id, ok := t.TokenToID(t.Special().CLS); ok {
		return id
	}
	return ^tokenizers.ID(0)
}

// answers collects the candidates of all windows.
type answers struct {
	context string
	align   bool
	list    []QuestionAnsweringOutputElement
}

// masked is the logit of tokens that cannot be in an answer.
const masked = -10000

// add takes the candidates of one window, whose rows are logits (tokens, 2) of
// start and end, and returns the score of there being no answer.
func (a *answers) add(e *tokenizers.Encoding, rows tensor.Tensor, cls tokenizers.ID, o QuestionAnsweringParameters) (null float32) {
	n := rows.Rows()
	start, end := make([]float32, n), make([]float32, n)
	for i := range n {
		start[i], end[i] = masked, masked
		if e.Sequences[i] == 1 || e.IDs[i] == cls {
			start[i], end[i] = rows.Row(i)[0], rows.Row(i)[1]
		}
	}
	kernel.Softmax(start)
	kernel.Softmax(end)
	null = start[0] * end[0]
	start[0], end[0] = 0, 0

	want := o.TopK
	if a.align {
		want = 2*o.TopK + 10 // several candidates can be of the same words
	}
	runes := e.RuneOffsets(a.context, 1)
	for _, s := range spans(start, end, want, o.MaxAnswerLen) {
		if e.Sequences[s.start] == 1 && e.Sequences[s.end] == 1 { // not a CLS
			a.merge(e, runes, s)
		}
	}
	return null
}

// span is an answer's first and last token.
type span struct {
	start, end int
	score      float32
}

// spans are the best pairs of start and end, by falling score.
func spans(start, end []float32, want, longest int) []span {
	var best []span
	for i, s := range start {
		for j := i; j < min(i+longest, len(end)); j++ {
			score := s * end[j]
			if len(best) == want && score <= best[want-1].score {
				continue
			}
			at, _ := slices.BinarySearchFunc(best, score, func(b span, score float32) int {
				if b.score >= score {
					return -1
				}
				return 1
			})
			best = slices.Insert(best, at, span{i, j, score})
			best = best[:min(len(best), want)]
		}
	}
	return best
}

// merge adds a candidate to the one that says the same, or to the list.
func (a *answers) merge(e *tokenizers.Encoding, runes [][2]int, s span) {
	first, last := s.start, s.end
	if a.align {
		first, last = wordBounds(e, first, last)
	}
	element := QuestionAnsweringOutputElement{Answer: a.context[e.Offsets[first][0]:e.Offsets[last][1]],
		Score: s.score, Start: runes[first][0], End: runes[last][1]}
	for i := range a.list {
		if strings.EqualFold(a.list[i].Answer, element.Answer) {
			a.list[i].Score += s.score
			return
		}
	}
	a.list = append(a.list, element)
}

// wordBounds widens a span of tokens to whole words.
func wordBounds(e *tokenizers.Encoding, first, last int) (int, int) {
	same := func(i, j int) bool {
		return e.Sequences[i] == e.Sequences[j] && e.Words[i] >= 0 && e.Words[i] == e.Words[j]
	}
	for first > 0 && same(first-1, first) {
		first--
	}
	for last+1 < e.Len() && same(last, last+1) {
		last++
	}
	return first, last
}
