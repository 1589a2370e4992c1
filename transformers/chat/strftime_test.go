package chat

import (
	"testing"
	"time"
)

// TestStrftime compares with Python's datetime.strftime: [time, format, text].
func TestStrftime(t *testing.T) {
	var cases [][3]string
	readJSON(t, "testdata/strftime.json", &cases)
	if len(cases) < 500 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		at, err := time.Parse("2006-01-02T15:04:05.999999", c[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := strftime(at, c[1]); got != c[2] {
			t.Errorf("%s at %s: got %q, want %q", c[1], c[0], got, c[2])
		}
	}
}
