package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Template is a parsed chat template. It is immutable, and safe for use by
// several goroutines.
type Template struct {
	source string
	body   []node
}

// Input is what a template is rendered with.
type Input struct {
	Messages []Message
	// Tools are JSON Schemas of functions that the model may call, as
	// {"type": "function", "function": {"name": …, "parameters": …}}.
	Tools []json.RawMessage
	// Documents are JSON objects with a title and a text, for models that
	// answer from them.
	Documents []json.RawMessage
	// AddGenerationPrompt ends the text with the start of the assistant's
	// turn.
	AddGenerationPrompt bool
	// ContinueFinalMessage leaves the last message open, for the model to
	// continue it. It excludes AddGenerationPrompt.
	ContinueFinalMessage bool
	// BOSToken and EOSToken are the tokenizer's special tokens as text; an
	// empty one is undefined in the template.
	BOSToken, EOSToken string
	// Extra are further variables, such as enable_thinking: nil, bool, int,
	// int64, float64, string, json.RawMessage, []any, []string or
	// map[string]any of those.
	Extra map[string]any
	// Now is the time that strftime_now tells; the zero value is the
	// present.
	Now time.Time
	// Limits bound the rendering; the zero value is DefaultLimits.
	Limits Limits
}

// Parse reads a chat template. An error is an *Error.
func Parse(source string) (t *Template, err error) {
	defer recoverError(&err)
	if len(source) > maxTemplate {
		failAt(0, "the template has %d bytes, over %d", len(source), maxTemplate)
	}
	p := &parser{tokens: lex(source)}
	return &Template{source: source, body: p.body()}, nil
}

// Render gives the text of the conversation that is to be tokenized, without
// adding special tokens. A template that fails gives an *Error.
func (t *Template) Render(in Input) (text string, err error) {
	if len(in.Messages) == 0 {
		return "", errors.New("chat template: the conversation is empty")
	}
	if in.ContinueFinalMessage && in.AddGenerationPrompt {
		return "", errors.New("chat template: a final message cannot be continued and followed by a generation prompt")
	}
	messages := &list{}
	for i := range in.Messages {
		m, err := in.Messages[i].value()
		if err != nil {
			return "", fmt.Errorf("chat template: message %d: %w", i, err)
		}
		messages.items = append(messages.items, withReasoning(m))
	}
	final := ""
	if in.ContinueFinalMessage {
		if final, err = t.tagFinal(messages); err != nil {
			return "", err
		}
	}
	vars, err := in.variables(messages)
	if err != nil {
		return "", err
	}
	if text, err = t.render(&in, vars); err != nil || !in.ContinueFinalMessage {
		return text, err
	}
	return cutFinal(text, final)
}

func (t *Template) render(in *Input, vars map[string]value) (text string, err error) {
	defer recoverError(&err)
	if in.Limits == (Limits{}) {
		in.Limits = DefaultLimits
	}
	r := &run{in: in, limits: in.Limits, out: &buffer{}}
	context := &scope{}
	for name, v := range vars {
		context.set(name, v)
	}
	r.execAll(t.body, newScope(context))
	return string(r.out.text), nil
}

func (r *run) now() time.Time {
	if r.in.Now.IsZero() {
		r.in.Now = time.Now()
	}
	return r.in.Now
}

// variables are the names that the template can read.
func (in *Input) variables(messages value) (map[string]value, error) {
	vars := map[string]value{
		"messages":              messages,
		"tools":                 nil,
		"documents":             nil,
		"add_generation_prompt": in.AddGenerationPrompt,
	}
	for name, raw := range map[string][]json.RawMessage{"tools": in.Tools, "documents": in.Documents} {
		if raw == nil {
			continue
		}
		l := &list{}
		for i, data := range raw {
			v, err := decodeJSON(data)
			if _, ok := v.(*dict); err == nil && !ok {
				err = errors.New("not a JSON object")
			}
			if err != nil {
				return nil, fmt.Errorf("chat template: %s: item %d: %w", name, i, err)
			}
			l.items = append(l.items, v)
		}
		vars[name] = l
	}
	for name, token := range map[string]string{"bos_token": in.BOSToken, "eos_token": in.EOSToken} {
		if token != "" {
			vars[name] = token
		}
	}
	for name, x := range in.Extra {
		v, err := toValue(x, 0)
		if err != nil {
			return nil, fmt.Errorf("chat template: variable %s: %w", name, err)
		}
		vars[name] = v
	}
	return vars, nil
}

