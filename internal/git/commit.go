package git

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Signature says who did something and when.
type Signature struct {
	Name  string
	Email string
	When  time.Time // whole seconds; its zone is kept
}

// CommitInfo is what a commit object says.
type CommitInfo struct {
	Tree      hub.OID
	Parents   []hub.OID
	Author    Signature
	Committer Signature // the zero value means Author, when encoding
	Message   string
}

// maxParents bounds the parents of a commit; git's own limit is far lower in
// practice (an octopus merge of the Linux kernel has 66).
const maxParents = 1024

// EncodeCommit makes the row of a commit. Characters that a signature or a
// message cannot hold are dropped, and the message ends in a newline.
func EncodeCommit(c CommitInfo) store.GitObject {
	if c.Committer == (Signature{}) {
		c.Committer = c.Author
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n", c.Author.line(), c.Committer.line())
	b.WriteString(cleanMessage(c.Message))
	return NewObject(KindCommit, b.Bytes())
}

// cleanMessage makes a message that git accepts: no NUL, one newline at the
// end.
func cleanMessage(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimRight(s, " \t\r\n") + "\n"
}

// line is the signature as objects spell it: "Name <email> 1700000000 +0100".
func (s Signature) line() string {
	name := cleanIdent(s.Name)
	if name == "" {
		name = "unknown"
	}
	when := s.When
	if when.Unix() < 0 {
		when = time.Unix(0, 0).UTC()
	}
	return fmt.Sprintf("%s <%s> %d %s", name, cleanIdent(s.Email), when.Unix(), when.Format("-0700"))
}

// cleanIdent drops what would end a name or an email, and trims what git trims.
func cleanIdent(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return strings.Trim(s, ` .,:;"'\`)
}

// DecodeCommitInfo parses the payload of a commit.
func DecodeCommitInfo(payload []byte) (CommitInfo, error) {
	var c CommitInfo
	h := headers{rest: payload}
	tree, ok := h.take("tree")
	if !ok {
		return c, corruptf("commit without a tree")
	}
	var err error
	if c.Tree, err = decodeOID(tree); err != nil {
		return c, err
	}
	for {
		parent, ok := h.take("parent")
		if !ok {
			break
		}
		oid, err := decodeOID(parent)
		if err != nil {
			return c, err
		}
		if len(c.Parents) == maxParents {
			return c, corruptf("commit with more than %d parents", maxParents)
		}
		c.Parents = append(c.Parents, oid)
	}
	if c.Author, err = h.signature("author"); err != nil {
		return c, err
	}
	if c.Committer, err = h.signature("committer"); err != nil {
		return c, err
	}
	c.Message, err = h.message()
	return c, err
}

// DecodeCommit parses the payload of a commit into what listings show. The date
// is the author's.
func DecodeCommit(oid hub.OID, payload []byte) (hub.Commit, error) {
	c, err := DecodeCommitInfo(payload)
	if err != nil {
		return hub.Commit{}, err
	}
	return c.summary(oid), nil
}

// summary is the commit as listings show it, with valid UTF-8 throughout.
func (c CommitInfo) summary(oid hub.OID) hub.Commit {
	text := strings.Trim(strings.ToValidUTF8(c.Message, "\uFFFD"), "\n")
	title, message, _ := strings.Cut(text, "\n")
	return hub.Commit{
		OID:     oid,
		Tree:    c.Tree,
		Parents: c.Parents,
		Author:  strings.ToValidUTF8(c.Author.Name, "\uFFFD"),
		Email:   strings.ToValidUTF8(c.Author.Email, "\uFFFD"),
		Date:    c.Author.When,
		Title:   title,
		Message: strings.TrimLeft(message, "\n"),
	}
}

// headers consumes the header lines of a commit or tag.
type headers struct{ rest []byte }

// take returns the value of the next line if it has that key.
func (h *headers) take(key string) ([]byte, bool) {
	line, rest, ok := bytes.Cut(h.rest, []byte("\n"))
	if !ok || len(line) <= len(key) || string(line[:len(key)]) != key || line[len(key)] != ' ' {
		return nil, false
	}
	h.rest = rest
	return line[len(key)+1:], true
}

func (h *headers) signature(key string) (Signature, error) {
	line, ok := h.take(key)
	if !ok {
		return Signature{}, corruptf("no %s line", key)
	}
	return decodeSignature(line)
}

// message skips further headers (encoding, gpgsig with its continuation lines)
// and returns what follows the empty line.
func (h *headers) message() (string, error) {
	for {
		line, rest, ok := bytes.Cut(h.rest, []byte("\n"))
		switch {
		case !ok && len(line) == 0:
			return "", nil // a tag without a message may end after its headers
		case !ok:
			return "", corruptf("unterminated header")
		case len(line) == 0:
			if bytes.IndexByte(rest, 0) >= 0 {
				return "", corruptf("NUL in a message")
			}
			return string(rest), nil
		case bytes.IndexByte(line, 0) >= 0:
			return "", corruptf("NUL in a header")
		}
		h.rest = rest
	}
}

func decodeOID(hexDigits []byte) (hub.OID, error) {
	oid, err := hub.ParseOID(string(hexDigits))
	if err != nil || oid.String() != string(hexDigits) {
		return hub.OID{}, corruptf("bad id %.50q", hexDigits)
	}
	return oid, nil
}

// maxSeconds is the latest time that git represents, and that time.Time
// formats with a year of four digits.
const maxSeconds = 253402300799 // 9999-12-31

func decodeSignature(line []byte) (Signature, error) {
	bad := func() (Signature, error) { return Signature{}, corruptf("bad signature %.200q", line) }
	open := bytes.IndexByte(line, '<')
	end := bytes.IndexByte(line, '>')
	if open < 0 || end < open || open > 0 && line[open-1] != ' ' || bytes.IndexByte(line, 0) >= 0 {
		return bad()
	}
	if bytes.IndexByte(line[open+1:end], '<') >= 0 || bytes.IndexByte(line[end+1:], '>') >= 0 {
		return bad()
	}
	seconds, zone, ok := strings.Cut(strings.TrimPrefix(string(line[end+1:]), " "), " ")
	if !ok {
		return bad()
	}
	sec, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || sec < 0 || sec > maxSeconds || strconv.FormatInt(sec, 10) != seconds {
		return bad()
	}
	loc, ok := decodeZone(zone)
	if !ok {
		return bad()
	}
	return Signature{
		Name:  strings.TrimSpace(string(line[:open])),
		Email: string(line[open+1 : end]),
		When:  time.Unix(sec, 0).In(loc),
	}, nil
}

// decodeZone reads "+0130".
func decodeZone(s string) (*time.Location, bool) {
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return nil, false
	}
	if slices.ContainsFunc([]byte(s[1:]), func(c byte) bool { return c < '0' || c > '9' }) {
		return nil, false
	}
	n, err := strconv.Atoi(s[1:])
	if err != nil {
		return nil, false
	}
	offset := (n/100*60 + n%100) * 60
	switch {
	case offset == 0:
		return time.UTC, true
	case s[0] == '-':
		offset = -offset
	}
	return time.FixedZone("", offset), true
}
