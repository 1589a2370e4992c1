package transformers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/chat"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/generate"
)

// prefixBytes is how much of what a model remembers of earlier prompts is kept
// for those that begin alike.
const prefixBytes = 512 << 20

// TextGenerationParameters are the options of a generation: those of
// generation_config.json, and these.
type TextGenerationParameters struct {
	generate.Config
	// ReturnFullText puts the prompt before the generated text.
	ReturnFullText bool `json:"return_full_text,omitempty"`
	// JSONSchema makes the output a document of a JSON schema, as
	// generate.CompileSchema takes them; nil for any output.
	JSONSchema json.RawMessage `json:"json_schema,omitempty"`
	// Constraint makes what constrains each sequence's output in another way;
	// nil: nothing does.
	Constraint func() (generate.Mask, error) `json:"-"`
	// Stream is told each piece of text as soon as it is certain; nil for
	// nobody.
	Stream func(TextGenerationStreamOutput) `json:"-"`
}

// TextGenerationOutputToken is a generated token.
type TextGenerationOutputToken struct {
	ID      tokenizers.ID      `json:"id"`
	Text    string             `json:"text"`
	LogProb float32            `json:"logprob,omitempty"`
	Special bool               `json:"special"`
	Top     []generate.LogProb `json:"top_tokens,omitempty"`
}

// TextGenerationStreamOutput is one step of a generation.
type TextGenerationStreamOutput struct {
	Token TextGenerationOutputToken `json:"token"`
	// Text is what became certain: "" while a character or a stop string may
	// be incomplete. The pieces together are the generated text.
	Text string `json:"text"`
}

// TextGenerationOutputDetails say how the text came about.
type TextGenerationOutputDetails struct {
	FinishReason    generate.Finish             `json:"finish_reason"`
	PromptTokens    int                         `json:"prompt_tokens"`
	ReusedTokens    int                         `json:"reused_tokens"` // of the prompt, remembered from an earlier call
	GeneratedTokens int                         `json:"generated_tokens"`
	Tokens          []TextGenerationOutputToken `json:"tokens,omitempty"` // with LogProbs
}

// TextGenerationOutput is a generated text.
type TextGenerationOutput struct {
	GeneratedText string                      `json:"generated_text"`
	Details       TextGenerationOutputDetails `json:"details"`
}

// TextGenerationPipeline continues texts and conversations.
type TextGenerationPipeline struct {
	model    *Model
	network  decoder
	engine   *generate.Engine
	defaults generate.Config
	template *chat.Template // nil: the model is not made for chats

	vocabulary func() *generate.Vocabulary // for constraints; made once
}

// TextGeneration builds the pipeline. The error wraps ErrUnsupported if the
// model cannot do it.
func (m *Model) TextGeneration() (p *TextGenerationPipeline, err error) {
	defer recovered(&err)
	release, err := m.hold()
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := m.text(); err != nil {
		return nil, err
	}
	a, err := m.architecture("text-generation", func(a architecture) bool { return a.decoder != nil })
	if err != nil {
		return nil, err
	}
	p = &TextGenerationPipeline{model: m, vocabulary: sync.OnceValue(m.vocabulary)}
	if p.network, err = a.decoder(m.checkpoint.Config, m.checkpoint.Weights()); err != nil {
		return nil, fmt.Errorf("text-generation: %w", err)
	}
	p.engine = newEngine(p.network)
	if p.defaults, err = m.generationDefaults(); err != nil {
		return nil, fmt.Errorf("text-generation: %w", err)
	}
	if p.template, err = m.chatTemplate(); err != nil {
		return nil, fmt.Errorf("text-generation: %w", err)
	}
	return p, nil
}

// exactBytes is how large the keys and values of a whole context may be for
// them to be kept in F32: a small model gains accuracy, a large one needs the
// memory more.
const exactBytes = 128 << 20

func newEngine(network decoder) *generate.Engine {
	s := network.KVShape()
	if int64(s.Layers)*int64(2*s.Heads)*int64(s.Dim)*int64(network.MaxPosition()) <= exactBytes/4 {
		return generate.NewExactEngine(network, prefixBytes)
	}
	return generate.NewEngine(network, prefixBytes)
}

