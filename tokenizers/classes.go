package tokenizers

import (
	"encoding/base64"
	"encoding/binary"
	"sync"
	"unicode/utf8"
)

// class is a set of predicates on a code point. The reference library asks
// several crates with several versions of Unicode; the bits keep them apart.
type class uint32

const (
	isUpper           class = 1 << iota // \p{Lu} in a pattern
	isLower                             // \p{Ll}
	isTitle                             // \p{Lt}
	isModifier                          // \p{Lm}
	isOtherLetter                       // \p{Lo}
	isNumber                            // \p{N}
	isSpace                             // \s
	isWord                              // \w
	isDigit                             // \d
	isMark                              // \p{M}
	isPunctuation                       // \p{P}
	isSymbol                            // \p{S}
	isWhite                             // char::is_whitespace
	isNumeric                           // char::is_numeric
	isBertPunctuation                   // Punctuation and BertPreTokenizer
	isControl                           // dropped by BertNormalizer
	isAccent                            // stripped by BertNormalizer
	isCombining                         // stripped by StripAccents
	isRegexWord                         // \w of Whitespace and of added tokens
	isRegexSpace                        // \s of Whitespace and of added tokens
	hasCanonical                        // has a canonical decomposition
	hasCompatible                       // has another compatibility decomposition
	hasClass                            // canonical combining class is not 0
	composesBack                        // may combine with a character before it
	hasLower                            // is not its own lower case

	isLetter = isUpper | isLower | isTitle | isModifier | isOtherLetter // \p{L}
)

const (
	pageBits = 7
	pageSize = 1 << pageBits
	maxRune  = utf8.MaxRune + 1
)

// classTable finds the class of a code point in two steps: equal pages are
// kept once.
type classTable struct {
	index [maxRune >> pageBits]uint16
	pages [][pageSize]class
	ascii [128]class
}

func (t *classTable) of(r rune) class {
	if r < 128 {
		return t.ascii[r]
	}
	return t.pages[t.index[r>>pageBits]][r&(pageSize-1)]
}

// classes is built once, in about 3 ms, by the first tokenizer.
var classes = sync.OnceValue(func() *classTable {
	all := make([]class, maxRune)
	for bit, runs := range map[class]string{
		isUpper: upperRuns, isLower: lowerRuns, isTitle: titleRuns, isModifier: modifierRuns,
		isOtherLetter: otherLetterRuns, isNumber: numberRuns, isSpace: spaceRuns, isWord: wordRuns, isDigit: digitRuns,
		isMark: markRuns, isPunctuation: punctuationRuns, isSymbol: symbolRuns,
		isWhite: whiteRuns, isNumeric: numericRuns, isBertPunctuation: bertPunctuationRuns, isControl: controlRuns,
		isAccent: accentRuns, isCombining: combiningRuns, isRegexWord: regexWordRuns, isRegexSpace: regexSpaceRuns,
	} {
		for r := range eachRun(runs) {
			for c := r[0]; c < r[1]; c++ {
				all[c] |= bit
			}
		}
	}
	for r := range decompositionsOf(canonicalMap) {
		all[r] |= hasCanonical
	}
	for r := range decompositionsOf(compatibleMap) {
		all[r] |= hasCompatible
	}
	for r := range decompositionsOf(lowerMap) {
		all[r] |= hasLower
	}
	for r := range combiningClasses() {
		all[r] |= hasClass
	}
	for pair := range compositions() {
		all[pair.second] |= composesBack
	}
	for c := hangulBase; c < hangulEnd; c++ {
		all[c] |= hasCanonical
	}
	for c := hangulVowel; c < hangulVowel+hangulVowels; c++ {
		all[c] |= composesBack
	}
	for c := hangulTail + 1; c < hangulTail+hangulTails; c++ {
		all[c] |= composesBack
	}
	return pagesOf(all)
})

func pagesOf(all []class) *classTable {
	t := &classTable{}
	known := map[[pageSize]class]uint16{}
	for i := range t.index {
		page := [pageSize]class(all[i<<pageBits:])
		n, ok := known[page]
		if !ok {
			n = uint16(len(t.pages))
			known[page] = n
			t.pages = append(t.pages, page)
		}
		t.index[i] = n
	}
	t.ascii = t.pages[t.index[0]]
	return t
}

// table reads the varints of a generated constant.
type table []byte

func openTable(text string) table {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic("tokenizers: a generated table is damaged: " + err.Error())
	}
	return data
}

func (t *table) next() rune {
	n, size := binary.Uvarint(*t)
	*t = (*t)[size:]
	return rune(n)
}

// eachRun yields the runs [from, to) of a set.
func eachRun(text string) func(yield func([2]rune) bool) {
	return func(yield func([2]rune) bool) {
		at := rune(0)
		for t := openTable(text); len(t) > 0; {
			from := at + t.next()
			at = from + t.next()
			if !yield([2]rune{from, at}) {
				return
			}
		}
	}
}

// decompositionsOf reads a map from code points to strings.
func decompositionsOf(text string) map[rune][]rune {
	m := map[rune][]rune{}
	at := rune(0)
	for t := openTable(text); len(t) > 0; {
		at += t.next()
		to := make([]rune, t.next())
		for i := range to {
			d := t.next()
			if d&1 == 0 {
				to[i] = at + d/2
			} else {
				to[i] = at - (d+1)/2
			}
		}
		m[at] = to
	}
	return m
}

// combiningClasses maps code points to their canonical combining classes.
var combiningClasses = sync.OnceValue(func() map[rune]uint8 {
	m := map[rune]uint8{}
	at := rune(0)
	for t := openTable(combiningClassMap); len(t) > 0; {
		at += t.next()
		m[at] = uint8(t.next())
	}
	return m
})

type runePair struct{ first, second rune }

// compositions maps pairs to their primary composites.
var compositions = sync.OnceValue(func() map[runePair]rune {
	m := map[runePair]rune{}
	for t := openTable(compositionMap); len(t) > 0; {
		pair := runePair{t.next(), t.next()}
		m[pair] = t.next()
	}
	return m
})

// composites are the characters that compositions leads to.
var composites = sync.OnceValue(func() map[rune]struct{} {
	m := map[rune]struct{}{}
	for _, r := range compositions() {
		m[r] = struct{}{}
	}
	return m
})

var (
	canonicalDecompositions  = sync.OnceValue(func() map[rune][]rune { return decompositionsOf(canonicalMap) })
	compatibleDecompositions = sync.OnceValue(func() map[rune][]rune { return decompositionsOf(compatibleMap) })
	lowerCases               = sync.OnceValue(func() map[rune][]rune { return decompositionsOf(lowerMap) })
)
