package git_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
)

const blobID = "01234567890123456789"

func TestDecodeTree(t *testing.T) {
	line := func(mode, name string) string { return mode + " " + name + "\x00" + blobID }
	for _, tt := range []struct {
		name, payload string
		want          []string // nil: an error
	}{
		{"empty", "", []string{}},
		{"five modes", line("100644", "a") + line("100755", "b") + line("120000", "c") + line("40000", "d") + line("160000", "e"), []string{"a", "b", "c", "d", "e"}},
		{"folder after a.b", line("100644", "a.b") + line("40000", "a") + line("100644", "a0"), []string{"a.b", "a", "a0"}},
		{"file before a.b", line("100644", "a") + line("100644", "a.b"), []string{"a", "a.b"}},
		{"not UTF-8", line("100644", "caf\xe9"), []string{"caf\xe9"}},
		{"folder before a.b", line("40000", "a") + line("100644", "a.b"), nil},
		{"twice", line("100644", "a") + line("100644", "a"), nil},
		{"file and folder", line("100644", "a") + line("100644", "a.b") + line("40000", "a"), nil},
		{"mode with a zero", line("040000", "a"), nil},
		{"unknown mode", line("100664", "a"), nil},
		{"long mode", line("10064400000", "a"), nil},
		{"no mode", line("", "a"), nil},
		{"no name", line("100644", ""), nil},
		{"slash", line("100644", "a/b"), nil},
		{"dot dot", line("100644", ".."), nil},
		{"dot git", line("40000", ".GIT"), nil},
		{"null id", "100644 a\x00" + strings.Repeat("\x00", 20), nil},
		{"truncated id", line("100644", "a")[:20], nil},
		{"unterminated name", "100644 abc", nil},
	} {
		tree, err := git.DecodeTree(hub.OID{1}, []byte(tt.payload))
		if tt.want == nil {
			if !errors.Is(err, git.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrCorrupt", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := []string{}
		for _, e := range tree.Entries {
			got = append(got, e.Name)
			if found, ok := tree.Find(e.Name); !ok || found.Mode != e.Mode {
				t.Errorf("%s: Find(%q) = %v, %v", tt.name, e.Name, found, ok)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if _, ok := tree.Find("a/"); ok {
			t.Errorf("%s: found a name that is not there", tt.name)
		}
	}
}

func TestCheckName(t *testing.T) {
	good := []string{"a", ".gitignore", ".gitattributes", "git", ".gi", "é", "a b", "?%:,", "~", ".github", "x.git", "caf\xe9", strings.Repeat("x", 255)}
	bad := []string{
		"", ".", "..", "a/b", "a\x00", ".git", ".GiT", ".git.", ".git ", ".git. .", "git~1", "GIT~1", ".git:x", ".git::$INDEX_ALLOCATION",
		`a\.git`, `.git\x`, ".g\u200cit", "\ufeff.git", ".git\u206f", ".git\xff", strings.Repeat("x", 256),
	}
	for _, name := range good {
		if err := git.CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	for _, name := range bad {
		if err := git.CheckName(name); hub.CodeOf(err) != hub.CodeInvalid {
			t.Errorf("CheckName(%q) = %v, want an error", name, err)
		}
	}
}

// The names that CheckName accepts are those that git fsck accepts.
func TestCheckNameIsGits(t *testing.T) {
	real := initGit(t)
	blob := git.NewBlob([]byte("x"))
	real.run("x", "hash-object", "-w", "--stdin")
	for _, name := range []string{"git", ".gi", "git~1", "git~2", ".git ", ".git x", ".git.x", ".g\u200cit", ".gi\xff", ".git\xff", ".git:x", `a\.git`, `a\.gitx`, "..x", "...", ".git\ufffd"} {
		payload := "100644 " + name + "\x00" + string(blob.OID[:])
		oid := strings.TrimSpace(real.run(payload, "hash-object", "-w", "-t", "tree", "--literally", "--stdin"))
		out := real.run("", "-c", "fsck.hasDotgit=warn", "fsck", "--no-dangling", oid)
		rejected := strings.Contains(out, "tree "+oid)
		if got := git.CheckName(name) != nil; got != rejected {
			t.Errorf("%q: rejected %v, by git fsck %v: %s", name, got, rejected, out)
		}
	}
}

func FuzzDecodeTree(f *testing.F) {
	f.Add([]byte("100644 a.b\x00" + blobID + "40000 a\x00" + blobID + "160000 a0\x00" + blobID))
	f.Add([]byte("120000 \xe9\x00" + blobID))
	f.Fuzz(func(t *testing.T, p []byte) {
		tree, err := git.DecodeTree(hub.OID{1}, p)
		if err != nil {
			return
		}
		again, _, err := git.EncodeTree(tree.Entries)
		if err != nil {
			t.Fatal(err)
		}
		if got := payload(t, again); !bytes.Equal(got, p) {
			t.Fatalf("%q is written as %q", p, got)
		}
	})
}

var metaEntries = []git.TreeEntry{
	{Name: "a", Mode: git.ModeFile, Size: 0},
	{Name: "b", Mode: git.ModeFile, Size: 1 << 40, LFS: &hub.LFSInfo{OID: hub.SHA256{1}, Size: 1 << 40, PointerSize: 135, Xet: hub.XetHash{2}}},
	{Name: "c", Mode: git.ModeDir, Size: 1 << 50},
	{Name: "d", Mode: git.ModeFile, Size: 0, LFS: &hub.LFSInfo{OID: hub.SHA256{3}, PointerSize: 120}},
}

// names strips the metadata.
func names(entries []git.TreeEntry) []git.TreeEntry {
	out := slices.Clone(entries)
	for i := range out {
		out[i].Size, out[i].LFS = 0, nil
	}
	return out
}

func TestTreeMeta(t *testing.T) {
	data := git.EncodeTreeMeta(metaEntries)
	got := names(metaEntries)
	if err := git.DecodeTreeMeta(got, data); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, metaEntries) {
		t.Errorf("got %+v, want %+v", got, metaEntries)
	}
	for n := range len(data) {
		if err := git.DecodeTreeMeta(names(metaEntries), data[:n]); !errors.Is(err, git.ErrCorrupt) {
			t.Errorf("the first %d bytes: %v, want ErrCorrupt", n, err)
		}
	}
	for name, data := range map[string][]byte{
		"trailing byte":  append(slices.Clone(data), 0),
		"other version":  append([]byte{2}, data[1:]...),
		"a large folder": git.EncodeTreeMeta([]git.TreeEntry{metaEntries[0], metaEntries[1], metaEntries[1], metaEntries[3]}),
	} {
		if err := git.DecodeTreeMeta(names(metaEntries), data); !errors.Is(err, git.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

func FuzzTreeMeta(f *testing.F) {
	f.Add(git.EncodeTreeMeta(metaEntries))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries := names(metaEntries)
		if git.DecodeTreeMeta(entries, data) != nil {
			return
		}
		again := names(metaEntries)
		if err := git.DecodeTreeMeta(again, git.EncodeTreeMeta(entries)); err != nil {
			t.Fatalf("%x: does not survive encoding: %v", data, err)
		}
		if !reflect.DeepEqual(again, entries) {
			t.Fatalf("%x: %+v, again %+v", data, entries, again)
		}
	})
}
