package tokenizers

import (
	"fmt"
	"unicode/utf8"
)

// model splits a word into tokens of its vocabulary.
type model interface {
	// tokenize appends the tokens of a word that is not empty and valid UTF-8
	// (or, in a byte-level BPE, any bytes).
	tokenize(w *worker, word []byte, out []piece) ([]piece, error)
	vocabulary() *vocab
}

// wordPiece takes the longest token from the left, again and again.
// Source: Schuster and Nakajima 2012, and BERT.
type wordPiece struct {
	vocab    *vocab
	trie     *trie
	prefix   string
	inner    int32 // node of trie after the prefix of tokens within a word; -1 if there is none
	unk      ID    // noID if the vocabulary lacks it
	unkToken string
	maxRunes int // longer words are unknown
}

func newWordPiece(v *vocab, unk, prefix string, maxRunes int) *wordPiece {
	m := &wordPiece{vocab: v, unk: noID, unkToken: unk, maxRunes: maxRunes}
	if id, ok := v.find([]byte(unk)); ok {
		m.unk = id
	}
	m.trie = vocabTrie(v)
	m.prefix = prefix
	m.inner = m.trie.walk(trieRoot, []byte(prefix))
	return m
}

// vocabTrie is a trie of the tokens of a vocabulary.
func vocabTrie(v *vocab) *trie {
	keys := make([]trieKey, v.tokens)
	for i := range keys {
		keys[i] = trieKey{v.token(i), int32(v.ids[i])}
	}
	return newTrie(keys)
}

func (m *wordPiece) vocabulary() *vocab { return m.vocab }

func (m *wordPiece) tokenize(_ *worker, word []byte, out []piece) ([]piece, error) {
	before := len(out)
	if len(word) > m.maxRunes && utf8.RuneCount(word) > m.maxRunes {
		return m.unknown(word, out)
	}
	node := int32(trieRoot)
	for from := 0; from < len(word); node = m.inner {
		id, end := int32(noValue), 0
		for at := from; node >= 0 && at < len(word); at++ {
			if node = m.trie.child(node, word[at]); node < 0 {
				break
			}
			if v := m.trie.value(node); v != noValue {
				id, end = v, at+1
			}
		}
		if id == noValue {
			return m.unknown(word, out[:before])
		}
		out = append(out, piece{ID(id), int32(from), int32(end)})
		from = end
	}
	return out, nil
}

func (m *wordPiece) unknown(word []byte, out []piece) ([]piece, error) {
	if m.unk == noID {
		return nil, missingUnknown(m.unkToken)
	}
	return append(out, piece{m.unk, 0, int32(len(word))}), nil
}

func missingUnknown(token string) error {
	return fmt.Errorf("the text has unknown words and the vocabulary lacks %q", token)
}

// wordLevel has whole words only.
type wordLevel struct {
	vocab    *vocab
	unk      ID
	unkToken string
}

func newWordLevel(v *vocab, unk string) *wordLevel {
	m := &wordLevel{vocab: v, unk: noID, unkToken: unk}
	if id, ok := v.find([]byte(unk)); ok {
		m.unk = id
	}
	return m
}

func (m *wordLevel) vocabulary() *vocab { return m.vocab }

func (m *wordLevel) tokenize(_ *worker, word []byte, out []piece) ([]piece, error) {
	id, ok := m.vocab.find(word)
	if !ok {
		if id = m.unk; id == noID {
			return nil, missingUnknown(m.unkToken)
		}
	}
	return append(out, piece{id, 0, int32(len(word))}), nil
}
