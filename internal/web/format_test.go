package web

import (
	"testing"
	"time"
)

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1234: "1.23 kB", 12_345: "12.3 kB", 123_456: "123 kB", 999_499: "999 kB", 999_500: "1 MB",
		1_500_000_000: "1.5 GB", 1 << 62: "4.61 EB",
	} {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestFormatCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 950: "950", 1000: "1k", 1_236_000_000: "1.24B", 7_000_000_000: "7B", 9_996: "10k", 405_000_000_000: "405B"} {
		if got := formatCount(n); got != want {
			t.Errorf("formatCount(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestFormatNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567", -1234: "-1\u202f234"} {
		if got := formatNumber(n); got != want {
			t.Errorf("formatNumber(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		t    time.Time
		want string
	}{
		{time.Time{}, "never"}, {now.Add(-3 * time.Second), "just now"}, {now.Add(30 * time.Second), "just now"},
		{now.Add(-time.Minute), "1 min ago"}, {now.Add(-59 * time.Minute), "59 min ago"}, {now.Add(-5 * time.Hour), "5 h ago"}, {now.Add(-25 * time.Hour), "1 day ago"},
		{now.AddDate(0, -3, 0), "24 Aug"}, {now.AddDate(-1, 0, 0), "24 Nov 2025"}, {now.AddDate(0, 0, 2), "26 Nov 2026"},
	} {
		if got := ago(now, tt.t); got != tt.want {
			t.Errorf("ago(%v) = %q, want %q", tt.t, got, tt.want)
		}
	}
}