// generationDefaults are generation_config.json's, with the ids that older
// models keep in config.json.
func (m *Model) generationDefaults() (generate.Config, error) {
	c := generate.DefaultConfig()
	data, err := checkpoint.ReadLimited(m.dir, "generation_config.json", maxSidecar)
	switch {
	case err == nil && m.checkpoint.GGUF == nil:
		if c, err = generate.ReadConfig(data); err != nil {
			return c, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return c, err
	}
	old := m.config
	for _, id := range []struct{ into, from *generate.IDs }{
		{&c.BOSTokenID, &old.BOSTokenID}, {&c.EOSTokenID, &old.EOSTokenID}, {&c.DecoderStartTokenID, &old.DecoderStartTokenID},
		{&c.ForcedBOSTokenID, &old.ForcedBOSTokenID}, {&c.ForcedEOSTokenID, &old.ForcedEOSTokenID},
	} {
		if len(*id.into) == 0 {
			*id.into = *id.from
		}
	}
	// A chat model's turns end with a token that GGUF lists apart.
	if m.checkpoint.GGUF != nil {
		for _, key := range []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
			if id, ok := m.checkpoint.GGUF.Uint(key); ok && !c.EOSTokenID.Contains(uint32(id)) {
				c.EOSTokenID = append(c.EOSTokenID, uint32(id))
			}
		}
	}
	return c, nil
}

// Defaults are the model's settings of a generation; change what is to differ.
func (p *TextGenerationPipeline) Defaults() TextGenerationParameters {
	return TextGenerationParameters{Config: p.defaults}
}

// Run continues a prompt. Start from Defaults for the parameters.
func (p *TextGenerationPipeline) Run(ctx context.Context, prompt string, o TextGenerationParameters) (out TextGenerationOutput, err error) {
	defer recovered(&err)
	ids, err := p.model.tokenizer.WithPadding(nil).WithTruncation(nil).AppendIDs(nil, prompt, true)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if len(ids) == 0 {
		ids = append(ids, p.defaults.BOSTokenID...)
	}
	out, err = p.generate(ctx, ids, o)
	if o.ReturnFullText {
		out.GeneratedText = prompt + out.GeneratedText
	}
	return out, err
}

// Chat answers a conversation, whose text the model's chat template makes.
// Start from Defaults for the parameters.
func (p *TextGenerationPipeline) Chat(ctx context.Context, in chat.Input, o TextGenerationParameters) (out TextGenerationOutput, err error) {
	defer recovered(&err)
	prompt, err := p.ApplyChatTemplate(in)
	if err != nil {
		return out, err
	}
	// The template writes the special tokens that the text begins with.
	ids, err := p.model.tokenizer.WithPadding(nil).WithTruncation(nil).AppendIDs(nil, prompt, false)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return p.generate(ctx, ids, o)
}

// CanChat reports whether the model has a chat template.
func (p *TextGenerationPipeline) CanChat() bool { return p.template != nil }

// ApplyChatTemplate is the text that the model reads for a conversation.
func (p *TextGenerationPipeline) ApplyChatTemplate(in chat.Input) (string, error) {
	if p.template == nil {
		return "", fmt.Errorf("%w: the model has no chat template; give it a prompt instead", ErrUnsupported)
	}
	special := p.model.tokenizer.Special()
	if in.BOSToken == "" {
		in.BOSToken = special.BOS
	}
	if in.EOSToken == "" {
		in.EOSToken = special.EOS
	}
	prompt, err := p.template.Render(in)
	if err != nil {
		return "", fmt.Errorf("%w: chat template: %w", ErrInput, err)
	}
	return prompt, nil
}

// generate runs one prompt.
func (p *TextGenerationPipeline) generate(ctx context.Context, ids []tokenizers.ID, o TextGenerationParameters) (TextGenerationOutput, error) {
	out, err := p.generateAll(ctx, [][]tokenizers.ID{ids}, o)
	if err != nil {
		return TextGenerationOutput{}, err
	}
	return out[0], nil
}

// RunBatch continues several prompts side by side, which takes little longer
// than one.
func (p *TextGenerationPipeline) RunBatch(ctx context.Context, prompts []string, o TextGenerationParameters) (out []TextGenerationOutput, err error) {
	defer recovered(&err)
	if o.Stream != nil {
		return nil, fmt.Errorf("%w: a batch cannot be streamed", ErrInput)
	}
	all := make([][]tokenizers.ID, len(prompts))
	for i, prompt := range prompts {
		all[i], err = p.model.tokenizer.WithPadding(nil).WithTruncation(nil).AppendIDs(nil, prompt, true)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInput, err)
		}
		if len(all[i]) == 0 {
			all[i] = append(all[i], p.defaults.BOSTokenID...)
		}
	}
	out, err = p.generateAll(ctx, all, o)
	for i := range out {
		if o.ReturnFullText {
			out[i].GeneratedText = prompts[i] + out[i].GeneratedText
		}
	}
	return out, err
}

