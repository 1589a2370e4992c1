package tokenizers

import "unicode/utf8"

// scanner splits text as a famous pattern does, by hand. Its matches cover the
// whole text: end returns where the match that starts at from ends.
type scanner struct {
	classes *classTable
	style   scanStyle
	digits  int   // digits of a number that stay together, in styles but GPT-2's
	letters class // what words are made of
	suffix  bool  // contractions belong to the word before them (o200k)
	slash   bool  // a slash may follow punctuation (o200k)
}

type scanStyle uint8

const (
	scanGPT2 scanStyle = iota
	scanCL100K
	scanO200K
)

const (
	contraction = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	spaceTail   = `|\s*[\r\n]+|\s+(?!\S)|\s+`
	upperMarks  = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	lowerMarks  = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	wordPrefix  = `[^\r\n\p{L}\p{N}]?`

	gpt2Pattern  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llamaPattern = contraction + `|` + wordPrefix + `\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaceTail
	qwenPattern  = contraction + `|` + wordPrefix + `\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaceTail
	qwenMPattern = contraction + `|` + wordPrefix + `[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + spaceTail
	gpt4oPattern = wordPrefix + upperMarks + `*` + lowerMarks + `+` + contraction + `?|` +
		wordPrefix + upperMarks + `+` + lowerMarks + `*` + contraction + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaceTail
	tekkenPattern = wordPrefix + upperMarks + `*` + lowerMarks + `+|` + wordPrefix + upperMarks + `+` + lowerMarks +
		`*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaceTail
)

// scannerFor is the scanner of a pattern; nil if none is known.
func scannerFor(pattern string) *scanner {
	c := classes()
	switch pattern {
	case gpt2Pattern:
		return &scanner{classes: c, style: scanGPT2, letters: isLetter}
	case llamaPattern:
		return &scanner{classes: c, style: scanCL100K, digits: 3, letters: isLetter}
	case qwenPattern:
		return &scanner{classes: c, style: scanCL100K, digits: 1, letters: isLetter}
	case qwenMPattern:
		return &scanner{classes: c, style: scanCL100K, digits: 1, letters: isLetter | isMark}
	case gpt4oPattern:
		return &scanner{classes: c, style: scanO200K, digits: 3, letters: isLetter, suffix: true, slash: true}
	case tekkenPattern:
		return &scanner{classes: c, style: scanO200K, digits: 1, letters: isLetter, slash: true}
	}
	return nil
}

func (s *scanner) find(text []byte, from int) (span, error) {
	if from >= len(text) {
		return noMatch, nil
	}
	return span{int32(from), int32(s.end(text, from))}, nil
}

func (s *scanner) end(text []byte, from int) int {
	switch s.style {
	case scanCL100K:
		return s.cl100k(text, from)
	case scanO200K:
		return s.o200k(text, from)
	default:
		return s.gpt2(text, from)
	}
}

// at is the class of the character at a place, and its size; 0 at the end.
func (s *scanner) at(text []byte, i int) (class, int) {
	if i >= len(text) {
		return 0, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		return s.classes.ascii[c], 1
	}
	r, size := utf8.DecodeRune(text[i:])
	return s.classes.of(r), size
}

// run passes over characters of a class.
func (s *scanner) run(text []byte, i int, of class) int {
	for i < len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			if s.classes.ascii[c]&of == 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if s.classes.of(r)&of == 0 {
			return i
		}
		i += size
	}
	return i
}

// runOutside passes over characters outside a class.
func (s *scanner) runOutside(text []byte, i int, of class) int {
	for i < len(text) {
		c, size := s.at(text, i)
		if c&of != 0 {
			break
		}
		i += size
	}
	return i
}

func (s *scanner) gpt2(text []byte, from int) int {
	if text[from] == '\'' {
		if end := contractionEnd(text, from, false); end > 0 {
			return end
		}
	}
	at := from
	if text[at] == ' ' {
		at++
	}
	switch c, _ := s.at(text, at); {
	case at == len(text):
	case c&isLetter != 0:
		return s.run(text, at, isLetter)
	case c&isNumber != 0:
		return s.run(text, at, isNumber)
	case c&isSpace == 0:
		return s.runOutside(text, at, isSpace|isLetter|isNumber)
	}
	return s.spaces(text, from, s.run(text, from, isSpace))
}

