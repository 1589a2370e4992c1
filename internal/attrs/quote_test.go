package attrs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuoteMatchesThePath(t *testing.T) {
	paths := []string{
		"model.bin", "a b.bin", "dir/a  b.bin", "what?.bin", "100%.bin", "star*.bin", "[x].bin", `back\slash.bin`,
		"#hash.bin", "!bang.bin", `"quoted".bin`, "emoji 🤗.bin", "a:b,c.bin", "-dash.bin", "tab\there.bin",
	}
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	for _, p := range paths {
		line := Quote(p) + " filter=lfs diff=lfs merge=lfs -text\n"
		if !Parse([]byte(line)).LFS(p) {
			t.Errorf("Parse(%q) does not match %q", line, p)
		}
		if Parse([]byte(line)).LFS("x" + p) {
			t.Errorf("Parse(%q) matches another path", line)
		}
		if err := os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "check-attr", "-z", "filter", "--", p)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil || !strings.HasSuffix(string(out), "\x00filter\x00lfs\x00") {
			t.Errorf("git check-attr of %q under %q: %q, %v", p, line, out, err)
		}
	}
}
