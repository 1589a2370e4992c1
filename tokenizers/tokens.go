package tokenizers

// ContinuingSubwordPrefix is what marks a token that does not begin a word
// ("##"), "" for a model that does not mark them.
func (t *Tokenizer) ContinuingSubwordPrefix() string {
	switch m := t.model.(type) {
	case *wordPiece:
		return m.prefix
	case *bpe:
		return m.prefix
	}
	return ""
}
