package render_test

import (
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/render"
)

func TestCode(t *testing.T) {
	for _, tt := range []struct{ file, src, want string }{
		{"a.py", "x = 1\n", `<span class="hl-n">x</span>`},
		{"config.json", `{"a": 1}`, `hl-nt`},
		{"a.unknown", "<b>\n", "&lt;b&gt;"},
		{"a.py", "<script>\n</script>", "&lt;"},
		{"lines.txt", "a\nb\n", `id="L2"`},
		{"<script>.py", "x", "hl-"},
	} {
		got, ok := render.Code(tt.file, []byte(tt.src))
		if !ok || !strings.Contains(string(got), tt.want) || strings.Contains(string(got), "<script") {
			t.Errorf("Code(%q, %q) = %s, %v; want %s", tt.file, tt.src, got, ok, tt.want)
		}
	}
	for name, src := range map[string]string{"binary": "a\x00b", "latin-1": "a\xff", "long": strings.Repeat("x\n", render.MaxCode)} {
		if _, ok := render.Code("a.py", []byte(src)); ok {
			t.Errorf("%s was rendered", name)
		}
	}
	long := strings.Repeat("x = 1\n", render.MaxCode/6)
	if got, ok := render.Code("a.py", []byte(long)); !ok || strings.Contains(string(got), "hl-n\"") || !strings.Contains(string(got), `id="L9"`) {
		t.Errorf("a file over the highlighting limit: %v, %.200s", ok, got)
	}
}

func FuzzCode(f *testing.F) {
	f.Add("a.py", []byte("def f(x):\n    return 'a'\n"))
	f.Add("a.html", []byte("<script>alert(1)</script>"))
	f.Add("README.md", []byte("# x\n```go\nfunc f() {}\n```"))
	f.Fuzz(func(t *testing.T, name string, src []byte) {
		if len(src) > 1<<12 {
			t.Skip()
		}
		out, ok := render.Code(name, src)
		if ok && (strings.Contains(string(out), "<script") || strings.Contains(string(out), "<img")) {
			t.Errorf("Code(%q, %q) = %s", name, src, out)
		}
	})
}
