package tokenizers

import (
	"bytes"
	"fmt"
	"maps"
	"math/bits"
	"unicode/utf8"
)

// bpe merges neighbouring tokens, the pair of lowest rank first and of those
// the leftmost, until no pair of the table is left.
// Source: Sennrich, Haddow and Birch 2016.
type bpe struct {
	vocab  *vocab
	merges *pairTable
	// byteLevel: words are raw bytes, and raw finds whole words.
	byteLevel bool
	byteIDs   [256]ID // tokens of single bytes; noID for none
	raw       *vocab  // tokens as bytes, if ignoreMerges needs them

	prefix, suffix string // of tokens that do not begin, that end a word
	runeIDs        [4]runeTable
	unk            ID // noID if there is none
	unkToken       string
	fuseUnk        bool
	fallback       *[256]ID // tokens <0xNN>; nil without byte fallback
	ignoreMerges   bool     // a word that is a token is that token
	frozen         finder   // symbols that merges leave alone
}

// bpeOptions are the settings of a BPE model.
type bpeOptions struct {
	unkToken, prefix, suffix            string
	fuseUnk, byteFallback, ignoreMerges bool
	byteLevel                           bool
}

// merge is a rule of a BPE model: tokens left and right become to.
type merge struct {
	left, right, to ID
	rank            uint32
}

func newBPE(v *vocab, merges []merge, o bpeOptions) (*bpe, error) {
	m := &bpe{
		vocab: v, merges: newPairTable(merges), byteLevel: o.byteLevel, prefix: o.prefix, suffix: o.suffix,
		unk: noID, unkToken: o.unkToken, fuseUnk: o.fuseUnk, ignoreMerges: o.ignoreMerges,
	}
	if o.byteLevel && (o.prefix != "" || o.suffix != "") {
		return nil, fmt.Errorf("%w: a byte-level BPE with affixes", ErrFormat)
	}
	if id, ok := v.find([]byte(o.unkToken)); ok && o.unkToken != "" {
		m.unk = id
	}
	if o.byteFallback {
		m.fallback = byteTokens(v)
	}
	if o.byteLevel {
		for b, r := range byteRunes {
			m.byteIDs[b] = noID
			if id, ok := v.find(utf8.AppendRune(nil, r)); ok {
				m.byteIDs[b] = id
			}
		}
		if o.ignoreMerges {
			return m, m.unmap()
		}
		return m, nil
	}
	for i := range m.runeIDs {
		m.runeIDs[i] = m.runesWith(i&1 != 0, i&2 != 0)
	}
	return m, nil
}

