package tokenizers

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func matchesOf(t testing.TB, m matcher, text string) []string {
	t.Helper()
	var out []string
	s, err := m.find([]byte(text), 0)
	for err == nil && s != noMatch {
		out = append(out, text[s.start:s.end])
		s, err = nextMatch(m, []byte(text), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestScannersArePatterns: what is scanned by hand is what the pattern
// matches.
func TestScannersArePatterns(t *testing.T) {
	alphabet := []string{"a", "B", "é", "ǅ", "ʰ", "文", "ั", "́", "1", "²", "Ⅷ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2028",
		"'s", "'S", "'ſ", "'LL", "'re", "'", ".", "/", "€", "_", "\U0001F600", "\u200d", "\x00", "Ab", "İ", "ß"}
	r := rand.New(rand.NewPCG(1, 2))
	for _, expr := range []string{gpt2Pattern, llamaPattern, qwenPattern, qwenMPattern, gpt4oPattern, tekkenPattern} {
		spec, err := compilePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		scan := scannerFor(expr)
		for range 20_000 {
			var b strings.Builder
			for range 1 + r.IntN(9) {
				b.WriteString(alphabet[r.IntN(len(alphabet))])
			}
			want, got := matchesOf(t, spec, b.String()), matchesOf(t, scan, b.String())
			if !slices.Equal(got, want) {
				t.Fatalf("%q of %.40s: scanned %q, the pattern matches %q", b.String(), expr, got, want)
			}
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		expr, text string
		want       []string
	}{
		{`a|ab`, "abab", []string{"a", "a"}},
		{`(?:a|ab)+c`, "ababc aac", []string{"ababc", "aac"}},
		{`a{2,3}?`, "aaaaa", []string{"aa", "aa"}},
		{`a++a|b`, "aaab", []string{"b"}},
		{`(?>ab?)b|c`, "abb ab c", []string{"abb", "c"}},
		{`\d{1,3}+`, "1234567", []string{"1234567"}},
		{`(?<=\d)x`, "x1x2y", []string{"x"}},
		{`(?<!\d|y)x`, "x1xyx x", []string{"x", "x"}},
		{`\bfoo\b`, "foo food foo", []string{"foo", "foo"}},
		{`^a|b$`, "a1b\naab", []string{"a", "b", "a", "b"}},
		{`[^\s\p{L}]+`, "ab1 2c", []string{"1", "2"}},
		{`\p{^L}`, "a1", []string{"1"}},
		{`(?i)straSSe`, "STRASSE", []string{"STRASSE"}},
		{`[\-a\]]+`, "b-a]c", []string{"-a]"}},
		{`x*`, "axxb", []string{"", "xx", ""}},
		{`(x*)*y`, "xxxy", []string{"xxxy"}},
		{`(?=(\d{3})+(?!\d))`, "1234567", []string{"", ""}},
		{`.`, "a\nb", []string{"a", "b"}},
		{`(?m).`, "\n", []string{"\n"}},
		{`\x41\u0042\x{43}`, "ABC", []string{"ABC"}},
		{`{a`, "{a", []string{"{a"}},
	} {
		m, err := compilePattern(c.expr)
		if err != nil {
			t.Errorf("%q: %v", c.expr, err)
			continue
		}
		if got := matchesOf(t, m, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q in %q: got %q, want %q", c.expr, c.text, got, c.want)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, expr := range []string{`(`, `)`, `[`, `[]`, `a**b(`, `*`, `\p{Nothing}`, `\p{`, `(?<n`, `(?q)`, `\1`, `[a&&b]`, `[z-a]`, `a{9999999}`, `\`,
		strings.Repeat("(", 1000), strings.Repeat("a", 1<<17)} {
		if _, err := compilePattern(expr); !errors.Is(err, ErrPattern) {
			t.Errorf("%.20q gives %v", expr, err)
		}
	}
}

// TestPatternsEnd: what would take forever is an error soon.
func TestPatternsEnd(t *testing.T) {
	for expr, text := range map[string]string{
		`(a*)*b`:      strings.Repeat("a", 5000),
		`(a|aa)+$b`:   strings.Repeat("a", 5000),
		`(?:x+x+)+y`:  strings.Repeat("x", 5000),
		`(?:ab|cd)+e`: strings.Repeat("abcd", 100_000),
	} {
		m, err := compilePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := m.find([]byte(text), 0); err != nil && !errors.Is(err, ErrPattern) {
			t.Errorf("%s gives %v", expr, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", expr, took)
		}
	}
}

// TestMergesAgree: the two ways to merge give the same.
func TestMergesAgree(t *testing.T) {
	v := newVocab(0)
	var merges []merge
	texts := []string{"a", "b", "c", "ab", "bc", "aa", "abc", "aab", "bb", "aabb", "ca", "cab", "abab"}
	for i, text := range texts {
		if err := v.add([]byte(text), ID(i)); err != nil {
			t.Fatal(err)
		}
	}
	b := mergeBuilder{vocab: v}
	for _, line := range []string{"a b", "b c", "a a", "ab c", "a ab", "b b", "aab b", "c a", "c ab", "ab ab", "a bc"} {
		if err := b.addLine([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	merges = b.merges
	m, err := newBPE(v, merges, bpeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		word := make([]byte, 1+r.IntN(longWord))
		for i := range word {
			word[i] = "abc"[r.IntN(3)]
		}
		var w worker
		symbols, _ := m.symbols(nil, word)
		long := slices.Clone(symbols)
		short := m.mergeShort(&w, symbols)
		m.mergeLong(&w, long)
		long = slices.DeleteFunc(long, func(s symbol) bool { return s.size == 0 })
		same := slices.EqualFunc(short, long, func(a, b symbol) bool { return a.id == b.id && a.size == b.size })
		if !same {
			t.Fatalf("%s: short %v, long %v", word, short, long)
		}
	}
}
