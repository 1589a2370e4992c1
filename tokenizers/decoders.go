package tokenizers

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder turns the texts of tokens into text; joined, they are the result.
type decoder interface {
	decode(tokens []string) ([]string, error)
}

type decoderSequence []decoder

func (q decoderSequence) decode(tokens []string) ([]string, error) {
	for _, one := range q {
		var err error
		if tokens, err = one.decode(tokens); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// byteLevelDecoder turns visible characters into the bytes they stand for.
type byteLevelDecoder struct{}

func (byteLevelDecoder) decode(tokens []string) ([]string, error) {
	var out []byte
	for _, t := range tokens {
		bytes, ok := appendUnmapped(out, t)
		if !ok {
			bytes = append(out, t...)
		}
		out = bytes
	}
	return []string{toValid(out)}, nil
}

// toValid replaces what is no UTF-8, one U+FFFD per maximal beginning of a
// character, as Rust's from_utf8_lossy does.
func toValid(p []byte) string {
	if utf8.Valid(p) {
		return string(p)
	}
	var b strings.Builder
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			size = brokenSize(p)
			b.WriteRune(utf8.RuneError)
		} else {
			b.Write(p[:size])
		}
		p = p[size:]
	}
	return b.String()
}

// brokenSize is the length of the beginning of a character that p starts with.
func brokenSize(p []byte) int {
	need, low, high := 0, byte(0x80), byte(0xBF)
	switch c := p[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n <= need && n < len(p) && p[n] >= low && p[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// wordPieceDecoder joins words by spaces.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d wordPieceDecoder) decode(tokens []string) ([]string, error) {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		if i > 0 {
			if inner, ok := strings.CutPrefix(t, d.prefix); ok {
				t = inner
			} else {
				t = " " + t
			}
		}
		if d.cleanup {
			t = cleanUp(t)
		}
		out[i] = t
	}
	return out, nil
}

// cleanUp takes out the spaces that splitting put before punctuation. One pass
// after another, as the reference does.
func cleanUp(t string) string {
	for _, r := range [][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		t = strings.ReplaceAll(t, r[0], r[1])
	}
	return t
}

// metaspaceDecoder turns the visible character back into spaces.
type metaspaceDecoder struct {
	replacement string
	scheme      prependScheme
}

func (d metaspaceDecoder) decode(tokens []string) ([]string, error) {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		space := " "
		if i == 0 && d.scheme != prependNever {
			space = ""
		}
		out[i] = strings.ReplaceAll(t, d.replacement, space)
	}
	return out, nil
}

// suffixDecoder is BPEDecoder: the suffix of words becomes a space.
type suffixDecoder string

func (d suffixDecoder) decode(tokens []string) ([]string, error) {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		space := " "
		if i == len(tokens)-1 {
			space = ""
		}
		out[i] = strings.ReplaceAll(t, string(d), space)
	}
	return out, nil
}

// byteFallbackDecoder turns <0xNN> into bytes; bytes that are no text together
// become one U+FFFD each.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) decode(tokens []string) ([]string, error) {
	var out []string
	var bytes []byte
	flush := func() {
		if utf8.Valid(bytes) {
			if len(bytes) > 0 {
				out = append(out, string(bytes))
			}
		} else {
			for range bytes {
				out = append(out, "\uFFFD")
			}
		}
		bytes = bytes[:0]
	}
	for _, t := range tokens {
		if b, ok := byteToken(t); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out, nil
}

// byteToken is the byte of a token <0xNN>.
func byteToken(t string) (byte, bool) {
	if len(t) != 6 || t[:3] != "<0x" || t[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(strings.TrimPrefix(t[3:5], "+"), 16, 8)
	return byte(b), err == nil
}

type fuseDecoder struct{}

func (fuseDecoder) decode(tokens []string) ([]string, error) {
	return []string{strings.Join(tokens, "")}, nil
}

// stripDecoder takes up to so many of a character off the ends of each token.
type stripDecoder struct {
	content     rune
	start, stop int
}

func (d stripDecoder) decode(tokens []string) ([]string, error) {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		runes := []rune(t)
		from, to := 0, len(runes)
		for from < min(d.start, len(runes)) && runes[from] == d.content {
			from++
		}
		for to > from && len(runes)-to < d.stop && runes[to-1] == d.content {
			to--
		}
		out[i] = string(runes[from:to])
	}
	return out, nil
}

