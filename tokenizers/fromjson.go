package tokenizers

import (
	"bytes"
	"fmt"
	"math"
)

// FromJSON reads a tokenizer.json. Dropout, which makes encodings random, is
// for training and ignored.
func FromJSON(data []byte) (*Tokenizer, error) {
	parts, err := fields(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t, err := fromParts(parts)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func fromParts(parts map[string][]byte) (*Tokenizer, error) {
	if v := string(parts["version"]); v != "" && v != `"1.0"` && v != "null" {
		return nil, fmt.Errorf("%w: version %s", ErrFormat, v)
	}
	var c chain
	var err error
	if c.normalizer, err = parseNormalizer(parts["normalizer"], 0); err != nil {
		return nil, err
	}
	if c.preTokenizer, err = parsePreTokenizer(parts["pre_tokenizer"], 0); err != nil {
		return nil, err
	}
	if c.model, err = parseModel(parts["model"], readsBytes(c.preTokenizer)); err != nil {
		return nil, err
	}
	if c.decoder, err = parseDecoder(parts["decoder"], 0); err != nil {
		return nil, err
	}
	if err := parsePostProcessor(parts["post_processor"], &c.post, 0); err != nil {
		return nil, err
	}
	if c.added, err = parseAdded(parts["added_tokens"]); err != nil {
		return nil, err
	}
	if c.truncation, err = parseTruncation(parts["truncation"]); err != nil {
		return nil, err
	}
	if c.padding, err = parsePadding(parts["padding"]); err != nil {
		return nil, err
	}
	return c.tokenizer()
}

// chain is what a Tokenizer is made of, whichever file it came from.
type chain struct {
	normalizer   normalizer
	preTokenizer preTokenizer
	model        model
	post         postProcessor
	decoder      decoder
	added        []AddedToken
	truncation   *Truncation
	padding      *Padding
	special      Special
}

func (c *chain) tokenizer() (*Tokenizer, error) {
	v := c.model.vocabulary()
	if err := v.index(); err != nil {
		return nil, err
	}
	added, err := newAddedTokens(c.added, v, c.normalizer)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{
		normalizer: c.normalizer, preTokenizer: c.preTokenizer, model: c.model, post: c.post, decoder: c.decoder,
		added: added, truncation: c.truncation, padding: c.padding, special: c.special, workers: &workers{},
	}
	if b, ok := c.model.(*bpe); ok {
		if reader := readsBytes(c.preTokenizer); reader != nil && b.byteLevel {
			reader.mapBytes = false
		}
		t.breaks = b.breaks()
	}
	_, whole := c.model.(*wordLevel)
	t.cached = !whole
	if len(c.post.trims) > 0 {
		t.trims = make([]uint16, len(v.byID))
		for id := range t.trims {
			if text, ok := v.text(ID(id)); ok {
				lead, trail := spacesAround(string(text))
				t.trims[id] = uint16(lead) | uint16(trail)<<8
			}
		}
	}
	return t, nil
}

// readsBytes finds the pre-tokenizer that leaves bytes as they are for a
// byte-level BPE: the last one, if no other maps bytes too.
func readsBytes(p preTokenizer) *byteLevel {
	all, ok := p.(preTokenizerSequence)
	if !ok {
		all = preTokenizerSequence{p}
	}
	var last *byteLevel
	for i, one := range all {
		b, ok := one.(*byteLevel)
		switch {
		case !ok:
		case i < len(all)-1:
			return nil
		default:
			last = b
		}
	}
	return last
}

// maxNesting bounds sequences of sequences.
const maxNesting = 16

func typed(raw []byte, depth int) (string, map[string][]byte, error) {
	if depth > maxNesting {
		return "", nil, fmt.Errorf("%w: sequences nest too deeply", ErrFormat)
	}
	f, err := fields(raw)
	if err != nil {
		return "", nil, err
	}
	var kind string
	err = unmarshal(f["type"], &kind)
	return kind, f, err
}

func parseModel(raw []byte, reader *byteLevel) (model, error) {
	if absent(raw) {
		return nil, fmt.Errorf("%w: no model", ErrFormat)
	}
	f, err := fields(raw)
	if err != nil {
		return nil, err
	}
	var kind string
	if err := unmarshal(f["type"], &kind); err != nil {
		return nil, err
	}
	if kind == "" { // files before types
		switch {
		case f["merges"] != nil:
			kind = "BPE"
		case f["max_input_chars_per_word"] != nil:
			kind = "WordPiece"
		case bytes.HasPrefix(f["vocab"], []byte("[")):
			kind = "Unigram"
		default:
			kind = "WordLevel"
		}
	}
	if kind == "Unigram" {
		return parseUnigram(f)
	}
	v, err := parseVocab(f["vocab"])
	if err != nil {
		return nil, err
	}
	unk := "[UNK]"
	switch kind {
	case "WordLevel":
		unk = "<unk>"
		if err := unmarshal(f["unk_token"], &unk); err != nil {
			return nil, err
		}
		return newWordLevel(v, unk), nil
	case "WordPiece":
		prefix, limit := "##", 100
		for key, to := range map[string]any{"unk_token": &unk, "continuing_subword_prefix": &prefix, "max_input_chars_per_word": &limit} {
			if err := unmarshal(f[key], to); err != nil {
				return nil, err
			}
		}
		return newWordPiece(v, unk, prefix, limit), nil
	case "BPE":
		return parseBPE(f, v, reader)
	}
	return nil, fmt.Errorf("%w: unknown model %q", ErrFormat, kind)
}

// parseVocab reads an object from tokens to ids.
func parseVocab(raw []byte) (*vocab, error) {
	r := &jsonReader{data: raw}
	v := newVocab(bytes.Count(raw, []byte{','}))
	err := r.object(func(token []byte) error {
		// The token is read before the id is; add copies it.
		held := append([]byte(nil), token...)
		id, err := r.id()
		if err != nil {
			return err
		}
		return v.add(held, id)
	})
	return v, err
}

func parseUnigram(f map[string][]byte) (model, error) {
	unk, fallback := int64(-1), false
	if err := unmarshal(f["unk_id"], &unk); err != nil {
		return nil, err
	}
	if err := unmarshal(f["byte_fallback"], &fallback); err != nil {
		return nil, err
	}
	r := &jsonReader{data: f["vocab"]}
	v := newVocab(bytes.Count(r.data, []byte{'['}))
	var scores []float64
	err := r.array(func() error {
		if err := r.expect('['); err != nil {
			return err
		}
		token, err := r.str()
		if err != nil {
			return err
		}
		if err := v.add(token, ID(len(scores))); err != nil {
			return err
		}
		if err := r.expect(','); err != nil {
			return err
		}
		score, err := r.float()
		if err != nil {
			return err
		}
		scores = append(scores, score)
		return r.expect(']')
	})
	if err != nil {
		return nil, err
	}
	if unk > math.MaxInt32 {
		return nil, fmt.Errorf("%w: the unknown token is %d", ErrFormat, unk)
	}
	return newUnigram(v, scores, int32(max(unk, -1)), fallback)
}

func parseBPE(f map[string][]byte, v *vocab, reader *byteLevel) (model, error) {
	o := bpeOptions{byteLevel: reader != nil}
	for key, to := range map[string]any{
		"unk_token": &o.unkToken, "continuing_subword_prefix": &o.prefix, "end_of_word_suffix": &o.suffix,
		"fuse_unk": &o.fuseUnk, "byte_fallback": &o.byteFallback, "ignore_merges": &o.ignoreMerges,
	} {
		if err := unmarshal(f[key], to); err != nil {
			return nil, err
		}
	}
	if o.prefix != "" || o.suffix != "" {
		o.byteLevel = false
	}
	merges, err := parseMerges(f["merges"], v, len(o.prefix))
	if err != nil {
		return nil, err
	}
	return newBPE(v, merges, o)
}

// parseMerges reads ["a b", …] or [["a", "b"], …], best first.
func parseMerges(raw []byte, v *vocab, prefix int) ([]merge, error) {
	r := &jsonReader{data: raw}
	b := mergeBuilder{vocab: v, prefix: prefix, merges: make([]merge, 0, bytes.Count(raw, []byte{','})/2)}
	var left []byte
	err := r.array(func() error {
		if r.peek() == '"' {
			line, err := r.str()
			if err != nil {
				return err
			}
			return b.addLine(line)
		}
		if err := r.expect('['); err != nil {
			return err
		}
		a, err := r.str()
		if err != nil {
			return err
		}
		left = append(left[:0], a...)
		if err := r.expect(','); err != nil {
			return err
		}
		right, err := r.str()
		if err != nil {
			return err
		}
		if err := r.expect(']'); err != nil {
			return err
		}
		return b.add(left, right)
	})
	return b.merges, err
}

// mergeBuilder collects merges by the texts of their tokens.
type mergeBuilder struct {
	vocab  *vocab
	prefix int // bytes of the prefix of inner tokens, which a merge drops
	merges []merge
	text   []byte
}

// addLine adds a line of merges.txt.
func (b *mergeBuilder) addLine(line []byte) error {
	if bytes.HasPrefix(line, []byte("#version")) {
		return nil
	}
	left, right, ok := bytes.Cut(line, []byte{' '})
	if !ok || bytes.IndexByte(right, ' ') >= 0 {
		return fmt.Errorf("%w: merge %d is %.80q, not two tokens", ErrFormat, len(b.merges)+1, line)
	}
	return b.add(left, right)
}

func (b *mergeBuilder) add(left, right []byte) error {
	if len(right) < b.prefix {
		return fmt.Errorf("%w: merge %d lacks the prefix of inner tokens", ErrFormat, len(b.merges)+1)
	}
	b.text = append(append(b.text[:0], left...), right[b.prefix:]...)
	m := merge{rank: uint32(len(b.merges))}
	for _, part := range []struct {
		text []byte
		id   *ID
	}{{left, &m.left}, {right, &m.right}, {b.text, &m.to}} {
		id, ok := b.vocab.find(part.text)
		if !ok {
			return fmt.Errorf("%w: merge %d needs the token %.80q, which the vocabulary lacks", ErrFormat, len(b.merges)+1, part.text)
		}
		*part.id = id
	}
	if len(b.merges) >= 4*maxTokens {
		return fmt.Errorf("%w: too many merges", ErrFormat)
	}
	b.merges = append(b.merges, m)
	return nil
}

func parseAdded(raw []byte) ([]AddedToken, error) {
	if absent(raw) {
		return nil, nil
	}
	var list []struct {
		ID         ID     `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}
	if err := unmarshal(raw, &list); err != nil {
		return nil, err
	}
	out := make([]AddedToken, len(list))
	for i, t := range list {
		out[i] = AddedToken(t)
	}
	return out, nil
}

func parseTruncation(raw []byte) (*Truncation, error) {
	if absent(raw) {
		return nil, nil
	}
	var f struct {
		Direction string `json:"direction"`
		MaxLength int    `json:"max_length"`
		Strategy  string `json:"strategy"`
		Stride    int    `json:"stride"`
	}
	if err := unmarshal(raw, &f); err != nil {
		return nil, err
	}
	t := &Truncation{MaxLength: f.MaxLength, Stride: f.Stride, Left: f.Direction == "Left"}
	switch f.Strategy {
	case "LongestFirst", "":
	case "OnlyFirst":
		t.Strategy = OnlyFirst
	case "OnlySecond":
		t.Strategy = OnlySecond
	default:
		return nil, fmt.Errorf("%w: unknown truncation strategy %q", ErrFormat, f.Strategy)
	}
	if t.MaxLength < 0 || t.Stride < 0 {
		return nil, fmt.Errorf("%w: negative truncation", ErrFormat)
	}
	return t, nil
}

func parsePadding(raw []byte) (*Padding, error) {
	if absent(raw) {
		return nil, nil
	}
	var f struct {
		Strategy  any    `json:"strategy"`
		Direction string `json:"direction"`
		Multiple  *int   `json:"pad_to_multiple_of"`
		ID        ID     `json:"pad_id"`
		TypeID    uint8  `json:"pad_type_id"`
		Token     string `json:"pad_token"`
	}
	if err := unmarshal(raw, &f); err != nil {
		return nil, err
	}
	p := &Padding{Left: f.Direction == "Left", ID: f.ID, TypeID: f.TypeID, Token: f.Token}
	if f.Multiple != nil {
		p.MultipleOf = *f.Multiple
	}
	if fixed, ok := f.Strategy.(map[string]any); ok {
		n, ok := fixed["Fixed"].(float64)
		if !ok || n < 0 || n > maxPadding {
			return nil, fmt.Errorf("%w: padding strategy %v", ErrFormat, f.Strategy)
		}
		p.Length = int(n)
	}
	return p, nil
}
