package hub

import (
	"encoding/hex"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// OID is a SHA-1 git object id. The zero value is git's null id, which names
// no object.
type OID [20]byte

// ParseOID parses 40 lower- or upper-case hex digits.
func ParseOID(s string) (OID, error) {
	var o OID
	if len(s) != 40 {
		return o, Invalidf("%q is not a commit id", s)
	}
	if _, err := hex.Decode(o[:], []byte(s)); err != nil {
		return OID{}, Invalidf("%q is not a commit id", s)
	}
	return o, nil
}

// IsZero reports whether o is the null id.
func (o OID) IsZero() bool { return o == OID{} }

func (o OID) String() string { return hex.EncodeToString(o[:]) }

// SHA256 is the name of a large file's content: its LFS oid.
type SHA256 [32]byte

// ParseSHA256 parses 64 hex digits.
func ParseSHA256(s string) (SHA256, error) {
	var h SHA256
	if len(s) != 64 {
		return h, Invalidf("%q is not a SHA-256", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return SHA256{}, Invalidf("%q is not a SHA-256", s)
	}
	return h, nil
}

// IsZero reports whether h is the zero value, which names no content.
func (h SHA256) IsZero() bool { return h == SHA256{} }

func (h SHA256) String() string { return hex.EncodeToString(h[:]) }

// XetHash is a 32-byte Xet hash (file id, xorb or chunk hash) in memory order.
// Its text form is not plain hex: see package xet, which converts.
type XetHash [32]byte

// IsZero reports whether h is 32 zero bytes, the id of the empty file.
func (h XetHash) IsZero() bool { return h == XetHash{} }

// String is the text form: each group of eight bytes reversed, in hex.
func (h XetHash) String() string {
	var swapped [32]byte
	for i := range h {
		swapped[i] = h[i&^7|(7-i&7)]
	}
	return hex.EncodeToString(swapped[:])
}

// ParseXetHash parses the 64-digit text form.
func ParseXetHash(s string) (XetHash, error) {
	var swapped, h XetHash
	if len(s) != 64 {
		return h, Invalidf("%q is not a Xet hash", s)
	}
	if _, err := hex.Decode(swapped[:], []byte(s)); err != nil {
		return h, Invalidf("%q is not a Xet hash", s)
	}
	for i := range h {
		h[i] = swapped[i&^7|(7-i&7)]
	}
	return h, nil
}

// Revision is what a client wrote for a revision: a branch or tag name, a full
// ref, a commit id of 7 to 40 digits, or HEAD. It is resolved by the repo
// service. The zero value means the default branch.
type Revision string

// DefaultBranch is the branch of a new repository.
const DefaultBranch = "main"

// Names of refs.
const (
	BranchPrefix = "refs/heads/"
	TagPrefix    = "refs/tags/"
	PRPrefix     = "refs/pr/"
	// ConvertPrefix holds branches that the hub makes, such as Parquet copies.
	ConvertPrefix = "refs/convert/"
)

var badRef = regexp.MustCompile(`[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/\.|\.lock(?:/|$)|^[./]|[/.]$|^@$`)

// CheckRefName checks a short branch or tag name against git's rules
// (git check-ref-format).
func CheckRefName(name string) error {
	switch {
	case name == "" || len(name) > 255:
		return Invalidf("a branch or tag name has 1 to 255 characters")
	case strings.HasPrefix(name, "-") || badRef.MatchString(name) || !utf8.ValidString(name):
		return Invalidf("Invalid ref name: %q", name)
	case strings.HasPrefix(name, "refs/"):
		return Invalidf("Invalid ref name: %q", name)
	case fullOID.MatchString(name):
		return Invalidf("Invalid ref name: %q looks like a commit id", name)
	}
	return nil
}

var fullOID = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

// maxPath is the longest path in bytes; ext4 and git both allow 4096.
const maxPath = 2048

// ParsePath checks the path of a file or folder in a repository: relative,
// slash-separated, valid UTF-8, no empty, "." or ".." segment, no ".git"
// segment in any spelling, no backslash-dot escapes, no control characters.
// The path is returned as it came: names are never normalised.
func ParsePath(p string) (string, error) {
	if p == "" || len(p) > maxPath || !utf8.ValidString(p) {
		return "", Invalidf("invalid path %q", p)
	}
	if strings.ContainsFunc(p, func(c rune) bool { return c < 0x20 && c != '\t' || c == 0x7f }) {
		return "", Invalidf("invalid path %q: control characters are forbidden", p)
	}
	for seg := range strings.SplitSeq(p, "/") {
		if err := checkPathSegment(seg); err != nil {
			return "", Invalidf("invalid path %q: %s", p, err.(*Error).Message)
		}
	}
	return p, nil
}

func checkPathSegment(seg string) error {
	switch {
	case seg == "":
		return Invalidf("empty segment")
	case seg == "." || seg == ".." || strings.HasPrefix(seg, `..\`):
		return Invalidf("%q segment", seg)
	case len(seg) > 255:
		return Invalidf("a name has at most 255 bytes")
	case strings.EqualFold(strings.TrimRight(seg, ". "), ".git") || strings.EqualFold(seg, "git~1"):
		return Invalidf("%q is reserved by git", seg)
	}
	return nil
}

// Dir is the folder of a path, "" for the top.
func Dir(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}

// EntryKind tells files from folders in a listing.
type EntryKind string

// The kinds of entry.
const (
	FileEntry EntryKind = "file"
	DirEntry  EntryKind = "directory"
)

// Entry is one line of a tree listing.
type Entry struct {
	Kind EntryKind
	Path string // from the top of the repository
	OID  OID    // git id of the blob (of the pointer, for a large file) or tree
	Size int64  // size of the content; 0 for a folder

	// LFS names the content when the file is large (stored in the CAS behind
	// an LFS pointer); nil for files that are plain git blobs.
	LFS *LFSInfo
}

// LFSInfo is what an LFS pointer says, and where the bytes are.
type LFSInfo struct {
	OID         SHA256
	Size        int64
	PointerSize int64
	Xet         XetHash // file id in the CAS; zero only for the empty file
}

// Commit is a git commit as listings show it.
type Commit struct {
	OID     OID
	Tree    OID
	Parents []OID
	Author  string
	Email   string
	Date    time.Time
	Title   string // first line of the message
	Message string // the rest, without the blank line
}

// Ref is a named pointer to a commit.
type Ref struct {
	Name   string // full: refs/heads/main
	Target OID    // the commit; an annotated tag is peeled
}
