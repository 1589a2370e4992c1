package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Message is one turn of a conversation, with the names of the OpenAI API. A
// field that is empty is absent for the template, except Content of a message
// without tool calls.
//
// Decoded from JSON it also keeps members that have no field here, and the
// order of all of them, because a template may read or print them.
type Message struct {
	Role             string // system, user, assistant, tool, developer, …
	Content          Content
	ReasoningContent string // what a reasoning model thought before it answered
	ToolCalls        []ToolCall
	ToolCallID       string // of the call that a message of a tool answers
	Name             string // of the tool or the speaker

	members []member // as they came from JSON
}

// Content is what a message says: Text, or Parts where they are not nil.
type Content struct {
	Text  string
	Parts []Part
}

// Text is the content of a message that is only text.
func Text(s string) Content { return Content{Text: s} }

// Part is a piece of a message's content: a text, or the place of an image,
// a video or a sound, which the template marks and the processor fills in.
type Part struct {
	Type string // text, image, image_url, video, audio, …
	Text string

	members []member
}

// ToolCall is the wish of the model to have a function called.
type ToolCall struct {
	ID       string
	Type     string // function
	Function FunctionCall

	members []member
}

// FunctionCall names a function and its arguments. The templates expect
// Arguments to be a JSON object. Clients of the OpenAI API send a JSON string
// that holds one; UnmarshalJSON of ToolCall takes it out.
type FunctionCall struct {
	Name      string
	Arguments json.RawMessage
}

// member is a member of a JSON object whose order matters.
type member struct {
	key string
	v   value
}

// maxJSONDepth bounds the nesting of the JSON that templates are given.
const maxJSONDepth = 200

// decodeJSON reads one JSON value, with the order of its members.
func decodeJSON(data []byte) (value, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func decodeValue(dec *json.Decoder, depth int) (value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("JSON nested more than %d levels deep", maxJSONDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return jsonNumber(string(t))
	case json.Delim:
		if t == '[' {
			return decodeArray(dec, depth)
		}
		return decodeObject(dec, depth)
	}
	return t, nil // string, bool, nil
}

func decodeArray(dec *json.Decoder, depth int) (value, error) {
	l := &list{}
	for dec.More() {
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
	}
	_, err := dec.Token()
	return l, err
}

func decodeObject(dec *json.Decoder, depth int) (value, error) {
	d := newDict(4)
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		d.set(k.(string), v)
	}
	_, err := dec.Token()
	return d, err
}

func members(v value) []member {
	d, ok := v.(*dict)
	if !ok {
		return nil
	}
	out := make([]member, 0, len(d.keys))
	for i, k := range d.keys {
		out = append(out, member{k.(string), d.values[i]})
	}
	return out
}

// object builds a dict: what came from JSON in its order, with the fields
// taking the place of the members of their name, then the other fields. A nil
// value leaves the member out.
func object(from []member, fields ...member) *dict {
	d := newDict(len(from) + len(fields))
	for _, m := range from {
		if i := slices.IndexFunc(fields, func(f member) bool { return f.key == m.key }); i >= 0 {
			m.v = fields[i].v
		}
		if m.v != nil {
			d.set(m.key, m.v)
		}
	}
	for _, f := range fields {
		if f.v != nil {
			d.set(f.key, f.v)
		}
	}
	return d
}

func text0(s string) value {
	if s == "" {
		return nil
	}
	return s
}

// UnmarshalJSON reads a message as the OpenAI API and the data sets of chats
// write it.
func (m *Message) UnmarshalJSON(data []byte) error {
	var fields struct {
		Role             string     `json:"role"`
		Content          Content    `json:"content"`
		ReasoningContent string     `json:"reasoning_content"`
		ToolCalls        []ToolCall `json:"tool_calls"`
		ToolCallID       string     `json:"tool_call_id"`
		Name             string     `json:"name"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	*m = Message{fields.Role, fields.Content, fields.ReasoningContent, fields.ToolCalls, fields.ToolCallID, fields.Name, members(v)}
	return nil
}

// UnmarshalJSON reads a string, a list of parts, or null.
func (c *Content) UnmarshalJSON(data []byte) error {
	*c = Content{}
	if len(data) > 0 && data[0] == '[' {
		c.Parts = []Part{}
		return json.Unmarshal(data, &c.Parts)
	}
	return json.Unmarshal(data, &c.Text)
}

// UnmarshalJSON reads a part with all its members.
func (p *Part) UnmarshalJSON(data []byte) error {
	var fields struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	*p = Part{fields.Type, fields.Text, members(v)}
	return nil
}

// UnmarshalJSON reads a call, and turns arguments that are a JSON string into
// the object that the string holds, as every template expects it. A string
// that holds something else stays.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	var fields struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	arguments := fields.Function.Arguments
	var inner string
	if json.Unmarshal(arguments, &inner) == nil {
		if trimmed := bytes.TrimSpace([]byte(inner)); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
			arguments = trimmed
		}
	}
	*c = ToolCall{fields.ID, fields.Type, FunctionCall{fields.Function.Name, arguments}, members(v)}
	return nil
}

// value is the dict that the template sees.
func (m *Message) value() (*dict, error) {
	var calls value
	if m.ToolCalls != nil {
		l := &list{}
		for i := range m.ToolCalls {
			c, err := m.ToolCalls[i].value()
			if err != nil {
				return nil, fmt.Errorf("tool call %d: %w", i, err)
			}
			l.items = append(l.items, c)
		}
		calls = l
	}
	return object(m.members,
		member{"role", text0(m.Role)},
		member{"content", m.content()},
		member{"reasoning_content", text0(m.ReasoningContent)},
		member{"tool_calls", calls},
		member{"tool_call_id", text0(m.ToolCallID)},
		member{"name", text0(m.Name)},
	), nil
}

// content is the text or the parts; nothing for a message that only calls
// tools, or came without a content.
func (m *Message) content() value {
	if m.Content.Parts != nil {
		l := &list{}
		for _, p := range m.Content.Parts {
			l.items = append(l.items, p.value())
		}
		return l
	}
	if m.Content.Text != "" {
		return m.Content.Text
	}
	if m.members != nil {
		for _, mm := range m.members {
			if mm.key == "content" && mm.v != nil {
				return ""
			}
		}
		return nil
	}
	if m.ToolCalls != nil {
		return nil
	}
	return ""
}

func (p *Part) value() *dict {
	var said value = text0(p.Text)
	if p.Type == "text" {
		said = p.Text
	}
	return object(p.members, member{"type", text0(p.Type)}, member{"text", said})
}

func (c *ToolCall) value() (*dict, error) {
	var arguments value
	if len(c.Function.Arguments) > 0 {
		var err error
		if arguments, err = decodeJSON(c.Function.Arguments); err != nil {
			return nil, fmt.Errorf("arguments of %q: %w", c.Function.Name, err)
		}
	}
	var inner []member
	for _, m := range c.members {
		if m.key == "function" {
			inner = members(m.v)
		}
	}
	function := object(inner, member{"name", text0(c.Function.Name)}, member{"arguments", arguments})
	var f value
	if len(function.keys) > 0 {
		f = function
	}
	return object(c.members, member{"id", text0(c.ID)}, member{"type", text0(c.Type)}, member{"function", f}), nil
}
