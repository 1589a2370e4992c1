package nn

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// RopeParameters say how positions turn into angles: config.json's
// rope_parameters, or before transformers 5 rope_theta and rope_scaling.
type RopeParameters struct {
	Type                string    `json:"rope_type"`
	OldType             string    `json:"type"` // transformers before 4.43
	Theta               float64   `json:"rope_theta"`
	Factor              float64   `json:"factor"`
	PartialRotaryFactor float64   `json:"partial_rotary_factor"`
	OriginalMaxPosition int       `json:"original_max_position_embeddings"`
	AttentionFactor     *float64  `json:"attention_factor"`
	LowFreqFactor       float64   `json:"low_freq_factor"`  // llama3
	HighFreqFactor      float64   `json:"high_freq_factor"` // llama3
	BetaFast            *float64  `json:"beta_fast"`        // yarn
	BetaSlow            *float64  `json:"beta_slow"`        // yarn
	MScale              float64   `json:"mscale"`           // yarn
	MScaleAllDim        float64   `json:"mscale_all_dim"`   // yarn
	Truncate            *bool     `json:"truncate"`         // yarn
	ShortFactor         []float64 `json:"short_factor"`     // longrope
	LongFactor          []float64 `json:"long_factor"`      // longrope
}

// RopeConfig is embedded by a Config whose network uses rotary positions.
type RopeConfig struct {
	RopeTheta           float64         `json:"rope_theta"`
	RopeScaling         json.RawMessage `json:"rope_scaling"`
	RopeParameters      json.RawMessage `json:"rope_parameters"`
	PartialRotaryFactor float64         `json:"partial_rotary_factor"`
	OriginalMaxPosition int             `json:"original_max_position_embeddings"`
}

// Parameters merges old and new spellings. layerType picks from a
// rope_parameters that is nested per layer type ("full_attention",
// "sliding_attention"); "" for a network with one kind of layer.
func (c RopeConfig) Parameters(layerType string, defaultTheta float64) (RopeParameters, error) {
	p := RopeParameters{Type: "default", Theta: c.RopeTheta, PartialRotaryFactor: c.PartialRotaryFactor,
		OriginalMaxPosition: c.OriginalMaxPosition}
	for _, raw := range []json.RawMessage{c.RopeScaling, c.RopeParameters} {
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		var nested map[string]json.RawMessage
		if err := json.Unmarshal(raw, &nested); err != nil {
			return p, fmt.Errorf("rope parameters: %w", err)
		}
		if inner, ok := nested[layerType]; ok && layerType != "" {
			raw = inner
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return p, fmt.Errorf("rope parameters: %w", err)
		}
	}
	if p.OldType != "" && p.Type == "default" {
		p.Type = p.OldType
	}
	if p.Theta == 0 {
		p.Theta = defaultTheta
	}
	if p.PartialRotaryFactor == 0 {
		p.PartialRotaryFactor = 1
	}
	return p, nil
}

// Rope rotates pairs of a head's numbers by an angle that grows with the
// position.
//
// Source: Su et al. 2021, "RoFormer"; the scalings follow transformers'
// modeling_rope_utils.py.
type Rope struct {
	// Interleaved pairs (0,1), (2,3), … as in the paper and GGUF's llama;
	// otherwise (0, d/2), (1, d/2+1), … as in transformers.
	Interleaved bool

	// Reach is the longest text that a scaling is made for, in tokens; 0 if that
	// is the network's max_position_embeddings.
	Reach int

	dim     int       // how many numbers of a head are rotated
	inv     []float64 // dim/2 frequencies
	long    []float64 // frequencies of sequences over longAt, nil if the same
	longAt  int
	dynamic float64 // factor of dynamic NTK scaling, 0: none
	theta   float64
	scale   float64 // of cosine and sine
}

