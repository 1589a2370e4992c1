package tokenizers

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// charsmap is SentencePiece's compiled normalizer: a Darts double array from
// character sequences to offsets of NUL-terminated replacements.
type charsmap struct {
	units        []uint32
	replacements string
	// ascii[c] says that neither the character nor a cluster that starts with
	// it and goes on with ASCII is rewritten.
	ascii [128]bool
}

// newCharsmap reads the blob: length of the trie in bytes (uint32), the trie,
// the replacements. An empty blob maps nothing.
func newCharsmap(blob []byte) (*charsmap, error) {
	m := &charsmap{}
	if len(blob) == 0 {
		blob = make([]byte, 4)
	}
	if len(blob) < 4 {
		return nil, fmt.Errorf("%w: a charsmap of %d bytes", ErrFormat, len(blob))
	}
	size := uint64(binary.LittleEndian.Uint32(blob))
	blob = blob[4:]
	if size > uint64(len(blob)) {
		return nil, fmt.Errorf("%w: a charsmap's trie is longer than the charsmap", ErrFormat)
	}
	m.units = make([]uint32, size/4)
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	m.replacements = string(blob[size/4*4:])
	if !utf8.ValidString(m.replacements) {
		return nil, fmt.Errorf("%w: a charsmap's replacements are not UTF-8", ErrFormat)
	}
	for c := range m.ascii {
		_, found := m.lookup([]byte{byte(c)})
		m.ascii[c] = !found
	}
	return m, nil
}

// lookup finds the replacement of the shortest prefix of key in the map.
func (m *charsmap) lookup(key []byte) (to string, found bool) {
	m.prefixes(key, func(text string, _ int) bool {
		to, found = text, true
		return false
	})
	return to, found
}

// longest finds the replacement of the longest prefix of key, and its length.
func (m *charsmap) longest(key []byte) (to []byte, size int, found bool) {
	if c := key[0]; c < utf8.RuneSelf && m.ascii[c] && (len(key) == 1 || key[1] < utf8.RuneSelf && c != '\r') {
		return nil, 0, false
	}
	m.prefixes(key, func(text string, n int) bool {
		to, size, found = []byte(text), n, true
		return true
	})
	return to, size, found
}

// prefixes calls f for the prefixes of key in the map, from short to long,
// until it returns false.
func (m *charsmap) prefixes(key []byte, f func(to string, size int) bool) {
	if len(m.units) == 0 {
		return
	}
	at := offsetOf(m.units[0])
	for i, c := range key {
		if c == 0 {
			return
		}
		at ^= uint32(c)
		if uint64(at) >= uint64(len(m.units)) {
			return
		}
		unit := m.units[at]
		if unit&(1<<31|0xFF) != uint32(c) {
			return
		}
		at ^= offsetOf(unit)
		if unit>>8&1 == 1 {
			if uint64(at) >= uint64(len(m.units)) {
				return
			}
			to, ok := m.replacement(m.units[at] &^ (1 << 31))
			if !ok || !f(to, i+1) {
				return
			}
		}
	}
}

func offsetOf(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

func (m *charsmap) replacement(at uint32) (string, bool) {
	if uint64(at) > uint64(len(m.replacements)) {
		return "", false
	}
	end := int(at)
	for end < len(m.replacements) && m.replacements[end] != 0 {
		end++
	}
	if !utf8.ValidString(m.replacements[at:end]) {
		return "", false
	}
	return m.replacements[at:end], true
}

// normalize replaces whole grapheme clusters of fewer than 6 bytes if their
// beginning is in the map, and else character by character: what the reference
// does, though SentencePiece itself takes the longest match.
func (m *charsmap) normalize(n *normalized, s *scratch) error {
	changes := s.changes[:0]
	modified := false
	segmenter := clusters{text: n.text, classes: graphemes()}
	for i := 0; i < len(n.text); {
		if c := n.text[i]; c < utf8.RuneSelf && m.ascii[c] && (i+1 == len(n.text) || n.text[i+1] < utf8.RuneSelf) && c != '\r' {
			changes = append(changes, change{rune(c), 0})
			i++
			continue
		}
		end := segmenter.end(i)
		if end-i < 6 {
			if to, ok := m.lookup(n.text[i:end]); ok {
				modified = true
				changes = appendReplacement(changes, utf8.RuneCount(n.text[i:end]), to)
				i = end
				continue
			}
		}
		for i < end {
			r, size := decodeRune(n.text[i:])
			if to, ok := m.lookup(n.text[i : i+size]); ok {
				modified = true
				changes = appendReplacement(changes, 1, to)
			} else {
				changes = append(changes, change{r, 0})
			}
			i += size
		}
	}
	s.changes = changes
	if modified {
		n.transform(changes, 0)
	}
	return nil
}

// appendReplacement puts to in the place of old characters, counted as the
// reference does: a replacement by nothing is charged to the character before
// it.
func appendReplacement(changes []change, old int, to string) []change {
	before := len(changes)
	for _, r := range to {
		changes = append(changes, change{r, 0})
	}
	diff := len(changes) - before - old
	switch {
	case diff > 0:
		for k := max(len(changes)-diff, 0); k < len(changes); k++ {
			changes[k].delta = 1
		}
	case diff < 0 && len(changes) > 0:
		changes[len(changes)-1].delta += int32(diff)
	}
	return changes
}
