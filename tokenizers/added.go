package tokenizers

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// AddedToken is a token that is cut out of the text before the model sees it.
type AddedToken struct {
	ID      ID
	Content string
	// SingleWord: it counts only if no word character touches it.
	SingleWord bool
	// LStrip and RStrip: it takes the spaces before, or after, with it.
	LStrip, RStrip bool
	// Normalized: it is looked for in normalized text, in normalized form.
	Normalized bool
	// Special: decoding may skip it, and WithSplitSpecialTokens ignores it.
	Special bool
}

// addedTokens are the added tokens of a tokenizer.
type addedTokens struct {
	classes    *classTable
	byID       map[ID]*addedToken
	byContent  map[string]*addedToken
	raw        finder // of those matched in the text as given
	normalized finder // of those matched in normalized text
}

type addedToken struct {
	AddedToken
	// form is what decoding yields: the normalized content, as the decoders
	// undo what the normalizer did.
	form string
}

// finder looks for tokens in a text: leftmost, then longest.
type finder struct {
	trie  *trie // nil if there are none
	first [256]bool
}

func newFinder(keys []trieKey) finder {
	var f finder
	if len(keys) == 0 {
		return f
	}
	for _, k := range keys {
		f.first[k.key[0]] = true
	}
	f.trie = newTrie(keys)
	return f
}

// next finds the first match at from or later: its place and value.
func (f *finder) next(text []byte, from int) (start, end int, value int32) {
	for start = from; start < len(text); start++ {
		if !f.first[text[start]] {
			continue
		}
		value = noValue
		node := int32(trieRoot)
		for at := start; at < len(text); {
			if node = f.trie.child(node, text[at]); node < 0 {
				break
			}
			at++
			if v := f.trie.value(node); v != noValue {
				value, end = v, at
			}
		}
		if value != noValue {
			return start, end, value
		}
	}
	return -1, -1, noValue
}

// newAddedTokens gives ids to tokens, in order: that of the model or of an
// earlier one of the same content, or else the next free one. The ids in the
// list do not matter, as in the reference.
func newAddedTokens(list []AddedToken, v *vocab, norm normalizer) (*addedTokens, error) {
	a := &addedTokens{classes: classes(), byID: map[ID]*addedToken{}, byContent: map[string]*addedToken{}}
	if len(list) > maxTokens {
		return nil, fmt.Errorf("%w: %d added tokens", ErrFormat, len(list))
	}
	next := ID(v.tokens)
	for _, t := range list {
		if t.Content == "" {
			continue
		}
		if old, ok := a.byContent[t.Content]; ok {
			t.ID = old.ID
		} else if id, ok := v.find([]byte(t.Content)); ok {
			t.ID = id
		} else {
			t.ID = next
			next++
		}
		entry := &addedToken{AddedToken: t, form: t.Content}
		if t.Normalized && norm != nil {
			var n normalized
			n.reset(t.Content, 0)
			if err := norm.normalize(&n, &scratch{}); err != nil {
				return nil, err
			}
			entry.form = string(n.text)
		}
		a.byID[t.ID], a.byContent[t.Content] = entry, entry
	}
	var raw, norms []trieKey
	for _, id := range a.ids() {
		switch t := a.byID[id]; {
		case t.form == "":
		case t.Normalized:
			norms = append(norms, trieKey{[]byte(t.form), int32(id)})
		default:
			raw = append(raw, trieKey{[]byte(t.Content), int32(id)})
		}
	}
	a.raw, a.normalized = newFinder(raw), newFinder(norms)
	return a, nil
}

// ids are those of all added tokens, ascending.
func (a *addedTokens) ids() []ID {
	ids := make([]ID, 0, len(a.byID))
	for id := range a.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// split is a piece of a text: bytes [from, to). id is the added token it is,
// or noID.
type split struct {
	from, to int32
	id       ID
}

// appendSplits cuts the added tokens out of a text. Together the splits are
// the whole text.
func (a *addedTokens) appendSplits(out []split, text []byte, f *finder, splitSpecial bool) []split {
	done := 0
	for at := 0; f.trie != nil; {
		start, end, value := f.next(text, at)
		if value == noValue {
			break
		}
		at = end
		token := a.byID[ID(value)]
		if splitSpecial && token.Special || token.SingleWord && !a.isSingle(text, start, end) {
			continue
		}
		if token.LStrip {
			start = max(a.spacesBefore(text, start), done)
		}
		if token.RStrip {
			end = a.spacesAfter(text, end)
		}
		if done < start {
			out = append(out, split{int32(done), int32(start), noID})
		}
		out = append(out, split{int32(start), int32(end), ID(value)})
		done = end
	}
	if done < len(text) {
		out = append(out, split{int32(done), int32(len(text)), noID})
	}
	return out
}

func (a *addedTokens) isSingle(text []byte, start, end int) bool {
	if start > 0 {
		if r, _ := utf8.DecodeLastRune(text[:start]); a.classes.of(r)&isRegexWord != 0 {
			return false
		}
	}
	if end < len(text) {
		if r, _ := decodeRune(text[end:]); a.classes.of(r)&isRegexWord != 0 {
			return false
		}
	}
	return true
}

func (a *addedTokens) spacesBefore(text []byte, at int) int {
	for at > 0 {
		r, size := utf8.DecodeLastRune(text[:at])
		if a.classes.of(r)&isRegexSpace == 0 {
			break
		}
		at -= size
	}
	return at
}

func (a *addedTokens) spacesAfter(text []byte, at int) int {
	for at < len(text) {
		r, size := decodeRune(text[at:])
		if a.classes.of(r)&isRegexSpace == 0 {
			break
		}
		at += size
	}
	return at
}
