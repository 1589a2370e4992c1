package tokenizers

import (
	"bytes"
	"unicode/utf8"
)

// spaceMark is how SentencePiece writes a space.
const spaceMark = "▁"

// breaks is a character that may follow another only as the beginning of
// another token: a text may be cut before it without a change of the result,
// unless it follows itself. SentencePiece models without a pre-tokenizer get
// whole texts as one word.
func (m *bpe) breaks() string {
	if m.byteLevel || m.ignoreMerges || m.prefix != "" || m.suffix != "" {
		return ""
	}
	mark, _ := utf8.DecodeRuneInString(spaceMark)
	if m.runeIDs[0].find(mark) == noID {
		return ""
	}
	for i := range m.vocab.tokens {
		token := bytes.TrimLeft(m.vocab.token(i), spaceMark)
		if bytes.Contains(token, []byte(spaceMark)) {
			return ""
		}
	}
	return spaceMark
}
