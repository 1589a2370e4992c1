package transformers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/chat"
)

// golden is a call of a pipeline and what Python made of it: see
// testdata/make.py.
type golden struct {
	Task       string
	Inputs     []string
	Parameters json.RawMessage
	Output     any
	// Of conversations:
	Chat   chat.Input
	Prompt string
}

// tolerance is how far a score may be from Python's.
const tolerance = 1e-4

// TestGolden compares every pipeline, option by option, with Python: strings,
// offsets and the order exactly, scores and vectors to 1e-4.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{"chat": true}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m := open(t, dir)
			runners := map[string]transformers.Runner{}
			for i, c := range readGolden(t, file) {
				name := fmt.Sprintf("%d: %s(%.60q, %s)", i, c.Task, c.Inputs, c.Parameters)
				if c.Task == "chat" {
					compare(t, name, answer(t, m, c), c.Output)
					continue
				}
				if runners[c.Task] == nil {
					if runners[c.Task], err = m.Pipeline(c.Task); err != nil {
						t.Fatal(err)
					}
				}
				tested[c.Task] = true
				got, err := runners[c.Task](t.Context(), located(c.Inputs), c.Parameters)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				compare(t, name, got, c.Output)
			}
		})
	}
	for _, task := range transformers.Tasks() {
		if !tested[task] {
			t.Errorf("no golden output of %s", task)
		}
	}
}

func open(t testing.TB, dir string) *transformers.Model {
	t.Helper()
	m, err := transformers.Open(t.Context(), dir, transformers.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func readGolden(t *testing.T, file string) []golden {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// located finds the inputs that are pictures.
func located(inputs []string) []string {
	out := make([]string, len(inputs))
	for i, in := range inputs {
		out[i] = in
		if ext := filepath.Ext(in); ext == ".png" || ext == ".jpg" {
			out[i] = filepath.Join("testdata", in)
		}
	}
	return out
}

// answer runs a conversation and checks the prompt that its template makes.
func answer(t *testing.T, m *transformers.Model, c golden) transformers.TextGenerationOutput {
	t.Helper()
	p, err := m.TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	c.Chat.AddGenerationPrompt = true
	prompt, err := p.ApplyChatTemplate(c.Chat)
	if err != nil || prompt != c.Prompt {
		t.Errorf("prompt %q, %v; want %q", prompt, err, c.Prompt)
	}
	o := p.Defaults()
	if err := json.Unmarshal(c.Parameters, &o); err != nil {
		t.Fatal(err)
	}
	out, err := p.Chat(t.Context(), c.Chat, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compare compares an output with the one of Python by their JSON.
func compare(t *testing.T, name string, got, want any) {
	t.Helper()
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	if msg := difference("", tree, want); msg != "" {
		w, _ := json.Marshal(want)
		t.Errorf("%s: %s\n got %.1000s\nwant %.1000s", name, msg, data, w)
	}
}

// difference describes where two JSON values differ, "" for nowhere. Members
// that only Go has are the details of a generation and are passed over.
func difference(at string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is a %T", at, got)
		}
		for key := range g {
			if _, ok := want[key]; !ok && key != "details" && at != ".details" && !inTokens(at) {
				return fmt.Sprintf("%s.%s is too much", at, key)
			}
		}
		for key, w := range want {
			if msg := difference(at+"."+key, orZero(g[key], w), w); msg != "" {
				return msg
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(want) {
			return fmt.Sprintf("%s has %d elements, want %d", at, len(g), len(want))
		}
		for i := range want {
			if msg := difference(fmt.Sprintf("%s[%d]", at, i), g[i], want[i]); msg != "" {
				return msg
			}
		}
	case float64:
		g, ok := got.(float64)
		if integer := want == math.Trunc(want) && g == math.Trunc(g); !ok || integer && g != want || !(math.Abs(g-want) <= tolerance*max(1, math.Abs(want))) {
			return fmt.Sprintf("%s is %v, want %v", at, got, want)
		}
	default:
		if got != want {
			return fmt.Sprintf("%s is %q, want %q", at, got, want)
		}
	}
	return ""
}

func inTokens(at string) bool {
	ok, _ := filepath.Match(".details.tokens?*?", at)
	return ok
}

// orZero is what an omitted member stands for.
func orZero(got, want any) any {
	if _, isNumber := want.(float64); got == nil && isNumber {
		return 0.0
	}
	return got
}
