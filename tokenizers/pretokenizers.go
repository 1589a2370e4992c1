package tokenizers

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"sync"
	"unicode/utf8"
)

// words is a text on its way through pre-tokenizers: normalized text and the
// splits of it that are left. Splits that are added tokens stay as they are.
type words struct {
	*normalized
	splits []split
	next   []split
	parts  []stretch
}

// stretch is a match of a pattern, or what lies between matches.
type stretch struct {
	from, to int32
	match    bool
}

// preTokenizer splits text into words.
type preTokenizer interface {
	preTokenize(w *words) error
}

type preTokenizerSequence []preTokenizer

func (q preTokenizerSequence) preTokenize(w *words) error {
	for _, one := range q {
		if err := one.preTokenize(w); err != nil {
			return err
		}
	}
	return nil
}

// behavior says what becomes of the matches that text is split at.
type behavior uint8

const (
	removed            behavior = iota // "a-b" at "-": a b
	isolated                           // a - b
	mergedWithPrevious                 // a- b
	mergedWithNext                     // a -b
	contiguous                         // like isolated, but neighbours stay together
)

func parseBehavior(name string) (behavior, error) {
	for i, known := range []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"} {
		if name == known {
			return behavior(i), nil
		}
	}
	return 0, fmt.Errorf("%w: unknown split behavior %q", ErrFormat, name)
}

// emit appends a split unless it is empty.
func (w *words) emit(from, to int32) {
	if from < to {
		w.next = append(w.next, split{from, to, noID})
	}
}

// each calls f for every split that is not an added token; f emits what
// becomes of it.
func (w *words) each(f func(s split) error) error {
	w.next = w.next[:0]
	for _, s := range w.splits {
		if s.id != noID {
			w.next = append(w.next, s)
			continue
		}
		if err := f(s); err != nil {
			return err
		}
	}
	w.splits, w.next = w.next, w.splits
	return nil
}

// splitter splits at the matches of a pattern.
type splitter struct {
	pattern  matcher
	behavior behavior
	invert   bool // split between the matches instead
}

func (p *splitter) preTokenize(w *words) error {
	if s, ok := p.pattern.(*scanner); ok && (p.behavior == isolated || p.behavior == removed && p.invert) {
		return w.each(func(sp split) error {
			text := w.text[sp.from:sp.to]
			for at := 0; at < len(text); {
				end := s.end(text, at)
				w.next = append(w.next, split{sp.from + int32(at), sp.from + int32(end), noID})
				at = end
			}
			return nil
		})
	}
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		parts := w.parts[:0]
		at := int32(0)
		m, err := p.pattern.find(text, 0)
		for err == nil && m != noMatch {
			if at != m.start {
				parts = append(parts, stretch{at, m.start, p.invert})
			}
			parts = append(parts, stretch{m.start, m.end, !p.invert})
			at = m.end
			m, err = nextMatch(p.pattern, text, m)
		}
		if err != nil {
			return err
		}
		if int(at) != len(text) {
			parts = append(parts, stretch{at, int32(len(text)), p.invert})
		}
		w.parts = parts
		w.join(sp.from, p.behavior)
		return nil
	})
}

// classSplitter splits at the characters of a class.
type classSplitter struct {
	classes  *classTable
	of       class
	behavior behavior
}

func (p *classSplitter) preTokenize(w *words) error {
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		if p.behavior == removed || p.behavior == isolated {
			p.direct(w, text, sp.from)
			return nil
		}
		parts := w.parts[:0]
		at := 0
		for i := 0; i < len(text); {
			r, size := decodeRune(text[i:])
			if p.classes.of(r)&p.of != 0 {
				if at < i {
					parts = append(parts, stretch{int32(at), int32(i), false})
				}
				at = i + size
				parts = append(parts, stretch{int32(i), int32(at), true})
			}
			i += size
		}
		if at < len(text) {
			parts = append(parts, stretch{int32(at), int32(len(text)), false})
		}
		w.parts = parts
		w.join(sp.from, p.behavior)
		return nil
	})
}

// whitespace splits into runs of word characters and runs of others that are
// no spaces, which it drops: \w+|[^\w\s]+ with the tables of the regex crate.
type whitespace struct{ classes *classTable }

