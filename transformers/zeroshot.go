package transformers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// ZeroShotClassificationParameters are the labels and how to read them.
type ZeroShotClassificationParameters struct {
	CandidateLabels []string `json:"candidate_labels"`
	// HypothesisTemplate makes a sentence of a label, which stands for "{}".
	HypothesisTemplate string `json:"hypothesis_template,omitempty"` // "": "This example is {}."
	// MultiLabel scores every label by itself; otherwise they exclude each
	// other.
	MultiLabel bool `json:"multi_label,omitempty"`
}

// ZeroShotClassificationOutputElement is a label and how well it fits.
type ZeroShotClassificationOutputElement = ClassificationOutput

// ZeroShotClassificationPipeline says which of any labels fit a text, with a
// model that was trained to tell whether one sentence follows from another.
type ZeroShotClassificationPipeline struct {
	headed
	entailment, contradiction int
}

// ZeroShotClassification builds the pipeline. The error wraps ErrUnsupported
// if the model cannot do it.
func (m *Model) ZeroShotClassification() (p *ZeroShotClassificationPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("zero-shot-classification", func(a architecture) buildHead { return a.sequence })
	if err != nil {
		return nil, err
	}
	p = &ZeroShotClassificationPipeline{headed: h, entailment: -1}
	labels := m.labels(h.head.Out.W.Rows)
	for i, label := range labels {
		if strings.HasPrefix(strings.ToLower(label), "entail") {
			p.entailment = i
		}
	}
	if p.entailment < 0 || len(labels) < 2 {
		return nil, fmt.Errorf("%w: zero-shot-classification needs a model with a label \"entailment\"; this one has %s",
			ErrUnsupported, strings.Join(labels, ", "))
	}
	if p.entailment == 0 {
		p.contradiction = len(labels) - 1
	}
	return p, nil
}

// Run scores the labels for a text: by falling score.
func (p *ZeroShotClassificationPipeline) Run(ctx context.Context, text string, o ZeroShotClassificationParameters) (out []ZeroShotClassificationOutputElement, err error) {
	defer recovered(&err)
	if len(o.CandidateLabels) == 0 || text == "" {
		return nil, fmt.Errorf("%w: zero-shot-classification needs a text and candidate_labels", ErrInput)
	}
	template := o.HypothesisTemplate
	if template == "" {
		template = "This example is {}."
	}
	if !strings.Contains(template, "{}") {
		return nil, fmt.Errorf("%w: hypothesis_template %q has no {} for the label", ErrInput, template)
	}
	pairs := make([][2]string, len(o.CandidateLabels))
	for i, label := range o.CandidateLabels {
		pairs[i] = [2]string{text, strings.Replace(template, "{}", label, 1)}
	}
	t := p.model.tokenizer
	if limit := p.model.maxTokens(); limit > 0 {
		t = t.WithTruncation(&tokenizers.Truncation{MaxLength: limit, Strategy: tokenizers.OnlyFirst})
	}
	encoded, err := t.EncodePairBatch(pairs, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	scores := make([]float32, len(encoded))
	alone := o.MultiLabel || len(encoded) == 1
	err = p.forward(ctx, encoded, func(i int, rows tensor.Tensor) {
		logits := rows.Row(0)
		scores[i] = logits[p.entailment]
		if alone {
			scores[i] = 1 / (1 + float32(math.Exp(float64(logits[p.contradiction]-logits[p.entailment]))))
		}
	})
	if err != nil {
		return nil, err
	}
	if !alone {
		kernel.Softmax(scores)
	}
	return ranked(slices.Clone(o.CandidateLabels), scores, 0), nil
}
