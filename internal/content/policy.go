package content

import (
	"bytes"
	"unicode/utf8"

	"github.com/pantryhub/pantry/internal/attrs"
)

// Mode is how a file is uploaded [uploadMode].
type Mode string

// The modes. Regular files are git blobs, LFS files live in the CAS.
const (
	Regular Mode = "regular"
	LFS     Mode = "lfs"
)

// RegularLimit is the size up to which a text file stays a git blob.
const RegularLimit = 10 << 20

// Decide is the upload policy: a file is large when .gitattributes says so,
// when it is over the limit, or when the sample (its first bytes) is not text.
// Git keeps every version of a blob whole, so binaries belong in the CAS,
// where versions share chunks.
func Decide(rules attrs.Rules, path string, size int64, sample []byte) Mode {
	switch {
	case size == 0:
		return Regular
	case rules.LFS(path), size > RegularLimit, !isText(sample):
		return LFS
	}
	return Regular
}

// isText reports whether a sample of a file's beginning looks like UTF-8 text.
// The sample may end in the middle of a character.
func isText(sample []byte) bool {
	if bytes.IndexByte(sample, 0) >= 0 {
		return false
	}
	for i := 1; i < utf8.UTFMax && i <= len(sample); i++ {
		if tail := sample[len(sample)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				sample = sample[:len(sample)-i]
			}
			break
		}
	}
	return utf8.Valid(sample)
}
