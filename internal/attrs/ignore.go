package attrs

import "strings"

// Ignore is a parsed .gitignore file. The zero value ignores nothing.
type Ignore struct {
	patterns []pattern
	work     work
}

// ParseIgnore reads the .gitignore file at the top of a repository.
func ParseIgnore(src []byte) Ignore {
	var ig Ignore
	for line := range lines(src) {
		if line == "" || line[0] == '#' {
			continue
		}
		line = trimTrailingSpaces(strings.TrimSuffix(line, "\r"))
		if p, ok := compile(line); ok {
			ig.patterns = append(ig.patterns, p)
			ig.work.add(&p)
		}
	}
	return ig
}

// trimTrailingSpaces cuts trailing spaces unless a backslash quotes them.
func trimTrailingSpaces(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(s) {
				return s
			}
		}
		end = i + 1
	}
	return s[:end]
}

// Steps bounds what Match costs for a path, as Rules.Steps does.
func (ig Ignore) Steps(path string) int {
	steps := ig.work.steps(len(path))
	for i := range len(path) {
		if path[i] == '/' {
			steps += ig.work.steps(i)
		}
	}
	return steps
}

// Match reports whether the file at path is ignored, either itself or through
// a folder above it. A path that ends in "/" is a folder.
func (ig Ignore) Match(path string) bool {
	if len(ig.patterns) == 0 {
		return false
	}
	for i := range len(path) {
		if path[i] == '/' && ig.decide(path[:i], true) {
			return true // nothing below an ignored folder comes back
		}
	}
	return !strings.HasSuffix(path, "/") && ig.decide(path, false)
}

func (ig Ignore) decide(path string, dir bool) bool {
	for i := len(ig.patterns) - 1; i >= 0; i-- {
		if p := &ig.patterns[i]; p.matches(path, dir) {
			return !p.negative
		}
	}
	return false
}