// NewRope prepares the frequencies for heads of headDim numbers. maxPosition
// is config.json's max_position_embeddings, which some scalings refer to.
func NewRope(p RopeParameters, headDim, maxPosition int) (*Rope, error) {
	dim := int(float64(headDim) * p.PartialRotaryFactor)
	if p.Type == "proportional" {
		return newProportionalRope(p, headDim)
	}
	if dim <= 0 || dim%2 != 0 || dim > headDim {
		return nil, fmt.Errorf("rope: cannot rotate %d of %d numbers", dim, headDim)
	}
	if p.Theta <= 0 {
		return nil, fmt.Errorf("rope: theta is %v", p.Theta)
	}
	if needsFactor := map[string]bool{"linear": true, "dynamic": true, "llama3": true, "yarn": true}; needsFactor[p.Type] && p.Factor <= 0 {
		return nil, fmt.Errorf("rope: scaling %q has factor %v", p.Type, p.Factor)
	}
	r := &Rope{dim: dim, theta: p.Theta, scale: 1, inv: frequencies(make([]float64, dim/2), p.Theta)}
	original := p.OriginalMaxPosition
	if original == 0 {
		original = maxPosition
	}
	switch p.Type {
	case "", "default":
	case "linear":
		for i := range r.inv {
			r.inv[i] /= p.Factor
		}
		r.Reach = reach(p.Factor, maxPosition)
	case "dynamic":
		r.dynamic, r.longAt = p.Factor, maxPosition
		r.Reach = reach(p.Factor, maxPosition)
	case "llama3":
		r.scaleLlama3(p, float64(original))
	case "yarn":
		r.scaleYarn(p, float64(original))
		r.Reach = reach(p.Factor, original)
	case "longrope", "su":
		return r, r.scaleLong(p, original, maxPosition)
	default:
		return nil, fmt.Errorf("rope scaling %q is not supported", p.Type)
	}
	return r, nil
}

// newProportionalRope pairs the numbers of a whole head, with frequencies of a
// whole head, and leaves those behind the rotated part at rest.
func newProportionalRope(p RopeParameters, headDim int) (*Rope, error) {
	factor := cmp.Or(p.Factor, 1)
	if headDim <= 0 || headDim%2 != 0 || p.Theta <= 0 || factor < 0 {
		return nil, fmt.Errorf("rope: scaling %q of heads of %d numbers has theta %v and factor %v", p.Type, headDim, p.Theta, p.Factor)
	}
	r := &Rope{dim: headDim, theta: p.Theta, scale: 1, inv: frequencies(make([]float64, headDim/2), p.Theta)}
	turning := int(p.PartialRotaryFactor * float64(headDim) / 2)
	for i := range r.inv {
		if r.inv[i] /= factor; i >= turning {
			r.inv[i] = 0
		}
	}
	return r, nil
}

// reach is so many times n, or a length that no text has.
func reach(factor float64, n int) int { return int(math.Min(factor*float64(n), 1<<30)) }

func frequencies(inv []float64, theta float64) []float64 {
	for i := range inv {
		inv[i] = math.Pow(theta, -float64(i)/float64(len(inv)))
	}
	return inv
}

func (r *Rope) scaleLlama3(p RopeParameters, original float64) {
	longest, shortest := original/p.LowFreqFactor, original/p.HighFreqFactor
	for i, f := range r.inv {
		wavelength := 2 * math.Pi / f
		switch {
		case wavelength > longest:
			r.inv[i] = f / p.Factor
		case wavelength >= shortest:
			smooth := (original/wavelength - p.LowFreqFactor) / (p.HighFreqFactor - p.LowFreqFactor)
			r.inv[i] = (1-smooth)*f/p.Factor + smooth*f
		}
	}
}

// scaleYarn: Peng et al. 2023, "YaRN".
func (r *Rope) scaleYarn(p RopeParameters, original float64) {
	mscale := func(factor, m float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(factor) + 1
	}
	switch {
	case p.AttentionFactor != nil:
		r.scale = *p.AttentionFactor
	case p.MScale != 0 && p.MScaleAllDim != 0:
		r.scale = mscale(p.Factor, p.MScale) / mscale(p.Factor, p.MScaleAllDim)
	default:
		r.scale = mscale(p.Factor, 1)
	}
	fast, slow := 32.0, 1.0
	if p.BetaFast != nil {
		fast = *p.BetaFast
	}
	if p.BetaSlow != nil {
		slow = *p.BetaSlow
	}
	correction := func(rotations float64) float64 {
		return float64(r.dim) * math.Log(original/(rotations*2*math.Pi)) / (2 * math.Log(p.Theta))
	}
	low, high := correction(fast), correction(slow)
	if p.Truncate == nil || *p.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = math.Max(low, 0), math.Min(high, float64(r.dim-1))
	if low == high {
		high += 0.001
	}
	for i, f := range r.inv {
		ramp := math.Min(math.Max((float64(i)-low)/(high-low), 0), 1)
		r.inv[i] = f/p.Factor*ramp + f*(1-ramp)
	}
}

// scaleLong: Ding et al. 2024, "LongRoPE".
func (r *Rope) scaleLong(p RopeParameters, original, maxPosition int) error {
	if len(p.ShortFactor) != len(r.inv) || len(p.LongFactor) != len(r.inv) {
		return fmt.Errorf("rope: longrope has %d and %d factors, want %d", len(p.ShortFactor), len(p.LongFactor), len(r.inv))
	}
	factor := p.Factor
	if p.OriginalMaxPosition > 0 {
		factor = float64(maxPosition) / float64(p.OriginalMaxPosition)
	}
	switch {
	case p.AttentionFactor != nil:
		r.scale = *p.AttentionFactor
	case factor > 1:
		r.scale = math.Sqrt(1 + math.Log(factor)/math.Log(float64(original)))
	}
	r.long, r.longAt = make([]float64, len(r.inv)), original
	for i, f := range r.inv {
		r.inv[i], r.long[i] = f/p.ShortFactor[i], f/p.LongFactor[i]
	}
	return nil
}

