package content

import (
	"testing"

	"github.com/pantryhub/pantry/internal/attrs"
)

func TestDecide(t *testing.T) {
	rules := attrs.Parse([]byte("*.bin filter=lfs diff=lfs merge=lfs -text\nkeep.bin -filter\n"))
	tests := []struct {
		name   string
		path   string
		size   int64
		sample string
		want   Mode
	}{
		{"text", "README.md", 5, "hello", Regular},
		{"empty, tracked", "x.bin", 0, "", Regular},
		{"tracked", "x.bin", 5, "hello", LFS},
		{"untracked again", "keep.bin", 5, "hello", Regular},
		{"big text", "big.txt", RegularLimit + 1, "hello", LFS},
		{"limit", "big.txt", RegularLimit, "hello", Regular},
		{"NUL", "data", 4, "a\x00bc", LFS},
		{"latin-1", "data", 4, "caf\xe9!", LFS},
		{"cut in a character", "data", 600, "caf\xc3", Regular},
		{"cut in a long character", "data", 600, "x\xf0\x9f\x98", Regular},
		{"only binary", "data", 3, "\xff\xfe\xfd", LFS},
		{"no sample", "data", 3, "", Regular},
	}
	for _, tt := range tests {
		if got := Decide(rules, tt.path, tt.size, []byte(tt.sample)); got != tt.want {
			t.Errorf("%s: Decide(%q, %d, %q) = %s, want %s", tt.name, tt.path, tt.size, tt.sample, got, tt.want)
		}
	}
}
