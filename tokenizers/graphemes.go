package tokenizers

import "sync"

// cluster is a code point's part in Unicode's rules of extended grapheme
// clusters (UAX 29, version 17).
type cluster uint8

const (
	clusterOther cluster = iota
	clusterControl
	clusterCR
	clusterLF
	clusterExtend
	clusterZWJ
	clusterPrepend
	clusterSpacingMark
	clusterL
	clusterV
	clusterT
	clusterLV
	clusterLVT
	clusterRegional
	clusterPictographic

	clusterMask cluster = 15
	// Indic_Conjunct_Break, beside the above.
	conjunctConsonant cluster = 1 << 4
	conjunctLinker    cluster = 2 << 4
	conjunctExtend    cluster = 3 << 4
	conjunctMask      cluster = 3 << 4
)

type graphemeTable struct {
	index [maxRune >> pageBits]uint16
	pages [][pageSize]cluster
}

func (t *graphemeTable) of(r rune) cluster {
	return t.pages[t.index[r>>pageBits]][r&(pageSize-1)]
}

var graphemes = sync.OnceValue(func() *graphemeTable {
	all := make([]cluster, maxRune)
	for c, runs := range map[cluster]string{
		clusterControl: graphemeControlRuns, clusterCR: graphemeCRRuns, clusterLF: graphemeLFRuns,
		clusterExtend: graphemeExtendRuns, clusterZWJ: graphemeZWJRuns, clusterPrepend: graphemePrependRuns,
		clusterSpacingMark: graphemeSpacingMarkRuns, clusterL: graphemeLRuns, clusterV: graphemeVRuns,
		clusterT: graphemeTRuns, clusterLV: graphemeLVRuns, clusterLVT: graphemeLVTRuns,
		clusterRegional: graphemeRegionalIndicatorRuns, clusterPictographic: graphemePictographicRuns,
		conjunctConsonant: conjunctConsonantRuns, conjunctLinker: conjunctLinkerRuns, conjunctExtend: conjunctExtendRuns,
	} {
		for r := range eachRun(runs) {
			for k := r[0]; k < r[1]; k++ {
				all[k] |= c
			}
		}
	}
	t := &graphemeTable{}
	known := map[[pageSize]cluster]uint16{}
	for i := range t.index {
		page := [pageSize]cluster(all[i<<pageBits:])
		n, ok := known[page]
		if !ok {
			n = uint16(len(t.pages))
			known[page] = n
			t.pages = append(t.pages, page)
		}
		t.index[i] = n
	}
	return t
})

// clusters finds where grapheme clusters end.
type clusters struct {
	text    []byte
	classes *graphemeTable
}

// end is the end of the cluster that starts at from.
func (s clusters) end(from int) int {
	r, size := decodeRune(s.text[from:])
	prev := s.classes.of(r)
	at := from + size
	regional := prev&clusterMask == clusterRegional // an odd number of them so far
	pictographic := prev&clusterMask == clusterPictographic
	afterZWJ := false // pictographic Extend* ZWJ
	consonant := prev&conjunctMask == conjunctConsonant
	linked := false // consonant, then a linker
	for at < len(s.text) {
		r, size = decodeRune(s.text[at:])
		next := s.classes.of(r)
		if !joins(prev&clusterMask, next&clusterMask) &&
			!(next&conjunctMask == conjunctConsonant && consonant && linked) &&
			!(next&clusterMask == clusterPictographic && afterZWJ) &&
			!(next&clusterMask == clusterRegional && regional && prev&clusterMask == clusterRegional) {
			return at
		}
		switch kind := next & clusterMask; {
		case kind == clusterRegional:
			regional = !regional
		case kind == clusterPictographic:
			pictographic = true
		case kind == clusterZWJ:
			afterZWJ = pictographic
		}
		if kind := next & clusterMask; kind != clusterExtend && kind != clusterZWJ && kind != clusterPictographic {
			pictographic = false
		}
		if next&clusterMask != clusterZWJ {
			afterZWJ = false
		}
		switch next & conjunctMask {
		case conjunctConsonant:
			consonant, linked = true, false
		case conjunctLinker:
			linked = linked || consonant
		case conjunctExtend:
		default:
			consonant, linked = false, false
		}
		prev = next
		at += size
	}
	return at
}

// joins are the rules that look at two neighbours only.
func joins(a, b cluster) bool {
	switch {
	case a == clusterCR && b == clusterLF:
		return true // GB3
	case a == clusterControl, a == clusterCR, a == clusterLF, b == clusterControl, b == clusterCR, b == clusterLF:
		return false // GB4, GB5
	case a == clusterL && (b == clusterL || b == clusterV || b == clusterLV || b == clusterLVT):
		return true // GB6
	case (a == clusterLV || a == clusterV) && (b == clusterV || b == clusterT):
		return true // GB7
	case (a == clusterLVT || a == clusterT) && b == clusterT:
		return true // GB8
	}
	return b == clusterExtend || b == clusterZWJ || b == clusterSpacingMark || a == clusterPrepend // GB9, 9a, 9b
}
