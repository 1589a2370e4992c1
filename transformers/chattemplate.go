package transformers

import (
	"fmt"

	"github.com/pantryhub/pantry/transformers/chat"
)

// chatTemplate finds the model's chat template, nil if it has none: in
// chat_template.jinja, in tokenizer_config.json, or in the GGUF file.
func (m *Model) chatTemplate() (*chat.Template, error) {
	source, err := m.checkpoint.ChatTemplate()
	if err != nil || source == "" {
		return nil, err
	}
	t, err := chat.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return t, nil
}
