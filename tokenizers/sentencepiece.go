package tokenizers

import (
	"encoding/binary"
	"fmt"
	"math"
)

// pieceType is the kind of a piece of a SentencePiece model. GGUF has the same
// numbers.
type pieceType uint8

const (
	pieceNormal      pieceType = 1
	pieceUnknown     pieceType = 2
	pieceControl     pieceType = 3
	pieceUserDefined pieceType = 4
	pieceUnused      pieceType = 5
	pieceByte        pieceType = 6
)

// spmPiece is a piece of a SentencePiece model.
type spmPiece struct {
	text  string
	score float32
	kind  pieceType
}

// spmModel is what a SentencePiece model says.
type spmModel struct {
	pieces       []spmPiece
	bpe          bool // else unigram
	byteFallback bool
	unk          int // index of the unknown piece; -1 for none
	charsmap     []byte
	dummyPrefix  bool // a space goes before the text
	trimSpaces   bool // remove_extra_whitespaces
	escape       bool // spaces become ▁
	bos, eos     int  // ids; -1 for none
	pad          int
}

// proto reads protocol buffer messages.
type proto struct {
	data []byte
}

// field is the next field: its number, and its value or its bytes.
func (p *proto) field() (number, value uint64, payload []byte, err error) {
	tag, n := binary.Uvarint(p.data)
	if n <= 0 {
		return 0, 0, nil, fmt.Errorf("%w: a SentencePiece model with a broken field", ErrFormat)
	}
	p.data = p.data[n:]
	short := fmt.Errorf("%w: a SentencePiece model that ends too early", ErrFormat)
	switch tag & 7 {
	case 0:
		if value, n = binary.Uvarint(p.data); n <= 0 {
			return 0, 0, nil, short
		}
		p.data = p.data[n:]
	case 1, 5:
		size := 4
		if tag&7 == 1 {
			size = 8
		}
		if len(p.data) < size {
			return 0, 0, nil, short
		}
		var word [8]byte
		copy(word[:], p.data[:size])
		value = binary.LittleEndian.Uint64(word[:])
		p.data = p.data[size:]
	case 2:
		size, n := binary.Uvarint(p.data)
		if n <= 0 || size > uint64(len(p.data)-n) {
			return 0, 0, nil, short
		}
		payload = p.data[n : n+int(size)]
		p.data = p.data[n+int(size):]
	default:
		return 0, 0, nil, fmt.Errorf("%w: a SentencePiece model with wire type %d", ErrFormat, tag&7)
	}
	return tag >> 3, value, payload, nil
}

// each calls f for every field of a message.
func eachField(message []byte, f func(number, value uint64, payload []byte) error) error {
	p := proto{message}
	for len(p.data) > 0 {
		number, value, payload, err := p.field()
		if err != nil {
			return err
		}
		if err := f(number, value, payload); err != nil {
			return err
		}
	}
	return nil
}