// unmap writes the vocabulary as the bytes it stands for.
func (m *bpe) unmap() error {
	m.raw = newVocab(m.vocab.tokens)
	var buf []byte
	for i := range m.vocab.tokens {
		text, ok := appendUnmapped(buf[:0], string(m.vocab.token(i)))
		if !ok {
			continue // never the text of a word
		}
		buf = text
		if err := m.raw.add(text, m.vocab.ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// runeTable finds the tokens of single characters.
type runeTable struct {
	low  [0x250]ID
	high map[rune]ID
}

// drop forgets a token.
func (t *runeTable) drop(id ID) {
	for i := range t.low {
		if t.low[i] == id {
			t.low[i] = noID
		}
	}
	maps.DeleteFunc(t.high, func(_ rune, other ID) bool { return other == id })
}

func (t *runeTable) find(r rune) ID {
	if int(r) < len(t.low) {
		return t.low[r]
	}
	if id, ok := t.high[r]; ok {
		return id
	}
	return noID
}

// runesWith collects the tokens that are one character between the affixes.
func (m *bpe) runesWith(inner, last bool) runeTable {
	t := runeTable{high: map[rune]ID{}}
	for i := range t.low {
		t.low[i] = noID
	}
	for i := range m.vocab.tokens {
		token, ok := m.vocab.token(i), true
		if inner {
			token, ok = bytes.CutPrefix(token, []byte(m.prefix))
		}
		if ok && last {
			token, ok = bytes.CutSuffix(token, []byte(m.suffix))
		}
		if !ok || len(token) == 0 || len(token) > utf8.UTFMax {
			continue
		}
		r, size := utf8.DecodeRune(token)
		if size != len(token) || r == utf8.RuneError && size == 1 {
			continue
		}
		if int(r) < len(t.low) {
			t.low[r] = m.vocab.ids[i]
		} else {
			t.high[r] = m.vocab.ids[i]
		}
	}
	return t
}

func (m *bpe) vocabulary() *vocab { return m.vocab }

// symbol is a token in the making.
type symbol struct {
	id         ID
	size       int32 // bytes of the word
	prev, next int32 // in the list of symbols; -1 at its ends
}

func (m *bpe) tokenize(w *worker, word []byte, out []piece) ([]piece, error) {
	if m.ignoreMerges {
		v := m.vocab
		if m.byteLevel {
			v = m.raw
		}
		if id, ok := v.find(word); ok {
			return append(out, piece{id, 0, int32(len(word))}), nil
		}
	}
	symbols, err := m.symbols(w.symbols[:0], word)
	w.symbols = symbols
	if err != nil {
		return nil, err
	}
	if len(symbols) > longWord {
		m.mergeLong(w, symbols)
	} else {
		symbols = m.mergeShort(w, symbols)
	}
	at := int32(0)
	for _, s := range symbols {
		if s.size == 0 {
			continue // merged into another
		}
		out = append(out, piece{s.id, at, at + s.size})
		at += s.size
	}
	return out, nil
}

// symbols splits a word into the tokens of its bytes or characters. What has
// none is left out, if the model has no unknown token.
func (m *bpe) symbols(to []symbol, word []byte) ([]symbol, error) {
	unknown := int32(0) // bytes of an unknown symbol not appended yet
	flush := func() {
		if unknown > 0 {
			to = append(to, symbol{id: m.unk, size: unknown})
			unknown = 0
		}
	}
	for i := 0; i < len(word); {
		id, size := noID, 1
		if n := m.frozen.prefix(word[i:]); n > 0 {
			id, _ = m.vocab.find(word[i : i+n])
			size = n
		} else if m.byteLevel {
			id = m.byteIDs[word[i]]
		} else {
			var r rune
			r, size = decodeRune(word[i:])
			kind := 0
			if i > 0 {
				kind |= 1
			}
			if i+size == len(word) {
				kind |= 2
			}
			id = m.runeIDs[kind].find(r)
		}
		switch {
		case id != noID:
			flush()
			to = append(to, symbol{id: id, size: int32(size)})
		case m.appendFallback(&to, word, i, size):
		case m.unkToken == "":
		case m.unk == noID:
			return to, missingUnknown(m.unkToken)
		default:
			if !m.fuseUnk {
				flush()
			}
			unknown += int32(size)
		}
		i += size
	}
	flush()
	return to, nil
}

// appendFallback appends the byte tokens of a character, with its affixes. An
// unknown symbol before it still comes after it, as in the reference.
func (m *bpe) appendFallback(to *[]symbol, word []byte, at, size int) bool {
	if m.fallback == nil {
		return false
	}
	before := len(*to)
	add := func(text []byte) bool {
		for _, b := range text {
			if m.fallback[b] == noID {
				*to = (*to)[:before]
				return false
			}
			*to = append(*to, symbol{id: m.fallback[b], size: 1})
		}
		return true
	}
	if m.byteLevel {
		return add([]byte(string(byteRunes[word[at]])))
	}
	return (at == 0 || add([]byte(m.prefix))) && add(word[at:at+size]) && (at+size < len(word) || add([]byte(m.suffix)))
}

// longWord is the number of symbols from which a heap pays.
const longWord = 48

// mergeShort looks for the best pair again and again: O(n²), in few cache
// lines.
func (m *bpe) mergeShort(w *worker, symbols []symbol) []symbol {
	n := len(symbols)
	if n < 2 {
		return symbols
	}
	pairs := &w.pairs
	for i := range n - 1 {
		pairs[i] = m.merges.find(symbols[i].id, symbols[i+1].id)
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if pairs[i].rank < pairs[best].rank {
				best = i
			}
		}
		if pairs[best].rank == noRank {
			break
		}
		symbols[best].id = pairs[best].to
		symbols[best].size += symbols[best+1].size
		copy(symbols[best+1:], symbols[best+2:n])
		copy(pairs[best:], pairs[best+1:n-1])
		n--
		if best < n-1 {
			pairs[best] = m.merges.find(symbols[best].id, symbols[best+1].id)
		}
		if best > 0 {
			pairs[best-1] = m.merges.find(symbols[best-1].id, symbols[best].id)
		}
	}
	return symbols[:n]
}

// candidate is a pair that may be merged, by the place of its left symbol.
type candidate struct {
	rank uint32
	at   int32
	to   ID
}

func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.at < b.at
}

// mergeLong keeps the pairs in a heap: O(n log n).
func (m *bpe) mergeLong(w *worker, symbols []symbol) {
	heap := candidates(w.heap[:0])
	for i := range symbols {
		symbols[i].prev, symbols[i].next = int32(i)-1, int32(i)+1
		if i+1 == len(symbols) {
			symbols[i].next = -1
			break
		}
		if p := m.merges.find(symbols[i].id, symbols[i+1].id); p.rank != noRank {
			heap = append(heap, candidate{p.rank, int32(i), p.to})
		}
	}
	heap.order()
	for len(heap) > 0 {
		top := heap.pop()
		left := &symbols[top.at]
		if left.size == 0 || left.next < 0 {
			continue
		}
		right := &symbols[left.next]
		if p := m.merges.find(left.id, right.id); p.rank == noRank || p.to != top.to {
			continue // one of the two has changed
		}
		left.id = top.to
		left.size += right.size
		right.size = 0
		left.next = right.next
		if left.next >= 0 {
			symbols[left.next].prev = top.at
			if p := m.merges.find(left.id, symbols[left.next].id); p.rank != noRank {
				heap.push(candidate{p.rank, top.at, p.to})
			}
		}
		if left.prev >= 0 {
			if p := m.merges.find(symbols[left.prev].id, left.id); p.rank != noRank {
				heap.push(candidate{p.rank, left.prev, p.to})
			}
		}
	}
	w.heap = heap
}

// candidates is a binary heap.
type candidates []candidate

func (h *candidates) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(s[up]) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h candidates) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

