package generate

import (
	"cmp"
	"math"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
)

// candidate is a token that may be drawn.
type candidate struct {
	id     uint32
	score  float32 // logit divided by the temperature
	weight float32 // exp(score - the greatest score): probability up to a factor
	key    float32 // what it is selected by, greatest first
}

// selector narrows the scores of all tokens to the candidates, without
// sorting the vocabulary.
type selector struct {
	temperature, topP, minP, typicalP float64
	topK, keep                        int // keep: never fewer candidates than this
	candidates                        []candidate
	top                               []float32 // heap of kthGreatest
	exps                              []float32
	edge                              []candidate // of nucleus
}

func newSelector(c *Config, keep int) *selector {
	return &selector{temperature: c.Temperature, topK: c.TopK, topP: c.TopP, minP: c.MinP, typicalP: c.TypicalP, keep: keep}
}

// pick fills candidates, in the order of their ids. It gives the sum of their
// weights, 0 when no token is left or a score is not a number.
func (s *selector) pick(scores []float32) float64 {
	s.candidates, s.exps = s.candidates[:0], s.exps[:0]
	floor := negInf
	if s.topK > 0 && s.topK < len(scores) {
		floor = s.kthGreatest(scores, max(s.topK, s.keep))
	}
	t := float32(s.temperature)
	greatest := negInf
	for i, x := range scores {
		if x >= floor && x > negInf {
			x /= t
			greatest = max(greatest, x)
			s.candidates = append(s.candidates, candidate{id: uint32(i), score: x, key: x})
		} else if x != x {
			return 0
		}
	}
	if math.IsInf(float64(greatest), 0) {
		return 0
	}
	for _, c := range s.candidates {
		s.exps = append(s.exps, c.score-greatest)
	}
	kernel.Exp(s.exps)
	total := 0.0
	for i, w := range s.exps {
		s.candidates[i].weight = w
		total += float64(w)
	}
	if s.topP < 1 {
		total = s.nucleus(s.topP, total, false)
	}
	if s.minP > 0 {
		total = s.dropUnlikely()
	}
	if s.typicalP < 1 {
		s.typicalKeys(greatest, total)
		total = s.nucleus(s.typicalP, total, true)
	}
	return total
}

// kthGreatest is the k-th greatest of scores, found with a heap of k.
func (s *selector) kthGreatest(scores []float32, k int) float32 {
	if k >= len(scores) {
		return negInf
	}
	h := s.top[:0]
	for _, x := range scores {
		switch {
		case x != x:
		case len(h) < k:
			h = append(h, x)
			for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
				h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			}
		case x > h[0]:
			h[0] = x
			sift(h)
		}
	}
	s.top = h
	if len(h) == 0 {
		return negInf
	}
	return h[0]
}

// sift restores the heap whose root was replaced.
func sift(h []float32) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// Keys are told apart by buckets, so that only one of those needs sorting.
const (
	bucketCount = 2048
	bucketScale = 64 // buckets per unit of the key, a natural logarithm
)

// nucleus keeps the candidates of greatest key that together have the
// probability mass, and, with ties, all whose key equals the last one's. It
// gives their weight.
func (s *selector) nucleus(mass, total float64, ties bool) float64 {
	first := negInf
	for _, c := range s.candidates {
		first = max(first, c.key)
	}
	bucket := func(c candidate) int { return int(min((first-c.key)*bucketScale, bucketCount-1)) }
	var weights [bucketCount]float64
	var counts [bucketCount]int
	for _, c := range s.candidates {
		b := bucket(c)
		weights[b] += float64(c.weight)
		counts[b]++
	}
	kept, n, last := 0.0, 0, 0 // of the buckets before last
	for last < bucketCount-1 && (kept+weights[last] < mass*total || n+counts[last] < s.keep) {
		kept += weights[last]
		n += counts[last]
		last++
	}
	s.edge = s.edge[:0]
	for _, c := range s.candidates {
		if bucket(c) == last {
			s.edge = append(s.edge, c)
		}
	}
	slices.SortFunc(s.edge, byKey)
	cut := candidate{key: float32(math.Inf(1))} // the last of the edge that is kept
	for _, c := range s.edge {
		if kept >= mass*total && n >= s.keep && !(ties && c.key == cut.key) {
			break
		}
		kept += float64(c.weight)
		n++
		cut = c
	}
	all := s.candidates
	s.candidates = all[:0]
	for _, c := range all {
		if b := bucket(c); b < last || b == last && byKey(c, cut) <= 0 {
			s.candidates = append(s.candidates, c)
		}
	}
	return kept
}

// byKey orders the greatest key first, and equal ones by id.
func byKey(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.id, b.id))
}

// dropUnlikely is min_p: it drops what is less likely than that share of the
// likeliest, whose weight is 1.
func (s *selector) dropUnlikely() float64 {
	least := float32(s.minP)
	if s.keep > 1 {
		s.exps = s.exps[:0]
		for _, c := range s.candidates {
			s.exps = append(s.exps, c.weight)
		}
		least = min(least, s.kthGreatest(s.exps, s.keep))
	}
	kept := 0.0
	all := s.candidates
	s.candidates = all[:0]
	for _, c := range all {
		if c.weight >= least {
			s.candidates = append(s.candidates, c)
			kept += float64(c.weight)
		}
	}
	return kept
}

// typicalKeys makes the key the closeness of the information of a token to
// what is expected of one.
func (s *selector) typicalKeys(greatest float32, total float64) {
	logTotal := math.Log(total)
	logP := func(c candidate) float64 { return float64(c.score-greatest) - logTotal }
	entropy := 0.0
	for _, c := range s.candidates {
		entropy -= float64(c.weight) / total * logP(c)
	}
	for i := range s.candidates {
		c := &s.candidates[i]
		c.key = -float32(math.Abs(logP(*c) + entropy))
	}
}
