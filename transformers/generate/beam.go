package generate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Beams is the beam search of one prompt, as transformers' _beam_search does
// it. It keeps the hypotheses; the caller runs the model on them and gives the
// logits:
//
//	b, err := generate.NewBeams(cfg, opts)
//	for !b.Done() {
//		logits := run the model on the last token of each b.Running()
//		parents, err := b.Step(logits)
//		// the cache of beam i is now that of the former beam parents[i]
//	}
//	results := b.Results()
type Beams struct {
	cfg    Config
	procs  *processors
	sel    *selector // of beam sampling
	rng    *rand.PCG
	stop   func(ids []uint32) bool
	prompt int
	max    int // total length at which the search ends
	vocab  int

	running  []beam
	finished []beam // num_beams of them, best first; score emptyScore where there is none
	improves bool   // a running beam may yet beat the finished ones
	done     bool

	parents []int
	heap    []step
	next    []beam // running and finished of the next step, reused
	merged  []beam
	logp    []float32
	exps    []float32
}

// beam is a hypothesis.
type beam struct {
	ids   []uint32 // prompt and output
	score float32
	done  bool        // of a finished beam: there is one
	mask  *Constraint // of a running beam
}

// step is a beam with one token more.
type step struct {
	parent int
	id     uint32
	score  float32 // of all tokens together
	key    float32 // score, with noise when sampling
	hit    bool    // it ends here
}

// emptyScore is the score of a place where there is no beam, and what bars a
// beam from a selection.
const emptyScore = float32(-1e9)

// BeamOptions say what is known before the first token.
type BeamOptions struct {
	Vocab   int      // number of logits
	Prompt  []uint32 // tokens of the prompt; of the decoder, where there is an encoder
	Context int      // the longest sequence the model takes; 0 without limit
	// Constraint keeps the output to a schema; nil without. The search forks
	// it for its hypotheses.
	Constraint *Constraint
	// Stop tells whether a hypothesis (prompt and output) ends for another
	// reason than its length or an end-of-sequence token, such as a stop
	// string; nil if it never does.
	Stop func(ids []uint32) bool
}

// NewBeams starts a search with the NumBeams of cfg. The search needs a limit:
// MaxNewTokens, MaxLength or Context.
func NewBeams(cfg Config, o BeamOptions) (*Beams, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Beams{cfg: cfg, stop: o.Stop, prompt: len(o.Prompt), vocab: o.Vocab, improves: true}
	if b.max = cfg.MaxTotal(len(o.Prompt), o.Context); b.max <= len(o.Prompt) {
		return nil, errLength(len(o.Prompt), b.max)
	}
	b.procs = newProcessors(&b.cfg, o.Vocab, b.prompt, b.max)
	if cfg.Samples() {
		b.sel = newSelector(&b.cfg, len(cfg.EOSTokenID)+1)
		b.rng = rand.NewPCG(seedOf(&cfg), 0)
	}
	for i := range cfg.NumBeams {
		score := float32(0)
		if i > 0 {
			score = emptyScore // the beams are alike at first: only one counts
		}
		b.running = append(b.running, beam{ids: slices.Clone(o.Prompt), score: score, mask: o.Constraint})
		b.finished = append(b.finished, beam{ids: slices.Clone(o.Prompt), score: emptyScore})
	}
	return b, nil
}

// Running are the sequences to run the model on: prompt and output of each
// beam. They are valid until the next Step.
func (b *Beams) Running() [][]uint32 {
	out := make([][]uint32, len(b.running))
	for i, r := range b.running {
		out[i] = r.ids
	}
	return out
}

// Done tells whether the search has ended.
func (b *Beams) Done() bool { return b.done }

// Step takes the logits (vocabulary) of the next token for each running beam,
// or one row for all of them while they are alike, before the first step. It
// overwrites them. The result says which beam each of the new ones continues;
// it is valid until the next Step.
func (b *Beams) Step(logits [][]float32) ([]int, error) {
	steps, err := b.continuations(logits)
	if err != nil {
		return nil, err
	}
	length := len(b.running[0].ids) + 1
	all := true
	for i := range steps {
		s := &steps[i]
		s.hit = b.cfg.EOSTokenID.Contains(s.id) || length >= b.max || b.stop != nil && b.stop(b.extend(*s).ids)
		all = all && s.hit
	}
	b.finish(steps, length)
	if err := b.advance(steps); err != nil {
		return nil, err
	}
	b.improves = b.improves && b.canImprove(length)
	full := b.cfg.EarlyStopping == EarlyStopFull && !slices.ContainsFunc(b.finished, func(f beam) bool { return !f.done })
	b.done = !b.improves || full || all
	return b.parents, nil
}

func (b *Beams) extend(s step) beam {
	return beam{ids: append(slices.Clip(b.running[s.parent].ids), s.id), score: s.score}
}