func (h candidates) sink(i int) {
	for {
		down := 2*i + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			return
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

func (h *candidates) pop() candidate {
	s := *h
	top := s[0]
	s[0] = s[len(s)-1]
	*h = s[:len(s)-1]
	h.sink(0)
	return top
}

const noRank = ^uint32(0)

// pairTable finds merges by their two tokens: open addressing, half full.
type pairTable struct {
	slots []pairSlot
	shift uint
}

type pairSlot struct {
	left, right ID
	merged
}

// merged is what a pair becomes; its rank is noRank if it stays a pair.
type merged struct {
	rank uint32
	to   ID
}

func newPairTable(merges []merge) *pairTable {
	size := 1 << max(bits.Len(uint(2*len(merges))), 4)
	t := &pairTable{slots: make([]pairSlot, size), shift: uint(64 - bits.Len(uint(size-1)))}
	for i := range t.slots {
		t.slots[i].rank = noRank
	}
	for _, m := range merges {
		s := t.slot(m.left, m.right)
		*s = pairSlot{m.left, m.right, merged{m.rank, m.to}}
	}
	return t
}

func (t *pairTable) slot(left, right ID) *pairSlot {
	mask := len(t.slots) - 1
	for i := int((uint64(left)<<32 | uint64(right)) * 0x9E3779B97F4A7C15 >> t.shift); ; i++ {
		s := &t.slots[i&mask]
		if s.rank == noRank || s.left == left && s.right == right {
			return s
		}
	}
}

func (t *pairTable) find(left, right ID) merged { return t.slot(left, right).merged }
