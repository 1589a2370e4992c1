package attrs

import "strings"

// Quote writes a path as a .gitattributes pattern that matches it: wildcards
// are escaped, and white space is written as git-lfs writes it, since a space
// would end the pattern.
func Quote(path string) string {
	var b strings.Builder
	for i, c := range []byte(path) {
		switch {
		case c == ' ' || c == '\t':
			b.WriteString("[[:space:]]")
			continue
		case strings.IndexByte(`*?[\`, c) >= 0, i == 0 && strings.IndexByte(`"!#`, c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