// Divide divides the frequencies by factors, which GGUF files store where
// config.json describes a scaling.
func (r *Rope) Divide(factors []float32) {
	for i := range r.inv {
		r.inv[i] /= float64(factors[i])
	}
}

// Long reports whether a text of so many tokens turns by other angles than a
// short one.
func (r *Rope) Long(length int) bool { return r.longAt > 0 && length > r.longAt }

// Stretched reports whether the angles of a text of so many tokens depend on
// its length.
func (r *Rope) Stretched(length int) bool { return r.dynamic > 0 && length > r.longAt }

// Pairs is how many pairs of a head's numbers are rotated.
func (r *Rope) Pairs() int { return r.dim / 2 }

// at is the frequencies for a sequence of length tokens.
func (r *Rope) at(ws *Workspace, length int) []float64 {
	switch {
	case length <= r.longAt || r.longAt == 0:
		return r.inv
	case r.dynamic > 0:
		grown := r.dynamic*float64(length)/float64(r.longAt) - (r.dynamic - 1)
		ws.frequencies = slices.Grow(ws.frequencies[:0], len(r.inv))[:len(r.inv)]
		return frequencies(ws.frequencies, r.theta*math.Pow(grown, float64(r.dim)/float64(r.dim-2)))
	case r.long != nil:
		return r.long
	}
	return r.inv
}

// Angles are the cosines and sines of the positions of one forward pass, each
// of shape (tokens, dim/2).
type Angles struct {
	cos, sin    tensor.Tensor
	interleaved bool
}

// Angles computes them for the tokens of a batch.
func (r *Rope) Angles(ws *Workspace, b *Batch) Angles {
	n := b.Tokens()
	a := Angles{cos: ws.Arena.New(n, r.dim/2), sin: ws.Arena.New(n, r.dim/2), interleaved: r.Interleaved}
	row := 0
	for i := range b.Segments {
		s := &b.Segments[i]
		inv := r.at(ws, max(s.KV.Len()+len(s.Tokens), s.Total))
		for t := range s.Tokens {
			r.angle(a.cos.Row(row), a.sin.Row(row), inv, s.KV.Len()+t)
			row++
		}
	}
	return a
}

// AnglesOf computes them for encoders: bounds are the sequences' offsets, and
// positions count from 0 in each.
func (r *Rope) AnglesOf(ws *Workspace, bounds []int) Angles {
	n := bounds[len(bounds)-1]
	a := Angles{cos: ws.Arena.New(n, r.dim/2), sin: ws.Arena.New(n, r.dim/2), interleaved: r.Interleaved}
	for i := range len(bounds) - 1 {
		inv := r.at(ws, bounds[i+1]-bounds[i])
		for row := bounds[i]; row < bounds[i+1]; row++ {
			r.angle(a.cos.Row(row), a.sin.Row(row), inv, row-bounds[i])
		}
	}
	return a
}

func (r *Rope) angle(cos, sin []float32, inv []float64, position int) {
	for j, f := range inv {
		// transformers multiplies in float32; so do we, to turn by the same angle
		s, c := math.Sincos(float64(float32(position) * float32(f)))
		cos[j], sin[j] = float32(c*r.scale), float32(s*r.scale)
	}
}

// Apply rotates every head of x (tokens, heads·dim) in place.
func (a Angles) Apply(ws *Workspace, x tensor.Tensor, heads int) {
	t := &ws.rope
	*t = ropeTask{angles: a, x: x, dim: x.Cols() / heads, block: max(1, rowWork/x.Cols())}
	parts := (x.Rows() + t.block - 1) / t.block
	if parts == 1 {
		t.Part(0)
		return
	}
	ws.Pool.Run(parts, t)
}

type ropeTask struct {
	angles Angles
	x      tensor.Tensor
	dim    int
	block  int
}

// Part implements kernel.Task.
func (t *ropeTask) Part(i int) {
	rotated := 2 * t.angles.cos.Cols()
	for r := i * t.block; r < min((i+1)*t.block, t.x.Rows()); r++ {
		row, cos, sin := t.x.Row(r), t.angles.cos.Row(r), t.angles.sin.Row(r)
		for at := 0; at < len(row); at += t.dim {
			kernel.Rope(row[at:at+rotated], cos, sin, t.angles.interleaved)
		}
	}
}
