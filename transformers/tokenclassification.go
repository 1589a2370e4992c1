package transformers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// TokenClassificationAggregationStrategy says how tokens become entities.
type TokenClassificationAggregationStrategy string

// The strategies. The empty one is none.
const (
	// AggregateNone returns every token for itself.
	AggregateNone TokenClassificationAggregationStrategy = "none"
	// AggregateSimple joins neighbouring tokens of the same label.
	AggregateSimple TokenClassificationAggregationStrategy = "simple"
	// AggregateFirst, AggregateAverage and AggregateMax also make the tokens of
	// a word agree: on the label of the first one, on the best mean score, on
	// the label of the surest one.
	AggregateFirst   TokenClassificationAggregationStrategy = "first"
	AggregateAverage TokenClassificationAggregationStrategy = "average"
	AggregateMax     TokenClassificationAggregationStrategy = "max"
)

// TokenClassificationParameters are the options of a tagging.
type TokenClassificationParameters struct {
	AggregationStrategy TokenClassificationAggregationStrategy `json:"aggregation_strategy,omitempty"`
	IgnoreLabels        []string                               `json:"ignore_labels,omitempty"` // nil: "O"
	// Stride reads a text that is too long in windows which overlap by so many
	// tokens; it needs a strategy. 0 cuts the text.
	Stride int `json:"stride,omitempty"`
}

// TokenClassificationOutputElement is a token or an entity of the text.
type TokenClassificationOutputElement struct {
	Entity      string  `json:"entity,omitempty"`       // of a token, with strategy none
	EntityGroup string  `json:"entity_group,omitempty"` // with any other
	Score       float32 `json:"score"`
	Word        string  `json:"word"`
	Start       int     `json:"start"` // in code points, as Python counts
	End         int     `json:"end"`
	Index       int     `json:"index,omitempty"` // of a token
}

// TokenClassificationPipeline finds names, places and the like in a text.
type TokenClassificationPipeline struct {
	headed
	labels []string
}

// TokenClassification builds the pipeline. The error wraps ErrUnsupported if
// the model cannot do it.
func (m *Model) TokenClassification() (p *TokenClassificationPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("token-classification", func(a architecture) buildHead { return a.token })
	if err != nil {
		return nil, err
	}
	return &TokenClassificationPipeline{headed: h, labels: m.labels(h.head.Out.W.Rows)}, nil
}

