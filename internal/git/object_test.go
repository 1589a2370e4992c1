package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

func payload(t testing.TB, o store.GitObject) []byte {
	t.Helper()
	p, err := git.Inflate(o.Data, o.Size, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every object we encode has the id, and the validity, that the real git gives
// to the same payload.
func TestObjectsAreGits(t *testing.T) {
	real := initGit(t)
	when := time.Unix(1700000000, 0).In(time.FixedZone("", -90*60))
	blob := git.NewBlob([]byte("hello\n"))
	realBlob := real.run("hello\n", "hash-object", "-w", "--stdin")
	if blob.OID != mustOID(t, realBlob) {
		t.Errorf("blob id %s, git says %s", blob.OID, realBlob)
	}
	tree, _, err := git.EncodeTree([]git.TreeEntry{{Name: "a.b", Mode: git.ModeExec, OID: blob.OID}, {Name: "é", Mode: git.ModeFile, OID: blob.OID}})
	if err != nil {
		t.Fatal(err)
	}
	realTree := real.run(fmt.Sprintf("100644 blob %s\té\x00100755 blob %s\ta.b\x00", blob.OID, blob.OID), "mktree", "-z")
	if tree.OID != mustOID(t, realTree) {
		t.Errorf("tree id %s, git says %s", tree.OID, realTree)
	}
	commit := git.EncodeCommit(git.CommitInfo{
		Tree:    tree.OID,
		Author:  git.Signature{Name: " Ada <L>\n", Email: "a<d>a@x", When: when},
		Message: "title\r\n\r\nbody\x00\n\n\n",
	})
	for _, o := range []store.GitObject{
		blob, tree, commit,
		git.EncodeCommit(git.CommitInfo{Tree: tree.OID, Parents: []hub.OID{commit.OID}, Author: git.Signature{When: time.Unix(-5, 0)}}),
		git.EncodeTag(git.TagInfo{Target: commit.OID, Kind: git.KindCommit, Name: "v1", Tagger: git.Signature{Name: "Ada", Email: "a@x", When: when}, Message: "one"}),
		git.EncodeTag(git.TagInfo{Target: commit.OID, Kind: git.KindCommit, Name: "v2"}),
	} {
		// hash-object refuses malformed objects.
		got := real.run(string(payload(t, o)), "hash-object", "-w", "-t", o.Kind, "--stdin")
		if o.OID != mustOID(t, got) {
			t.Errorf("%s id %s, git says %s", o.Kind, o.OID, got)
		}
	}
	want := "tree " + tree.OID.String() + "\nauthor Ada L <ada@x> 1700000000 -0130\ncommitter Ada L <ada@x> 1700000000 -0130\n\ntitle\n\nbody\n"
	if got := string(payload(t, commit)); got != want {
		t.Errorf("commit payload %q, want %q", got, want)
	}
	real.fsck()
}

func TestInflateIsBounded(t *testing.T) {
	data := git.Deflate(git.KindBlob, bytes.Repeat([]byte("x"), 1000))
	damaged := bytes.Clone(data)
	damaged[len(damaged)-1] ^= 1
	for _, tt := range []struct {
		name        string
		data        []byte
		size, limit int64
		ok          bool
	}{
		{"exact", data, 1000, 1000, true},
		{"over the limit", data, 1000, 999, false},
		{"longer than said", data, 999, 5000, false},
		{"shorter than said", data, 1001, 5000, false},
		{"negative size", data, -1, 5000, false},
		{"bad checksum", damaged, 1000, 5000, false},
		{"truncated", data[:len(data)-5], 1000, 5000, false},
		{"no stream", []byte("hello"), 5, 5000, false},
		{"nothing", nil, 0, 5000, false},
	} {
		got, err := git.Inflate(tt.data, tt.size, tt.limit)
		if (err == nil) != tt.ok || err == nil && int64(len(got)) != tt.size {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		}
		if err != nil && !errors.Is(err, git.ErrCorrupt) {
			t.Errorf("%s: %v is not ErrCorrupt", tt.name, err)
		}
	}
}

func TestDecodeCommit(t *testing.T) {
	const tree, parent = "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "0123456789012345678901234567890123456789"
	head := "tree " + tree + "\n"
	sig := "author A <a@x> 1700000000 +0100\ncommitter B <b@x> 1700000001 +0000\n"
	for _, tt := range []struct {
		name, payload  string
		title, message string
		parents        int
		ok             bool
	}{
		{"plain", head + sig + "\nTitle\n\nBody\nmore\n", "Title", "Body\nmore", 0, true},
		{"no body", head + "parent " + parent + "\n" + sig + "\nTitle\n", "Title", "", 1, true},
		{"no message", head + sig + "\n", "", "", 0, true},
		{"signed", head + sig + "gpgsig -----BEGIN\n line\n \n -----END\nencoding latin1\n\nT\n", "T", "", 0, true},
		{"latin1", head + sig + "\ncaf\xe9\n", "caf\uFFFD", "", 0, true},
		{"odd name", head + "author <a@x> 0 +0000\ncommitter B <> 1 -0000\n\nT", "T", "", 0, true},
		{"no tree", sig + "\nT\n", "", "", 0, false},
		{"upper-case id", "tree " + strings.ToUpper(tree) + "\n" + sig + "\nT\n", "", "", 0, false},
		{"short id", "tree 4b825d\n" + sig + "\nT\n", "", "", 0, false},
		{"no author", head + "committer B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"no date", head + "author A <a@x>\ncommitter B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"negative date", head + "author A <a@x> -1 +0000\ncommitter B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"huge date", head + "author A <a@x> 99999999999999999 +0000\ncommitter B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"zero-padded date", head + "author A <a@x> 01 +0000\ncommitter B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"bad zone", head + "author A <a@x> 1 +00:0\ncommitter B <b@x> 1 +0000\n\nT\n", "", "", 0, false},
		{"unterminated", head + sig + "encoding", "", "", 0, false},
		{"NUL", head + sig + "\nT\x00\n", "", "", 0, false},
		{"too many parents", head + strings.Repeat("parent "+parent+"\n", 1025) + sig + "\nT\n", "", "", 0, false},
		{"empty", "", "", "", 0, false},
	} {
		c, err := git.DecodeCommit(hub.OID{1}, []byte(tt.payload))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err != nil {
			if !errors.Is(err, git.ErrCorrupt) {
				t.Errorf("%s: %v is not ErrCorrupt", tt.name, err)
			}
			continue
		}
		if c.Title != tt.title || c.Message != tt.message || len(c.Parents) != tt.parents || c.Tree.String() != tree {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	c, err := git.DecodeCommitInfo([]byte(head + sig + "\nT\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Author.When.Format(time.RFC3339); got != "2023-11-14T23:13:20+01:00" || c.Committer.Name != "B" {
		t.Errorf("author date %s, committer %q", got, c.Committer.Name)
	}
}

// What decodes and is written again decodes to the same.
func FuzzDecodeCommit(f *testing.F) {
	o := git.EncodeCommit(git.CommitInfo{
		Tree: hub.OID{1}, Parents: []hub.OID{{2}, {3}}, Message: "t\n\nb",
		Author: git.Signature{Name: "A", Email: "a@x", When: time.Unix(1, 0)},
	})
	f.Add(payload(f, o))
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a> 1 +0000\ncommitter <> 0 -0130\ngpgsig x\n y\n\nm"))
	f.Fuzz(func(t *testing.T, p []byte) {
		first, err := git.DecodeCommitInfo(p)
		if err != nil {
			return
		}
		again, err := git.DecodeCommitInfo(payload(t, git.EncodeCommit(first)))
		if err != nil {
			t.Fatalf("%q: encoded as something malformed: %v", p, err)
		}
		if again.Tree != first.Tree || len(again.Parents) != len(first.Parents) || !again.Author.When.Equal(first.Author.When) {
			t.Fatalf("%q: %+v, again %+v", p, first, again)
		}
	})
}

func TestDecodeTag(t *testing.T) {
	const object = "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
	const rest = "tagger A <a@x> 1 +0000\n\nmessage\n"
	for _, tt := range []struct {
		name, payload string
		ok            bool
	}{
		{"plain", object + "type commit\ntag v1\n" + rest, true},
		{"no tagger", object + "type tree\ntag v1\n\nm\n", true},
		{"no message", object + "type blob\ntag v1\ntagger A <a@x> 1 +0000\n", true},
		{"no object", "type commit\ntag v1\n" + rest, false},
		{"unknown type", object + "type note\ntag v1\n" + rest, false},
		{"bad name", object + "type commit\ntag a..b\n" + rest, false},
		{"no name", object + "type commit\n" + rest, false},
		{"bad tagger", object + "type commit\ntag v1\ntagger A\n\nm\n", false},
	} {
		if _, err := git.DecodeTag([]byte(tt.payload)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzDecodeTag(f *testing.F) {
	f.Add([]byte("object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nm\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		tag, err := git.DecodeTag(p)
		if err != nil {
			return
		}
		again, err := git.DecodeTag(payload(t, git.EncodeTag(tag)))
		if err != nil || again.Name != tag.Name || again.Target != tag.Target || again.Kind != tag.Kind {
			t.Fatalf("%q: %+v, again %+v, %v", p, tag, again, err)
		}
	})
}

func TestPointer(t *testing.T) {
	sha := hub.SHA256{0xab, 31: 1}
	valid := string(git.FormatPointer(sha, 12345))
	want := "version https://git-lfs.github.com/spec/v1\noid sha256:ab00000000000000000000000000000000000000000000000000000000000001\nsize 12345\n"
	if valid != want {
		t.Fatalf("FormatPointer = %q, want %q", valid, want)
	}
	for _, tt := range []struct {
		name, content string
		ok            bool
	}{
		{"canonical", valid, true},
		{"extension", strings.Replace(valid, "oid", "ext-0-foo sha256:00\noid", 1), true},
		{"too long", strings.Replace(valid, "oid", "ext-0-foo "+strings.Repeat("x", 1024)+"\noid", 1), false},
		{"no newline at the end", strings.TrimSuffix(valid, "\n"), false},
		{"extra empty line", valid + "\n", false},
		{"CRLF", strings.ReplaceAll(valid, "\n", "\r\n"), false},
		{"not sorted", "version https://git-lfs.github.com/spec/v1\nsize 1\noid sha256:" + sha.String() + "\n", false},
		{"key twice", strings.Replace(valid, "size", "size 1\nsize", 1), false},
		{"other version", strings.Replace(valid, "v1", "v2", 1), false},
		{"other hash", strings.Replace(valid, "sha256", "sha512", 1), false},
		{"upper-case digits", strings.Replace(valid, "ab00", "AB00", 1), false},
		{"no size", strings.Replace(valid, "size 12345\n", "", 1), false},
		{"negative size", strings.Replace(valid, "12345", "-1", 1), false},
		{"signed size", strings.Replace(valid, "12345", "+1", 1), false},
		{"size over 63 bits", strings.Replace(valid, "12345", "9223372036854775808", 1), false},
		{"empty", "", false},
		{"version only", "version https://git-lfs.github.com/spec/v1\n", false},
	} {
		gotSHA, size, ok := git.ParsePointer([]byte(tt.content))
		if ok != tt.ok || ok && (gotSHA != sha || size != 12345) {
			t.Errorf("%s: %s %d %v, want %v", tt.name, gotSHA, size, ok, tt.ok)
		}
	}
}

func FuzzParsePointer(f *testing.F) {
	f.Add(git.FormatPointer(hub.SHA256{1}, 7))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\next-0-a b\noid sha256:00\nsize 1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sha, size, ok := git.ParsePointer(content)
		if !ok {
			return
		}
		sha2, size2, ok := git.ParsePointer(git.FormatPointer(sha, size))
		if !ok || sha2 != sha || size2 != size {
			t.Fatalf("%q: %s %d does not survive formatting", content, sha, size)
		}
	})
}
