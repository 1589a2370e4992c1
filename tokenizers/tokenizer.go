package tokenizers

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"
)

// Tokenizer turns text into token ids and back. It does not change after it
// was made and may be used from several goroutines.
type Tokenizer struct {
	normalizer   normalizer // nil: none
	preTokenizer preTokenizer
	model        model
	post         postProcessor
	decoder      decoder // nil: tokens are joined by spaces
	added        *addedTokens
	truncation   *Truncation
	padding      *Padding
	special      Special
	splitSpecial bool
	cached       bool     // words are worth remembering
	trims        []uint16 // per id: leading and trailing spaces, a byte each
	breaks       string   // a character that no merge joins to another before it; "" for none
	*workers
}

// Special names the special tokens that callers ask for by role. Empty for
// none.
type Special struct {
	BOS, EOS, UNK, PAD, CLS, SEP, Mask string
	// MaxLength is the longest input of the model in tokens; 0 if not known.
	MaxLength int
}

// token is a token of a text: the bytes [start, end) of it.
type token struct {
	id ID
	span
	word        int32
	lead, trail uint8 // spaces at its ends, if a post-processor trims them
}

// worker is what one running Encode needs, and keeps for the next.
type worker struct {
	scratch
	words
	norm    normalized
	clean   []byte
	cleaned []span
	raw     []split
	tokens  []token
	pieces  []piece
	cache   wordCache
	// of models
	symbols []symbol
	pairs   [longWord]merged
	heap    []candidate
	best    []bestPath
}

// workers are idle workers. They outlive a Tokenizer's variants.
type workers struct {
	mu   sync.Mutex
	idle []*worker
}

func (p *workers) get() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return w
	}
	return &worker{}
}

// maxKept is the size of buffers, in elements, that an idle worker may keep.
const maxKept = 1 << 16

