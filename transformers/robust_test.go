package transformers_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

// modelTask is a model under testdata and a task of it, with inputs that it can
// do and parameters that it needs.
type modelTask struct {
	dir, task  string
	inputs     []string // "" stands for the text
	parameters string
}

var tasksOf = []modelTask{
	{"sentiment", "text-classification", []string{""}, ""},
	{"names", "token-classification", []string{""}, ""},
	{"names-bytes", "token-classification", []string{""}, `{"aggregation_strategy": "average", "stride": 8}`},
	{"answers", "question-answering", []string{"Who?", ""}, ""},
	{"answers-bytes", "question-answering", []string{"", "Ada wrote it"}, ""},
	{"mask", "fill-mask", []string{""}, ""},
	{"entailment", "zero-shot-classification", []string{""}, `{"candidate_labels": ["a", "b"]}`},
	{"ranking", "text-ranking", []string{"", "Ada"}, ""},
	{"sentence-prompts", "feature-extraction", []string{""}, ""},
	{"sentence-dense", "sentence-similarity", []string{"", ""}, ""},
	{"continuation", "text-generation", []string{""}, `{"max_new_tokens": 2}`},
	{"chat", "text-generation", []string{""}, `{"max_new_tokens": 2}`},
	{"summary", "summarization", []string{""}, `{"generate_parameters": {"max_new_tokens": 2}}`},
	{"translation", "translation", []string{""}, `{"generate_parameters": {"max_new_tokens": 2}}`},
}

// pictureTasks are more of them, which look at a picture.
var pictureTasks = []modelTask{
	{"pictures", "image-classification", []string{"testdata/picture.png"}, ""},
	{"pictures-resnet", "image-classification", []string{"testdata/picture.png"}, ""},
	{"pictures-convnext", "image-classification", []string{"testdata/picture.png"}, ""},
	{"clip", "zero-shot-image-classification", []string{"testdata/picture.png"}, `{"candidate_labels": ["a", "b"]}`},
}

// TestStrangeTexts runs every pipeline on texts that nobody should send: the
// output may be anything, or the error that the input is wrong.
func TestStrangeTexts(t *testing.T) {
	texts := map[string]string{
		"empty": "", "spaces": " \n\t ", "zero bytes": "\x00\x00", "broken UTF-8": "caf\xe9 \xff\xfe [MASK] <mask> \xf0\x9f",
		"megabyte": strings.Repeat("The river was low that summer. ", 1<<20/31), "one word": strings.Repeat("ha", 1<<19),
		"specials": "[CLS] [SEP] [MASK] <s></s><mask><|im_end|>[PAD]<pad>",
	}
	for _, c := range tasksOf {
		m := open(t, filepath.Join("testdata", c.dir))
		run, err := m.Pipeline(c.task)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range texts {
			if c.task == "question-answering" || strings.Contains(c.parameters, "stride") {
				text = text[:min(len(text), 1<<15)] // read to its end, in windows
			}
			inputs := slices.Clone(c.inputs)
			for i, in := range inputs {
				if in == "" {
					inputs[i] = text
				}
			}
			_, err := run(t.Context(), inputs, json.RawMessage(c.parameters))
			if err != nil && !errors.Is(err, transformers.ErrInput) {
				t.Errorf("%s %s on %s: %v", c.dir, c.task, name, err)
			}
		}
	}
}

// TestCancelled ends every pipeline's context before it begins, in the middle
// of a pass and in the last layer. The pipeline returns the cause, and works as
// before afterwards.
func TestCancelled(t *testing.T) {
	for _, c := range append(slices.Clone(tasksOf), pictureTasks...) {
		m := open(t, filepath.Join("testdata", c.dir))
		run, err := m.Pipeline(c.task)
		if err != nil {
			t.Fatal(err)
		}
		inputs := slices.Clone(c.inputs)
		for i, in := range inputs {
			if in == "" {
				inputs[i] = "The [MASK]<mask> river"
			}
		}
		whole := parity.NewEnding(-1)
		want, err := run(whole, inputs, json.RawMessage(c.parameters))
		if err != nil {
			t.Fatalf("%s %s: %v", c.dir, c.task, err)
		}
		running := runtime.NumGoroutine()
		for _, last := range []int{0, 1, whole.Looks / 2, whole.Looks - 1} {
			_, err := run(parity.NewEnding(last), inputs, json.RawMessage(c.parameters))
			if !errors.Is(err, parity.ErrEnded) || errors.Is(err, transformers.ErrInput) {
				t.Errorf("%s %s, ended at look %d of %d: %v, want %v", c.dir, c.task, last, whole.Looks, err, parity.ErrEnded)
			}
		}
		for range 1 << 20 { // one that has done its work may not be gone yet
			if runtime.NumGoroutine() <= running {
				break
			}
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > running {
			t.Errorf("%s %s: %d goroutines, and %d before", c.dir, c.task, n, running)
		}
		got, err := run(t.Context(), inputs, json.RawMessage(c.parameters))
		if err != nil {
			t.Errorf("%s %s: %v", c.dir, c.task, err)
		}
		if out, ok := got.(transformers.TextGenerationOutput); ok { // the second time, the prompt is known
			out.Details.ReusedTokens = 0
			got = out
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s after calls that were ended: -want +got\n%s", c.dir, c.task, diff)
		}
	}
}

// TestShared runs one model from 16 goroutines, which must get what one gets.
func TestShared(t *testing.T) {
	for _, dir := range []string{"sentiment", "continuation", "summary", "sentence"} {
		m := open(t, filepath.Join("testdata", dir))
		cases := readGolden(t, filepath.Join("testdata", dir, "golden.json"))
		runners := map[string]transformers.Runner{}
		for _, c := range cases {
			run, err := m.Pipeline(c.Task)
			if err != nil {
				t.Fatal(err)
			}
			runners[c.Task] = run
		}
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range cases {
					c := cases[(i+g)%len(cases)]
					got, err := runners[c.Task](t.Context(), c.Inputs, c.Parameters)
					if err != nil {
						t.Error(err)
						return
					}
					compare(t, dir, got, c.Output)
				}
			})
		}
		wg.Wait()
	}
}

