package tokenizers

import (
	"fmt"
	"math"
	"slices"
)

// unigram takes the split of a word whose tokens have the greatest sum of
// scores. Source: Kudo 2018.
type unigram struct {
	vocab    *vocab
	scores   []float64 // by id
	trie     *trie
	unk      int32 // -1: characters outside the vocabulary are an error
	unkScore float64
	single   bool     // sums are float32, as in SentencePiece itself
	bytes    *[256]ID // tokens of bytes, for what is unknown; nil without fallback
}

// unknownPenalty is what an unknown character costs more than the worst token.
const unknownPenalty = 10

// newUnigram makes a model of pieces in the order of their ids.
func newUnigram(v *vocab, scores []float64, unk int32, byteFallback bool) (*unigram, error) {
	if int(unk) >= len(scores) {
		return nil, fmt.Errorf("%w: the unknown token %d is outside the vocabulary", ErrFormat, unk)
	}
	m := &unigram{vocab: v, scores: scores, unk: unk}
	least := math.Inf(1)
	for _, s := range scores {
		if s < least {
			least = s
		}
	}
	m.unkScore = least - unknownPenalty
	m.trie = vocabTrie(v)
	if byteFallback {
		m.bytes = byteTokens(v)
	}
	return m, nil
}

// byteTokens are the tokens <0x00> to <0xFF>; noID for those missing.
func byteTokens(v *vocab) *[256]ID {
	var ids [256]ID
	for b := range ids {
		ids[b] = noID
		if id, ok := v.find(fmt.Appendf(nil, "<0x%02X>", b)); ok {
			ids[b] = id
		}
	}
	return &ids
}

func (m *unigram) vocabulary() *vocab { return m.vocab }

// bestPath is the best split of the word up to a byte: its last token.
type bestPath struct {
	score float64
	start int32 // -1: no split ends here
	id    int32
}

func (m *unigram) tokenize(w *worker, word []byte, out []piece) ([]piece, error) {
	best := slices.Grow(w.best[:0], len(word)+1)[:len(word)+1]
	w.best = best
	for i := range best {
		best[i] = bestPath{start: -1}
	}
	units := m.trie.units
	for from := 0; from < len(word); {
		size := runeSize(word[from:])
		base := best[from].score
		single := false
		node := int32(trieRoot)
		for at := from; at < len(word); {
			next := units[node].base + int32(word[at])
			if int(next) >= len(units) || units[next].parent != node {
				break
			}
			node = next
			at++
			id := units[node].value
			if id == noValue {
				continue
			}
			b := &best[at]
			if score := m.sum(m.scores[id], base); b.start < 0 || score > b.score {
				*b = bestPath{score, int32(from), id}
			}
			single = single || at == from+size
		}
		if !single {
			b := &best[from+size]
			if score := m.sum(m.unkScore, base); b.start < 0 || score > b.score {
				if m.unk < 0 {
					return nil, missingUnknown("<unk>")
				}
				*b = bestPath{score, int32(from), m.unk}
			}
		}
		from += size
	}
	return m.backtrack(best, word, out), nil
}

func (m *unigram) sum(a, b float64) float64 {
	if m.single {
		return float64(float32(a + b))
	}
	return a + b
}

// backtrack appends the tokens of the best split. Neighbouring unknown
// characters are one token.
func (m *unigram) backtrack(best []bestPath, word []byte, out []piece) []piece {
	first := len(out)
	for end := int32(len(word)); end > 0; {
		b := best[end]
		start := b.start
		if b.id != m.unk {
			out = append(out, piece{ID(b.id), start, end})
			end = start
			continue
		}
		for start > 0 && best[start].id == m.unk {
			start = best[start].start
		}
		out = m.unknown(word, start, end, out)
		end = start
	}
	slices.Reverse(out[first:])
	return out
}

// unknown appends, last first, the tokens of bytes that are no token.
func (m *unigram) unknown(word []byte, from, to int32, out []piece) []piece {
	text := word[from:to]
	if id, ok := m.vocab.find(text); ok && !m.single {
		return append(out, piece{id, from, to})
	}
	if m.bytes != nil {
		before := len(out)
		for i := len(text) - 1; i >= 0; i-- {
			id := m.bytes[text[i]]
			if id == noID {
				out = out[:before]
				return append(out, piece{ID(m.unk), from, to})
			}
			out = append(out, piece{id, from, to})
		}
		return out
	}
	return append(out, piece{ID(m.unk), from, to})
}
