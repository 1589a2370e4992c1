package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// caseMethod is a method of str without arguments that gives a string.
func caseMethod(name string) func(string) string {
	switch name {
	case "upper":
		return upper
	case "lower":
		return lower
	case "casefold":
		return func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "ß", "ss") }
	case "title":
		return titleCase
	case "capitalize":
		return capitalize
	case "swapcase":
		return swapCase
	}
	return nil
}

// upper is str.upper: as Go's, but sharp s becomes two letters.
func upper(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "ß", "SS") }

// lower is str.lower: the sigma at the end of a word has its own form.
func lower(s string) string {
	if !strings.ContainsRune(s, 'Σ') {
		return strings.ToLower(s)
	}
	runes := []rune(s)
	for i, c := range runes {
		runes[i] = unicode.ToLower(c)
		before := i > 0 && unicode.IsLetter(runes[i-1])
		after := i+1 < len(runes) && unicode.IsLetter(runes[i+1])
		if c == 'Σ' && before && !after {
			runes[i] = 'ς'
		}
	}
	return string(runes)
}

func swapCase(s string) string {
	var b strings.Builder
	for _, c := range s {
		if unicode.IsUpper(c) {
			b.WriteRune(unicode.ToLower(c))
			continue
		}
		b.WriteString(upper(string(c)))
	}
	return b.String()
}

func capitalize(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return titleRune(c) + lower(s[n:])
}

func titleRune(c rune) string {
	if c == 'ß' {
		return "Ss"
	}
	return string(unicode.ToTitle(c))
}

// titleCase is str.title: letters after letters are small, others capital.
func titleCase(s string) string {
	var b strings.Builder
	inside := false
	for _, c := range s {
		switch {
		case !unicode.IsLetter(c):
			b.WriteRune(c)
		case inside:
			b.WriteRune(unicode.ToLower(c))
		default:
			b.WriteString(titleRune(c))
		}
		inside = isCasedLetter(c)
	}
	return b.String()
}

func isCasedLetter(c rune) bool {
	return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
}

// isMethod is a method of str without arguments that gives a bool.
func isMethod(name string) func(string) bool {
	all := func(f func(rune) bool) func(string) bool {
		return func(s string) bool {
			return s != "" && strings.IndexFunc(s, func(c rune) bool { return !f(c) }) < 0
		}
	}
	switch name {
	case "isdigit":
		return all(func(c rune) bool { return unicode.IsDigit(c) || isSuperscript(c) })
	case "isdecimal":
		return all(unicode.IsDigit)
	case "isnumeric":
		return all(unicode.IsNumber)
	case "isalpha":
		return all(unicode.IsLetter)
	case "isalnum":
		return all(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) })
	case "isspace":
		return all(isSpace)
	case "isprintable":
		return func(s string) bool { return s == "" || all(isPrintable)(s) }
	case "isascii":
		return func(s string) bool { return s == "" || all(func(c rune) bool { return c < 0x80 })(s) }
	case "isupper":
		return func(s string) bool { return isCased(s, unicode.IsLower, unicode.IsUpper) }
	case "islower":
		return func(s string) bool { return isCased(s, unicode.IsUpper, unicode.IsLower) }
	case "istitle":
		return func(s string) bool {
			return isCased(s, func(rune) bool { return false }, isCasedLetter) && s == titleCase(s)
		}
	case "isidentifier":
		return func(s string) bool {
			c, _ := utf8.DecodeRuneInString(s)
			return s != "" && !unicode.IsDigit(c) && all(isWord)(s)
		}
	}
	return nil
}

func isSuperscript(c rune) bool {
	return c == '²' || c == '³' || c == '¹' || (c >= '⁰' && c <= '⁹') || (c >= '₀' && c <= '₉')
}

// isCased: s has letters that are wanted and none that are not.
func isCased(s string, unwanted, wanted func(rune) bool) bool {
	found := false
	for _, c := range s {
		if unwanted(c) || unicode.IsTitle(c) {
			return false
		}
		found = found || wanted(c)
	}
	return found
}
