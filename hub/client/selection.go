package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pantryhub/pantry/hub"
)

// Selection chooses files of a repository. The zero value is all of them.
type Selection struct {
	// Files are paths that must be there. With Files and no Include, only
	// these are chosen.
	Files []string
	// Include and Exclude are patterns in the language of Python's fnmatch: *
	// and ? match slashes too, "logs/" is "logs/*". A file is chosen that
	// matches one of Include, if there are any, and none of Exclude.
	Include, Exclude []string
	// Choose, if not nil, is given the paths of the files that are chosen so far
	// and returns those to take, or why there is none.
	Choose func(paths []string) ([]string, error)
}

// apply chooses among the files of s.
func (sel Selection) apply(s Source, all []entry) ([]entry, error) {
	include, exclude := patterns(sel.Include), patterns(sel.Exclude)
	wanted := map[string]bool{}
	for _, f := range sel.Files {
		wanted[f] = true
	}
	everything := len(include) == 0 && len(wanted) == 0
	var chosen []entry
	for _, e := range all {
		name := strings.ReplaceAll(e.Path, `\`, "/")
		if wanted[e.Path] {
			delete(wanted, e.Path)
			chosen = append(chosen, e)
		} else if (everything || matches(include, name)) && !matches(exclude, name) {
			chosen = append(chosen, e)
		}
	}
	for _, f := range sel.Files {
		if wanted[f] {
			return nil, hub.Errorf(hub.CodeEntryNotFound, "The %s has no file %q at revision %q.", s, f, s.revision())
		}
	}
	if sel.Choose == nil {
		return chosen, nil
	}
	return sel.choose(chosen)
}

// choose asks Choose.
func (sel Selection) choose(from []entry) ([]entry, error) {
	paths := make([]string, len(from))
	for i, e := range from {
		paths[i] = e.Path
	}
	take, err := sel.Choose(paths)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(from, func(e entry) bool { return !slices.Contains(take, e.Path) }), nil
}

func matches(list []*regexp.Regexp, name string) bool {
	for _, p := range list {
		if p.MatchString(name) {
			return true
		}
	}
	return false
}

func patterns(list []string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(list))
	for i, p := range list {
		p = strings.ReplaceAll(p, `\`, "/")
		if strings.HasSuffix(p, "/") {
			p += "*"
		}
		out[i] = glob(p)
	}
	return out
}

// nothing matches no text at all.
var nothing = regexp.MustCompile(`[^\x{0}-\x{10FFFF}]`)

// glob translates a pattern of Python's fnmatch: * any text, ? one character,
// [abc], [a-z] and [!abc] one of a set. A [ without its ] is itself. Names of
// files are UTF-8 (they come as JSON), so a pattern that is not matches none.
func glob(pattern string) *regexp.Regexp {
	if !utf8.ValidString(pattern) {
		return nothing
	}
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteByte('.')
		case '[':
			end := setEnd(runes, i+1)
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(set(runes[i+1 : end]))
			i = end
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil { // over the size limits of regexp: no file is named so
		return nothing
	}
	return re
}

// setEnd finds the ] that closes a set; one that comes first is a member.
func setEnd(p []rune, i int) int {
	if i < len(p) && p[i] == '!' {
		i++
	}
	for j := i + 1; j < len(p); j++ {
		if p[j] == ']' {
			return j
		}
	}
	return -1
}

// set translates the inside of brackets. Ranges that run backwards are empty,
// as in Python.
func set(members []rune) string {
	negated := members[0] == '!'
	if negated {
		members = members[1:]
	}
	var ranges strings.Builder
	for i := 0; i < len(members); i++ {
		from, to := members[i], members[i]
		if i+2 < len(members) && members[i+1] == '-' {
			to = members[i+2]
			i += 2
		}
		if from <= to {
			fmt.Fprintf(&ranges, `\x{%x}-\x{%x}`, from, to)
		}
	}
	switch {
	case ranges.Len() == 0 && negated:
		return `.`
	case ranges.Len() == 0:
		return nothing.String()
	case negated:
		return `[^` + ranges.String() + `]`
	}
	return `[` + ranges.String() + `]`
}
