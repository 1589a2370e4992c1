package tokenizers

import (
	"bytes"
	"unicode/utf8"
)

// normalizer rewrites text before it is split into words.
type normalizer interface {
	normalize(n *normalized, s *scratch) error
}

// scratch is what normalizers of one running Encode share.
type scratch struct {
	changes []change
	decomposer
	part normalized // of a text
}

type normalizerSequence []normalizer

func (q normalizerSequence) normalize(n *normalized, s *scratch) error {
	for _, one := range q {
		if len(n.text) == 0 {
			return nil
		}
		if err := one.normalize(n, s); err != nil {
			return err
		}
	}
	return nil
}

// asciiOnly reports whether the text has nothing but ASCII.
func asciiOnly(p []byte) bool {
	for len(p) >= 8 {
		if (uint64(p[0])|uint64(p[1])|uint64(p[2])|uint64(p[3])|uint64(p[4])|uint64(p[5])|uint64(p[6])|uint64(p[7]))&0x80 != 0 {
			return false
		}
		p = p[8:]
	}
	for _, c := range p {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

type lowercase struct{ classes *classTable }

func (l lowercase) normalize(n *normalized, s *scratch) error {
	if asciiOnly(n.text) {
		lowerASCII(n.text)
		return nil
	}
	changes := s.changes[:0]
	changed := false
	for i := 0; i < len(n.text); {
		r, size := decodeRune(n.text[i:])
		i += size
		if l.classes.of(r)&hasLower == 0 {
			changes = append(changes, change{r, 0})
			continue
		}
		changed = true
		changes = appendExpansion(changes, lowerCases()[r])
	}
	s.changes = changes
	if changed {
		n.transform(changes, 0)
	}
	return nil
}

// appendExpansion puts several characters in the place of one.
func appendExpansion(changes []change, to []rune) []change {
	for k, r := range to {
		changes = append(changes, change{r, int32(min(k, 1))})
	}
	return changes
}

func lowerASCII(p []byte) {
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			p[i] = c | 0x20
		}
	}
}

type stripSpaces struct {
	classes     *classTable
	left, right bool
}

func (t stripSpaces) normalize(n *normalized, _ *scratch) error {
	from, to := 0, len(n.text)
	for t.left && from < to {
		r, size := decodeRune(n.text[from:])
		if t.classes.of(r)&isWhite == 0 {
			break
		}
		from += size
	}
	for t.right && from < to {
		r, size := utf8.DecodeLastRune(n.text[from:to])
		if t.classes.of(r)&isWhite == 0 {
			break
		}
		to -= size
	}
	n.cut(from, to)
	return nil
}

// cut keeps the bytes [from, to) of the text.
func (n *normalized) cut(from, to int) {
	n.text = append(n.text[:0], n.text[from:to]...)
	if n.align != nil {
		n.align = append(n.align[:0], n.align[from:to]...)
	}
	n.base += int32(from)
}

type stripAccents struct{ classes *classTable }

func (a stripAccents) normalize(n *normalized, s *scratch) error {
	if !asciiOnly(n.text) {
		n.filter(&s.changes, func(r rune) bool { return a.classes.of(r)&isCombining == 0 })
	}
	return nil
}

// nmt is the cleaning of Google's machine translation: controls go, odd
// spaces become spaces.
type nmt struct{}

func (nmt) normalize(n *normalized, s *scratch) error {
	n.filter(&s.changes, func(r rune) bool {
		return !(r >= 1 && r <= 8 || r == 0xB || r >= 0xE && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
	})
	mapRunes(n, s, func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	})
	return nil
}

// mapRunes replaces characters one by one.
func mapRunes(n *normalized, s *scratch, f func(rune) rune) {
	changes := s.changes[:0]
	changed := false
	for i := 0; i < len(n.text); {
		r, size := decodeRune(n.text[i:])
		i += size
		to := f(r)
		changed = changed || to != r
		changes = append(changes, change{to, 0})
	}
	s.changes = changes
	if changed {
		n.transform(changes, 0)
	}
}

type replacer struct {
	pattern matcher
	content string
}

func (r replacer) normalize(n *normalized, _ *scratch) error {
	return n.replace(r.pattern, r.content)
}

type prepender string

func (p prepender) normalize(n *normalized, _ *scratch) error {
	n.prepend(string(p))
	return nil
}

// byteLevelMapper writes every byte as a visible character.
type byteLevelMapper struct{}

func (byteLevelMapper) normalize(n *normalized, _ *scratch) error {
	n.mapBytes()
	return nil
}

// mapBytes writes every byte of the text as the visible character that
// byte-level vocabularies use for it.
func (n *normalized) mapBytes() {
	text, align := n.rewrite()
	for i, c := range n.text {
		before := len(text)
		text = utf8.AppendRune(text, byteRunes[c])
		if n.offsets {
			for range len(text) - before {
				align = append(align, n.align[i])
			}
		}
	}
	n.finish(text, align)
}

