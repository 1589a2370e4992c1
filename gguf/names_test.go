package gguf

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModels(t *testing.T) {
	got := Models([]string{"b-00002-of-00002.gguf", "README.md", "mmproj-F16.gguf", "a.GGUF", "b-00001-of-00002.gguf", "imatrix_unsloth.gguf",
		"q8/b-00001-of-00001.gguf", "b-00001-of-00003.gguf"})
	want := [][]string{{"a.GGUF"}, {"b-00001-of-00002.gguf", "b-00002-of-00002.gguf"}, {"b-00001-of-00003.gguf"}, {"q8/b-00001-of-00001.gguf"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestChoose(t *testing.T) {
	many := []string{"m-F16.gguf", "m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-UD-Q4_K_XL.gguf", "Q6_K/m-00001-of-00002.gguf", "Q6_K/m-00002-of-00002.gguf"}
	for _, c := range []struct {
		paths []string
		want  string
		got   []string
		err   string
	}{
		{many, "", []string{"m-Q4_K_M.gguf"}, ""},
		{many, "q4_k_m", []string{"m-Q4_K_M.gguf"}, ""},
		{many, "Q2_K", []string{"m-Q2_K.gguf"}, ""},
		{many, "Q4_K_XL", []string{"m-UD-Q4_K_XL.gguf"}, ""},
		{many, "m-f16.gguf", []string{"m-F16.gguf"}, ""},
		{many, "Q6_K/m-00002-of-00002.gguf", many[5:], ""},
		{many, "Q6_K", many[5:], ""},
		{many, "Q4_K", nil, "none of 6 GGUF models is Q4_K; name one of them:\n  Q6_K/m-00001-of-00002.gguf\n  m-F16.gguf"},
		{many, ".", nil, "none of 6"},
		{[]string{"m.Q8_0.gguf", "m.F16.gguf"}, "", []string{"m.Q8_0.gguf"}, ""},
		{[]string{"z.gguf", "y.gguf"}, "", []string{"y.gguf"}, ""},
		{[]string{"y.gguf"}, "", []string{"y.gguf"}, ""},
		{[]string{"y.gguf"}, "Q8_0", nil, "none of 1"},
		{[]string{"1b-Q4_K_M.gguf", "7b-Q4_K_M.gguf"}, "", nil, "2 GGUF models are Q4_K_M"},
		{[]string{"1b-Q8_0.gguf", "7b-Q8_0.gguf", "x.gguf"}, "Q8_0", nil, "name one of them:\n  1b-Q8_0.gguf\n  7b-Q8_0.gguf"},
		{[]string{"README.md"}, "", nil, "no .gguf file"},
	} {
		got, err := Choose(Models(c.paths), c.want)
		if !slices.Equal(got, c.got) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q of %q: %q, %v; want %q, %q", c.want, c.paths, got, err, c.got, c.err)
		}
	}
	long := make([]string, 20)
	for i := range long {
		long[i] = string(rune('a'+i)) + ".gguf"
	}
	if _, err := Choose(Models(long), "x9"); !strings.HasSuffix(err.Error(), "\n  l.gguf\n  and 8 more") {
		t.Error(err)
	}
}
