package hub

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
)

func TestParseRepoID(t *testing.T) {
	good := []string{"a/b", "A-b_c.d/0", "user/model.v1", "u/_x", strings.Repeat("n", 96) + "/m"}
	for _, s := range good {
		id, err := ParseRepoID(s)
		if err != nil || id.String() != s {
			t.Errorf("ParseRepoID(%q) = %v, %v", s, id, err)
		}
	}
	bad := []string{"", "/", "a/", "/b", "a/b/c", "a/-b", "a/b-", "a/.b", "a/b.", "a/b--c", "a/b..c", "a/b.git", "a/B.GIT",
		"a b/c", "a/é", strings.Repeat("n", 97) + "/m", "a/b\n"}
	for _, s := range bad {
		if id, err := ParseRepoID(s); err == nil {
			t.Errorf("ParseRepoID(%q) = %v, want an error", s, id)
		}
	}
	if _, err := ParseRepoID("gpt2"); !errors.Is(err, ErrRepoNotFound) {
		t.Errorf("ParseRepoID(gpt2) = %v, want ErrRepoNotFound", err)
	}
	if got := fmt.Sprint(RepoID{}); got != "RepoID(invalid)" {
		t.Errorf("the zero id prints as %q", got)
	}
}

func TestParseAccountName(t *testing.T) {
	for _, s := range []string{"ad", "Ada-Lovelace", "x1", "a2b"} {
		if _, err := ParseAccountName(s); err != nil {
			t.Errorf("ParseAccountName(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "a", "-ab", "ab-", "a--b", "a_b", "a.b", "123", "0123456789abcdef01234567", "API", "datasets", "é́a",
		strings.Repeat("a", 43)} {
		if _, err := ParseAccountName(s); err == nil {
			t.Errorf("ParseAccountName(%q) succeeded", s)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, s := range []string{"a", "a/b", "a b", "?", "100%", "a:b,c", "🤗/é", `back\slash`, ".gitattributes", "a/.github/x", "...", "a/..b"} {
		if got, err := ParsePath(s); err != nil || got != s {
			t.Errorf("ParsePath(%q) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", ".git", ".git/config", "a/.GIT/x", ".git ", "git~1",
		`..\ddd`, "a\x00b", "a\nb", "a\x01b", "a\x7fb", "\xff", strings.Repeat("a", 256), strings.Repeat("a/", 2000) + "a"} {
		if _, err := ParsePath(s); err == nil {
			t.Errorf("ParsePath(%q) succeeded", s)
		}
	}
}

func TestCheckRefName(t *testing.T) {
	for _, s := range []string{"main", "feature/x", "v1.0", "a-b", "é"} {
		if err := CheckRefName(s); err != nil {
			t.Errorf("CheckRefName(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "-a", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", `a\b`, "@", "a@{b", "/a", "a/", "a//b",
		"a/.b", ".a", "a.", "a.lock", "a.lock/b", "refs/heads/a", strings.Repeat("0", 40), "a\x7f", "\xff", strings.Repeat("a", 256)} {
		if err := CheckRefName(s); err == nil {
			t.Errorf("CheckRefName(%q) succeeded", s)
		}
	}
}

func TestXetHashText(t *testing.T) {
	var h XetHash
	for i := range h {
		h[i] = byte(i)
	}
	const text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
	if h.String() != text {
		t.Errorf("String = %s, want %s", h, text)
	}
	back, err := ParseXetHash(text)
	if err != nil || back != h {
		t.Errorf("ParseXetHash(%s) = %v, %v", text, back, err)
	}
}

func TestErrorIsComparesCodes(t *testing.T) {
	err := fmt.Errorf("open: %w", Errorf(CodeRepoNotFound, "no such thing"))
	if !errors.Is(err, ErrRepoNotFound) {
		t.Error("an error of the code is not ErrRepoNotFound")
	}
	if errors.Is(err, ErrEntryNotFound) || errors.Is(err, Errorf(CodeRepoNotFound, "other")) {
		t.Error("an error matches another code, or an error that is no sentinel")
	}
	if CodeOf(err) != CodeRepoNotFound || CodeOf(errors.New("x")) != CodeInternal {
		t.Error("CodeOf is wrong")
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("a/b.txt")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		if p != s || strings.HasPrefix(p, "/") || strings.Contains("/"+p+"/", "/../") || strings.Contains(strings.ToLower("/"+p+"/"), "/.git/") {
			t.Errorf("ParsePath(%q) = %q", s, p)
		}
	})
}

// FuzzParseRepoID: an id that is taken is a safe pair of path segments, and is
// read back as itself.
func FuzzParseRepoID(f *testing.F) {
	for _, s := range []string{"ada/model", "gpt2", "a.b-c_d/e", "../x", "a/b/c", "A/.", "é/x", "a//b", "a/b.git"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseRepoID(s)
		if err != nil {
			return
		}
		if back, err := ParseRepoID(id.String()); err != nil || back != id {
			t.Errorf("%q is %v, which is %v, %v", s, id, back, err)
		}
		if path.Clean("/"+id.String()) != "/"+id.String() || strings.ContainsFunc(id.String(), func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`\?#%&:"<>`, c) }) {
			t.Errorf("%q is taken", s)
		}
	})
}