// bertNormalizer is BERT's basic cleaning.
type bertNormalizer struct {
	classes                         *classTable
	clean, chinese, accents, lowers bool
	decompose                       unicodeForm
}

func (b *bertNormalizer) normalize(n *normalized, s *scratch) error {
	if asciiOnly(n.text) {
		return b.normalizeASCII(n, s)
	}
	// What happens to a character depends on no ASCII around it, so that only
	// the rest takes the long way.
	text, align := n.rewrite()
	sub := &s.part
	sub.offsets = n.offsets
	for at := 0; at < len(n.text); {
		ascii := n.text[at] < utf8.RuneSelf
		end := at + 1
		for end < len(n.text) && (n.text[end] < utf8.RuneSelf) == ascii {
			end++
		}
		sub.text = append(sub.text[:0], n.text[at:end]...)
		if n.offsets {
			sub.align = append(sub.align[:0], n.align[at:end]...)
		}
		step := b.normalizeWide
		if ascii {
			step = b.normalizeASCII
		}
		if err := step(sub, s); err != nil {
			return err
		}
		text = append(text, sub.text...)
		if n.offsets {
			align = append(align, sub.align...)
		}
		at = end
	}
	n.finish(text, align)
	return nil
}

// normalizeWide is the whole normalization, step by step.
func (b *bertNormalizer) normalizeWide(n *normalized, s *scratch) error {
	if b.clean {
		n.filter(&s.changes, func(r rune) bool { return b.classes.of(r)&isControl == 0 })
		mapRunes(n, s, func(r rune) rune {
			if b.classes.of(r)&isWhite != 0 {
				return ' '
			}
			return r
		})
	}
	if b.chinese {
		spaceChinese(n, s)
	}
	if b.accents {
		if err := b.decompose.normalize(n, s); err != nil {
			return err
		}
		n.filter(&s.changes, func(r rune) bool { return b.classes.of(r)&isAccent == 0 })
	}
	if b.lowers {
		return lowercase{b.classes}.normalize(n, s)
	}
	return nil
}

func (b *bertNormalizer) normalizeASCII(n *normalized, s *scratch) error {
	if b.clean {
		controls := false
		for i, c := range n.text {
			if c >= ' ' && c != 0x7F {
				continue
			}
			if b.classes.ascii[c]&isControl != 0 {
				controls = true
			} else {
				n.text[i] = ' '
			}
		}
		if controls {
			n.filter(&s.changes, func(r rune) bool { return b.classes.of(r)&isControl == 0 })
		}
	}
	if b.lowers {
		lowerASCII(n.text)
	}
	return nil
}

// isChinese holds for the CJK blocks that BERT splits into characters.
func isChinese(r rune) bool {
	return r >= 0x3400 && (r >= 0x4E00 && r <= 0x9FFF || r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF ||
		r >= 0x2A700 && r <= 0x2B73F || r >= 0x2B740 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F)
}

func spaceChinese(n *normalized, s *scratch) {
	changes := s.changes[:0]
	found := false
	for i := 0; i < len(n.text); {
		r, size := decodeRune(n.text[i:])
		i += size
		if isChinese(r) {
			found = true
			changes = append(changes, change{' ', 0}, change{r, 1}, change{' ', 1})
			continue
		}
		changes = append(changes, change{r, 0})
	}
	s.changes = changes
	if found {
		n.transform(changes, 0)
	}
}

// byteRunes is GPT-2's alphabet: printable Latin-1 stands for itself, the
// other bytes for characters from U+0100 on.
var byteRunes = func() (to [256]rune) {
	next := rune(256)
	for b := range to {
		switch {
		case b >= '!' && b <= '~', b >= 0xA1 && b <= 0xAC, b >= 0xAE:
			to[b] = rune(b)
		default:
			to[b] = next
			next++
		}
	}
	return to
}()

// runeBytes is the inverse of byteRunes; -1 for no byte.
var runeBytes = func() (to [0x144]int16) {
	for i := range to {
		to[i] = -1
	}
	for b, r := range byteRunes {
		to[r] = int16(b)
	}
	return to
}()

// byteOfRune is the byte that a character of the byte-level alphabet stands
// for.
func byteOfRune(r rune) (byte, bool) {
	if r < 0 || int(r) >= len(runeBytes) || runeBytes[r] < 0 {
		return 0, false
	}
	return byte(runeBytes[r]), true
}

// appendUnmapped appends the bytes that a byte-level token stands for. ok is
// false, and to unchanged, if a character is not of the alphabet.
func appendUnmapped(to []byte, token string) (out []byte, ok bool) {
	before := len(to)
	for _, r := range token {
		b, ok := byteOfRune(r)
		if !ok {
			return to[:before], false
		}
		to = append(to, b)
	}
	return to, true
}

var spaceBytes = []byte(" ")

// startsWithSpace is what "add_prefix_space" looks at.
func startsWithSpace(p []byte) bool { return bytes.HasPrefix(p, spaceBytes) }
