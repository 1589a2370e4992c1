package tokenizers

import (
	"fmt"
	"strings"
)

// sentencePiece reads a SentencePiece model and frames texts as the class
// does.
func (f *folder) sentencePiece() (*chain, error) {
	data, err := f.first("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model")
	if data == nil || err != nil {
		return nil, err
	}
	m, err := parseSPM(data)
	if err != nil {
		return nil, fmt.Errorf("SentencePiece model: %w", err)
	}
	switch f.class {
	case "xlmroberta":
		return f.fairseq(m)
	case "mbart", "mbart50", "nllb", "camembert", "pegasus", "bigbird", "xlnet", "deberta", "debertav2":
		return nil, fmt.Errorf("%w: the files of %s without tokenizer.json are not known; save it again with save_pretrained", ErrFormat, f.class)
	}
	c, err := m.chain(nil)
	if err != nil {
		return nil, err
	}
	c.special = f.merge(c.special)
	bos, eos := false, false
	switch f.class {
	case "t5", "mt5":
		eos = true
		c.added = append(c.added, extraIDs(len(m.pieces), or(f.config.ExtraIDs, 100))...)
	case "albert":
		return f.albert(c)
	default: // llama, gemma, mistral and their like
		bos = true
		if n, ok := c.normalizer.(*spmNormalizer); ok && !or(f.config.AddPrefix, n.dummyPrefix) {
			n.dummyPrefix = false
		}
		if !or(f.config.Legacy, true) {
			// Only the start of the text gets a space, unless it has one.
			scheme := prependFirst
			if !or(f.config.AddPrefix, true) {
				scheme = prependNever
			}
			c.normalizer = nil
			c.preTokenizer = newMetaspace(spaceMark, scheme, false)
			for _, p := range m.pieces {
				if p.kind == pieceUserDefined && p.text != "" {
					c.added = append(c.added, AddedToken{Content: p.text})
				}
			}
		}
	}
	var before, after []frame
	if or(f.config.AddBOS, bos) {
		if before, err = nameFrame(c, c.special.BOS, 0); err != nil {
			return nil, err
		}
	}
	if or(f.config.AddEOS, eos) {
		if after, err = nameFrame(c, c.special.EOS, 0); err != nil {
			return nil, err
		}
	}
	c.post.single = append(append(append([]frame{}, before...), frame{text: 0}), after...)
	second := frame{text: 1}
	if bos { // llama's types tell the texts apart, T5 has none
		second.typeID = 1
		before, after = retyped(before, 1), retyped(after, 1)
	}
	c.post.pair = append(append([]frame{}, c.post.single...), before...)
	c.post.pair = append(append(c.post.pair, second), after...)
	return c, nil
}

func retyped(frames []frame, typeID uint8) []frame {
	out := append([]frame{}, frames...)
	for i := range out {
		out[i].typeID = typeID
	}
	return out
}

// nameFrame is the frame of a special token.
func nameFrame(c *chain, name string, typeID uint8) ([]frame, error) {
	id, ok := c.model.vocabulary().find([]byte(name))
	if !ok {
		return nil, fmt.Errorf("%w: the vocabulary lacks the special token %q", ErrFormat, name)
	}
	return []frame{special(id, typeID)}, nil
}

// extraIDs are T5's sentinels, after the pieces, the last first.
func extraIDs(first, n int) []AddedToken {
	var out []AddedToken
	for i := min(n, 1000) - 1; i >= 0; i-- {
		out = append(out, AddedToken{ID: ID(first + n - 1 - i), Content: fmt.Sprintf("<extra_id_%d>", i), Special: true})
	}
	return out
}

// albert lower-cases and takes accents off before SentencePiece.
func (f *folder) albert(c *chain) (*chain, error) {
	cl := classes()
	pre := normalizerSequence{replacer{literal("``"), `"`}, replacer{literal("''"), `"`}}
	if !f.config.KeepAccents {
		pre = append(pre, unicodeForm{classes: cl, compat: true}, stripAccents{cl})
	}
	if or(f.config.LowerCase, true) {
		pre = append(pre, lowercase{cl})
	}
	c.normalizer = append(pre, c.normalizer)
	c.special = f.merge(Special{BOS: "[CLS]", EOS: "[SEP]", UNK: "<unk>", SEP: "[SEP]", PAD: "<pad>", CLS: "[CLS]", Mask: "[MASK]"})
	sep, cls, err := ends(c.model.vocabulary(), c.special.SEP, c.special.CLS)
	c.post = bertFrames(sep, cls)
	return c, err
}

// fairseq is XLM-RoBERTa's numbering: four special tokens, then the pieces but
// for the first three, then the mask.
func (f *folder) fairseq(m *spmModel) (*chain, error) {
	ids := make([]ID, len(m.pieces))
	for i := range ids {
		ids[i] = ID(i) + 1
		if i < 3 {
			ids[i] = 3 // unknown; <s> and </s> are added tokens
		}
	}
	c, err := m.chain(ids)
	if err != nil {
		return nil, err
	}
	v := c.model.vocabulary()
	for id, name := range []string{"<s>", "<pad>", "</s>", "<unk>"} {
		if err := v.add([]byte(name), ID(id)); err != nil {
			return nil, err
		}
		c.added = append(c.added, AddedToken{Content: name, Special: true})
	}
	if err := v.add([]byte("<mask>"), ID(len(m.pieces)+1)); err != nil {
		return nil, err
	}
	c.added = append(c.added, AddedToken{Content: "<mask>", LStrip: true, Special: true})
	c.special = Special{BOS: "<s>", EOS: "</s>", UNK: "<unk>", SEP: "</s>", PAD: "<pad>", CLS: "<s>", Mask: "<mask>"}
	c.post = robertaFrames(2, 0)
	return c, nil
}

// marian reads source.spm with vocab.json: SentencePiece splits, vocab.json
// numbers. Language codes (>>fr<<) are cut out of the text.
func (f *folder) marian() (*chain, error) {
	data, err := f.read("source.spm")
	if data == nil || err != nil {
		return nil, err
	}
	m, err := parseSPM(data)
	if err != nil {
		return nil, fmt.Errorf("source.spm: %w", err)
	}
	raw, err := f.read("vocab.json")
	if err != nil {
		return nil, err
	}
	v, err := parseVocab(raw)
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	names := f.merge(Special{EOS: "</s>", UNK: "<unk>", PAD: "<pad>"})
	unk, ok := v.find([]byte(names.UNK))
	if !ok {
		return nil, fmt.Errorf("%w: vocab.json lacks %q", ErrFormat, names.UNK)
	}
	ids := make([]ID, len(m.pieces))
	for i, p := range m.pieces {
		if ids[i], ok = v.find([]byte(p.text)); !ok {
			ids[i] = unk
		}
	}
	c, err := m.chain(ids)
	if err != nil {
		return nil, err
	}
	// vocab.json joins the pieces of both languages, of which source.spm knows one.
	r := c.model.(*remapped)
	r.vocab, r.spelled = v, true
	c.special = names
	for i := range v.tokens {
		if text := string(v.token(i)); strings.HasPrefix(text, ">>") && strings.HasSuffix(text, "<<") {
			c.added = append(c.added, AddedToken{Content: text, RStrip: true})
		}
	}
	eos, err := nameFrame(c, names.EOS, 0)
	if err != nil {
		return nil, err
	}
	c.post.single = append([]frame{{text: 0}}, eos...)
	c.post.pair = append([]frame{{text: 0}, {text: 1}}, eos...)
	return c, nil
}