// parseSPM reads a sentencepiece_model.proto ModelProto.
func parseSPM(data []byte) (*spmModel, error) {
	m := &spmModel{dummyPrefix: true, trimSpaces: true, escape: true, unk: -1, bos: 1, eos: 2, pad: -1}
	suffix := false
	err := eachField(data, func(number, _ uint64, payload []byte) error {
		switch number {
		case 1:
			if len(m.pieces) >= maxTokens {
				return fmt.Errorf("%w: over %d pieces", ErrFormat, maxTokens)
			}
			piece := spmPiece{kind: pieceNormal}
			err := eachField(payload, func(number, value uint64, payload []byte) error {
				switch number {
				case 1:
					piece.text = string(payload)
				case 2:
					piece.score = math.Float32frombits(uint32(value))
				case 3:
					piece.kind = pieceType(min(value, 255))
				}
				return nil
			})
			m.pieces = append(m.pieces, piece)
			return err
		case 2: // trainer_spec
			return eachField(payload, func(number, value uint64, _ []byte) error {
				switch number {
				case 3:
					if value != 1 && value != 2 {
						return fmt.Errorf("%w: SentencePiece models of type %d are not known, only unigram (1) and BPE (2)", ErrFormat, value)
					}
					m.bpe = value == 2
				case 24:
					suffix = value != 0
				case 35:
					m.byteFallback = value != 0
				case 41:
					m.bos = int(int32(value))
				case 42:
					m.eos = int(int32(value))
				case 43:
					m.pad = int(int32(value))
				}
				return nil
			})
		case 3: // normalizer_spec
			return eachField(payload, func(number, value uint64, payload []byte) error {
				switch number {
				case 2:
					m.charsmap = payload
				case 3:
					m.dummyPrefix = value != 0
				case 4:
					m.trimSpaces = value != 0
				case 5:
					m.escape = value != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if suffix {
		return nil, fmt.Errorf("%w: SentencePiece models with spaces as suffixes are not known", ErrFormat)
	}
	for i, p := range m.pieces {
		if p.kind == pieceUnknown {
			m.unk = i
		}
	}
	if len(m.pieces) == 0 || m.unk < 0 {
		return nil, fmt.Errorf("%w: a SentencePiece model without an unknown piece", ErrFormat)
	}
	return m, nil
}

// FromSentencePiece reads a SentencePiece model (spiece.model, tokenizer.model,
// source.spm) of kind unigram or BPE, and encodes as that library does. Control
// pieces (<s>) become special added tokens; none is put around the text.
func FromSentencePiece(data []byte) (*Tokenizer, error) {
	m, err := parseSPM(data)
	if err != nil {
		return nil, err
	}
	c, err := m.chain(nil)
	if err != nil {
		return nil, err
	}
	return c.tokenizer()
}

// name is the text of a piece by index; "" for none.
func (m *spmModel) name(i int) string {
	if i < 0 || i >= len(m.pieces) {
		return ""
	}
	return m.pieces[i].text
}

// chain builds the parts of a tokenizer. ids are the token ids of the pieces;
// nil for their indices.
func (m *spmModel) chain(ids []ID) (*chain, error) {
	v := newVocab(len(m.pieces))
	c := &chain{special: Special{UNK: m.name(m.unk), BOS: m.name(m.bos), EOS: m.name(m.eos), PAD: m.name(m.pad)}}
	var symbols []trieKey
	for i, p := range m.pieces {
		if err := v.add([]byte(p.text), ID(i)); err != nil {
			return nil, err
		}
		switch p.kind {
		case pieceControl, pieceUnknown:
			if ids == nil && p.text != "" {
				c.added = append(c.added, AddedToken{Content: p.text, Special: true})
			}
		case pieceUserDefined:
			if p.text != "" {
				symbols = append(symbols, trieKey{[]byte(p.text), int32(i)})
			}
		}
	}
	userDefined := newFinder(symbols)
	norm := &spmNormalizer{dummyPrefix: m.dummyPrefix, trimSpaces: m.trimSpaces, escape: m.escape, symbols: userDefined}
	if len(m.charsmap) > 0 {
		var err error
		if norm.charsmap, err = newCharsmap(m.charsmap); err != nil {
			return nil, err
		}
	}
	c.normalizer = norm
	var err error
	if m.bpe {
		c.model, err = m.newBPE(v, userDefined)
	} else {
		c.model, err = m.newUnigram(v)
	}
	if err != nil {
		return nil, err
	}
	if ids != nil {
		if c.model, err = newRemapped(c.model, m, ids); err != nil {
			return nil, err
		}
	}
	c.decoder = m.decoder()
	return c, nil
}

// decoder undoes the normalizer: bytes, then spaces, then the first space.
func (m *spmModel) decoder() decoder {
	d := decoderSequence{replacer{literal(spaceMark), " "}}
	if m.byteFallback {
		d = append(d, byteFallbackDecoder{})
	}
	d = append(d, fuseDecoder{})
	if m.dummyPrefix {
		d = append(d, stripDecoder{' ', 1, 0})
	}
	return d
}

func (m *spmModel) newUnigram(v *vocab) (model, error) {
	u := &unigram{vocab: v, unk: int32(m.unk), single: true, scores: make([]float64, len(m.pieces))}
	least, most := math.Inf(1), math.Inf(-1)
	for _, p := range m.pieces {
		if s := float64(p.score); p.kind == pieceNormal {
			least, most = min(least, s), max(most, s)
		}
	}
	var keys []trieKey
	for i, p := range m.pieces {
		u.scores[i] = float64(p.score)
		switch p.kind {
		case pieceUserDefined:
			u.scores[i] = float64(float32(float64(float32(len(p.text))*float32(most)) - 0.1))
		case pieceNormal:
		default:
			continue
		}
		keys = append(keys, trieKey{[]byte(p.text), int32(i)})
	}
	u.unkScore = float64(float32(least) - unknownPenalty)
	u.trie = newTrie(keys)
	if m.byteFallback {
		u.bytes = byteTokens(v)
	}
	return u, nil
}

// newBPE makes the pairs of a BPE: any two pieces that together are a piece,
// the better the greater its score.
func (m *spmModel) newBPE(v *vocab, symbols finder) (model, error) {
	var merges []merge
	for i, p := range m.pieces {
		if p.kind != pieceNormal && p.kind != pieceUserDefined {
			continue
		}
		text := []byte(p.text)
		for at := 0; at < len(text); {
			at += runeSize(text[at:])
			if at == len(text) {
				break
			}
			left, ok := v.find(text[:at])
			if !ok || !m.merges(left) {
				continue
			}
			if right, ok := v.find(text[at:]); ok && m.merges(right) {
				merges = append(merges, merge{left: left, right: right, to: ID(i), rank: rankOf(p.score)})
			}
		}
		if len(merges) > 8*maxTokens {
			return nil, fmt.Errorf("%w: too many pairs of pieces", ErrFormat)
		}
	}
	b, err := newBPE(v, merges, bpeOptions{unkToken: m.name(m.unk), fuseUnk: true, byteFallback: m.byteFallback})
	if err != nil {
		return nil, err
	}
	b.frozen = symbols
	// Characters count only as pieces of text.
	for i, p := range m.pieces {
		if p.kind != pieceNormal && p.kind != pieceUserDefined {
			for k := range b.runeIDs {
				b.runeIDs[k].drop(ID(i))
			}
		}
	}
	return b, nil
}

// merges reports whether a piece takes part in merges.
func (m *spmModel) merges(id ID) bool { return m.pieces[id].kind == pieceNormal }

// rankOf orders scores: the greater, the smaller the rank.
func rankOf(score float32) uint32 {
	bits := math.Float32bits(score)
	if bits>>31 == 1 {
		return min(bits, noRank-1) // the more negative, the later
	}
	return 0x7FFFFFFF - bits
}

// spmNormalizer is SentencePiece's own: the longest match in the charsmap, no
// more than one space in a row, none at the ends, one before the text.
type spmNormalizer struct {
	charsmap                        *charsmap // nil: characters stay
	symbols                         finder    // user-defined symbols, which stay as they are
	dummyPrefix, trimSpaces, escape bool
}

func (s *spmNormalizer) normalize(n *normalized, _ *scratch) error {
	old := n.text
	text, align := n.rewrite()
	put := func(p []byte, from span) {
		for _, c := range p {
			before := len(text)
			if c == ' ' && s.escape {
				text = append(text, spaceMark...)
			} else {
				text = append(text, c)
			}
			if n.offsets {
				for range len(text) - before {
					align = append(align, from)
				}
			}
		}
	}
	spanAt := func(from, to int) span {
		if !n.offsets {
			return span{}
		}
		return span{n.align[from].start, n.align[to-1].end}
	}
	at := 0
	for s.trimSpaces && at < len(old) {
		to, size := s.prefix(old[at:])
		if string(to) != " " {
			break
		}
		at += size
	}
	if at < len(old) && s.dummyPrefix {
		first := spanAt(at, at+1)
		put(spaceBytes, span{first.start, first.start})
	}
	afterSpace := s.trimSpaces
	for at < len(old) {
		to, size := s.prefix(old[at:])
		for afterSpace && startsWithSpace(to) {
			to = to[1:]
		}
		if len(to) > 0 {
			put(to, spanAt(at, at+size))
			afterSpace = s.trimSpaces && to[len(to)-1] == ' '
		}
		at += size
	}
	if s.trimSpaces {
		space := " "
		if s.escape {
			space = spaceMark
		}
		for len(text) >= len(space) && string(text[len(text)-len(space):]) == space {
			text = text[:len(text)-len(space)]
		}
		if n.offsets {
			align = align[:len(text)]
		}
	}
	n.finish(text, align)
	return nil
}

// prefix is what the beginning of a text becomes, and how long it is.
func (s *spmNormalizer) prefix(text []byte) (to []byte, size int) {
	if size := s.symbols.prefix(text); size > 0 {
		return text[:size], size
	}
	if s.charsmap != nil {
		if to, size, ok := s.charsmap.longest(text); ok {
			return to, size
		}
	}
	size = runeSize(text)
	return text[:size], size
}

// prefix is the length of the longest token that a text begins with; 0 for
// none.
func (f *finder) prefix(text []byte) int {
	if f.trie == nil || len(text) == 0 || !f.first[text[0]] {
		return 0
	}
	end := 0
	node := int32(trieRoot)
	for i, c := range text {
		if node = f.trie.child(node, c); node < 0 {
			break
		}
		if f.trie.value(node) != noValue {
			end = i + 1
		}
	}
	return end
}

// remapped gives the tokens of a model other ids.
type remapped struct {
	inner model
	ids   []ID
	vocab *vocab
	// spelled: a piece that the inner model does not know is looked up in vocab
	// by its text. unk is what the inner model calls such a piece.
	spelled bool
	unk     ID
}

func newRemapped(inner model, m *spmModel, ids []ID) (*remapped, error) {
	r := &remapped{inner: inner, ids: ids, vocab: newVocab(len(ids)), unk: ID(m.unk)}
	for i, p := range m.pieces {
		if _, taken := r.vocab.find([]byte(p.text)); taken || ids[i] == ids[m.unk] && i != m.unk {
			continue
		}
		if err := r.vocab.add([]byte(p.text), ids[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *remapped) vocabulary() *vocab { return r.vocab }

func (r *remapped) tokenize(w *worker, word []byte, out []piece) ([]piece, error) {
	first := len(out)
	out, err := r.inner.tokenize(w, word, out)
	for i := first; i < len(out); i++ {
		p := &out[i]
		if r.spelled && p.id == r.unk {
			if id, ok := r.vocab.find(word[p.from:p.to]); ok {
				p.id = id
				continue
			}
		}
		p.id = r.ids[p.id]
	}
	return out, err
}
