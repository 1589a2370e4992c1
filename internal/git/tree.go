package git

import (
	"bytes"
	"cmp"
	"iter"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Mode is the mode of a tree entry. Git knows these five.
type Mode uint32

// The modes.
const (
	ModeFile    Mode = 0o100644
	ModeExec    Mode = 0o100755
	ModeSymlink Mode = 0o120000
	ModeDir     Mode = 0o040000
	ModeGitlink Mode = 0o160000 // a submodule: a commit of another repository
)

// octal is how a tree object spells a mode.
func (m Mode) octal() (string, bool) {
	switch m {
	case ModeFile:
		return "100644", true
	case ModeExec:
		return "100755", true
	case ModeSymlink:
		return "120000", true
	case ModeDir:
		return "40000", true
	case ModeGitlink:
		return "160000", true
	}
	return "", false
}

func parseMode(s []byte) (Mode, bool) {
	switch string(s) {
	case "100644":
		return ModeFile, true
	case "100755":
		return ModeExec, true
	case "120000":
		return ModeSymlink, true
	case "40000":
		return ModeDir, true
	case "160000":
		return ModeGitlink, true
	}
	return 0, false
}

// TreeEntry is a line of a tree with its metadata.
type TreeEntry struct {
	Name string // one path segment
	Mode Mode
	OID  hub.OID
	Size int64        // bytes of the content (of the large file, not of its pointer); for a folder of all files below
	LFS  *hub.LFSInfo // nil unless the blob is an LFS pointer
}

// IsDir reports whether the entry is a folder.
func (e TreeEntry) IsDir() bool { return e.Mode == ModeDir }

// Tree is a parsed tree object with its metadata. It is shared: do not modify.
type Tree struct {
	OID     hub.OID
	Entries []TreeEntry // in git order: folders sort as if their name ended in "/"
}

// compareNames compares two entries in git order.
func compareNames(a string, aDir bool, b string, bDir bool) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	return cmp.Compare(nameByte(a, n, aDir), nameByte(b, n, bDir))
}

// nameByte is byte i of a name in git order: after the name comes "/" for a
// folder and NUL for a file.
func nameByte(name string, i int, dir bool) byte {
	switch {
	case i < len(name):
		return name[i]
	case dir:
		return '/'
	}
	return 0
}

func compareEntries(a, b *TreeEntry) int {
	return compareNames(a.Name, a.IsDir(), b.Name, b.IsDir())
}

// seek returns the index of the first entry that is not before name in git
// order.
func (t *Tree) seek(name string, dir bool) int {
	return seekEntries(t.Entries, name, dir)
}

func seekEntries(entries []TreeEntry, name string, dir bool) int {
	return sort.Search(len(entries), func(i int) bool {
		e := &entries[i]
		return compareNames(e.Name, e.IsDir(), name, dir) >= 0
	})
}

// Find returns the entry with that name.
func (t *Tree) Find(name string) (TreeEntry, bool) {
	if i := t.index(name); i >= 0 {
		return t.Entries[i], true
	}
	return TreeEntry{}, false
}

// index is the position of a name, or -1. A folder sorts elsewhere than a file
// of its name, so there are two places to look.
func (t *Tree) index(name string) int { return indexOf(t.Entries, name) }

func indexOf(entries []TreeEntry, name string) int {
	for _, dir := range []bool{false, true} {
		i := seekEntries(entries, name, dir)
		if i < len(entries) && entries[i].Name == name {
			return i
		}
	}
	return -1
}

// Size is the bytes of all files in the tree and below it.
func (t *Tree) Size() int64 { return totalSize(t.Entries) }

func totalSize(entries []TreeEntry) int64 {
	var n int64
	for i := range entries {
		n += entries[i].Size
	}
	return n
}

// EncodeTree makes the rows of a tree. Its entries must be in git order, with
// names that CheckName accepts and modes that git knows.
func EncodeTree(entries []TreeEntry) (store.GitObject, store.TreeMeta, error) {
	n := 0
	for i := range entries {
		n += len("100644 ") + len(entries[i].Name) + 1 + len(hub.OID{})
	}
	payload := make([]byte, 0, n)
	for i := range entries {
		e := &entries[i]
		mode, ok := e.Mode.octal()
		if !ok {
			return store.GitObject{}, store.TreeMeta{}, hub.Invalidf("%q has the mode %o, which git does not know", e.Name, e.Mode)
		}
		payload = append(payload, mode...)
		payload = append(payload, ' ')
		payload = append(payload, e.Name...)
		payload = append(payload, 0)
		payload = append(payload, e.OID[:]...)
	}
	obj := NewObject(KindTree, payload)
	return obj, store.TreeMeta{OID: obj.OID, Data: EncodeTreeMeta(entries)}, nil
}