func (p whitespace) preTokenize(w *words) error {
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		start := 0
		last := isRegexSpace
		for i := 0; i < len(text); {
			r, size := decodeRune(text[i:])
			kind := p.classes.of(r) & (isRegexWord | isRegexSpace)
			if kind&isRegexWord != 0 {
				kind = isRegexWord
			}
			if kind != last {
				if last != isRegexSpace {
					w.emit(sp.from+int32(start), sp.from+int32(i))
				}
				start, last = i, kind
			}
			i += size
		}
		if last != isRegexSpace {
			w.emit(sp.from+int32(start), sp.to)
		}
		return nil
	})
}

// direct splits without a list of parts.
func (p *classSplitter) direct(w *words, text []byte, base int32) {
	at := 0
	for i := 0; i < len(text); {
		var k class
		size := 1
		if c := text[i]; c < utf8.RuneSelf {
			k = p.classes.ascii[c]
		} else {
			var r rune
			r, size = utf8.DecodeRune(text[i:])
			k = p.classes.of(r)
		}
		if k&p.of != 0 {
			w.emit(base+int32(at), base+int32(i))
			at = i + size
			if p.behavior == isolated {
				w.emit(base+int32(i), base+int32(at))
			}
		}
		i += size
	}
	w.emit(base+int32(at), base+int32(len(text)))
}

// join emits the parts of a split that starts at base, joined as the behavior
// says.
func (w *words) join(base int32, b behavior) {
	parts := w.parts
	switch b {
	case isolated:
		for _, p := range parts {
			w.emit(base+p.from, base+p.to)
		}
	case removed:
		for _, p := range parts {
			if !p.match {
				w.emit(base+p.from, base+p.to)
			}
		}
	case mergedWithNext:
		first, previous := len(w.next), false
		for i := len(parts) - 1; i >= 0; i-- {
			p := parts[i]
			if p.match && !previous && len(w.next) > first {
				w.next[len(w.next)-1].from = base + p.from
			} else {
				w.next = append(w.next, split{base + p.from, base + p.to, noID})
			}
			previous = p.match
		}
		slices.Reverse(w.next[first:])
		w.dropEmpty(first)
	default:
		first, previous := len(w.next), false
		for _, p := range parts {
			joins := p.match && !previous
			if b == contiguous {
				joins = p.match == previous
			}
			if joins && len(w.next) > first {
				w.next[len(w.next)-1].to = base + p.to
			} else {
				w.next = append(w.next, split{base + p.from, base + p.to, noID})
			}
			previous = p.match
		}
		w.dropEmpty(first)
	}
}

// dropEmpty removes the empty ones of the splits from first on.
func (w *words) dropEmpty(first int) {
	kept := slices.DeleteFunc(w.next[first:], func(s split) bool { return s.from >= s.to })
	w.next = w.next[:first+len(kept)]
}

// rewriteSplits writes a new text, split by split: f appends what becomes of
// the bytes of one to text, and their spans to align if there are offsets.
func (w *words) rewriteSplits(f func(s split, text []byte, align []span) ([]byte, []span)) {
	text, align := w.rewrite()
	for i, s := range w.splits {
		from := len(text)
		if s.id != noID {
			text = append(text, w.text[s.from:s.to]...)
			if w.offsets {
				align = append(align, w.align[s.from:s.to]...)
			}
		} else {
			text, align = f(s, text, align)
		}
		w.splits[i].from, w.splits[i].to = int32(from), int32(len(text))
	}
	w.finish(text, align)
}

// byteLevel splits by GPT-2's pattern and writes bytes as visible characters.
type byteLevel struct {
	prefixSpace bool
	split       *splitter // nil without the pattern
	mapBytes    bool      // false if the model reads raw bytes itself
}

func (b *byteLevel) preTokenize(w *words) error {
	if b.prefixSpace {
		b.addSpaces(w)
	}
	if b.split != nil {
		if err := b.split.preTokenize(w); err != nil {
			return err
		}
	}
	if !b.mapBytes {
		return nil
	}
	w.rewriteSplits(func(s split, text []byte, align []span) ([]byte, []span) {
		for i := s.from; i < s.to; i++ {
			before := len(text)
			text = utf8.AppendRune(text, byteRunes[w.text[i]])
			for range len(text) - before {
				if w.offsets {
					align = append(align, w.align[i])
				}
			}
		}
		return text, align
	})
	return nil
}

