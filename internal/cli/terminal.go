package cli

import (
	"io"
	"strings"
	"unicode"
)

// harmless drops the characters that a terminal obeys: what a model writes, or
// is called, must not move the cursor or rename the window.
func harmless(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// harmlessWriter keeps harmful characters from a terminal.
type harmlessWriter struct{ w io.Writer }

// Write drops them from whole characters.
func (h harmlessWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(h.w, strings.Map(harmless, string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// forPeople is where to write what a file or a model says: out, harmless if it
// is a terminal.
func forPeople(out io.Writer) io.Writer {
	if isTerminal(out) {
		return harmlessWriter{out}
	}
	return out
}
