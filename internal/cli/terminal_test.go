package cli

import (
	"fmt"
	"strings"
	"testing"
)

// TestHarmlessWriter: a label cannot rename the window, and text stays.
func TestHarmlessWriter(t *testing.T) {
	var out strings.Builder
	n, err := fmt.Fprint(harmlessWriter{&out}, "a\x1b]0;title\x07\tb\u009b2J é\r\n")
	if want := "a]0;title\tb2J é\n"; err != nil || n != 22 || out.String() != want {
		t.Errorf("wrote %d, %v: %q, want %q", n, err, out.String(), want)
	}
}
