package git

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// MaxPointer is the largest blob that can be an LFS pointer, in bytes.
const MaxPointer = 1024

// pointerVersion is the first line of a pointer.
const pointerVersion = "version https://git-lfs.github.com/spec/v1\n"

// FormatPointer returns the LFS pointer that stands in git for a large file.
func FormatPointer(sha hub.SHA256, size int64) []byte {
	return fmt.Appendf(nil, "%soid sha256:%s\nsize %d\n", pointerVersion, sha, size)
}

// ParsePointer reads an LFS pointer: the version line, then "key value" lines
// with sorted, unique keys, among them oid and size. It reports false for
// everything else, which is then a plain file.
func ParsePointer(content []byte) (sha hub.SHA256, size int64, ok bool) {
	if len(content) > MaxPointer {
		return sha, 0, false
	}
	body, ok := bytes.CutPrefix(content, []byte(pointerVersion))
	if !ok || !bytes.HasSuffix(body, []byte("\n")) {
		return sha, 0, false
	}
	values, ok := pointerValues(string(body[:len(body)-1]))
	if !ok {
		return sha, 0, false
	}
	digits, ok := strings.CutPrefix(values["oid"], "sha256:")
	if !ok || strings.ToLower(digits) != digits {
		return sha, 0, false
	}
	sha, err := hub.ParseSHA256(digits)
	if err != nil {
		return sha, 0, false
	}
	size, err = strconv.ParseInt(values["size"], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != values["size"] {
		return sha, 0, false
	}
	return sha, size, true
}

// pointerValues reads the lines after the version.
func pointerValues(body string) (map[string]string, bool) {
	values := make(map[string]string)
	last := ""
	for line := range strings.SplitSeq(body, "\n") {
		key, value, ok := strings.Cut(line, " ")
		if !ok || key <= last || !isPointerKey(key) || strings.ContainsAny(value, "\r\x00") {
			return nil, false
		}
		values[key], last = value, key
	}
	return values, true
}

// isPointerKey reports whether a key has only the characters of the LFS
// specification: [a-z] [0-9] . -
func isPointerKey(key string) bool {
	for _, c := range []byte(key) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