// TestClosed uses a pipeline after its model was closed.
func TestClosed(t *testing.T) {
	m, err := transformers.Open(t.Context(), "testdata/sentiment", transformers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.TextClassification()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if _, err := p.Run(t.Context(), "x", transformers.TextClassificationParameters{}); !errors.Is(err, transformers.ErrClosed) {
		t.Errorf("Run of a closed model: %v, want %v", err, transformers.ErrClosed)
	}
	if _, err := m.TextClassification(); !errors.Is(err, transformers.ErrClosed) {
		t.Errorf("pipeline of a closed model: %v, want %v", err, transformers.ErrClosed)
	}
}

// copyModel copies a model's folder, for a test that breaks it.
func copyModel(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// edit changes a JSON file.
func edit(t testing.TB, file string, change map[string]any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range change {
		all[k] = v
	}
	data, err = json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, data)
}

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenModels opens models that somebody or something damaged: the error
// says what is wrong.
func TestBrokenModels(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string // in the message
	}{
		{"no config", func(t *testing.T, dir string) { remove(t, dir, "config.json") }, "config.json"},
		{"config is no JSON", func(t *testing.T, dir string) { write(t, dir+"/config.json", []byte("{")) }, "config.json"},
		{"unknown architecture", func(t *testing.T, dir string) { edit(t, dir+"/config.json", map[string]any{"model_type": "mystery"}) },
			`model type "mystery" is not known; text-classification runs with bart, bert`},
		{"task of another architecture", func(t *testing.T, dir string) { edit(t, dir+"/config.json", map[string]any{"model_type": "llama"}) },
			`a model of type "llama" cannot do text-classification, which runs with bart, bert`},
		{"wrong shape", func(t *testing.T, dir string) { edit(t, dir+"/config.json", map[string]any{"intermediate_size": 25}) }, "25"},
		{"missing tensor", func(t *testing.T, dir string) { edit(t, dir+"/config.json", map[string]any{"num_hidden_layers": 3}) }, "encoder.layer.2"},
		{"huge config", func(t *testing.T, dir string) {
			edit(t, dir+"/config.json", map[string]any{"hidden_size": 1 << 40, "vocab_size": 1 << 50, "num_hidden_layers": 1 << 60})
		}, "config.json"},
		{"a million million labels", func(t *testing.T, dir string) {
			edit(t, dir+"/config.json", map[string]any{"num_labels": 1 << 40, "id2label": nil})
		}, "classifier"},
		{"16 million layers", func(t *testing.T, dir string) {
			edit(t, dir+"/config.json", map[string]any{"num_hidden_layers": 1 << 24})
		}, "encoder.layer.2"},
		{"truncated weights", func(t *testing.T, dir string) {
			data, _ := os.ReadFile(dir + "/model.safetensors")
			write(t, dir+"/model.safetensors", data[:len(data)/2])
		}, "model.safetensors"},
		{"only a pickle", func(t *testing.T, dir string) {
			if err := os.Rename(dir+"/model.safetensors", dir+"/pytorch_model.bin"); err != nil {
				t.Fatal(err)
			}
		}, "PyTorch pickle"},
		{"no weights", func(t *testing.T, dir string) { remove(t, dir, "model.safetensors") }, "safetensors"},
		{"tokenizer is no JSON", func(t *testing.T, dir string) { write(t, dir+"/tokenizer.json", []byte(`{"model": 7`)) }, "tokenizer.json"},
		{"no tokenizer", func(t *testing.T, dir string) { remove(t, dir, "tokenizer.json") }, "tokenizer"},
		{"tokens outside the vocabulary", func(t *testing.T, dir string) {
			data, _ := os.ReadFile(dir + "/tokenizer.json")
			write(t, dir+"/tokenizer.json", bytes.Replace(data, []byte(`"the": `), []byte(`"the": 900000`), 1))
		}, "token"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			dir := copyModel(t, "testdata/sentiment")
			c.damage(t, dir)
			err := classify(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, transformers.ErrInternal) {
				t.Errorf("error %.600v, want one with %q", err, c.want)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func classify(ctx context.Context, dir string) error {
	m, err := transformers.Open(ctx, dir, transformers.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := m.TextClassification()
	if err != nil {
		return err
	}
	_, err = p.Run(ctx, "the boats", transformers.TextClassificationParameters{})
	return err
}

// TestCloseInsideStream: a call inside a call ends while Close waits for the
// outer one.
func TestCloseInsideStream(t *testing.T) {
	m, err := transformers.Open(t.Context(), "testdata/continuation", transformers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	o := p.Defaults()
	o.MaxNewTokens = 3
	inner := o
	closed, started := make(chan error, 1), false
	o.Stream = func(transformers.TextGenerationStreamOutput) {
		if started {
			return
		}
		started = true
		go func() { closed <- m.Close() }()
		for {
			if _, err := p.Run(t.Context(), "the", inner); errors.Is(err, transformers.ErrClosed) {
				break // Close has begun, and waits for this call's caller
			}
		}
	}
	if _, err := p.Run(t.Context(), "the", o); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestNaN runs models whose every weight is NaN: the error says so.
func TestNaN(t *testing.T) {
	for _, c := range append(slices.Clone(tasksOf), pictureTasks...) {
		dir := copyModel(t, filepath.Join("testdata", c.dir))
		fillNaN(t, dir)
		run, err := open(t, dir).Pipeline(c.task)
		if err != nil {
			t.Fatal(err)
		}
		inputs := slices.Clone(c.inputs)
		for i, in := range inputs {
			if in == "" {
				inputs[i] = "The [MASK]<mask> river"
			}
		}
		if out, err := run(t.Context(), inputs, json.RawMessage(c.parameters)); !errors.Is(err, transformers.ErrNotANumber) {
			t.Errorf("%s %s: %.100v, %v; want %v", c.dir, c.task, fmt.Sprint(out), err, transformers.ErrNotANumber)
		}
	}
}

// fillNaN makes every weight of a model NaN.
func fillNaN(t *testing.T, dir string) {
	t.Helper()
	weights, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(weights) == 0 {
		t.Fatal(weights, err)
	}
	for _, file := range weights {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := 8 + int(binary.LittleEndian.Uint64(data)); at+4 <= len(data); at += 4 {
			binary.LittleEndian.PutUint32(data[at:], math.Float32bits(float32(math.NaN())))
		}
		write(t, file, data)
	}
}

// TestPictures passes what is no picture, or too large a one.
func TestPictures(t *testing.T) {
	p, err := open(t, "testdata/pictures").ImageClassification()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("not a picture"), "half": half(t, "testdata/picture.jpg"), "bomb": bomb()} {
		out, err := p.Run(t.Context(), bytes.NewReader(data), transformers.ImageClassificationParameters{})
		if !errors.Is(err, transformers.ErrInput) {
			t.Errorf("%s: %v, %v; want %v", name, out, err, transformers.ErrInput)
		}
	}
}

func half(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data[:100]
}

// bomb is a PNG of a few bytes that says it has 10 gigapixels.
func bomb() []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body := append([]byte(kind), data...)
		out = append(out, body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	}
	header := binary.BigEndian.AppendUint32(nil, 100_000)
	header = append(binary.BigEndian.AppendUint32(header, 100_000), 8, 2, 0, 0, 0)
	chunk("IHDR", header)
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(make([]byte, 1<<20))
	w.Close()
	chunk("IDAT", z.Bytes())
	chunk("IEND", nil)
	return out
}

// TestJSONSchema keeps a model's output to a schema, whatever its weights say.
func TestJSONSchema(t *testing.T) {
	p, err := open(t, "testdata/chat").TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	schema := json.RawMessage(`{"type": "object", "properties": {"city": {"enum": ["Paris", "Köln"]}, "days": {"type": "integer", "minimum": 1, "maximum": 14}},
		"required": ["city", "days"], "additionalProperties": false}`)
	for seed := range int64(5) {
		for beams := 1; beams <= 3; beams += 2 {
			o := p.Defaults()
			o.JSONSchema, o.MaxNewTokens, o.Seed, o.DoSample, o.NumBeams = schema, 80, &seed, beams == 1, beams
			out, err := p.Run(t.Context(), "The weather", o)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				City string
				Days int
			}
			if err := json.Unmarshal([]byte(out.GeneratedText), &answer); err != nil || answer.City != "Paris" && answer.City != "Köln" || answer.Days < 1 || answer.Days > 14 {
				t.Errorf("seed %d, %d beams: %q is not of the schema: %v", seed, beams, out.GeneratedText, err)
			}
		}
	}
	o := p.Defaults()
	o.JSONSchema = json.RawMessage(`{"type": "array", "uniqueItems": true}`)
	if _, err := p.Run(t.Context(), "x", o); !errors.Is(err, transformers.ErrInput) {
		t.Errorf("schema that cannot be kept: %v, want %v", err, transformers.ErrInput)
	}
}

// TestStream joins the pieces of a stream, which must be the text.
func TestStream(t *testing.T) {
	for _, c := range readGolden(t, "testdata/continuation/golden.json") {
		p, err := open(t, "testdata/continuation").TextGeneration()
		if err != nil {
			t.Fatal(err)
		}
		o := p.Defaults()
		if err := json.Unmarshal(c.Parameters, &o); err != nil {
			t.Fatal(err)
		}
		o.ReturnFullText, o.NumBeams, o.NumReturnSequences = false, 1, 1
		var text strings.Builder
		o.Stream = func(s transformers.TextGenerationStreamOutput) { text.WriteString(s.Text) }
		out, err := p.Run(t.Context(), c.Inputs[0], o)
		if err != nil || text.String() != out.GeneratedText {
			t.Errorf("%s: streamed %q, returned %q, %v", c.Parameters, text.String(), out.GeneratedText, err)
		}
	}
}

// TestParameters passes parameters that no task has.
func TestParameters(t *testing.T) {
	for _, c := range []struct{ dir, task, parameters string }{
		{"sentiment", "text-classification", `{"topk": 1}`},
		{"sentiment", "text-classification", `{"function_to_apply": "cube"}`},
		{"sentiment", "text-classification", `7`},
		{"names", "token-classification", `{"aggregation_strategy": "best"}`},
		{"names", "token-classification", `{"stride": 4}`},
		{"names", "token-classification", `{"stride": 64, "aggregation_strategy": "simple"}`},
		{"names", "token-classification", `{"stride": -4, "aggregation_strategy": "simple"}`},
		{"answers", "question-answering", `{"doc_stride": 63}`},
		{"answers", "question-answering", `{"doc_stride": -1}`},
		{"answers", "question-answering", `{"max_seq_len": 1}`},
		{"answers", "question-answering", `{"top_k": -1}`},
		{"answers", "question-answering", `{"max_answer_len": -1}`},
		{"mask", "fill-mask", `{"targets": [""]}`},
		{"continuation", "text-generation", `{"temperature": -1}`},
		{"continuation", "text-generation", `{"stop": ["a"]}`}, // names of the inference API that are missing
		{"continuation", "text-generation", `{"details": true}`},
		{"continuation", "text-generation", `{"top_n_tokens": 2}`},
		{"continuation", "text-generation", `{"truncate": 8}`},
		{"continuation", "text-generation", `{"best_of": 2}`},
		{"continuation", "text-generation", `{"grammar": {}}`},
		{"continuation", "text-generation", `{"adapter_id": "a"}`},
		{"sentence", "feature-extraction", `{"truncate": true}`},
		{"sentence", "feature-extraction", `{"truncation_direction": "left"}`},
		{"answers", "question-answering", `{"max_question_len": 8}`},
		{"translation", "translation", `{"truncation": "longest_first"}`},
		{"translation", "translation", `{"clean_up_tokenization_spaces": true}`},
		{"summary", "summarization", `{"truncation": "longest_first"}`},
		{"summary", "summarization", `{"clean_up_tokenization_spaces": true}`},
		{"continuation", "text-generation", `{"num_beams": 100000000}`},
		{"summary", "summarization", `{"generate_parameters": {"top_p": 2}}`},
		{"summary", "summarization", `{"generate_parameters": {"num_return_sequences": 2}}`},
	} {
		run, err := open(t, filepath.Join("testdata", c.dir)).Pipeline(c.task)
		if err != nil {
			t.Fatal(err)
		}
		inputs := []string{"Where is the [MASK] river?"}
		if c.task == "question-answering" {
			inputs = append(inputs, strings.Repeat("It is behind the museum. ", 20))
		}
		if out, err := run(t.Context(), inputs, json.RawMessage(c.parameters)); !errors.Is(err, transformers.ErrInput) {
			t.Errorf("%s with %s: %.100v, %v; want %v", c.task, c.parameters, fmt.Sprint(out), err, transformers.ErrInput)
		}
	}
}
