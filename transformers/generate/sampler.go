package generate

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
)

// ErrNoToken says that no token can come next: all are banned, or the model
// gave numbers that are none.
var ErrNoToken = errors.New("generate: no token can come next")

// ErrNotANumber says that the model's logits are not numbers.
var ErrNotANumber = errors.New("the model computes what is no number (NaN): its weights are damaged")

// Mask is a constraint on the output, such as a JSON schema. It is told the
// tokens that were chosen, and bans those that cannot come next.
type Mask interface {
	// Mask sets the scores (vocabulary) of the tokens that cannot come next
	// to -Inf. eos are the tokens that end the output.
	Mask(scores []float32, eos []uint32)
	// Accept is told the token that was chosen.
	Accept(id uint32) error
}

// LogProb is a token with its log probability.
type LogProb struct {
	ID      uint32  `json:"id"`
	LogProb float32 `json:"logprob"`
}

// Token is what a Sampler chose. The log probabilities are those of the model,
// before any processor and without the temperature; they are there when the
// Config asks for them.
type Token struct {
	LogProb
	Top []LogProb // likeliest first; valid until the next call of Next
}

// Sampler chooses the tokens of one sequence. It is not for concurrent use.
type Sampler struct {
	cfg    Config
	procs  *processors
	sel    *selector
	rng    *rand.PCG
	seed   uint64
	mask   Mask
	masker func(scores []float32)
	ids    []uint32  // prompt and output
	raw    []float32 // the logits of a step, where log probabilities are wanted
	top    []LogProb
}

// SamplerOptions say what is known before the first token.
type SamplerOptions struct {
	Vocab   int      // number of logits
	Prompt  []uint32 // tokens of the prompt; of the decoder, where there is an encoder
	Context int      // the longest sequence the model takes; 0 without limit
	// Sequence numbers the sequences of one request, so that each has its own
	// random numbers.
	Sequence int
	// Mask is a constraint on the output; nil without.
	Mask Mask
}

// NewSampler is a sampler for one sequence.
func NewSampler(cfg Config, o SamplerOptions) (*Sampler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{cfg: cfg, mask: o.Mask}
	s.ids = append(make([]uint32, 0, len(o.Prompt)+1024), o.Prompt...)
	s.procs = newProcessors(&s.cfg, o.Vocab, len(o.Prompt), cfg.MaxTotal(len(o.Prompt), o.Context))
	s.sel = newSelector(&s.cfg, 1)
	s.seed = seedOf(&cfg)
	s.rng = rand.NewPCG(s.seed, uint64(o.Sequence))
	if s.mask != nil {
		s.masker = func(scores []float32) { s.mask.Mask(scores, s.cfg.EOSTokenID) }
	}
	return s, nil
}

// seedOf is the seed of a request; a random one if it brought none.
func seedOf(cfg *Config) uint64 {
	if cfg.Seed != nil {
		return uint64(*cfg.Seed)
	}
	return rand.Uint64()
}

// Seed is the seed that the random numbers come from.
func (s *Sampler) Seed() uint64 { return s.seed }

// IDs are the prompt and the tokens chosen so far. The caller does not change
// them.
func (s *Sampler) IDs() []uint32 { return s.ids }

// Next chooses the token behind IDs from the model's logits (vocabulary),
// which it overwrites. The error is ErrNoToken, ErrNotANumber, or that of the
// Mask.
func (s *Sampler) Next(logits []float32) (Token, error) {
	wanted := s.cfg.LogProbs || s.cfg.TopLogProbs > 0
	if wanted {
		s.raw = append(s.raw[:0], logits...)
	}
	s.procs.process(logits, s.ids, s.masker)
	id, err := s.choose(logits)
	if err != nil {
		return Token{}, err
	}
	if s.mask != nil && !s.cfg.EOSTokenID.Contains(id) {
		if err := s.mask.Accept(id); err != nil {
			return Token{}, err
		}
	}
	s.ids = append(s.ids, id)
	t := Token{LogProb: LogProb{ID: id}}
	if wanted {
		z := logSumExp(s.raw, &s.sel.exps)
		s.likeliest(s.raw, z)
		t.LogProb.LogProb, t.Top = s.raw[id]-z, s.top
	}
	return t, nil
}

func (s *Sampler) choose(scores []float32) (uint32, error) {
	if !s.cfg.Samples() {
		return argmax(scores)
	}
	total := s.sel.pick(scores)
	if total == 0 {
		_, err := argmax(scores)
		return 0, cmp.Or(err, ErrNoToken)
	}
	// In the order of ids, so that scores which differ in their last bit on
	// another machine do not change the meaning of a random number.
	all := s.sel.candidates
	u := float64(s.rng.Uint64()>>11) / (1 << 53) * total
	for _, c := range all {
		if u -= float64(c.weight); u < 0 {
			return c.id, nil
		}
	}
	return all[len(all)-1].id, nil // the weights did not add up to the last bit
}

// argmax is the first of the greatest scores.
func argmax(scores []float32) (uint32, error) {
	best, at := negInf, -1
	for i, x := range scores {
		if x > best {
			best, at = x, i
		} else if x != x {
			return 0, ErrNotANumber
		}
	}
	if at < 0 {
		return 0, ErrNoToken
	}
	return uint32(at), nil
}

// likeliest fills top with the TopLogProbs likeliest tokens.
func (s *Sampler) likeliest(logits []float32, z float32) {
	s.top = s.top[:0]
	n := min(s.cfg.TopLogProbs, len(logits))
	if n == 0 {
		return
	}
	floor := s.sel.kthGreatest(logits, n)
	for i, x := range logits {
		if x >= floor {
			s.top = append(s.top, LogProb{uint32(i), x - z})
		}
	}
	slices.SortStableFunc(s.top, func(a, b LogProb) int { return cmp.Compare(b.LogProb, a.LogProb) })
	s.top = s.top[:min(n, len(s.top))]
}
