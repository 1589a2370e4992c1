package generate

import (
	"math"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
)

var negInf = float32(math.Inf(-1))

// processors change the scores of the next token by what came before, in
// transformers' order. They belong to one request and keep no state of a
// sequence, so the beams of a search can share them.
type processors struct {
	cfg       *Config
	prompt    int // tokens before the first generated one
	maxLength int // total length at which generation ends; 0 without end
	badWords  [][]uint32
	marks     []uint32 // by token: the last epoch it was seen in
	epoch     uint32
	counts    []float32 // by token: times in the output; zero between calls
}

func newProcessors(cfg *Config, vocab, prompt, maxLength int) *processors {
	p := &processors{cfg: cfg, prompt: prompt, maxLength: maxLength}
	for _, w := range cfg.BadWordsIDs {
		if len(w) != 1 || !cfg.EOSTokenID.Contains(w[0]) { // the end cannot be a bad word
			p.badWords = append(p.badWords, w)
		}
	}
	if cfg.RepetitionPenalty != 1 {
		p.marks = make([]uint32, vocab)
	}
	if cfg.FrequencyPenalty != 0 || cfg.PresencePenalty != 0 {
		p.counts = make([]float32, vocab)
	}
	return p
}

// process changes scores (vocabulary) for the token behind ids, which are the
// prompt and the output so far. mask, if not nil, is asked for the constraint.
func (p *processors) process(scores []float32, ids []uint32, mask func(scores []float32)) {
	c := p.cfg
	for id, b := range c.LogitBias {
		if int(id) < len(scores) {
			scores[id] += b
		}
	}
	if p.marks != nil {
		p.repetition(scores, ids)
	}
	if p.counts != nil {
		p.frequency(scores, ids[min(p.prompt, len(ids)):])
	}
	if n := c.NoRepeatNgramSize; n > 0 {
		noRepeatNgram(scores, ids, n)
	}
	for _, w := range p.badWords {
		if n := len(w) - 1; n <= len(ids) && slices.Equal(ids[len(ids)-n:], w[:n]) {
			ban(scores, w[n:])
		}
	}
	if len(ids) < c.MinLength || len(ids)-p.prompt < c.MinNewTokens {
		ban(scores, c.EOSTokenID)
	}
	if mask != nil {
		mask(scores)
	}
	if len(ids) == 1 && len(c.ForcedBOSTokenID) > 0 {
		force(scores, c.ForcedBOSTokenID)
	}
	if len(ids) == p.maxLength-1 && len(c.ForcedEOSTokenID) > 0 {
		force(scores, c.ForcedEOSTokenID)
	}
	if c.RemoveInvalidValues {
		removeInvalid(scores)
	}
	if d := c.ExponentialDecayLengthPenalty; d != nil && len(ids) > d.Start+p.prompt {
		grow := float32(math.Pow(d.Factor, float64(len(ids)-d.Start-p.prompt)) - 1)
		for _, id := range c.EOSTokenID {
			if int(id) < len(scores) && !math.IsInf(float64(scores[id]), 0) {
				scores[id] += float32(math.Abs(float64(scores[id]))) * grow
			}
		}
	}
	ban(scores, c.SuppressTokens)
	begin := p.prompt
	if p.prompt <= 1 && len(c.ForcedBOSTokenID) > 0 {
		begin++
	}
	if len(ids) == begin {
		ban(scores, c.BeginSuppressTokens)
	}
}

// repetition makes each token of ids less likely by RepetitionPenalty, once.
func (p *processors) repetition(scores []float32, ids []uint32) {
	penalty := float32(p.cfg.RepetitionPenalty)
	p.epoch++
	for _, id := range ids {
		if int(id) >= len(p.marks) || p.marks[id] == p.epoch {
			continue
		}
		p.marks[id] = p.epoch
		if scores[id] < 0 {
			scores[id] *= penalty
		} else {
			scores[id] /= penalty
		}
	}
}

// frequency subtracts what the OpenAI API does of the tokens of the output:
// FrequencyPenalty for each time, PresencePenalty once.
func (p *processors) frequency(scores []float32, output []uint32) {
	for _, id := range output {
		if int(id) < len(p.counts) {
			p.counts[id]++
		}
	}
	for _, id := range output {
		if int(id) >= len(p.counts) || p.counts[id] == 0 {
			continue
		}
		scores[id] -= float32(p.cfg.FrequencyPenalty)*p.counts[id] + float32(p.cfg.PresencePenalty)
		p.counts[id] = 0
	}
}

// noRepeatNgram bans the tokens that would make an n-gram of ids come again.
func noRepeatNgram(scores []float32, ids []uint32, n int) {
	if len(ids) < n {
		return
	}
	prefix := ids[len(ids)+1-n:]
	for i := 0; i+n <= len(ids); i++ {
		if slices.Equal(ids[i:i+n-1], prefix) {
			ban(scores, ids[i+n-1:i+n])
		}
	}
}

func ban(scores []float32, ids []uint32) {
	for _, id := range ids {
		if int(id) < len(scores) {
			scores[id] = negInf
		}
	}
}

// force leaves nothing but ids.
func force(scores []float32, ids []uint32) {
	for i := range scores {
		scores[i] = negInf
	}
	for _, id := range ids {
		if int(id) < len(scores) {
			scores[id] = 0
		}
	}
}

func removeInvalid(scores []float32) {
	for i, s := range scores {
		switch {
		case s != s:
			scores[i] = 0
		case s > math.MaxFloat32:
			scores[i] = math.MaxFloat32
		case s < -math.MaxFloat32:
			scores[i] = -math.MaxFloat32
		}
	}
}

// logSoftmax turns scores into log probabilities. scratch is overwritten.
func logSoftmax(scores []float32, scratch *[]float32) {
	z := logSumExp(scores, scratch)
	for i := range scores {
		scores[i] -= z
	}
}

// logSumExp is log Σ exp(scores).
func logSumExp(scores []float32, scratch *[]float32) float32 {
	if len(scores) == 0 {
		return negInf
	}
	m := slices.Max(scores)
	if math.IsInf(float64(m), 0) || m != m {
		return m
	}
	exps := (*scratch)[:0]
	for _, x := range scores {
		exps = append(exps, x-m)
	}
	kernel.Exp(exps)
	sum := 0.0
	for _, x := range exps {
		sum += float64(x)
	}
	*scratch = exps
	return m + float32(math.Log(sum))
}