// continuations are the best (number of end tokens + 1, at least 2) × num_beams
// of the running beams with one token more, best first, so that num_beams
// remain even if all others end.
func (b *Beams) continuations(logits [][]float32) ([]step, error) {
	keep := max(2, 1+len(b.cfg.EOSTokenID)) * b.cfg.NumBeams
	b.heap = b.heap[:0]
	shared := len(logits) == 1 && len(b.running) > 1
	for i, r := range b.running {
		row := logits[min(i, len(logits)-1)]
		if shared { // each beam needs its own copy
			b.logp = append(b.logp[:0], row...)
			row = b.logp
		}
		logSoftmax(row, &b.exps)
		var mask func(scores []float32)
		if r.mask != nil {
			mask = func(scores []float32) { r.mask.Mask(scores, b.cfg.EOSTokenID) }
		}
		b.procs.process(row, r.ids, mask)
		if b.cfg.RenormalizeLogits {
			logSoftmax(row, &b.exps)
		}
		if b.sel != nil {
			b.warp(row)
		}
		for id, x := range row {
			if x != x {
				return nil, ErrNotANumber
			}
			s := step{parent: i, id: uint32(id), score: x + r.score}
			s.key = s.score
			if b.sel != nil && !math.IsInf(float64(x), -1) {
				s.key += b.gumbel()
			}
			b.push(s, keep)
		}
	}
	slices.SortFunc(b.heap, func(x, y step) int {
		return cmp.Or(cmp.Compare(y.key, x.key), cmp.Compare(x.parent, y.parent), cmp.Compare(x.id, y.id))
	})
	return b.heap, nil
}

// push keeps the greatest keys in a heap whose root is the least.
func (b *Beams) push(s step, keep int) {
	h := b.heap
	if len(h) < keep {
		h = append(h, s)
		for i := len(h) - 1; i > 0 && h[i].key < h[(i-1)/2].key; i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		b.heap = h
		return
	}
	if s.key <= h[0].key {
		return
	}
	h[0] = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].key < h[child].key {
			child++
		}
		if h[i].key <= h[child].key {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// warp bans the tokens that sampling leaves out, and applies the temperature.
func (b *Beams) warp(row []float32) {
	b.sel.pick(row)
	for i := range row {
		row[i] = negInf
	}
	for _, c := range b.sel.candidates {
		row[c.id] = c.score
	}
}

// gumbel is noise that makes the greatest keys a sample without replacement
// from the distribution of the scores.
func (b *Beams) gumbel() float32 {
	u := (float64(b.rng.Uint64()>>11) + 0.5) / (1 << 53)
	return float32(-math.Log(-math.Log(u)))
}

// finish merges the continuations that end, of the first num_beams, with the
// finished beams.
func (b *Beams) finish(steps []step, length int) {
	full := b.cfg.EarlyStopping == EarlyStopFull && !slices.ContainsFunc(b.finished, func(f beam) bool { return !f.done })
	norm := b.norm(length - b.prompt)
	b.merged = append(b.merged[:0], b.finished...)
	for i, s := range steps {
		ends := s.hit && i < b.cfg.NumBeams
		score := s.score / norm
		if full {
			score += emptyScore
		}
		if !b.improves {
			score += emptyScore
		}
		if !ends {
			continue // its score would be under those of empty places
		}
		e := b.extend(s)
		b.merged = append(b.merged, beam{ids: e.ids, score: score, done: true})
	}
	slices.SortStableFunc(b.merged, func(x, y beam) int { return cmp.Compare(y.score, x.score) })
	b.finished = append(b.finished[:0], b.merged[:b.cfg.NumBeams]...)
}

// norm is what the score of a beam with n new tokens is divided by.
func (b *Beams) norm(n int) float32 {
	return float32(math.Pow(float64(n), b.cfg.LengthPenalty))
}

// advance makes the best continuations that do not end the running beams.
func (b *Beams) advance(steps []step) error {
	for i := range steps {
		if steps[i].hit {
			steps[i].score += emptyScore
		}
	}
	slices.SortStableFunc(steps, func(x, y step) int { return cmp.Compare(y.score, x.score) })
	b.next, b.parents = b.next[:0], b.parents[:0]
	for _, s := range steps[:min(b.cfg.NumBeams, len(steps))] {
		e := b.extend(s)
		if mask := b.running[s.parent].mask; mask != nil {
			e.mask = mask.fork()
			if !s.hit && s.score > emptyScore { // others were banned, or have ended
				if err := e.mask.Accept(s.id); err != nil {
					return err
				}
			}
		}
		b.next = append(b.next, e)
		b.parents = append(b.parents, s.parent)
	}
	b.running, b.next = b.next, b.running
	return nil
}

// canImprove estimates whether the best running beam can beat the worst
// finished one.
func (b *Beams) canImprove(length int) bool {
	n := length - b.prompt
	if b.cfg.EarlyStopping == EarlyStopNever && b.cfg.LengthPenalty > 0 {
		n = b.max - b.prompt
	}
	best := b.running[0].score / b.norm(n)
	worst := slices.MinFunc(b.finished, func(x, y beam) int { return cmp.Compare(x.score, y.score) }).score
	return slices.ContainsFunc(b.finished, func(f beam) bool {
		if f.done {
			return best > worst
		}
		return best > emptyScore
	})
}

// Beam is a result: the new tokens, with the end-of-sequence token if it came,
// and the sum of their log probabilities divided by length^LengthPenalty.
type Beam struct {
	IDs   []uint32
	Score float32
}

// Results are the NumReturnSequences best beams, best first.
func (b *Beams) Results() []Beam {
	out := make([]Beam, 0, b.cfg.NumReturnSequences)
	for _, f := range b.finished[:min(b.cfg.NumReturnSequences, len(b.finished))] {
		out = append(out, Beam{IDs: f.ids[b.prompt:], Score: f.score})
	}
	return out
}