func (r replacer) decode(tokens []string) ([]string, error) {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		n := normalized{text: []byte(t)}
		if err := n.replace(r.pattern, r.content); err != nil {
			return nil, err
		}
		out[i] = string(n.text)
	}
	return out, nil
}

// ctcDecoder reads the output of speech models: repeats and padding go.
type ctcDecoder struct {
	pad, delimiter string
	cleanup        bool
}

func (d ctcDecoder) decode(tokens []string) ([]string, error) {
	var out []string
	for _, t := range slices.Compact(slices.Clone(tokens)) {
		t = strings.ReplaceAll(t, d.pad, "")
		if d.cleanup {
			t = strings.ReplaceAll(cleanUp(t), d.delimiter, " ")
		}
		if t != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

// Decode turns ids into text. Ids that no token has are left out, and special
// tokens too if skipSpecial.
func (t *Tokenizer) Decode(ids []ID, skipSpecial bool) (string, error) {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.decoded(id)
		if ok && !(skipSpecial && t.isSpecial(token)) {
			tokens = append(tokens, token)
		}
	}
	return t.DecodeTokens(tokens)
}

// DecodeTokens turns tokens, as the vocabulary spells them, into text: Python's
// convert_tokens_to_string.
func (t *Tokenizer) DecodeTokens(tokens []string) (string, error) {
	if t.decoder == nil {
		return strings.Join(tokens, " "), nil
	}
	if len(tokens) == 0 {
		return "", nil
	}
	out, err := t.decoder.decode(tokens)
	if err != nil {
		return "", err
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return strings.Join(out, ""), nil
}

// decoded is what the decoders see of a token.
func (t *Tokenizer) decoded(id ID) (string, bool) {
	if a, ok := t.added.byID[id]; ok {
		return a.form, true
	}
	text, ok := t.model.vocabulary().text(id)
	return string(text), ok
}

func (t *Tokenizer) isSpecial(token string) bool {
	a, ok := t.added.byContent[token]
	return ok && a.Special
}

// Stream decodes ids one by one, for text that is shown while it is made.
type Stream struct {
	tokenizer   *Tokenizer
	skipSpecial bool
	ids         []ID   // those whose text may still change
	known       int    // ids[:known] are only there so that ids[known:] decode as in the middle of a text
	prefix      string // text of ids[:known]
}

// NewStream starts a text.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	return &Stream{tokenizer: t, skipSpecial: skipSpecial}
}

// Add takes an id and returns the text that is certain by now: nothing while a
// character is incomplete.
func (s *Stream) Add(id ID) (string, error) {
	s.ids = append(s.ids, id)
	text, err := s.tokenizer.Decode(s.ids, s.skipSpecial)
	if err != nil {
		return "", err
	}
	if len(text) <= len(s.prefix) || strings.HasSuffix(text, "\uFFFD") && len(s.ids)-s.known < maxHeld {
		return "", nil
	}
	return s.release(text)
}

// maxHeld is the number of ids that wait for the rest of a character; no
// character is longer, so more are damaged.
const maxHeld = 8

// Flush ends the text and returns what was held back.
func (s *Stream) Flush() (string, error) {
	text, err := s.tokenizer.Decode(s.ids, s.skipSpecial)
	if err != nil || len(text) <= len(s.prefix) {
		return "", err
	}
	return s.release(text)
}

func (s *Stream) release(text string) (string, error) {
	out, ok := strings.CutPrefix(text, s.prefix)
	if !ok { // a decoder changed its mind; what was shown stays
		out = text[commonPrefix(text, s.prefix):]
	}
	s.ids = append(s.ids[:0], s.ids[s.known:]...)
	s.known = len(s.ids)
	var err error
	s.prefix, err = s.tokenizer.Decode(s.ids, s.skipSpecial)
	return out, err
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return n
}
