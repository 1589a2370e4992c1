package tokenizers_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// corpusData is testdata/corpus.json.
type corpusData struct {
	Scripts                                           [][][2]rune
	Words, Punctuation, Spaces, Emoji, Specials, Code []string
	Marks                                             [][2]rune
}

func loadCorpus(t testing.TB) *corpusData {
	t.Helper()
	data, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var c corpusData
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// random is splitmix64.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9E3779B97F4A7C15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (r *random) below(n int) int { return int(r.next() >> 33 % uint64(n)) }

func (r *random) of(items []string) string { return items[r.below(len(items))] }

func letters(r *random, ranges [][2]rune, n int) string {
	var b strings.Builder
	for range n {
		at := ranges[r.below(len(ranges))]
		b.WriteRune(at[0] + rune(r.below(int(at[1]-at[0])+1)))
	}
	return b.String()
}

func (c *corpusData) segment(r *random, home int) string {
	switch kind := r.below(100); {
	case kind < 30:
		return letters(r, c.Scripts[home], 1+r.below(8))
	case kind < 55:
		word := r.of(c.Words)
		switch r.below(8) {
		case 0:
			return strings.ToUpper(word)
		case 1:
			return strings.ToUpper(word[:1]) + word[1:]
		}
		return word
	case kind < 61:
		digits := make([]byte, 1+r.below(7))
		for i := range digits {
			digits[i] = byte('0' + r.below(10))
		}
		return string(digits)
	case kind < 72:
		return r.of(c.Punctuation)
	case kind < 77:
		return r.of(c.Spaces)
	case kind < 81:
		base := letters(r, [][2]rune{{'a', 'z'}}, 1)
		return base + letters(r, c.Marks, 1+r.below(3))
	case kind < 84:
		return r.of(c.Emoji)
	case kind < 88:
		return letters(r, c.Scripts[r.below(len(c.Scripts))], 1+r.below(6))
	case kind < 92:
		v := rune(r.below(0x110000 - 0x800))
		if v >= 0xD800 {
			v += 0x800
		}
		return string(v)
	case kind < 94:
		return letters(r, [][2]rune{{0xA0, 0x2FFF}}, 1+r.below(4))
	case kind < 97:
		return r.of(c.Specials)
	case kind < 98:
		letter := string(rune('a' + r.below(26)))
		return strings.Repeat(letter, 1+r.below(40))
	}
	return r.of(c.Code)
}

// string makes string number i, as corpus.py does.
func (c *corpusData) string(i int) string {
	r := random(uint64(i)*0x5851F42D4C957F2D + 0x14057B7EF767814F)
	home := i % len(c.Scripts)
	var b strings.Builder
	for k := range 1 + r.below(10) {
		gap := r.below(10)
		if k > 0 || gap == 9 {
			if gap < 7 {
				b.WriteByte(' ')
			} else if gap == 7 {
				b.WriteString(r.of(c.Spaces))
			}
		}
		b.WriteString(c.segment(&r, home))
	}
	return b.String()
}

// fnv mixes 32 bits into a hash.
func fnv(h uint64, n uint32) uint64 {
	for range 4 {
		h = (h ^ uint64(n&0xFF)) * 0x100000001B3
		n >>= 8
	}
	return h
}

const fnvStart = 0xCBF29CE484222325