func (b *byteLevel) addSpaces(w *words) {
	lacking := func(s split) bool { return s.id == noID && !startsWithSpace(w.text[s.from:s.to]) }
	if !slices.ContainsFunc(w.splits, lacking) {
		return
	}
	w.rewriteSplits(func(s split, text []byte, align []span) ([]byte, []span) {
		if lacking(s) {
			text = append(text, ' ')
			if w.offsets {
				align = append(align, w.align[s.from])
			}
		}
		text = append(text, w.text[s.from:s.to]...)
		if w.offsets {
			align = append(align, w.align[s.from:s.to]...)
		}
		return text, align
	})
}

// prependScheme says where Metaspace puts a space before the text.
type prependScheme uint8

const (
	prependAlways prependScheme = iota
	prependFirst                // only at the start of the text
	prependNever
)

// metaspace writes spaces as a visible character and splits before it.
type metaspace struct {
	replacement string
	scheme      prependScheme
	split       bool
}

func newMetaspace(replacement string, scheme prependScheme, split bool) *metaspace {
	return &metaspace{replacement, scheme, split}
}

func (m *metaspace) preTokenize(w *words) error {
	w.rewriteSplits(func(s split, text []byte, align []span) ([]byte, []span) {
		old := w.text[s.from:s.to]
		prepend := m.scheme == prependAlways || m.scheme == prependFirst && w.spanOf(int(s.from), int(s.to)).start == 0
		if prepend && !startsWithSpace(old) && !bytes.HasPrefix(old, []byte(m.replacement)) {
			text = append(text, m.replacement...)
			for range len(m.replacement) {
				if w.offsets {
					align = append(align, w.align[s.from])
				}
			}
		}
		if !w.offsets {
			for {
				i := bytes.IndexByte(old, ' ')
				if i < 0 {
					return append(text, old...), align
				}
				text = append(append(text, old[:i]...), m.replacement...)
				old = old[i+1:]
			}
		}
		for i, c := range old {
			at := w.align[int(s.from)+i]
			if c != ' ' {
				text, align = append(text, c), append(align, at)
				continue
			}
			text = append(text, m.replacement...)
			for range len(m.replacement) {
				align = append(align, at)
			}
		}
		return text, align
	})
	if m.split {
		return m.splitBefore(w)
	}
	return nil
}

// splitBefore is the splitter, faster: every replacement begins a word, but
// one after another begins its own.
func (m *metaspace) splitBefore(w *words) error {
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		at := 0
		for at < len(text) {
			next := len(text)
			if from := at + 1; from < len(text) {
				if i := bytes.Index(text[from:], []byte(m.replacement)); i >= 0 {
					next = from + i
				}
			}
			w.emit(sp.from+int32(at), sp.from+int32(next))
			at = next
		}
		return nil
	})
}

// fixedLength splits every so many characters.
type fixedLength int

func (f fixedLength) preTokenize(w *words) error {
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		start, count := 0, 0
		for i := 0; i < len(text); {
			i += runeSize(text[i:])
			if count++; count == int(f) || i == len(text) {
				w.emit(sp.from+int32(start), sp.from+int32(i))
				start, count = i, 0
			}
		}
		return nil
	})
}

// unicodeScripts splits where the writing system changes.
type unicodeScripts struct{ table *scriptTable }

func (u unicodeScripts) preTokenize(w *words) error {
	return w.each(func(sp split) error {
		text := w.text[sp.from:sp.to]
		const none, any = -1, 0
		last := none
		start := -1
		for i := 0; i < len(text); {
			r, size := decodeRune(text[i:])
			script := int(u.table.of(r))
			if script != any && last != any && last != script {
				if start >= 0 {
					w.emit(sp.from+int32(start), sp.from+int32(i))
				}
				start = i
			}
			if script != any {
				last = script
			}
			i += size
		}
		if start >= 0 {
			w.emit(sp.from+int32(start), sp.to)
		}
		return nil
	})
}

// scriptTable numbers writing systems as the reference does; 0 goes with any.
type scriptTable struct {
	from []rune
	id   []uint8
}

var scripts = sync.OnceValue(func() *scriptTable {
	t := &scriptTable{}
	at := rune(0)
	for in := openTable(scriptMap); len(in) > 0; {
		from := at + in.next()
		if from > at || at == 0 {
			t.from, t.id = append(t.from, at), append(t.id, 0)
		}
		at = from + in.next()
		t.from, t.id = append(t.from, from), append(t.id, uint8(in.next()))
	}
	return t
})

func (t *scriptTable) of(r rune) uint8 {
	i := sort.Search(len(t.from), func(i int) bool { return t.from[i] > r }) - 1
	return t.id[max(i, 0)]
}