// toValue turns a Go value into one of the template's.
func toValue(x any, depth int) (value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested more than %d levels deep", maxJSONDepth)
	}
	switch x := x.(type) {
	case nil, bool, int64, float64, string:
		return x, nil
	case int:
		return int64(x), nil
	case json.RawMessage:
		return decodeJSON(x)
	case []string:
		l := &list{}
		for _, s := range x {
			l.items = append(l.items, s)
		}
		return l, nil
	case []any:
		l := &list{}
		for _, item := range x {
			v, err := toValue(item, depth+1)
			if err != nil {
				return nil, err
			}
			l.items = append(l.items, v)
		}
		return l, nil
	case map[string]any:
		d := newDict(len(x))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			v, err := toValue(x[k], depth+1)
			if err != nil {
				return nil, err
			}
			d.set(k, v)
		}
		return d, nil
	}
	return nil, fmt.Errorf("a %T is no value of a template", x)
}

// jsonNumber reads a number as Python does: with a point or an exponent it is
// a float.
func jsonNumber(s string) (value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		return f, nil
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if len(s) > 4000 {
		return nil, errors.New("a number has too many digits")
	}
	i, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("bad number %q", s)
	}
	return i, nil
}

// withReasoning puts the thoughts of a message under all names that templates
// read them by.
func withReasoning(m *dict) *dict {
	for _, key := range []string{"reasoning_content", "thinking", "reasoning"} {
		thoughts, ok := m.get(key)
		if !ok || thoughts == nil {
			continue
		}
		d := newDict(len(m.keys) + 2)
		d.set("thinking", thoughts)
		for i, k := range m.keys {
			d.set(k.(string), m.values[i])
		}
		d.set("reasoning_content", thoughts)
		return d
	}
	return m
}

// finalTag marks where the last message ends, so that what the template writes
// behind it can be cut off. It is the one transformers uses.
const finalTag = "CONTINUE_FINAL_MESSAGE_TAG "

// tagFinal appends finalTag to the last text of the last message and gives
// that text.
func (t *Template) tagFinal(messages *list) (string, error) {
	last := messages.items[len(messages.items)-1].(*dict)
	content, ok := last.get("content")
	switch {
	case !ok:
		return "", errors.New("chat template: the final message has no content to continue")
	case !strings.Contains(t.source, "content"):
		return "", errors.New("chat template: the template does not read the content of messages, so none can be continued")
	}
	if text, ok := content.(string); ok {
		last.set("content", text+finalTag)
		return text, nil
	}
	parts, _ := content.(*list)
	for i := len(parts.items) - 1; i >= 0; i-- {
		part := parts.items[i].(*dict)
		if text, ok := part.get("text"); ok {
			text, _ := text.(string)
			part.set("text", text+finalTag)
			return text, nil
		}
	}
	return "", errors.New("chat template: the final message has no text to continue")
}

// cutFinal cuts the rendered text where the final message ends.
func cutFinal(text, final string) (string, error) {
	at := strings.LastIndex(text, strings.TrimSpace(finalTag))
	if at < 0 || !strings.Contains(text, strip(final, "strip", "", false)) {
		return "", errors.New("chat template: the final message does not appear in the rendered conversation, so it cannot be continued")
	}
	if strings.HasPrefix(text[at:], finalTag) {
		return text[:at], nil
	}
	return trimRightSpace(text[:at]), nil // the template trims the message
}