func (p *workers) put(w *worker) {
	if cap(w.tokens) > maxKept || cap(w.best) > maxKept || cap(w.symbols) > maxKept || cap(w.changes) > maxKept ||
		cap(w.norm.text) > 4*maxKept || cap(w.norm.spares) > 4*maxKept {
		*w = worker{cache: w.cache}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < runtime.GOMAXPROCS(0) {
		p.idle = append(p.idle, w)
	}
}

// maxText is the longest text in bytes.
const maxText = 1 << 30

// ErrTooLong is the error of texts of over 1 GiB.
var ErrTooLong = errors.New("the text is too long")

// WithTruncation is the tokenizer with another limit; nil for none. A file's
// own applies until then.
func (t *Tokenizer) WithTruncation(limit *Truncation) *Tokenizer {
	c := *t
	c.truncation = limit
	return &c
}

// WithPadding is the tokenizer with other padding; nil for none.
func (t *Tokenizer) WithPadding(p *Padding) *Tokenizer {
	c := *t
	c.padding = p
	return &c
}

// WithSplitSpecialTokens is the tokenizer that reads special tokens in the text
// as plain text, or not: texts of strangers must not end a turn.
func (t *Tokenizer) WithSplitSpecialTokens(split bool) *Tokenizer {
	c := *t
	c.splitSpecial = split
	return &c
}

// Truncation is the limit in force; nil for none.
func (t *Tokenizer) Truncation() *Truncation { return t.truncation }

// Padding is the padding in force; nil for none.
func (t *Tokenizer) Padding() *Padding { return t.padding }

// Special are the special tokens by role.
func (t *Tokenizer) Special() Special { return t.special }

// Encode encodes a text. addSpecial adds the special tokens of the
// post-processor.
func (t *Tokenizer) Encode(text string, addSpecial bool) (Encoding, error) {
	return t.padded(t.encode([]string{text}, addSpecial))
}

// EncodePair encodes a pair of texts: a question and its context, two
// sentences to compare.
func (t *Tokenizer) EncodePair(first, second string, addSpecial bool) (Encoding, error) {
	return t.padded(t.encode([]string{first, second}, addSpecial))
}

func (t *Tokenizer) padded(e Encoding, err error) (Encoding, error) {
	if err != nil || t.padding == nil {
		return e, err
	}
	one := []Encoding{e}
	err = t.padding.pad(one)
	return one[0], err
}

// EncodeBatch encodes texts on all processors.
func (t *Tokenizer) EncodeBatch(texts []string, addSpecial bool) ([]Encoding, error) {
	return t.batch(len(texts), func(i int) (Encoding, error) { return t.encode(texts[i:i+1], addSpecial) })
}

// EncodePairBatch encodes pairs of texts on all processors.
func (t *Tokenizer) EncodePairBatch(pairs [][2]string, addSpecial bool) ([]Encoding, error) {
	return t.batch(len(pairs), func(i int) (Encoding, error) { return t.encode(pairs[i][:], addSpecial) })
}

func (t *Tokenizer) batch(n int, encode func(i int) (Encoding, error)) ([]Encoding, error) {
	out, errs := make([]Encoding, n), make([]error, n)
	threads := min(runtime.GOMAXPROCS(0), n)
	var group sync.WaitGroup
	for k := range threads {
		group.Go(func() {
			for i := k; i < n; i += threads {
				out[i], errs[i] = encode(i)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if t.padding != nil {
		if err := t.padding.pad(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AppendIDs appends the ids of a text to dst: Encode without the rest, and
// faster.
func (t *Tokenizer) AppendIDs(dst []ID, text string, addSpecial bool) ([]ID, error) {
	if t.truncation != nil || t.padding != nil {
		e, err := t.Encode(text, addSpecial)
		return append(dst, e.IDs...), err
	}
	w := t.get()
	defer t.put(w)
	if err := t.run(w, text, false); err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, len(w.tokens)+t.post.added(false))
	for _, f := range t.post.frames() {
		switch {
		case f.text >= 0:
			for i := range w.tokens {
				dst = append(dst, w.tokens[i].id)
			}
		case addSpecial:
			dst = append(dst, f.ids...)
		}
	}
	return dst, nil
}

// frames is the template of one text.
func (p *postProcessor) frames() []frame {
	if p.single == nil {
		return plainSingle
	}
	return p.single
}

func (t *Tokenizer) encode(texts []string, addSpecial bool) (Encoding, error) {
	var running [2]*worker
	var tokens [2][]token
	for i, text := range texts {
		w := t.get()
		running[i] = w
		defer t.put(w)
		if err := t.run(w, text, true); err != nil {
			return Encoding{}, err
		}
		tokens[i] = w.tokens
	}
	windows := []window{{tokens: tokens[0]}, {tokens: tokens[1]}}[:len(texts)]
	if t.truncation != nil {
		limit := t.truncation.MaxLength
		if addSpecial {
			limit -= t.post.added(len(texts) == 2)
		}
		var err error
		if windows, err = truncate(tokens[:len(texts)], limit, t.truncation); err != nil {
			return Encoding{}, err
		}
	}
	for _, r := range t.post.trims {
		for i, text := range texts {
			windows[i] = windows[i].own()
			r.trim(text, windows[i].tokens)
			for _, over := range windows[i].overflow {
				r.trim(text, over)
			}
		}
	}
	return t.post.process(windows, addSpecial), nil
}

// own copies windows that share tokens, so that each can be trimmed.
func (w window) own() window {
	if len(w.overflow) == 0 {
		return w
	}
	out := window{tokens: slices.Clone(w.tokens), overflow: make([][]token, len(w.overflow))}
	for i, over := range w.overflow {
		out.overflow[i] = slices.Clone(over)
	}
	return out
}

// run fills w.tokens with the tokens of a text.
func (t *Tokenizer) run(w *worker, text string, offsets bool) error {
	if len(text) > maxText {
		return fmt.Errorf("%w: %d bytes", ErrTooLong, len(text))
	}
	w.tokens = w.tokens[:0]
	w.norm.offsets = offsets || t.needsOffsets()
	word := int32(0)
	w.clean, w.cleaned = appendValid(w.clean[:0], w.cleaned[:0], text)
	w.raw = t.added.appendSplits(w.raw[:0], w.clean, &t.added.raw, t.splitSpecial)
	for _, s := range w.raw {
		w.norm.text = append(w.norm.text[:0], w.clean[s.from:s.to]...)
		w.norm.base, w.norm.align = s.from, nil
		if len(w.cleaned) > 0 && w.norm.offsets {
			w.norm.align = append(w.norm.spares[:0], w.cleaned[s.from:s.to]...)
			w.norm.spares = nil
		}
		if s.id != noID {
			t.emitAdded(w, split{0, s.to - s.from, s.id}, word)
			word++
		} else {
			var err error
			if word, err = t.runPiece(w, word); err != nil {
				return err
			}
		}
		if w.norm.align != nil && w.norm.spares == nil {
			w.norm.spares = w.norm.align[:0]
		}
	}
	return nil
}

// needsOffsets: Metaspace looks at where a word began.
func (t *Tokenizer) needsOffsets() bool {
	m, ok := t.preTokenizer.(*metaspace)
	if q, many := t.preTokenizer.(preTokenizerSequence); many {
		return slices.ContainsFunc(q, func(p preTokenizer) bool {
			m, ok := p.(*metaspace)
			return ok && m.scheme == prependFirst
		})
	}
	return ok && m.scheme == prependFirst
}

// runPiece tokenizes the text between added tokens that w.norm holds, and
// returns the number of the next word.
func (t *Tokenizer) runPiece(w *worker, word int32) (int32, error) {
	n := &w.norm
	if t.normalizer != nil {
		if err := t.normalizer.normalize(n, &w.scratch); err != nil {
			return word, err
		}
	}
	w.words.normalized = n
	w.splits = t.added.appendSplits(w.splits[:0], n.text, &t.added.normalized, t.splitSpecial)
	if t.preTokenizer != nil {
		if err := t.preTokenizer.preTokenize(&w.words); err != nil {
			return word, err
		}
	}
	for _, s := range w.splits {
		switch {
		case s.from >= s.to:
			continue
		case s.id != noID:
			t.emitAdded(w, s, word)
		default:
			if err := t.emitWord(w, s, word); err != nil {
				return word, err
			}
		}
		word++
	}
	return word, nil
}

// emitAdded appends an added token.
func (t *Tokenizer) emitAdded(w *worker, s split, word int32) {
	tok := token{id: s.id, word: word}
	if w.norm.offsets {
		tok.span = w.norm.spanOf(int(s.from), int(s.to))
	}
	if t.trims != nil {
		tok.lead, tok.trail = spacesAround(string(w.norm.text[s.from:s.to]))
	}
	w.tokens = append(w.tokens, tok)
}

// emitWord appends the tokens of a word. A long one is broken where no token
// can lie, so that its parts are found in the cache.
func (t *Tokenizer) emitWord(w *worker, s split, word int32) error {
	if t.breaks == "" || s.to-s.from <= maxCachedWord/4 {
		return t.emitPart(w, s, word)
	}
	for s.from < s.to {
		text := w.norm.text[s.from:s.to]
		end := len(text)
		for at := 0; at < len(text); {
			i := bytes.Index(text[at:], []byte(t.breaks))
			if i < 0 {
				break
			}
			if i > 0 {
				end = at + i
				break
			}
			at += len(t.breaks) // a run of them stays together
		}
		part := split{s.from, s.from + int32(end), noID}
		if err := t.emitPart(w, part, word); err != nil {
			return err
		}
		s.from = part.to
	}
	return nil
}

func (t *Tokenizer) emitPart(w *worker, s split, word int32) error {
	text := w.norm.text[s.from:s.to]
	var pieces []piece
	var hash uint64
	found, keep := false, t.cached && len(text) <= maxCachedWord
	if keep {
		pieces, hash, found = w.cache.find(text)
	}
	if !found {
		var err error
		if w.pieces, err = t.model.tokenize(w, text, w.pieces[:0]); err != nil {
			return err
		}
		if pieces = w.pieces; keep {
			w.cache.put(text, hash, pieces)
		}
	}
	w.tokens = slices.Grow(w.tokens, len(pieces))
	for _, p := range pieces {
		tok := token{id: p.id, word: word}
		if w.norm.offsets {
			if int(p.to) > len(text) {
				tok.span = span{p.from, p.to} // as the reference does when affixes become bytes
			} else {
				tok.span = w.norm.spanOf(int(s.from+p.from), int(s.from+p.to))
			}
		}
		if int(p.id) < len(t.trims) {
			tok.lead, tok.trail = uint8(t.trims[p.id]), uint8(t.trims[p.id]>>8)
		}
		w.tokens = append(w.tokens, tok)
	}
	return nil
}

// appendValid copies a text; a byte that is no UTF-8 becomes U+FFFD, and then
// align says where each byte came from.
func appendValid(to []byte, align []span, text string) ([]byte, []span) {
	if utf8.ValidString(text) {
		return append(to, text...), align
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		before := len(to)
		to = utf8.AppendRune(to, r)
		for range len(to) - before {
			align = append(align, span{int32(i), int32(i + size)})
		}
		i += size
	}
	return to, align
}

// spacesAround counts the spaces at the ends of a byte-level token.
func spacesAround(token string) (lead, trail uint8) {
	c := classes()
	isBlank := func(r rune) bool { return r == byteRunes[' '] || c.of(r)&isWhite != 0 }
	n := 0
	for _, r := range token {
		if !isBlank(r) {
			break
		}
		n++
	}
	lead = uint8(min(n, math.MaxUint8))
	n = 0
	for len(token) > 0 {
		r, size := utf8.DecodeLastRuneInString(token)
		if !isBlank(r) {
			break
		}
		n++
		token = token[:len(token)-size]
	}
	return lead, uint8(min(n, math.MaxUint8))
}
