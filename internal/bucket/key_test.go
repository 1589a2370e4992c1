package bucket_test

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
)

// FuzzCheckKey holds every accepted key to what the folder relies on: it is a
// clean local path without hidden names.
func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"a", "xorbs/ab/abcd", "../a", "a/./b", "/a", "a//b", ".tmp/x", "a\x00", "A", "a/", "é"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if bucket.CheckKey(key) != nil {
			return
		}
		if path.Clean(key) != key || !filepath.IsLocal(key) || strings.Contains("/"+key, "/.") || strings.ToLower(key) != key {
			t.Errorf("CheckKey accepts %q", key)
		}
	})
}
