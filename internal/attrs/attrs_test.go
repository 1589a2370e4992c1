package attrs_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/attrs"
)

// The ids are those of the files in public repositories.
func TestDefaultGitattributes(t *testing.T) {
	for _, tt := range []struct {
		repo hub.RepoType
		oid  string
		size int
	}{
		{hub.Model, "a6344aac8c09253b3b630fb776ae94478aa0275b", 1519},
		{hub.Space, "a6344aac8c09253b3b630fb776ae94478aa0275b", 1519},
		{hub.Dataset, "1ef325f1b111266a6b26e0196871bd78baa8c2f3", 2461},
	} {
		text := attrs.DefaultGitattributes(tt.repo)
		blob := append(fmt.Appendf(nil, "blob %d\x00", len(text)), text...)
		if oid := fmt.Sprintf("%x", sha1.Sum(blob)); oid != tt.oid || len(text) != tt.size {
			t.Errorf("DefaultGitattributes(%s): %d bytes, oid %s; want %d, %s", tt.repo, len(text), oid, tt.size, tt.oid)
		}
	}
	rules := attrs.Parse(attrs.DefaultGitattributes(hub.Model))
	for path, want := range map[string]bool{
		"model.safetensors": true, "a/b/pytorch_model.bin": true, "x.tar.zst": true, "saved_model/v/x": true, "saved_model/x": true,
		"runs/events.out.tfevents.1": true, "README.md": false, "config.json": false, "saved_model": false, "a.png": false, "sub/saved_model/x": false,
	} {
		if got := rules.LFS(path); got != want {
			t.Errorf("LFS(%q) = %v, want %v", path, got, want)
		}
	}
}

// oraclePaths is every path that the oracle tests ask about.
var oraclePaths = []string{
	"a", "b", "foo", "foobar", "barfoo", "foo.bin", "foo.BIN", ".foo", "a.tar.gz", "x-tfevents-y",
	"a/b", "a/foo", "a/foo.bin", "a/b/foo", "a/b/c/foo.bin", "foo/a", "foo/b/c", "foo/bar/baz.txt", "foo/x/y/bar",
	"dir/file.txt", "dir/sub/file.txt", "other/dir/file.txt", "build/out.o", "src/build/out.o", "src/main.c",
	"with space", "with space/x", "trail ", "#hash", "!bang", "quo\"te", "tab\there", "back\\slash", "[x]", "[", "]x", "-", "a-b", "a]b", "é", "日本/語.bin",
	"a*b", "a?b", "axb", "a//b", "...", "a.b.c", "0", "7", "x1", "X1", "_", "foo/", "data/train/0001.png", "data/test/0001.png", "data/0001.png",
}

var patternAtoms = []string{
	"*", "**", "***", "?", "/", "/", "a", "b", "foo", "bar", ".bin", ".txt", "[a-c]", "[!a]", "[^b]", "[]x]", "[[:alpha:]]", "[[:digit:]x]", "[[:nope:]]",
	"[a", "[]-]", "[a\\]b]", "\\", "\\*", "\\a", "!", "-", "dir", "build", " ", "\\ ", "x", "1", "é", ".", "**/", "/**", "/**/", "[a-", "[--a]", "[[:alpha:]-z]", "[[x]",
}

var fixedPatterns = []string{
	"*", "**", "/", "!", "", "foo", "/foo", "foo/", "/foo/", "foo/*", "foo/**", "/foo/**", "**/foo", "**/foo/**", "a/**/foo", "a/**", "foo**", "/foo**", "foo**bar", "a**/foo",
	"*.bin", "*.[bB][iI][nN]", "!*.bin", "!foo/", "build/", "/build/", "dir/*.txt", "dir/**/*.txt", "*/file.txt", "**/dir/*.txt", "\\#hash", "#hash", "\\!bang", "!\\!bang",
	"with space", "trail\\ ", "trail  ", "foo\t", "foo\r", "\"quo\\\"te\"", "back\\\\slash", "[[]x[]]", "a\\*b", "a[*]b", "data/*/0001.png", "data/**/0001.png", "/*", "/*/", "*/", "!*/", "!/foo/bar/",
	"日本/*", "?.b.c", "??", "[0-9]", "[!0-9]", "x[[:digit:]]", "saved_model/**/*", "foo//", "//foo", "./foo", "foo/.", "**foo", "foo/**bar", "a/***/foo", "a/**/b", "***/foo", "*a*b*", "\\", "foo\\", "[z-a]", "a/\\**", "**\\/foo",
}

func randomPattern(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return fixedPatterns[r.IntN(len(fixedPatterns))]
	}
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString(patternAtoms[r.IntN(len(patternAtoms))])
	}
	return b.String()
}

// git runs git in dir, without the machine's own configuration.
func git(t *testing.T, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 && args[0] == "check-ignore" {
		err = nil // nothing is ignored
	}
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return out
}

func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("the oracle is the real git, which is not installed")
	}
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q")
	return dir
}

// queries are the paths that the real git can be asked about.
func queries() []string {
	var out []string
	for _, p := range oraclePaths {
		if !strings.HasSuffix(p, "/") && !strings.Contains(p, "//") {
			out = append(out, p)
		}
	}
	return out
}

