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

// sharedDecoder is the decoder of a model, which all its pipelines share, with
// what it remembers of earlier prompts.
type sharedDecoder struct {
	network decoder
	engine  *generate.Engine
}

// decoder is the model's, built by the first that asks for it. The weights must
// be held.
func (m *Model) decoder(task string) (sharedDecoder, error) {
	if _, err := m.architecture(task, func(a architecture) bool { return a.decoder != nil }); err != nil {
		return sharedDecoder{}, err
	}
	d, err := m.buildDecoder()
	if err != nil {
		return d, fmt.Errorf("%s: %w", task, err)
	}
	return d, nil
}

func (m *Model) newDecoder() (sharedDecoder, error) {
	network, err := architectures[m.config.ModelType].decoder(m.checkpoint.Config, m.checkpoint.Weights())
	if err != nil {
		return sharedDecoder{}, err
	}
	return sharedDecoder{network, newEngine(network)}, nil
}

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
	d, err := m.decoder("text-generation")
	if err != nil {
		return nil, err
	}
	p = &TextGenerationPipeline{model: m, engine: d.engine, vocabulary: sync.OnceValue(m.vocabulary)}
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
	return only(p.runAll(ctx, []string{prompt}, o))
}

// Chat answers a conversation, whose text the model's chat template makes.
// Start from Defaults for the parameters.
func (p *TextGenerationPipeline) Chat(ctx context.Context, in chat.Input, o TextGenerationParameters) (out TextGenerationOutput, err error) {
	defer recovered(&err)
	return only(p.chatAll(ctx, []chat.Input{in}, o))
}

// RunBatch continues several prompts side by side, which takes little longer
// than one. With NumReturnSequences n, the texts of prompt i are out[i·n] to
// out[i·n+n-1]: drawn independently, or the best of a beam search.
func (p *TextGenerationPipeline) RunBatch(ctx context.Context, prompts []string, o TextGenerationParameters) (out []TextGenerationOutput, err error) {
	defer recovered(&err)
	return p.runAll(ctx, prompts, o)
}

// ChatBatch is RunBatch for conversations.
func (p *TextGenerationPipeline) ChatBatch(ctx context.Context, conversations []chat.Input, o TextGenerationParameters) (out []TextGenerationOutput, err error) {
	defer recovered(&err)
	return p.chatAll(ctx, conversations, o)
}

// only is the result of one sequence.
func only(out []TextGenerationOutput, err error) (TextGenerationOutput, error) {
	switch {
	case err != nil:
		return TextGenerationOutput{}, err
	case len(out) != 1:
		return TextGenerationOutput{}, fmt.Errorf("%w: num_return_sequences %d; RunBatch and ChatBatch return several", ErrInput, len(out))
	}
	return out[0], nil
}

func (p *TextGenerationPipeline) runAll(ctx context.Context, prompts []string, o TextGenerationParameters) ([]TextGenerationOutput, error) {
	all := make([][]tokenizers.ID, len(prompts))
	for i, prompt := range prompts {
		var err error
		if all[i], err = p.encode(prompt, true); err != nil {
			return nil, err
		}
		if len(all[i]) == 0 {
			all[i] = append(all[i], p.defaults.BOSTokenID...)
		}
	}
	out, err := p.generate(ctx, all, o)
	for i := range out {
		if o.ReturnFullText {
			out[i].GeneratedText = prompts[i/o.NumReturnSequences] + out[i].GeneratedText
		}
	}
	return out, err
}

func (p *TextGenerationPipeline) chatAll(ctx context.Context, conversations []chat.Input, o TextGenerationParameters) ([]TextGenerationOutput, error) {
	all := make([][]tokenizers.ID, len(conversations))
	for i, in := range conversations {
		prompt, err := p.ApplyChatTemplate(in)
		if err != nil {
			return nil, err
		}
		// The template writes the special tokens that the text begins with.
		if all[i], err = p.encode(prompt, false); err != nil {
			return nil, err
		}
	}
	return p.generate(ctx, all, o)
}

func (p *TextGenerationPipeline) encode(prompt string, special bool) ([]tokenizers.ID, error) {
	ids, err := p.model.tokenizer.WithPadding(nil).WithTruncation(nil).AppendIDs(nil, prompt, special)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return ids, nil
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

// generate runs prompts: NumReturnSequences results for each.
func (p *TextGenerationPipeline) generate(ctx context.Context, prompts [][]tokenizers.ID, o TextGenerationParameters) ([]TextGenerationOutput, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if o.Stream != nil && len(prompts)*o.NumReturnSequences > 1 {
		return nil, fmt.Errorf("%w: one sequence can be streamed, not several", ErrInput)
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
	n := len(prompts) * o.NumReturnSequences
	writers := make([]*writer, n)
	requests := make([]*generate.Request, n)
	for i := range requests {
		mask, err := constraint()
		if err != nil {
			return nil, err
		}
		writers[i] = newWriter(p.model.tokenizer, o)
		requests[i] = &generate.Request{Prompt: prompts[i/o.NumReturnSequences], Config: o.Config, Mask: mask, Number: i, Emit: writers[i].add}
	}
	results, err := p.engine.Run(ctx, ws, requests...)
	if err != nil {
		return nil, inputError(err)
	}
	out := make([]TextGenerationOutput, n)
	for i, r := range results {
		if err := writers[i].finish(); err != nil {
			return nil, err
		}
		out[i] = TextGenerationOutput{GeneratedText: writers[i].text.String(), Details: TextGenerationOutputDetails{
			FinishReason: r.Finish, PromptTokens: len(requests[i].Prompt), ReusedTokens: r.Reused, GeneratedTokens: len(r.IDs), Tokens: writers[i].tokens}}
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

// beams runs each prompt by beam search and returns the best texts of each.
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
		for _, beam := range best {
			text, err := p.model.tokenizer.Decode(beam.IDs, true)
			if err != nil {
				return nil, err
			}
			finish := generate.FinishLength
			if n := len(beam.IDs); n > 0 && o.EOSTokenID.Contains(beam.IDs[n-1]) {
				finish = generate.FinishEOS
			}
			out = append(out, TextGenerationOutput{GeneratedText: text, Details: TextGenerationOutputDetails{
				FinishReason: finish, PromptTokens: len(ids), GeneratedTokens: len(beam.IDs)}})
		}
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
