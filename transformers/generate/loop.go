package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Model predicts the next token of sequences. Every decoder of
// transformers/models is one.
type Model interface {
	// KVShape is what the model keeps of each token.
	KVShape() nn.KVShape
	// Vocabulary is the number of logits.
	Vocabulary() int
	// MaxPosition is the longest sequence in tokens.
	MaxPosition() int
	// Forward returns the logits that the batch asks for, (outputs,
	// vocabulary), valid until the workspace's next pass.
	Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor
}

// ErrPromptTooLong: the prompt leaves no room in the model's context.
var ErrPromptTooLong = errors.New("the prompt is too long")

// ErrNoPrompt: there is no token to begin from.
var ErrNoPrompt = errors.New("the prompt has no tokens")

// prefillTokens is how many tokens of a prompt one pass takes: enough to use
// each weight many times, few enough for the pass to need little memory.
const prefillTokens = 512

// Finish says why a generation ended.
type Finish string

// The reasons, with the names of text-generation's schema.
const (
	FinishLength Finish = "length"
	FinishEOS    Finish = "eos_token"
	FinishStop   Finish = "stop_sequence"
)

// Request asks for one sequence.
type Request struct {
	Prompt []uint32
	Config Config
	// Mask constrains the output; nil without.
	Mask Mask
	// Number tells the sequences of one caller apart, for the random numbers.
	Number int
	// Memory is the encoded input, for a decoder that looks at one.
	Memory *nn.Memory
	// Emit is told each token as it is chosen, the end-of-sequence token
	// included, and returns true to end the sequence; nil for nobody.
	Emit func(Token) (stop bool)
}

// Result is a generated sequence.
type Result struct {
	IDs    []uint32 // the new tokens, with the end-of-sequence token if it came
	Finish Finish
	// Reused is how many tokens of the prompt were remembered from an earlier
	// request and not computed again.
	Reused int
}

// Engine runs a model. It is safe for concurrent use: calls share the weights,
// and what the model remembers of earlier prompts.
type Engine struct {
	model  Model
	prefix prefixCache
	exact  bool
}

// NewEngine is an engine that keeps up to cacheBytes of what the model
// remembers of earlier prompts, for requests that begin alike.
func NewEngine(m Model, cacheBytes int64) *Engine {
	return &Engine{model: m, prefix: prefixCache{limit: cacheBytes}}
}

// NewExactEngine is NewEngine for a model whose keys and values are kept in
// F32: for tests, and small models.
func NewExactEngine(m Model, cacheBytes int64) *Engine {
	e := NewEngine(m, cacheBytes)
	e.exact = true
	return e
}

// sequence is a request that is running.
type sequence struct {
	request *Request
	sampler *Sampler
	kv      *nn.KV
	prompt  int      // tokens
	total   int      // tokens at which it ends
	pending []uint32 // not yet run
	long    bool     // see rescaled
	result  *Result
	done    bool
}

// Run generates sequences side by side, with one pass of the weights for the
// next token of all. It returns early with the cause of the context's end,
// which it looks for before each layer, or with the first request's error.
func (e *Engine) Run(ctx context.Context, ws *nn.Workspace, requests ...*Request) ([]Result, error) {
	results := make([]Result, len(requests))
	var running []*sequence
	defer func() {
		for _, s := range running {
			e.keep(s)
		}
	}()
	for i, r := range requests {
		s, err := e.begin(r, &results[i])
		if err != nil {
			return nil, err
		}
		running = append(running, s)
	}
	if err := e.readPrompts(ctx, ws, running); err != nil {
		return nil, err
	}
	var batch nn.Batch
	for {
		for _, s := range running {
			if err := e.renew(ctx, ws, s); err != nil {
				return nil, err
			}
		}
		batch.Segments = batch.Segments[:0]
		for _, s := range running {
			if !s.done {
				batch.Segments = append(batch.Segments, nn.Segment{KV: s.kv, Tokens: s.pending, Memory: s.request.Memory})
			}
		}
		if len(batch.Segments) == 0 {
			break
		}
		logits, err := e.pass(ctx, ws, &batch)
		if err != nil {
			return nil, err
		}
		row := 0
		for _, s := range running {
			if s.done {
				continue
			}
			if err := s.choose(logits.Row(row)); err != nil {
				return nil, err
			}
			row++
		}
	}
	return results, nil
}

// keep remembers a sequence, as far as it came, for prompts that begin alike.
func (e *Engine) keep(s *sequence) {
	if s.kv == nil || s.kv.Len() == 0 {
		return // ended before
	}
	// The angles are those of the prompt's whole length, also of one that was not
	// run to its end.
	if n := s.kv.Len(); !e.stretched(max(n, s.prompt)) {
		e.prefix.put(s.request, s.sampler.IDs()[:n], s.kv, s.long)
	}
}

