package chat_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pantryhub/pantry/transformers/chat"
)

const chatML = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

func Example() {
	t, err := chat.Parse(chatML)
	if err != nil {
		panic(err)
	}
	prompt, err := t.Render(chat.Input{
		Messages: []chat.Message{
			{Role: "system", Content: chat.Text("Answer in one word.")},
			{Role: "user", Content: chat.Text("Capital of France?")},
		},
		AddGenerationPrompt: true,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(prompt)
	// Output:
	// <|im_start|>system
	// Answer in one word.<|im_end|>
	// <|im_start|>user
	// Capital of France?<|im_end|>
	// <|im_start|>assistant
}

// TestMessages: messages made in Go and in JSON are the same to a template, a
// call with its arguments in a string among them.
func TestMessages(t *testing.T) {
	tmpl, err := chat.Parse(chatML + "{{ messages | tojson }}")
	if err != nil {
		t.Fatal(err)
	}
	made := []chat.Message{
		{Role: "user", Content: chat.Content{Parts: []chat.Part{{Type: "image"}, {Type: "text", Text: "?"}}}},
		{Role: "assistant", ToolCalls: []chat.ToolCall{{ID: "7", Type: "function", Function: chat.FunctionCall{Name: "f", Arguments: json.RawMessage(`{"b": 1, "a": 2.50}`)}}}},
		{Role: "tool", ToolCallID: "7", Name: "f", Content: chat.Text("")},
	}
	var read []chat.Message
	if err := json.Unmarshal([]byte(`[
		{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]},
		{"role": "assistant", "content": null, "tool_calls": [{"id": "7", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1, \"a\": 2.50}"}}]},
		{"role": "tool", "content": "", "tool_call_id": "7", "name": "f"}
	]`), &read); err != nil {
		t.Fatal(err)
	}
	a, err := tmpl.Render(chat.Input{Messages: made})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tmpl.Render(chat.Input{Messages: read})
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("made in Go:\n%s\nread from JSON:\n%s", a, b)
	}
	const want = `<|im_start|>assistant
[{"id": "7", "type": "function", "function": {"name": "f", "arguments": {"b": 1, "a": 2.5}}}]<|im_end|>
`
	if got := a[len("<|im_start|>user\n")+len(`[{'type': 'image'}, {'type': 'text', 'text': '?'}]<|im_end|>`)+1:]; got[:len(want)] != want {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
}

func BenchmarkRender(b *testing.B) {
	t, err := chat.Parse(chatML)
	if err != nil {
		b.Fatal(err)
	}
	in := chat.Input{Messages: []chat.Message{{Role: "user", Content: chat.Text("Hello")}, {Role: "assistant", Content: chat.Text("Hi")}, {Role: "user", Content: chat.Text("Bye")}}}
	for b.Loop() {
		if _, err := t.Render(in); err != nil {
			b.Fatal(err)
		}
	}
}
