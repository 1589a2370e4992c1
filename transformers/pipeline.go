package transformers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/transformers/chat"
)

// Runner is a pipeline whose task is known at run time only: inputs are texts,
// or paths of pictures for tasks that look at one, and parameters is the JSON
// of the task's parameters, nil for the defaults. The result has the task's
// output type.
type Runner func(ctx context.Context, inputs []string, parameters json.RawMessage) (any, error)

// tasks are the pipelines by the names of the Hub's pipeline_tag, with what
// they take.
var tasks = map[string]struct {
	inputs string
	build  func(m *Model) (Runner, error)
}{
	"text-generation":     {"PROMPT", func(m *Model) (Runner, error) { return textRunner(m.TextGeneration()) }},
	"text-classification": {"TEXT…", func(m *Model) (Runner, error) { return classifyRunner(m.TextClassification()) }},
	"token-classification": {"TEXT", func(m *Model) (Runner, error) {
		p, err := m.TokenClassification()
		return oneText(p, err, (*TokenClassificationPipeline).Run)
	}},
	"fill-mask": {"TEXT", func(m *Model) (Runner, error) {
		p, err := m.FillMask()
		return oneText(p, err, (*FillMaskPipeline).Run)
	}},
	"zero-shot-classification": {"TEXT", func(m *Model) (Runner, error) {
		p, err := m.ZeroShotClassification()
		return oneText(p, err, (*ZeroShotClassificationPipeline).Run)
	}},
	"question-answering": {"QUESTION CONTEXT", func(m *Model) (Runner, error) {
		p, err := m.QuestionAnswering()
		return atLeast(2, p, err, func(p *QuestionAnsweringPipeline, ctx context.Context, in []string, o QuestionAnsweringParameters) ([]QuestionAnsweringOutputElement, error) {
			return p.Run(ctx, in[0], in[1], o)
		})
	}},
	"feature-extraction": {"TEXT…", func(m *Model) (Runner, error) {
		p, err := m.FeatureExtraction()
		return atLeast(1, p, err, (*FeatureExtractionPipeline).Run)
	}},
	"sentence-similarity": {"SENTENCE OTHER…", func(m *Model) (Runner, error) {
		p, err := m.SentenceSimilarity()
		return atLeast(2, p, err, func(p *SentenceSimilarityPipeline, ctx context.Context, in []string, _ struct{}) ([]float32, error) {
			return p.Run(ctx, in[0], in[1:])
		})
	}},
	"text-ranking": {"QUERY TEXT…", func(m *Model) (Runner, error) {
		p, err := m.TextRanking()
		return atLeast(2, p, err, func(p *TextRankingPipeline, ctx context.Context, in []string, o TextRankingParameters) ([]TextRankingOutputElement, error) {
			return p.Run(ctx, in[0], in[1:], o)
		})
	}},
	"translation": {"TEXT…", func(m *Model) (Runner, error) {
		p, err := m.Translation()
		return overDefaults(1, p, err, func() (o TranslationParameters) {
			c := p.Defaults()
			o.Generate = &c
			return o
		}, (*TranslationPipeline).Run)
	}},
	"summarization": {"TEXT…", func(m *Model) (Runner, error) {
		p, err := m.Summarization()
		return overDefaults(1, p, err, func() (o SummarizationParameters) {
			c := p.Defaults()
			o.Generate = &c
			return o
		}, (*SummarizationPipeline).Run)
	}},
	"image-classification": {"FILE", func(m *Model) (Runner, error) {
		p, err := m.ImageClassification()
		return oneFile(p, err, (*ImageClassificationPipeline).Run)
	}},
	"zero-shot-image-classification": {"FILE", func(m *Model) (Runner, error) {
		p, err := m.ZeroShotImageClassification()
		return oneFile(p, err, (*ZeroShotImageClassificationPipeline).Run)
	}},
}

// Tasks lists the tasks of Pipeline, sorted.
func Tasks() []string { return slices.Sorted(maps.Keys(tasks)) }