// Run tags a text.
func (p *TokenClassificationPipeline) Run(ctx context.Context, text string, o TokenClassificationParameters) (out []TokenClassificationOutputElement, err error) {
	defer recovered(&err)
	if err := o.check(); err != nil {
		return nil, err
	}
	t := p.model.truncated()
	if limit := p.model.maxTokens(); o.Stride > 0 && limit > 0 {
		if o.Stride >= limit {
			return nil, fmt.Errorf("%w: stride %d is not below the model's %d tokens", ErrInput, o.Stride, limit)
		}
		t = p.model.tokenizer.WithTruncation(&tokenizers.Truncation{MaxLength: limit, Stride: o.Stride})
	}
	encoded, err := t.Encode(text, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	windows := []tokenizers.Encoding{encoded}
	if o.Stride > 0 {
		windows = append(windows, encoded.Overflow...)
	}
	err = p.forward(ctx, windows, func(i int, rows tensor.Tensor) {
		tokens := p.tokens(text, &windows[i], rows)
		out = append(out, p.aggregate(tokens, o)...)
	})
	if len(windows) > 1 {
		out = withoutOverlaps(out)
	}
	return out, err
}

func (o TokenClassificationParameters) check() error {
	if o.Stride < 0 {
		return fmt.Errorf("%w: stride %d is negative", ErrInput, o.Stride)
	}
	switch o.AggregationStrategy {
	case "", AggregateNone:
		if o.Stride > 0 {
			return fmt.Errorf("%w: stride needs an aggregation_strategy", ErrInput)
		}
	case AggregateSimple, AggregateFirst, AggregateAverage, AggregateMax:
	default:
		return fmt.Errorf("%w: aggregation_strategy %q; want none, simple, first, average or max", ErrInput, o.AggregationStrategy)
	}
	return nil
}

// scoredToken is a token of the text with a score for every label.
type scoredToken struct {
	words      []string // its text in the vocabulary, or those of its word
	scores     []float32
	start, end int // code points
	index      int // in the sequence; 0 for a whole word
	continues  bool
}

// tokens are those that come from the text.
func (p *TokenClassificationPipeline) tokens(text string, e *tokenizers.Encoding, rows tensor.Tensor) []scoredToken {
	t := p.model.tokenizer
	offsets := e.RuneOffsets(text, 0)
	marksParts := t.ContinuingSubwordPrefix() != ""
	unknown, hasUnknown := t.TokenToID(t.Special().UNK)
	var out []scoredToken
	for i, id := range e.IDs {
		if e.SpecialMask[i] != 0 {
			continue
		}
		scores := slices.Clone(rows.Row(i))
		kernel.Softmax(scores)
		word, _ := t.IDToToken(id)
		piece := text[e.Offsets[i][0]:e.Offsets[i][1]]
		s := scoredToken{scores: scores, start: offsets[i][0], end: offsets[i][1], index: i}
		if marksParts {
			s.continues = utf8.RuneCountInString(word) != utf8.RuneCountInString(piece)
		} else {
			s.continues = s.start > 0 && !spaceAt(text, e.Offsets[i][0])
		}
		if hasUnknown && id == unknown {
			word, s.continues = piece, false
		}
		s.words = []string{word}
		out = append(out, s)
	}
	return out
}

// spaceAt reports whether the character at a byte offset, or the one before
// it, is a space.
func spaceAt(text string, at int) bool {
	return at < len(text) && text[at] == ' ' || at > 0 && text[at-1] == ' '
}

// aggregate turns tokens into the elements that the strategy makes of them.
func (p *TokenClassificationPipeline) aggregate(tokens []scoredToken, o TokenClassificationParameters) []TokenClassificationOutputElement {
	strategy := o.AggregationStrategy
	if strategy == AggregateFirst || strategy == AggregateAverage || strategy == AggregateMax {
		tokens = joinWords(tokens, strategy)
	}
	elements := make([]TokenClassificationOutputElement, len(tokens))
	for i, t := range tokens {
		best := argmax(t.scores)
		elements[i] = TokenClassificationOutputElement{Entity: p.labels[best], Score: t.scores[best],
			Word: p.text(t.words), Start: t.start, End: t.end, Index: t.index}
		if strategy == "" || strategy == AggregateNone {
			elements[i].Word = t.words[0]
		}
	}
	if strategy != "" && strategy != AggregateNone {
		elements = p.group(elements, tokens)
	}
	ignored := o.IgnoreLabels
	if ignored == nil {
		ignored = []string{"O"}
	}
	return slices.DeleteFunc(elements, func(e TokenClassificationOutputElement) bool {
		return e.Entity != "" && slices.Contains(ignored, e.Entity) || e.EntityGroup != "" && slices.Contains(ignored, e.EntityGroup)
	})
}

// text is what tokens of the vocabulary say.
func (p *TokenClassificationPipeline) text(words []string) string {
	text, err := p.model.tokenizer.DecodeTokens(words)
	if err != nil { // a regular expression of the decoder gave up
		return strings.Join(words, "")
	}
	return text
}

// joinWords makes one token of those of each word.
func joinWords(tokens []scoredToken, strategy TokenClassificationAggregationStrategy) []scoredToken {
	var out []scoredToken
	for first := 0; first < len(tokens); {
		last := first + 1
		for last < len(tokens) && tokens[last].continues {
			last++
		}
		out = append(out, joinWord(tokens[first:last], strategy))
		first = last
	}
	return out
}

func joinWord(tokens []scoredToken, strategy TokenClassificationAggregationStrategy) scoredToken {
	word := scoredToken{scores: tokens[0].scores, start: tokens[0].start, end: tokens[len(tokens)-1].end}
	for _, t := range tokens {
		word.words = append(word.words, t.words...)
		if strategy == AggregateMax && slices.Max(t.scores) > slices.Max(word.scores) {
			word.scores = t.scores
		}
	}
	if strategy == AggregateAverage {
		word.scores = make([]float32, len(tokens[0].scores))
		for _, t := range tokens {
			kernel.Axpy(word.scores, 1/float32(len(tokens)), t.scores)
		}
	}
	return word
}

// group joins neighbours of the same label. "B-" begins a new entity, "I-" and
// labels without either continue one.
func (p *TokenClassificationPipeline) group(elements []TokenClassificationOutputElement, tokens []scoredToken) []TokenClassificationOutputElement {
	var out []TokenClassificationOutputElement
	for first := 0; first < len(elements); {
		_, tag := splitLabel(elements[first].Entity)
		words := slices.Clone(p.entityWords(elements[first], tokens[first]))
		sum, last := float64(elements[first].Score), first+1
		for last < len(elements) {
			begins, next := splitLabel(elements[last].Entity)
			if next != tag || begins {
				break
			}
			words = append(words, p.entityWords(elements[last], tokens[last])...)
			sum += float64(elements[last].Score)
			last++
		}
		_, name, found := strings.Cut(elements[first].Entity, "-")
		if !found {
			name = elements[first].Entity
		}
		out = append(out, TokenClassificationOutputElement{EntityGroup: name, Score: float32(sum / float64(last-first)),
			Word: p.text(words), Start: elements[first].Start, End: elements[last-1].End})
		first = last
	}
	return out
}

// entityWords is what an element adds to its entity's text: the tokens, or the
// word that they were joined to.
func (p *TokenClassificationPipeline) entityWords(e TokenClassificationOutputElement, t scoredToken) []string {
	if t.index == 0 {
		return []string{e.Word}
	}
	return t.words
}

func splitLabel(label string) (begins bool, tag string) {
	if tag, ok := strings.CutPrefix(label, "B-"); ok {
		return true, tag
	}
	return false, strings.TrimPrefix(label, "I-")
}

// withoutOverlaps keeps, of entities of overlapping windows, the longer one, or
// the surer one of two that are equally long.
func withoutOverlaps(all []TokenClassificationOutputElement) []TokenClassificationOutputElement {
	slices.SortStableFunc(all, func(a, b TokenClassificationOutputElement) int { return a.Start - b.Start })
	var out []TokenClassificationOutputElement
	for _, e := range all {
		if len(out) == 0 || e.Start >= out[len(out)-1].End || e.Start < out[len(out)-1].Start {
			out = append(out, e)
			continue
		}
		last := &out[len(out)-1]
		if n, m := e.End-e.Start, last.End-last.Start; n > m || n == m && e.Score > last.Score {
			*last = e
		}
	}
	return out
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