// readPrompts runs all prompts but for their last tokens, which the first pass
// of all takes. A prompt that several sequences have is run once.
func (e *Engine) readPrompts(ctx context.Context, ws *nn.Workspace, running []*sequence) error {
	share := max(1, prefillTokens/max(len(running), 1)) // bounds that pass
	for i, s := range running {
		same := func(other *sequence) bool { return s.begins(other) }
		if first := slices.IndexFunc(running[:i], same); first >= 0 {
			s.kv, s.pending = running[first].kv.Fork(running[first].kv.Len()), slices.Clone(running[first].pending)
			continue
		}
		last := share
		if slices.ContainsFunc(running[i+1:], same) {
			last = 1
		}
		s.kv = e.remembered(s)
		s.result.Reused = s.kv.Len()
		s.pending = slices.Clone(s.request.Prompt[s.kv.Len():])
		if err := e.prefill(ctx, ws, s, last); err != nil {
			return err
		}
	}
	return nil
}

// begins reports whether two sequences have the same prompt and encoded input.
func (s *sequence) begins(other *sequence) bool {
	return s.request.Memory == other.request.Memory && slices.Equal(s.request.Prompt, other.request.Prompt)
}

// remembered is what is known of the beginning of a prompt.
func (e *Engine) remembered(s *sequence) *nn.KV {
	if !e.stretched(s.prompt) {
		if kv := e.prefix.take(s.request, s.long); kv != nil {
			return kv
		}
	}
	return e.newKV()
}

// pass runs the network, and lets the sequences remember the batch's tokens if
// the context has not ended meanwhile.
func (e *Engine) pass(ctx context.Context, ws *nn.Workspace, b *nn.Batch) (tensor.Tensor, error) {
	ws.Begin(ctx)
	logits := e.model.Forward(ws, b)
	if err := ws.Err(); err != nil {
		return tensor.Tensor{}, err
	}
	b.Commit()
	return logits, nil
}

func (e *Engine) newKV() *nn.KV {
	if e.exact {
		return nn.NewExactKV(e.model.KVShape())
	}
	return nn.NewKV(e.model.KVShape())
}

func (e *Engine) check(prompt []uint32) error {
	if len(prompt) == 0 {
		return ErrNoPrompt
	}
	if n := e.model.MaxPosition(); len(prompt) >= n {
		return fmt.Errorf("%w: %d tokens; the model reads and writes %d together", ErrPromptTooLong, len(prompt), n)
	}
	for _, id := range prompt {
		if int(id) >= e.model.Vocabulary() {
			return fmt.Errorf("token %d is not in the model's vocabulary of %d", id, e.model.Vocabulary())
		}
	}
	return nil
}

func (e *Engine) begin(r *Request, result *Result) (*sequence, error) {
	if err := e.check(r.Prompt); err != nil {
		return nil, err
	}
	sampler, err := NewSampler(r.Config, SamplerOptions{Vocab: e.model.Vocabulary(), Prompt: r.Prompt,
		Context: e.model.MaxPosition(), Sequence: r.Number, Mask: r.Mask})
	if err != nil {
		return nil, err
	}
	s := &sequence{request: r, sampler: sampler, prompt: len(r.Prompt), total: r.Config.MaxTotal(len(r.Prompt), e.model.MaxPosition()), result: result}
	s.long = e.long(len(r.Prompt))
	return s, nil
}

// prefill runs the prompt but for up to last tokens, which Run does with the
// others'.
func (e *Engine) prefill(ctx context.Context, ws *nn.Workspace, s *sequence, last int) error {
	total := s.kv.Len() + len(s.pending)
	for len(s.pending) > last {
		n := min(prefillTokens, len(s.pending)-last)
		b := nn.Batch{Segments: []nn.Segment{{KV: s.kv, Tokens: s.pending[:n], Total: total, Memory: s.request.Memory}}}
		if _, err := e.pass(ctx, ws, &b); err != nil {
			return err
		}
		s.pending = s.pending[n:]
	}
	return nil
}

// rescaled is implemented by models that compute a text over some length with
// other angles than a shorter one (LongRoPE).
type rescaled interface{ Long(length int) bool }

func (e *Engine) long(length int) bool {
	m, ok := e.model.(rescaled)
	return ok && m.Long(length)
}

// stretched is implemented by models whose angles depend on the length of a
// text that is over some length (dynamic NTK): what is known of it is of no use
// to a text of another length.
type stretched interface{ Stretched(length int) bool }

