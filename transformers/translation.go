package transformers

import (
	"context"
	"fmt"
	"strings"

	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/nn"
)

// TranslationParameters are the options of a translation or a summary.
type TranslationParameters struct {
	// SrcLang and TgtLang are language codes, for models that know several.
	SrcLang string `json:"src_lang,omitempty"`
	TgtLang string `json:"tgt_lang,omitempty"`
	// Generate are the settings of the generation; nil: the model's.
	Generate *generate.Config `json:"generate_parameters,omitempty"`
}

// SummarizationParameters are the options of a summary.
type SummarizationParameters struct {
	// Generate are the settings of the generation; nil: the model's.
	Generate *generate.Config `json:"generate_parameters,omitempty"`
}

// TranslationOutput is a translated text.
type TranslationOutput struct {
	TranslationText string `json:"translation_text"`
}

// SummarizationOutput is a summary.
type SummarizationOutput struct {
	SummaryText string `json:"summary_text"`
}

// rewriter turns a text into another with an encoder-decoder.
type rewriter struct {
	model    *Model
	network  seq2seq
	engine   *generate.Engine
	defaults generate.Config
	tasks    map[string]taskSettings
}

// taskSettings are what config.json's task_specific_params say of one task.
type taskSettings struct {
	Prefix string `json:"prefix"`
}

func (m *Model) newRewriter(task string) (rewriter, error) {
	r := rewriter{model: m, tasks: m.config.TaskSpecificParams}
	release, err := m.hold()
	if err != nil {
		return r, err
	}
	defer release()
	if _, err := m.text(); err != nil {
		return r, err
	}
	a, err := m.architecture(task, func(a architecture) bool { return a.seq2seq != nil })
	if err != nil {
		return r, err
	}
	if r.network, err = a.seq2seq(m.checkpoint.Config, m.checkpoint.Weights()); err != nil {
		return r, fmt.Errorf("%s: %w", task, err)
	}
	r.engine = generate.NewExactEngine(r.network, 0) // outputs are short
	if r.defaults, err = m.generationDefaults(); err != nil {
		return r, fmt.Errorf("%s: %w", task, err)
	}
	if len(r.defaults.DecoderStartTokenID) == 0 {
		r.defaults.DecoderStartTokenID = r.defaults.BOSTokenID
	}
	if len(r.defaults.DecoderStartTokenID) == 0 {
		return r, fmt.Errorf("%w: %s: neither generation_config.json nor config.json has a decoder_start_token_id", ErrUnsupported, task)
	}
	return r, nil
}

// Defaults are the model's settings of a generation; change what is to differ.
func (r *rewriter) Defaults() generate.Config { return r.defaults }

// run rewrites texts, each behind prefix.
func (r *rewriter) run(ctx context.Context, prefix string, texts []string, c *generate.Config) ([]string, error) {
	settings := r.defaults
	if c != nil {
		settings = *c
	}
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if settings.NumReturnSequences > 1 {
		return nil, fmt.Errorf("%w: num_return_sequences %d; a text is rewritten once", ErrInput, settings.NumReturnSequences)
	}
	prefixed := make([]string, len(texts))
	for i, text := range texts {
		prefixed[i] = prefix + text
	}
	t := r.model.tokenizer.WithPadding(nil)
	limit := r.network.MaxPosition()
	if n := r.model.maxTokens(); n > 0 {
		limit = min(limit, n)
	}
	t = t.WithTruncation(&tokenizers.Truncation{MaxLength: limit})
	encoded, err := t.EncodeBatch(prefixed, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	out := make([]string, 0, len(texts))
	for first := 0; first < len(encoded); first += rewriteBatch {
		part, err := r.generate(ctx, encoded[first:min(first+rewriteBatch, len(encoded))], settings)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// rewriteBatch is how many texts are rewritten side by side.
const rewriteBatch = 16

func (r *rewriter) generate(ctx context.Context, encoded []tokenizers.Encoding, c generate.Config) ([]string, error) {
	var in nn.Input
	for _, e := range encoded {
		in.Append(e.IDs, nil)
	}
	ws, done, err := r.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	memories := r.network.Encode(ws, &in)
	if err := ws.Err(); err != nil {
		return nil, err
	}
	requests := make([]*generate.Request, len(memories))
	for i, memory := range memories {
		requests[i] = &generate.Request{Prompt: c.DecoderStartTokenID[:1], Config: c, Number: i, Memory: memory}
	}
	results, err := r.engine.RunAny(ctx, ws, requests...)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(results))
	for i, ids := range results {
		if out[i], err = r.model.tokenizer.Decode(ids, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// TranslationPipeline translates texts.
type TranslationPipeline struct{ rewriter }

// Translation builds the pipeline. The error wraps ErrUnsupported if the model
// cannot do it.
func (m *Model) Translation() (p *TranslationPipeline, err error) {
	defer recovered(&err)
	r, err := m.newRewriter("translation")
	return &TranslationPipeline{r}, err
}

// Run translates texts. A model that translates between several languages, as
// T5 does, needs SrcLang and TgtLang; others ignore them.
func (p *TranslationPipeline) Run(ctx context.Context, texts []string, o TranslationParameters) (out []TranslationOutput, err error) {
	defer recovered(&err)
	prefix := ""
	if o.SrcLang != "" || o.TgtLang != "" {
		task, ok := p.tasks["translation_"+o.SrcLang+"_to_"+o.TgtLang]
		if !ok && len(p.tasks) > 0 {
			return nil, fmt.Errorf("%w: the model does not translate from %q to %q", ErrInput, o.SrcLang, o.TgtLang)
		}
		prefix = task.Prefix
	}
	translated, err := p.run(ctx, prefix, texts, o.Generate)
	for _, text := range translated {
		out = append(out, TranslationOutput{TranslationText: strings.TrimSpace(text)})
	}
	return out, err
}

// SummarizationPipeline shortens texts.
type SummarizationPipeline struct{ rewriter }

// Summarization builds the pipeline. The error wraps ErrUnsupported if the
// model cannot do it.
func (m *Model) Summarization() (p *SummarizationPipeline, err error) {
	defer recovered(&err)
	r, err := m.newRewriter("summarization")
	return &SummarizationPipeline{r}, err
}

// Run summarises texts. What is too long for the model is cut.
func (p *SummarizationPipeline) Run(ctx context.Context, texts []string, o SummarizationParameters) (out []SummarizationOutput, err error) {
	defer recovered(&err)
	summaries, err := p.run(ctx, p.tasks["summarization"].Prefix, texts, o.Generate)
	for _, text := range summaries {
		out = append(out, SummarizationOutput{SummaryText: strings.TrimSpace(text)})
	}
	return out, err
}
