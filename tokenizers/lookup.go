package tokenizers

import "bytes"

// TokenToID is the id of a token, added or of the model.
func (t *Tokenizer) TokenToID(token string) (ID, bool) {
	if a, ok := t.added.byContent[token]; ok {
		return a.ID, true
	}
	return t.model.vocabulary().find([]byte(token))
}

// IDToToken is the token with an id, as the vocabulary writes it: with the
// visible characters of byte-level models, the mark of SentencePiece, the
// prefix of WordPiece.
func (t *Tokenizer) IDToToken(id ID) (string, bool) {
	if a, ok := t.added.byID[id]; ok {
		return a.Content, true
	}
	text, ok := t.model.vocabulary().text(id)
	return string(text), ok
}

// Tokens are the tokens of ids; "" for an id that none has.
func (t *Tokenizer) Tokens(ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i], _ = t.IDToToken(id)
	}
	return out
}

// VocabSize is the number of tokens, added ones included. Ids may be greater:
// see MaxID.
func (t *Tokenizer) VocabSize() int {
	v := t.model.vocabulary()
	n := v.tokens
	for content := range t.added.byContent {
		if _, ok := v.find([]byte(content)); !ok {
			n++
		}
	}
	return n
}

// MaxID is the greatest id that a token has.
func (t *Tokenizer) MaxID() ID {
	top := ID(max(len(t.model.vocabulary().byID)-1, 0))
	for id := range t.added.byID {
		top = max(top, id)
	}
	return top
}

// AddedTokens are the added tokens, by id.
func (t *Tokenizer) AddedTokens() []AddedToken {
	var out []AddedToken
	for _, id := range t.added.ids() {
		out = append(out, t.added.byID[id].AddedToken)
	}
	return out
}

// IsSpecial reports whether an id is a special added token, which decoding may
// skip.
func (t *Tokenizer) IsSpecial(id ID) bool {
	a, ok := t.added.byID[id]
	return ok && a.Special
}

// Bytes are the bytes that an id alone stands for, as constrained decoding
// needs them: those of a byte-level or byte-fallback token, or the text of
// another with the mark of SentencePiece as a space. ok is false for special
// tokens and ids without a token.
func (t *Tokenizer) Bytes(id ID) (text []byte, ok bool) {
	if a, added := t.added.byID[id]; added {
		return []byte(a.Content), !a.Special
	}
	token, ok := t.model.vocabulary().text(id)
	if !ok {
		return nil, false
	}
	switch decodesTo(t.decoder) {
	case byteLevelDecoder{}:
		if raw, ok := appendUnmapped(nil, string(token)); ok {
			return raw, true
		}
	case byteFallbackDecoder{}:
		if b, ok := byteToken(string(token)); ok {
			return []byte{b}, true
		}
	}
	return bytes.ReplaceAll(token, []byte(spaceMark), spaceBytes), true
}

// decodesTo finds the decoder that makes bytes; nil if none does.
func decodesTo(d decoder) decoder {
	switch d := d.(type) {
	case byteLevelDecoder, byteFallbackDecoder:
		return d
	case decoderSequence:
		for _, one := range d {
			if found := decodesTo(one); found != nil {
				return found
			}
		}
	}
	return nil
}