// spaces ends a run of spaces [from, to): the last one goes to the word after
// it.
func (s *scanner) spaces(text []byte, from, to int) int {
	if to == len(text) {
		return to
	}
	_, size := utf8.DecodeLastRune(text[from:to])
	if from+size < to {
		return to - size
	}
	return to
}

// contractionEnd is the end of an English contraction at an apostrophe; 0 if
// there is none.
func contractionEnd(text []byte, at int, fold bool) int {
	if at+1 >= len(text) || text[at] != '\'' {
		return 0
	}
	lower := func(i int) byte {
		if i >= len(text) {
			return 0
		}
		if c := text[i]; fold && 'A' <= c && c <= 'Z' {
			return c | 0x20
		}
		return text[i]
	}
	switch lower(at + 1) {
	case 's', 't', 'm', 'd':
		return at + 2
	case 'r', 'v':
		if lower(at+2) == 'e' {
			return at + 3
		}
	case 'l':
		if lower(at+2) == 'l' {
			return at + 3
		}
	case "ſ"[0]: // folds to s
		if fold && lower(at+2) == "ſ"[1] {
			return at + 3
		}
	}
	return 0
}

func (s *scanner) cl100k(text []byte, from int) int {
	if text[from] == '\'' {
		if end := contractionEnd(text, from, true); end > 0 {
			return end
		}
	}
	c, size := s.at(text, from)
	if c&s.letters != 0 {
		return s.run(text, from+size, s.letters)
	}
	if c&isNumber == 0 && text[from] != '\r' && text[from] != '\n' {
		if next, n := s.at(text, from+size); next&s.letters != 0 {
			return s.run(text, from+size+n, s.letters)
		}
	}
	return s.numbersAndRest(text, from, c)
}

// numbersAndRest are the alternatives that follow words in cl100k and o200k.
func (s *scanner) numbersAndRest(text []byte, from int, c class) int {
	if c&isNumber != 0 {
		at := from
		for range s.digits {
			c, size := s.at(text, at)
			if c&isNumber == 0 {
				break
			}
			at += size
		}
		return at
	}
	at := from
	if text[at] == ' ' {
		at++
	}
	outside := isSpace | isNumber | s.letters
	if c, size := s.at(text, at); size > 0 && c&outside == 0 {
		at = s.runOutside(text, at+size, outside)
		for at < len(text) && (text[at] == '\r' || text[at] == '\n' || s.slash && text[at] == '/') {
			at++
		}
		return at
	}
	end := s.run(text, from, isSpace)
	for i := end - 1; i >= from; i-- {
		if text[i] == '\r' || text[i] == '\n' {
			return i + 1
		}
	}
	return s.spaces(text, from, end)
}

const (
	upperLike = isUpper | isTitle | isModifier | isOtherLetter | isMark
	lowerLike = isLower | isModifier | isOtherLetter | isMark
)

func (s *scanner) o200k(text []byte, from int) int {
	c, size := s.at(text, from)
	end := 0
	switch {
	case c&isLetter != 0:
		lower, upper := s.cased(text, from)
		end = max(lower, upper)
		if lower > 0 {
			end = lower
		}
	case c&isNumber == 0 && text[from] != '\r' && text[from] != '\n':
		lower, upper := s.cased(text, from+size)
		switch {
		case lower > 0:
			end = lower
		case c&isMark != 0:
			// Without the prefix the mark is itself of the word.
			end, _ = s.cased(text, from)
		default:
			end = upper
		}
	}
	if end == 0 {
		return s.numbersAndRest(text, from, c)
	}
	if s.suffix {
		if after := contractionEnd(text, end, true); after > 0 {
			return after
		}
	}
	return end
}

// cased ends a word at at: lower is the end of upper-case letters followed by
// at least one lower-case one, upper that of at least one upper-case letter;
// 0 for none. Letters without case are of both kinds.
func (s *scanner) cased(text []byte, at int) (lower, upper int) {
	from := at
	for {
		c, size := s.at(text, at)
		if c&upperLike == 0 {
			if c&isLower != 0 {
				return s.run(text, at+size, lowerLike), 0
			}
			break
		}
		at += size
		if c&lowerLike != 0 {
			lower = at
		}
	}
	if at > from {
		upper = at
	}
	return lower, upper
}