func (p *TextGenerationPipeline) generateAll(ctx context.Context, prompts [][]tokenizers.ID, o TextGenerationParameters) ([]TextGenerationOutput, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if o.NumReturnSequences > 1 {
		return nil, fmt.Errorf("%w: num_return_sequences %d; give the prompt several times to RunBatch", ErrInput, o.NumReturnSequences)
	}
	constraint, err := p.constraint(o)
	if err != nil {
		return nil, err
	}
	if o.NumBeams > 1 {
		return p.beams(ctx, prompts, o, constraint)
	}
	ws, done, err := p.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	writers := make([]*writer, len(prompts))
	requests := make([]*generate.Request, len(prompts))
	for i, ids := range prompts {
		mask, err := constraint()
		if err != nil {
			return nil, err
		}
		writers[i] = newWriter(p.model.tokenizer, o)
		requests[i] = &generate.Request{Prompt: ids, Config: o.Config, Mask: mask, Number: i, Emit: writers[i].add}
	}
	results, err := p.engine.Run(ctx, ws, requests...)
	if err != nil {
		return nil, inputError(err)
	}
	out := make([]TextGenerationOutput, len(prompts))
	for i, r := range results {
		if err := writers[i].finish(); err != nil {
			return nil, err
		}
		out[i] = TextGenerationOutput{GeneratedText: writers[i].text.String(), Details: TextGenerationOutputDetails{
			FinishReason: r.Finish, PromptTokens: len(prompts[i]), ReusedTokens: r.Reused, GeneratedTokens: len(r.IDs), Tokens: writers[i].tokens}}
	}
	return out, nil
}

// constraint makes what constrains the output of a sequence: a nil Mask for
// nothing.
func (p *TextGenerationPipeline) constraint(o TextGenerationParameters) (func() (generate.Mask, error), error) {
	switch {
	case o.JSONSchema == nil && o.Constraint == nil:
		return func() (generate.Mask, error) { return nil, nil }, nil
	case o.JSONSchema == nil:
		return o.Constraint, nil
	case o.Constraint != nil:
		return nil, fmt.Errorf("%w: both a JSONSchema and a Constraint", ErrInput)
	}
	schema, err := generate.CompileSchema(o.JSONSchema)
	if err != nil {
		return nil, fmt.Errorf("%w: json_schema: %w", ErrInput, err)
	}
	return func() (generate.Mask, error) { return schema.Constrain(p.vocabulary()), nil }, nil
}

// vocabulary is the bytes of the tokens.
func (m *Model) vocabulary() *generate.Vocabulary {
	tokens := make([][]byte, m.tokenizer.MaxID()+1)
	for id := range tokens {
		if text, ok := m.tokenizer.Bytes(tokenizers.ID(id)); ok {
			tokens[id] = text
		}
	}
	return generate.NewVocabulary(tokens)
}

// beams runs each prompt by beam search and returns the best text of each.
func (p *TextGenerationPipeline) beams(ctx context.Context, prompts [][]tokenizers.ID, o TextGenerationParameters, constraint func() (generate.Mask, error)) ([]TextGenerationOutput, error) {
	if o.Stream != nil || len(o.StopStrings) > 0 || o.LogProbs || o.TopLogProbs > 0 {
		return nil, fmt.Errorf("%w: beam search (num_beams %d) knows no stream, stop_strings or logprobs", ErrInput, o.NumBeams)
	}
	ws, done, err := p.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var out []TextGenerationOutput
	for _, ids := range prompts {
		mask, err := constraint()
		if err != nil {
			return nil, err
		}
		best, err := p.engine.Beams(ctx, ws, &generate.Request{Prompt: ids, Config: o.Config, Mask: mask}, nil)
		if err != nil {
			return nil, inputError(err)
		}
		text, err := p.model.tokenizer.Decode(best[0].IDs, true)
		if err != nil {
			return nil, err
		}
		finish := generate.FinishLength
		if n := len(best[0].IDs); n > 0 && o.EOSTokenID.Contains(best[0].IDs[n-1]) {
			finish = generate.FinishEOS
		}
		out = append(out, TextGenerationOutput{GeneratedText: text, Details: TextGenerationOutputDetails{
			FinishReason: finish, PromptTokens: len(ids), GeneratedTokens: len(best[0].IDs)}})
	}
	return out, nil
}

// inputError marks the errors of a generation that the caller's input causes.
func inputError(err error) error {
	if errors.Is(err, generate.ErrPromptTooLong) || errors.Is(err, generate.ErrNoPrompt) {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	return err
}
