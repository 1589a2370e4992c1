package tokenizers

import "slices"

// The arithmetic of Hangul syllables, Unicode chapter 3.12.
const (
	hangulBase   rune = 0xAC00
	hangulLead   rune = 0x1100
	hangulVowel  rune = 0x1161
	hangulTail   rune = 0x11A7
	hangulLeads  rune = 19
	hangulVowels rune = 21
	hangulTails  rune = 28
	hangulEnd         = hangulBase + hangulLeads*hangulVowels*hangulTails
)

// unicodeForm is NFC, NFD, NFKC or NFKD of Unicode 9, the version the
// reference library has. golang.org/x/text has a newer one and does not say
// which character became which.
type unicodeForm struct {
	classes *classTable
	compat  bool // K
	compose bool // C
}

// decomposer holds characters until their order is known.
type decomposer struct {
	pending []pendingRune
	decomp  []change
}

type pendingRune struct {
	change
	class uint8
}

func (f unicodeForm) normalize(n *normalized, s *scratch) error {
	if asciiOnly(n.text) || f.isNormal(n.text) {
		return nil
	}
	decomposed := f.decomposed(n.text, s)
	if f.compose {
		decomposed = recomposed(decomposed, s)
	}
	n.transform(decomposed, 0)
	return nil
}

// isNormal reports whether the text certainly stays as it is.
func (f unicodeForm) isNormal(text []byte) bool {
	changing := hasClass
	switch {
	case f.compose && f.compat:
		changing |= composesBack | hasCompatible
	case f.compose:
		changing |= composesBack
	case f.compat:
		changing |= hasCanonical | hasCompatible
	default:
		changing |= hasCanonical
	}
	for i := 0; i < len(text); {
		r, size := decodeRune(text[i:])
		i += size
		c := f.classes.of(r)
		if c&changing != 0 {
			return false
		}
		// What decomposes and does not compose again changes too.
		if f.compose && c&hasCanonical != 0 && !(r >= hangulBase && r < hangulEnd) && !recomposes(r) {
			return false
		}
	}
	return true
}

// recomposes reports whether a character is the composite of its canonical
// decomposition.
func recomposes(r rune) bool {
	_, ok := composites()[r]
	return ok
}

// decomposed is the text in full decomposition, in canonical order.
func (f unicodeForm) decomposed(text []byte, s *scratch) []change {
	out, pending := s.decomp[:0], s.pending[:0]
	classes := combiningClasses()
	flush := func() {
		slices.SortStableFunc(pending, func(a, b pendingRune) int { return int(a.class) - int(b.class) })
		for _, p := range pending {
			out = append(out, p.change)
		}
		pending = pending[:0]
	}
	push := func(r rune, delta int32) {
		if r < 128 || f.classes.of(r)&hasClass == 0 {
			if len(pending) > 0 {
				flush()
			}
			out = append(out, change{r, delta})
			return
		}
		pending = append(pending, pendingRune{change{r, delta}, classes[r]})
	}
	for i := 0; i < len(text); {
		r, size := decodeRune(text[i:])
		i += size
		c := f.classes.of(r)
		var parts []rune
		switch {
		case r >= hangulBase && r < hangulEnd:
			at := r - hangulBase
			push(hangulLead+at/(hangulVowels*hangulTails), 0)
			push(hangulVowel+at%(hangulVowels*hangulTails)/hangulTails, 1)
			if tail := at % hangulTails; tail > 0 {
				push(hangulTail+tail, 1)
			}
			continue
		case f.compat && c&hasCompatible != 0:
			parts = compatibleDecompositions()[r]
		case c&hasCanonical != 0:
			parts = canonicalDecompositions()[r]
		default:
			push(r, 0)
			continue
		}
		for k, p := range parts {
			push(p, int32(min(k, 1)))
		}
	}
	flush()
	s.decomp, s.pending = out, pending
	return out
}

// recomposed joins what composes. A composite's delta is the sum of those of
// its parts, less one for each part it took in.
func recomposed(in []change, s *scratch) []change {
	classes := combiningClasses()
	pairs := compositions()
	out := s.changes[:0]
	starter := -1 // index in out of the character that others compose with
	last := -1    // class of the last character after the starter; -1 for none
	for _, c := range in {
		class := int(classes[c.r])
		if starter < 0 {
			if class == 0 {
				starter, last = len(out), -1
			}
			out = append(out, c)
			continue
		}
		if last < 0 || last < class {
			if r, ok := compose(pairs, out[starter].r, c.r); ok {
				out[starter].r = r
				out[starter].delta += c.delta - 1
				continue
			}
		}
		if class == 0 {
			starter, last = len(out), -1
		} else {
			last = class
		}
		out = append(out, c)
	}
	s.changes = out
	return out
}

func compose(pairs map[runePair]rune, a, b rune) (rune, bool) {
	switch {
	case a >= hangulLead && a < hangulLead+hangulLeads && b >= hangulVowel && b < hangulVowel+hangulVowels:
		return hangulBase + ((a-hangulLead)*hangulVowels+b-hangulVowel)*hangulTails, true
	case a >= hangulBase && a < hangulEnd && (a-hangulBase)%hangulTails == 0 && b > hangulTail && b < hangulTail+hangulTails:
		return a + b - hangulTail, true
	}
	r, ok := pairs[runePair{a, b}]
	return r, ok
}
