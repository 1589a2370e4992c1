package cas

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/xet"
)

func sampleTerms() []xet.Term {
	a, b := hub.XetHash{1}, hub.XetHash{2}
	return []xet.Term{
		{Xorb: a, Start: 0, End: 5, Size: 300_000},
		{Xorb: b, Start: 7, End: 8, Size: 1},
		{Xorb: a, Start: 5, End: 8192, Size: 1 << 30},
		{Xorb: a, Start: 0, End: 5, Size: 300_000},
	}
}

func TestTerms(t *testing.T) {
	for _, terms := range [][]xet.Term{nil, sampleTerms()[:1], sampleTerms()} {
		got, err := parseTerms(appendTerms(nil, terms))
		if err != nil || len(got) != len(terms) || len(terms) > 0 && !cmp.Equal(got, terms) {
			t.Errorf("%v come back as %v, %v", terms, got, err)
		}
	}
	f := newFile(hub.XetHash{}, sampleTerms())
	for off, want := range map[int64]int{0: 0, 299_999: 0, 300_000: 1, 300_001: 2, f.size - 1: 3, f.size: 4} {
		if got := f.find(off); got != want {
			t.Errorf("find(%d) = %d, want %d", off, got, want)
		}
	}
}

func FuzzParseTerms(f *testing.F) {
	f.Add(appendTerms(nil, sampleTerms()))
	f.Add(appendTerms(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		terms, err := parseTerms(b)
		if err != nil {
			return
		}
		again, err := parseTerms(appendTerms(nil, terms))
		if err != nil || len(again) != len(terms) || len(terms) > 0 && !cmp.Equal(again, terms) {
			t.Fatalf("parsed, but come back as %v, %v", again, err)
		}
	})
}
