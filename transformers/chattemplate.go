package transformers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pantryhub/pantry/transformers/chat"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// maxTokenizerConfig is the largest tokenizer_config.json that is read, in
// bytes; some list every added token.
const maxTokenizerConfig = 16 << 20

// chatTemplate finds the model's chat template, nil if it has none: in
// chat_template.jinja, in tokenizer_config.json, or in the GGUF file.
func (m *Model) chatTemplate() (*chat.Template, error) {
	source, err := m.templateSource()
	if err != nil || source == "" {
		return nil, err
	}
	t, err := chat.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return t, nil
}

func (m *Model) templateSource() (string, error) {
	if m.checkpoint.GGUF != nil {
		source, _ := m.checkpoint.GGUF.Text("tokenizer.chat_template")
		return source, nil
	}
	data, err := checkpoint.ReadLimited(m.dir, "chat_template.jinja", maxTokenizerConfig)
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	data, err = checkpoint.ReadLimited(m.dir, "tokenizer_config.json", maxTokenizerConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var settings struct {
		ChatTemplate json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &settings); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return pickTemplate(settings.ChatTemplate)
}

// pickTemplate reads the template, or the one named "default" of several.
func pickTemplate(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one, nil
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &several); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: chat_template is neither a string nor a list")
	}
	for _, t := range several {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", nil
}
