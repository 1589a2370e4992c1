package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatBytes writes a size as storage is sold, in powers of ten: "1.24 GB".
func formatBytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		v /= 1000
		if v < 999.5 {
			break
		}
	}
	return significant(v) + " " + unit
}

// formatCount writes a number in short: "950", "1.24M", "7B".
func formatCount(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"k", "M", "B", "T"} {
		v /= 1000
		if v < 999.5 {
			break
		}
	}
	return significant(v) + unit
}

// significant writes a number below 1000 with three digits, without a zero
// behind the point.
func significant(v float64) string {
	digits := 0
	switch {
	case v < 9.995:
		digits = 2
	case v < 99.95:
		digits = 1
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if digits > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// formatNumber writes all digits of a number in groups: "1 240 000", with
// narrow spaces that do not break.
func formatNumber(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return sign + s
}

// plural writes a number with its noun: "1 file", "3 files".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return formatNumber(n) + " " + noun + "s"
}

// ago writes how long before now a time was, roughly. Far times are dates.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return t.UTC().Format("2 Jan 2006")
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min ago"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h ago"
	case d < 30*24*time.Hour:
		return plural(int64(d/(24*time.Hour)), "day") + " ago"
	case now.Year() == t.Year():
		return t.UTC().Format("2 Jan")
	}
	return t.UTC().Format("2 Jan 2006")
}

// stamp writes a time for machines and for tooltips.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shape writes the shape of a tensor: "[4096, 128]".
func shape(dims []int64) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = strconv.FormatInt(d, 10)
	}
	return fmt.Sprintf("[%s]", strings.Join(parts, ", "))
}
