package hubapi

import (
	"strconv"
	"strings"
	"testing"
)

// TestKnownBounds: neither long hosts, which are repeated in what is remembered,
// nor long targets, nor many of either make the hub remember without end.
func TestKnownBounds(t *testing.T) {
	var known knownFiles
	long := strings.Repeat("a", maxURL)
	for _, key := range []fileKey{{"hub", "/ada/model/" + long}, {long, "/ada/model/resolve/main/a"}} {
		known.put(key, &knownFile{})
		if known.get(key) != nil {
			t.Errorf("a host of %d and a target of %d bytes are remembered", len(key.host), len(key.target))
		}
	}
	for i := range 2*maxKnown + 1 {
		key := fileKey{"hub", strconv.Itoa(i)}
		known.put(key, &knownFile{})
		if known.get(key) == nil {
			t.Fatalf("file %d is not remembered", i)
		}
	}
	if n := len(known.files); n > maxKnown {
		t.Errorf("%d files are remembered, more than %d", n, maxKnown)
	}
}