func TestIgnoreAgainstGit(t *testing.T) {
	dir := repository(t)
	r := rand.New(rand.NewPCG(1, 2))
	paths := queries()
	var files []string
	for _, p := range fixedPatterns {
		files = append(files, p+"\n")
	}
	for range 250 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			if r.IntN(3) == 0 {
				b.WriteByte('!')
			}
			b.WriteString(randomPattern(r) + "\n")
		}
		files = append(files, b.String())
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		out := git(t, dir, []byte(strings.Join(paths, "\x00")), "check-ignore", "--no-index", "--stdin", "-z")
		ignored := map[string]bool{}
		for p := range strings.SplitSeq(string(out), "\x00") {
			ignored[p] = true
		}
		ig := attrs.ParseIgnore([]byte(file))
		for _, p := range paths {
			if got := ig.Match(p); got != ignored[p] {
				t.Errorf(".gitignore %q: Match(%q) = %v, git says %v", file, p, got, ignored[p])
			}
		}
	}
}

func TestAttributesAgainstGit(t *testing.T) {
	dir := repository(t)
	r := rand.New(rand.NewPCG(3, 4))
	paths := queries()
	states := []string{"filter=lfs", "filter=lfs diff=lfs merge=lfs -text", "-filter", "!filter", "filter", "filter=other", "text", "lfs", "-lfs", "!lfs", "lfs -filter", "-filter lfs", "big", "binary", "", "filter=lfs bad$name", "\tfilter=lfs\r", "-filter=lfs"}
	files := []string{
		"[attr]lfs filter=lfs\n* lfs\n", "[attr]lfs filter=lfs\n[attr]lfs -filter\n* lfs\n", "[attr]big lfs\n[attr]lfs filter=lfs\n*.bin big\n", "[attr]lfs lfs filter=lfs\n* lfs\n",
		"  # comment\n  *.bin filter=lfs\n", "\ufeff*.bin filter=lfs\n", "\"with space\" filter=lfs\n", "\"\\303\\251\" filter=lfs\n", "\"tab\\there\" filter=lfs\n", "\"open filter=lfs\n",
		"* filter=lfs\nfoo/ -filter\n", "* filter=lfs " + strings.Repeat("x", 2100) + "\n", "*.bin filter=lfs", "[attr]\n[attr]x\n* x\n[attr] y\n",
	}
	for _, p := range fixedPatterns {
		files = append(files, p+" filter=lfs\n")
	}
	for range 250 {
		var b strings.Builder
		if r.IntN(2) == 0 {
			b.WriteString("[attr]lfs filter=lfs -text\n[attr]big lfs diff\n")
		}
		for range 1 + r.IntN(5) {
			pattern := randomPattern(r)
			if r.IntN(4) == 0 {
				pattern = `"` + pattern + `"`
			}
			b.WriteString(pattern + " " + states[r.IntN(len(states))] + "\n")
		}
		files = append(files, b.String())
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		out := git(t, dir, []byte(strings.Join(paths, "\x00")), "check-attr", "--stdin", "-z", "filter")
		fields := strings.Split(string(out), "\x00")
		lfs := map[string]bool{}
		for i := 0; i+2 < len(fields); i += 3 {
			lfs[fields[i]] = fields[i+2] == "lfs"
		}
		if len(lfs) != len(paths) {
			t.Fatalf(".gitattributes %q: git answered for %d of %d paths", file, len(lfs), len(paths))
		}
		rules := attrs.Parse([]byte(file))
		for _, p := range paths {
			if got := rules.LFS(p); got != lfs[p] {
				t.Errorf(".gitattributes %q: LFS(%q) = %v, git says %v", file, p, got, lfs[p])
			}
		}
	}
}

func TestMatchIsNotExponential(t *testing.T) {
	line := strings.Repeat("**/*a", 300)
	path := strings.Repeat("ab/", 600) + "ab"
	start := time.Now()
	if attrs.ParseIgnore([]byte(line)).Match(path) {
		t.Errorf("a path without a matching end matched")
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("a hostile pattern took %v", d)
	}
}

func TestOversizeFileIsCutAtALine(t *testing.T) {
	src := bytes.Repeat([]byte("#"), attrs.MaxBytes-10)
	src = append(src, "\n*.bin\n*.txt\n"...)
	ig := attrs.ParseIgnore(src)
	if !ig.Match("a.bin") || ig.Match("a.txt") {
		t.Errorf("*.bin %v, *.txt %v; want the line within the limit only", ig.Match("a.bin"), ig.Match("a.txt"))
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range fixedPatterns {
		f.Add([]byte(p+" filter=lfs\n!"+p), "foo/bar.bin")
	}
	f.Fuzz(func(t *testing.T, src []byte, path string) {
		if len(src) > 1<<12 || len(path) > 1<<8 {
			t.Skip()
		}
		rules, ig := attrs.Parse(src), attrs.ParseIgnore(src)
		if rules.LFS(path) != rules.LFS(path) || ig.Match(path) != ig.Match(path) {
			t.Errorf("%q on %q: not deterministic", src, path)
		}
		if _, err := hub.ParsePath(path); err != nil || len(src) > 1<<11 {
			return
		}
		more := fmt.Sprintf("%s\n%s filter=lfs diff=lfs\n", src, attrs.Quote(path))
		if !attrs.Parse([]byte(more)).LFS(path) {
			t.Errorf("%q does not make %q large", more, path)
		}
	})
}