// DecodeTree parses the payload of a tree object. Sizes and LFS are left empty:
// they come from the metadata (DecodeTreeMeta).
func DecodeTree(oid hub.OID, payload []byte) (*Tree, error) {
	// Every entry ends in a NUL and a hash; a hash may hold NULs too, so this
	// is an upper bound, and one entry is at least 28 bytes.
	entries := make([]TreeEntry, 0, min(bytes.Count(payload, []byte{0}), len(payload)/28+1))
	text := string(payload) // one copy that all names share
	for raw := range treeEntries(payload) {
		if raw.err != nil {
			return nil, raw.err
		}
		e := TreeEntry{Name: text[raw.nameStart:raw.nameEnd], Mode: raw.mode, OID: raw.oid}
		if err := checkNext(entries, &e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return &Tree{OID: oid, Entries: entries}, nil
}

// checkNext checks an entry that follows others: name, order, uniqueness.
func checkNext(before []TreeEntry, e *TreeEntry) error {
	if err := CheckName(e.Name); err != nil {
		return corruptf("tree entry: %v", err)
	}
	if e.OID.IsZero() {
		return corruptf("tree entry %q has the null id", e.Name)
	}
	if len(before) == 0 {
		return nil
	}
	if compareEntries(&before[len(before)-1], e) >= 0 {
		return corruptf("tree entry %q is out of order", e.Name)
	}
	// A file "a" comes before a folder "a", perhaps with "a.b" between them.
	if i := seekEntries(before, e.Name, false); e.IsDir() && i < len(before) && before[i].Name == e.Name {
		return corruptf("tree has two entries %q", e.Name)
	}
	return nil
}

// rawEntry is an entry as it lies in the payload.
type rawEntry struct {
	mode               Mode
	nameStart, nameEnd int
	oid                hub.OID
	err                error
}

func treeEntries(payload []byte) iter.Seq[rawEntry] {
	return func(yield func(rawEntry) bool) {
		for at := 0; at < len(payload); {
			e := parseRawEntry(payload, at)
			if !yield(e) || e.err != nil {
				return
			}
			at = e.nameEnd + 1 + len(e.oid)
		}
	}
}

func parseRawEntry(payload []byte, at int) rawEntry {
	rest := payload[at:]
	space := bytes.IndexByte(rest[:min(len(rest), 7)], ' ')
	if space < 0 {
		return rawEntry{err: corruptf("tree: no mode at byte %d", at)}
	}
	mode, ok := parseMode(rest[:space])
	if !ok {
		return rawEntry{err: corruptf("tree: bad mode %q", rest[:space])}
	}
	nul := bytes.IndexByte(rest[space+1:], 0)
	if nul < 0 {
		return rawEntry{err: corruptf("tree: unterminated name at byte %d", at)}
	}
	e := rawEntry{mode: mode, nameStart: at + space + 1, nameEnd: at + space + 1 + nul}
	if len(payload)-e.nameEnd-1 < len(e.oid) {
		return rawEntry{err: corruptf("tree: truncated id at byte %d", e.nameEnd)}
	}
	copy(e.oid[:], payload[e.nameEnd+1:])
	return e
}

// maxName is the longest name of a tree entry in bytes, as on common file
// systems.
const maxName = 255

// CheckName checks one path segment as git fsck does: not empty, no slash or
// NUL, not "." or "..", and no spelling of ".git" that some file system takes
// for it. Names need not be UTF-8.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return hub.Invalidf("invalid file name %q", name)
	case len(name) > maxName:
		return hub.Invalidf("a file name has at most %d bytes", maxName)
	case strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, 0) >= 0:
		return hub.Invalidf("invalid file name %q", name)
	case isDotGit(name):
		return hub.Invalidf("%q is reserved by git", name)
	}
	return nil
}

// isDotGit reports whether HFS+ or NTFS would take the name, or what follows a
// backslash in it, for ".git".
func isDotGit(name string) bool {
	if isHFSDotGit(name) {
		return true
	}
	for seg := range strings.SplitSeq(name, `\`) {
		if isNTFSDotGit(seg) {
			return true
		}
	}
	return false
}

// isNTFSDotGit: NTFS ignores case, trailing dots and spaces and what follows a
// colon, and knows ".git" by a short name.
func isNTFSDotGit(seg string) bool {
	if len(seg) < len(".git") || seg[0] != '.' && seg[0]|0x20 != 'g' {
		return false
	}
	seg, _, _ = strings.Cut(seg, ":")
	seg = strings.TrimRight(seg, ". ")
	return strings.EqualFold(seg, ".git") || strings.EqualFold(seg, "git~1")
}

// isHFSDotGit: HFS+ ignores case and some invisible characters.
func isHFSDotGit(name string) bool {
	const want = ".git"
	at := 0
	for i, r := range name {
		if hfsIgnores(r) {
			continue
		}
		if r == utf8.RuneError && isInvalidByte(name[i:]) {
			break // git takes bytes that are not UTF-8 for the end
		}
		if at == len(want) || r >= utf8.RuneSelf || r|0x20 != rune(want[at])|0x20 {
			return false
		}
		at++
	}
	return at == len(want)
}

// isInvalidByte tells a byte that is not UTF-8 from an encoded U+FFFD.
func isInvalidByte(s string) bool {
	_, width := utf8.DecodeRuneInString(s)
	return width == 1
}

func hfsIgnores(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e ||
		r >= 0x206a && r <= 0x206f || r == 0xfeff
}