// TaskInputs says what a task of Tasks takes: "QUESTION CONTEXT".
func TaskInputs(task string) string { return tasks[task].inputs }

// Pipeline builds the pipeline of a task by its name. The error wraps
// ErrUnsupported if there is no such task, or the model cannot do it.
func (m *Model) Pipeline(task string) (Runner, error) {
	t, ok := tasks[task]
	if !ok {
		return nil, fmt.Errorf("%w: task %q; those that run here are %s", ErrUnsupported, task, strings.Join(Tasks(), ", "))
	}
	return t.build(m)
}

// atLeast is the runner of a pipeline of n or more inputs.
func atLeast[P, O, R any](n int, p P, err error, run func(P, context.Context, []string, O) (R, error)) (Runner, error) {
	return overDefaults(n, p, err, func() (o O) { return o }, run)
}

// overDefaults is atLeast for parameters that change defaults of the model.
func overDefaults[P, O, R any](n int, p P, err error, defaults func() O, run func(P, context.Context, []string, O) (R, error)) (Runner, error) {
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, inputs []string, parameters json.RawMessage) (any, error) {
		o := defaults()
		if err := decodeParameters(parameters, &o); err != nil {
			return nil, err
		}
		if len(inputs) < n {
			return nil, fmt.Errorf("%w: %d inputs, want at least %d", ErrInput, len(inputs), n)
		}
		return run(p, ctx, inputs, o)
	}, nil
}

// decodeParameters reads JSON over what o holds. A key that the task does not
// know is an error: a typing mistake must not pass as a default.
func decodeParameters(parameters json.RawMessage, o any) error {
	if len(parameters) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(parameters)))
	d.DisallowUnknownFields()
	if err := d.Decode(o); err != nil {
		return fmt.Errorf("%w: parameters: %w", ErrInput, err)
	}
	return nil
}

// oneText is the runner of a pipeline of one text.
func oneText[P, O, R any](p P, err error, run func(P, context.Context, string, O) (R, error)) (Runner, error) {
	return atLeast(1, p, err, func(p P, ctx context.Context, in []string, o O) (any, error) {
		if len(in) != 1 {
			return nil, fmt.Errorf("%w: %d inputs, want one text", ErrInput, len(in))
		}
		return run(p, ctx, in[0], o)
	})
}

// oneFile is the runner of a pipeline of one picture.
func oneFile[P, O, R any](p P, err error, run func(P, context.Context, io.Reader, O) (R, error)) (Runner, error) {
	return oneText(p, err, func(p P, ctx context.Context, path string, o O) (any, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInput, err)
		}
		defer f.Close()
		return run(p, ctx, f, o)
	})
}

func classifyRunner(p *TextClassificationPipeline, err error) (Runner, error) {
	return atLeast(1, p, err, func(p *TextClassificationPipeline, ctx context.Context, in []string, o TextClassificationParameters) (any, error) {
		out, err := p.RunBatch(ctx, in, o)
		if err == nil && len(out) == 1 {
			return out[0], nil
		}
		return out, err
	})
}

// textRunner continues a prompt, or answers it if the model has a chat
// template.
func textRunner(p *TextGenerationPipeline, err error) (Runner, error) {
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, inputs []string, parameters json.RawMessage) (any, error) {
		if len(inputs) != 1 {
			return nil, fmt.Errorf("%w: %d inputs, want one prompt", ErrInput, len(inputs))
		}
		o := p.Defaults()
		if err := decodeParameters(parameters, &o); err != nil {
			return nil, err
		}
		var out []TextGenerationOutput
		var err error
		if p.CanChat() {
			out, err = p.ChatBatch(ctx, []chat.Input{{Messages: []chat.Message{{Role: "user", Content: chat.Text(inputs[0])}}, AddGenerationPrompt: true}}, o)
		} else {
			out, err = p.RunBatch(ctx, inputs, o)
		}
		if err != nil {
			return nil, err
		}
		if o.NumReturnSequences > 1 {
			return out, nil
		}
		return out[0], nil
	}, nil
}
