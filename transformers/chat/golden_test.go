package chat

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// conversation is an entry of testdata/conversations.json.
type conversation struct {
	Name      string            `json:"name"`
	Messages  []Message         `json:"messages"`
	Tools     string            `json:"tools"`
	Documents []json.RawMessage `json:"documents"`
	Generate  bool              `json:"add_generation_prompt"`
	Continue  bool              `json:"continue_final_message"`
	Extra     map[string]json.RawMessage
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (c conversation) input(tools []json.RawMessage) Input {
	in := Input{
		Messages: c.Messages, Documents: c.Documents,
		AddGenerationPrompt: c.Generate, ContinueFinalMessage: c.Continue,
		BOSToken: "<s>", EOSToken: "</s>",
		Now:   time.Date(2026, 3, 7, 9, 5, 2, 0, time.UTC),
		Extra: map[string]any{},
	}
	if c.Tools != "" {
		in.Tools = tools
	}
	for name, v := range c.Extra {
		in.Extra[name] = v
	}
	return in
}

// TestTemplates renders templates in the shape of those of well-known models
// and compares with transformers (testdata/make_golden.py).
func TestTemplates(t *testing.T) {
	var conversations []conversation
	readJSON(t, "testdata/conversations.json", &conversations)
	var tools []json.RawMessage
	readJSON(t, "testdata/tools.json", &tools)
	var golden map[string]map[string][2]*string
	readJSON(t, "testdata/golden.json", &golden)
	if len(golden) < 25 {
		t.Fatalf("only %d templates", len(golden))
	}
	for name, rows := range golden {
		source, err := os.ReadFile("testdata/templates/" + name)
		if err != nil {
			t.Fatal(err)
		}
		tmpl, err := Parse(string(source))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, c := range conversations {
			want, ok := rows[c.Name]
			if !ok {
				t.Fatalf("%s: no golden text for %s", name, c.Name)
			}
			got, err := tmpl.Render(c.input(tools))
			if want[0] != nil {
				if err != nil || got != *want[0] {
					t.Errorf("%s, %s:\n got %q (error %v)\nwant %q", name, c.Name, got, err, *want[0])
				}
				continue
			}
			if err == nil {
				t.Errorf("%s, %s: got %q, want the error %q", name, c.Name, got, *want[1])
				continue
			}
			var e *Error
			raised := errors.As(err, &e) && e.Raised
			if raised != (*want[1] != "") || raised && e.Message != *want[1] {
				t.Errorf("%s, %s: got the error %v, want %q", name, c.Name, err, *want[1])
			}
		}
	}
}
