package transformers_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/transformers"
)

// FuzzRun runs every task on any text with any parameters: what is no result is
// an error of the caller's, in time.
func FuzzRun(f *testing.F) {
	seeds := map[string]struct{ model, input, parameters string }{
		"text-generation": {"chat", "Hello", `{"max_new_tokens": 3, "do_sample": true, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.5,
			"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "num_return_sequences": 1, "seed": 1, "stop_strings": ["a"], "return_full_text": true}`},
		"text-classification":      {"sentiment", "fine", `{"function_to_apply": "softmax", "top_k": 2}`},
		"token-classification":     {"names", "Ada in London", `{"aggregation_strategy": "max", "stride": 2, "ignore_labels": ["O"]}`},
		"fill-mask":                {"mask", "I [MASK] it", `{"targets": ["a", "zz"], "top_k": 2}`},
		"zero-shot-classification": {"entailment", "cake", `{"candidate_labels": ["a", "b"], "hypothesis_template": "It is {}.", "multi_label": true}`},
		"question-answering":       {"answers", "Who wrote it?", `{"top_k": 2, "doc_stride": 4, "max_answer_len": 3, "max_seq_len": 24, "handle_impossible_answer": true, "align_to_words": false}`},
		"feature-extraction":       {"sentence", "a", `{"normalize": true, "prompt_name": "query"}`},
		"sentence-similarity":      {"sentence", "a", `{}`},
		"text-ranking":             {"ranking", "a", `{"top_n": 1, "return_documents": true}`},
		"translation":              {"translation", "Hello", `{"generate_parameters": {"max_new_tokens": 3, "num_beams": 2, "length_penalty": 2, "early_stopping": "never"}, "src_lang": "en"}`},
		"summarization":            {"summary", "Hello there", `{"generate_parameters": {"max_new_tokens": 3, "num_beams": 4, "no_repeat_ngram_size": 2}}`},
	}
	var runs []transformers.Runner
	for _, task := range transformers.Tasks() {
		seed, ok := seeds[task]
		if !ok {
			continue // pictures have targets of their own
		}
		m, err := transformers.Open(context.Background(), filepath.Join("testdata", seed.model), transformers.Options{Threads: 1})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { m.Close() })
		run, err := m.Pipeline(task)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := run(context.Background(), nil, json.RawMessage(seed.parameters)); !errors.Is(err, transformers.ErrInput) || strings.Contains(err.Error(), "parameters: json") {
			f.Fatalf("%s: without inputs: %v", task, err)
		}
		f.Add(uint8(len(runs)), seed.input, "Ada wrote the first program.", seed.parameters)
		f.Add(uint8(len(runs)), seed.input, "", "")
		runs = append(runs, run)
	}
	f.Fuzz(func(t *testing.T, task uint8, first, second, parameters string) {
		if len(first)+len(second) > 1000 {
			return
		}
		run := runs[int(task)%len(runs)]
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, inputs := range [][]string{{first}, {first, second}} {
			out, err := run(ctx, inputs, json.RawMessage(parameters))
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				t.Fatalf("%q %s takes long", inputs, parameters)
			case errors.Is(err, transformers.ErrInternal):
				t.Fatalf("%q %s: %v", inputs, parameters, err)
			case err != nil:
				continue
			}
			if _, err := json.Marshal(out); err != nil { // infinities and NaN
				t.Errorf("%q %s gives %v: %v", inputs, parameters, out, err)
			}
			if labels, ok := out.([]transformers.ClassificationOutput); ok {
				for _, l := range labels {
					if math.IsNaN(float64(l.Score)) {
						t.Errorf("%q %s: %v", inputs, parameters, labels)
					}
				}
			}
		}
	})
}
