package transformers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// FeatureExtractionParameters are the options of an embedding.
type FeatureExtractionParameters struct {
	// Normalize gives the embedding the length 1; models of
	// sentence-transformers may do so anyway.
	Normalize bool `json:"normalize,omitempty"`
	// PromptName picks one of the model's prompts ("query", "document"), which
	// is put before the text; "" takes the model's default, if it has one.
	PromptName string `json:"prompt_name,omitempty"`
}

// FeatureExtractionPipeline turns texts into vectors.
type FeatureExtractionPipeline struct {
	headed
	chain sentenceChain
}

// FeatureExtraction builds the pipeline. The error wraps ErrUnsupported if the
// model cannot do it.
func (m *Model) FeatureExtraction() (p *FeatureExtractionPipeline, err error) {
	defer recovered(&err)
	h, err := m.newHeaded("feature-extraction", bareEncoder)
	if err != nil {
		return nil, err
	}
	chain, err := readSentenceChain(m.dir)
	if err != nil {
		return nil, fmt.Errorf("feature-extraction: %w", err)
	}
	return &FeatureExtractionPipeline{headed: h, chain: chain}, nil
}

// Run embeds texts: one vector for each. They are those of
// SentenceTransformer.encode if the model is one of sentence-transformers;
// otherwise the mean over the tokens' vectors.
func (p *FeatureExtractionPipeline) Run(ctx context.Context, texts []string, o FeatureExtractionParameters) (vectors [][]float32, err error) {
	defer recovered(&err)
	encoded, promptTokens, err := p.encode(texts, o.PromptName)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(encoded)) // by length, so that a batch's attention is even
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(encoded[b].Len(), encoded[a].Len()) })
	sorted := make([]tokenizers.Encoding, len(encoded))
	for i, at := range order {
		sorted[i] = encoded[at]
	}
	vectors = make([][]float32, len(texts))
	err = p.forward(ctx, sorted, func(i int, rows tensor.Tensor) {
		v := p.chain.apply(rows, promptTokens)
		if o.Normalize {
			normalize(v)
		}
		vectors[order[i]] = v
	})
	return vectors, err
}

// Tokens embeds a text token by token: (tokens, dim), special tokens included.
func (p *FeatureExtractionPipeline) Tokens(ctx context.Context, text string) (vectors [][]float32, err error) {
	defer recovered(&err)
	encoded, err := p.model.truncated().Encode(text, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	err = p.forward(ctx, []tokenizers.Encoding{encoded}, func(_ int, rows tensor.Tensor) {
		for r := range rows.Rows() {
			vectors = append(vectors, slices.Clone(rows.Row(r)))
		}
	})
	return vectors, err
}

// encode puts the prompt before the texts; promptTokens is how many tokens of
// the result belong to it, for models that do not pool over it.
func (p *FeatureExtractionPipeline) encode(texts []string, promptName string) ([]tokenizers.Encoding, int, error) {
	prompt, err := p.chain.prompt(promptName)
	if err != nil {
		return nil, 0, err
	}
	t := p.model.truncated()
	if p.chain.maxTokens > 0 {
		limit := p.chain.maxTokens
		if n := p.model.maxTokens(); n > 0 {
			limit = min(limit, n)
		}
		t = p.model.tokenizer.WithPadding(nil).WithTruncation(&tokenizers.Truncation{MaxLength: limit})
	}
	promptTokens := 0
	if prompt != "" {
		prefixed := make([]string, len(texts))
		for i, text := range texts {
			prefixed[i] = prompt + text
		}
		texts = prefixed
		e, err := t.Encode(prompt, true)
		if err != nil {
			return nil, 0, err
		}
		promptTokens = e.Len() - 1 // without the [SEP] at its end
	}
	encoded, err := t.EncodeBatch(texts, true)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return encoded, promptTokens, nil
}

// normalize gives x the length 1, in place.
func normalize(x []float32) {
	norm := math.Sqrt(float64(kernel.Dot(x, x)))
	kernel.Scale(x, float32(1/max(norm, 1e-12)))
}

// SentenceSimilarityPipeline says how alike sentences are.
type SentenceSimilarityPipeline struct{ *FeatureExtractionPipeline }

// SentenceSimilarity builds the pipeline. The error wraps ErrUnsupported if
// the model cannot do it.
func (m *Model) SentenceSimilarity() (*SentenceSimilarityPipeline, error) {
	p, err := m.FeatureExtraction()
	return &SentenceSimilarityPipeline{p}, err
}

// Run compares a sentence with others: the cosine of their vectors, for each
// of the others.
func (p *SentenceSimilarityPipeline) Run(ctx context.Context, source string, sentences []string) ([]float32, error) {
	vectors, err := p.FeatureExtractionPipeline.Run(ctx, append([]string{source}, sentences...), FeatureExtractionParameters{Normalize: true})
	if err != nil {
		return nil, err
	}
	scores := make([]float32, len(sentences))
	for i := range scores {
		scores[i] = kernel.Dot(vectors[0], vectors[i+1])
	}
	return scores, nil
}

// TextRankingParameters are the options of a ranking.
type TextRankingParameters struct {
	TopN            int  `json:"top_n,omitempty"` // texts returned; 0: all
	ReturnDocuments bool `json:"return_documents,omitempty"`
}

// TextRankingOutputElement is a text and how well it answers the query.
type TextRankingOutputElement struct {
	Index int     `json:"index"`
	Score float32 `json:"score"`
	Text  string  `json:"text,omitempty"`
}

// TextRankingPipeline orders texts by how well they answer a query, with a
// cross-encoder.
type TextRankingPipeline struct{ *TextClassificationPipeline }

// TextRanking builds the pipeline. The error wraps ErrUnsupported if the model
// cannot do it.
func (m *Model) TextRanking() (*TextRankingPipeline, error) {
	p, err := m.TextClassification()
	if err != nil {
		return nil, err
	}
	if len(p.labels) != 1 {
		return nil, fmt.Errorf("%w: text-ranking needs a model with one output; this one has %d", ErrUnsupported, len(p.labels))
	}
	return &TextRankingPipeline{p}, nil
}

// Run ranks texts: by falling score.
func (p *TextRankingPipeline) Run(ctx context.Context, query string, texts []string, o TextRankingParameters) (out []TextRankingOutputElement, err error) {
	defer recovered(&err)
	pairs := make([][2]string, len(texts))
	for i, text := range texts {
		pairs[i] = [2]string{query, text}
	}
	encoded, err := p.model.truncated().EncodePairBatch(pairs, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	scored, err := p.classify(ctx, encoded, TextClassificationParameters{FunctionToApply: p.model.rankingTransform()})
	if err != nil {
		return nil, err
	}
	for i, s := range scored {
		e := TextRankingOutputElement{Index: i, Score: s[0].Score}
		if o.ReturnDocuments {
			e.Text = texts[i]
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b TextRankingOutputElement) int { return cmp.Compare(b.Score, a.Score) })
	if o.TopN > 0 {
		out = out[:min(o.TopN, len(out))]
	}
	return out, nil
}