func (e *Engine) stretched(length int) bool {
	m, ok := e.model.(stretched)
	return ok && m.Stretched(length)
}

// renew computes a sequence anew that has just become long.
func (e *Engine) renew(ctx context.Context, ws *nn.Workspace, s *sequence) error {
	if s.done || s.long || !e.long(s.kv.Len()+len(s.pending)) {
		return nil
	}
	s.long = true
	s.kv.Truncate(0)
	s.pending = slices.Clone(s.sampler.IDs())
	return e.prefill(ctx, ws, s, 1)
}

// choose takes the logits of the next token.
func (s *sequence) choose(logits []float32) error {
	t, err := s.sampler.Next(logits)
	if err != nil {
		return err
	}
	s.result.IDs = append(s.result.IDs, t.ID)
	s.pending = append(s.pending[:0], t.ID)
	stopped := s.request.Emit != nil && s.request.Emit(t)
	switch {
	case s.request.Config.EOSTokenID.Contains(t.ID):
		s.result.Finish, s.done = FinishEOS, true
	case stopped:
		s.result.Finish, s.done = FinishStop, true
	case s.prompt+len(s.result.IDs) >= s.total:
		s.result.Finish, s.done = FinishLength, true
	}
	return nil
}

// Beams generates by beam search: the best sequences, best first. stop may be
// nil; see BeamOptions.
func (e *Engine) Beams(ctx context.Context, ws *nn.Workspace, r *Request, stop func(ids []uint32) bool) ([]Beam, error) {
	if err := e.check(r.Prompt); err != nil {
		return nil, err
	}
	constraint, isSchema := r.Mask.(*Constraint)
	if r.Mask != nil && !isSchema {
		return nil, errors.New("generate: beam search follows no Mask but a Constraint")
	}
	beams, err := NewBeams(r.Config, BeamOptions{Vocab: e.model.Vocabulary(), Prompt: r.Prompt, Context: e.model.MaxPosition(), Constraint: constraint, Stop: stop})
	if err != nil {
		return nil, err
	}
	s := &sequence{request: r, kv: e.newKV(), pending: slices.Clone(r.Prompt)}
	if err := e.prefill(ctx, ws, s, prefillTokens); err != nil {
		return nil, err
	}
	kvs, batch, rows := []*nn.KV{s.kv}, nn.Batch{}, [][]float32(nil)
	pending := [][]uint32{s.pending}
	for !beams.Done() {
		batch.Segments = batch.Segments[:0]
		for i, kv := range kvs {
			batch.Segments = append(batch.Segments, nn.Segment{KV: kv, Tokens: pending[i], Memory: r.Memory})
		}
		logits, err := e.pass(ctx, ws, &batch)
		if err != nil {
			return nil, err
		}
		rows = rows[:0]
		for i := range logits.Rows() {
			rows = append(rows, logits.Row(i))
		}
		parents, err := beams.Step(rows)
		if err != nil {
			return nil, err
		}
		for i := range parents { // the first step has one memory for beams that are alike
			parents[i] = min(parents[i], len(kvs)-1)
		}
		kvs = inherit(kvs, parents)
		pending = pending[:0]
		for _, ids := range beams.Running() {
			pending = append(pending, slices.Clone(ids[len(ids)-1:]))
		}
	}
	return beams.Results(), nil
}

// inherit gives each new beam the memory of its parent: the parent's own to the
// last of its children, a fork to the others.
func inherit(kvs []*nn.KV, parents []int) []*nn.KV {
	left := make([]int, len(kvs))
	for _, p := range parents {
		left[p]++
	}
	next := make([]*nn.KV, len(parents))
	for i, p := range parents {
		left[p]--
		if left[p] == 0 {
			next[i] = kvs[p]
			continue
		}
		next[i] = kvs[p].Fork(kvs[p].Len())
	}
	return next
}

// RunAny is Run, or Beams for each request in turn if their Config asks for
// beams: the new tokens of each request's best sequence.
func (e *Engine) RunAny(ctx context.Context, ws *nn.Workspace, requests ...*Request) ([][]uint32, error) {
	ids := make([][]uint32, len(requests))
	if len(requests) > 0 && requests[0].Config.NumBeams > 1 {
		for i, r := range requests {
			best, err := e.Beams(ctx, ws, r, nil)
			if err != nil {
				return nil, err
			}
			ids[i] = best[0].IDs
		}
		return ids, nil
	}
	results, err := e.Run(ctx, ws, requests...)
	for i := range results {
		ids[i] = results[i].IDs
	}
	return ids, err
}
