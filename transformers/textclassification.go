package transformers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// ClassificationOutputTransform turns logits into scores.
type ClassificationOutputTransform string

// The transforms. The empty one is what the model is made for: sigmoid for one
// label or labels that do not exclude each other, softmax otherwise.
const (
	Sigmoid ClassificationOutputTransform = "sigmoid"
	Softmax ClassificationOutputTransform = "softmax"
	None    ClassificationOutputTransform = "none"
)

// TextClassificationParameters are the options of a classification.
type TextClassificationParameters struct {
	FunctionToApply ClassificationOutputTransform `json:"function_to_apply,omitempty"`
	TopK            int                           `json:"top_k,omitempty"` // labels returned; 0: all
}

// ClassificationOutput is a label and how sure the model is of it.
type ClassificationOutput struct {
	Label string  `json:"label"`
	Score float32 `json:"score"`
}

// TextClassificationOutputElement is one label of a text.
type TextClassificationOutputElement = ClassificationOutput

// TextClassificationPipeline says which of a model's labels fit a text.
type TextClassificationPipeline struct {
	headed
	labels []string
}

// TextClassification builds the pipeline. The error wraps ErrUnsupported if the
// model cannot do it.
func (m *Model) TextClassification() (p *TextClassificationPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("text-classification", func(a architecture) buildHead { return a.sequence })
	if err != nil {
		return nil, err
	}
	return &TextClassificationPipeline{headed: h, labels: m.labels(h.head.Out.W.Rows)}, nil
}

// Run classifies a text: labels by falling score. A text that is too long for
// the model is cut.
func (p *TextClassificationPipeline) Run(ctx context.Context, text string, o TextClassificationParameters) ([]TextClassificationOutputElement, error) {
	out, err := p.RunBatch(ctx, []string{text}, o)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// RunBatch is Run for several texts, which share forward passes.
func (p *TextClassificationPipeline) RunBatch(ctx context.Context, texts []string, o TextClassificationParameters) (out [][]TextClassificationOutputElement, err error) {
	defer recovered(&err)
	encoded, err := p.model.truncated().EncodeBatch(texts, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return p.classify(ctx, encoded, o)
}

func (p *TextClassificationPipeline) classify(ctx context.Context, encoded []tokenizers.Encoding, o TextClassificationParameters) ([][]ClassificationOutput, error) {
	apply, err := p.model.transform(o.FunctionToApply, len(p.labels))
	if err != nil {
		return nil, err
	}
	out := make([][]ClassificationOutput, len(encoded))
	err = p.forward(ctx, encoded, func(i int, rows tensor.Tensor) {
		scores := slices.Clone(rows.Row(0))
		apply(scores)
		out[i] = ranked(p.labels, scores, o.TopK)
	})
	return out, err
}

// transform is the function from logits to scores, in place.
func (m *Model) transform(name ClassificationOutputTransform, labels int) (func([]float32), error) {
	if name == "" {
		name = Softmax
		if labels == 1 || m.config.ProblemType == "multi_label_classification" {
			name = Sigmoid
		}
		if m.config.ProblemType == "regression" {
			name = None
		}
	}
	switch name {
	case Sigmoid:
		return kernel.Sigmoid, nil
	case Softmax:
		return kernel.Softmax, nil
	case None:
		return func([]float32) {}, nil
	}
	return nil, fmt.Errorf("%w: function_to_apply %q; want sigmoid, softmax or none", ErrInput, name)
}

// rankingTransform is what a cross-encoder's config.json asks for, and sigmoid
// otherwise.
func (m *Model) rankingTransform() ClassificationOutputTransform {
	if strings.HasSuffix(m.config.SentenceTransformers.ActivationFn, "Identity") {
		return None
	}
	return Sigmoid
}

// ranked are the topK labels by falling score; all of them if topK is 0.
func ranked(labels []string, scores []float32, topK int) []ClassificationOutput {
	out := make([]ClassificationOutput, len(labels))
	for i, label := range labels {
		out[i] = ClassificationOutput{Label: label, Score: scores[i]}
	}
	slices.SortStableFunc(out, func(a, b ClassificationOutput) int {
		if math.IsNaN(float64(a.Score)) || math.IsNaN(float64(b.Score)) {
			return 0
		}
		return cmp.Compare(b.Score, a.Score)
	})
	if topK > 0 && topK < len(out) {
		out = out[:topK]
	}
	return out
}
