package httpx

import "testing"

func TestParseRange(t *testing.T) {
	tests := []struct {
		header string
		size   int64
		want   Range
		result RangeResult
	}{
		{"", 10, Range{}, RangeAll},
		{"bytes=0-0", 10, Range{0, 1}, RangePart},
		{"bytes=0-", 10, Range{0, 10}, RangePart},
		{"bytes=2-4", 10, Range{2, 3}, RangePart},
		{"bytes=2-400", 10, Range{2, 8}, RangePart},
		{"bytes=2-18446744073709551614", 10, Range{2, 8}, RangePart},
		{"bytes=-3", 10, Range{7, 3}, RangePart},
		{"bytes=-30", 10, Range{0, 10}, RangePart},
		{"bytes=-0", 10, Range{}, RangeInvalid},
		{"bytes=10-", 10, Range{}, RangeInvalid},
		{"bytes=99999999999999999999-", 10, Range{}, RangeInvalid},
		{"bytes=0-", 0, Range{}, RangeInvalid},
		{"bytes=4-2", 10, Range{}, RangeAll},
		{"bytes=a-b", 10, Range{}, RangeAll},
		{"bytes=+1-2", 10, Range{}, RangeAll},
		{"bytes=0-1,3-4", 10, Range{}, RangeAll},
		{"items=0-1", 10, Range{}, RangeAll},
		{"bytes=-", 10, Range{}, RangeAll},
	}
	for _, tt := range tests {
		got, result := ParseRange(tt.header, tt.size)
		if got != tt.want || result != tt.result {
			t.Errorf("ParseRange(%q, %d) = %+v, %d, want %+v, %d", tt.header, tt.size, got, result, tt.want, tt.result)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-10", int64(100))
	f.Add("bytes=-10", int64(3))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		got, result := ParseRange(header, size)
		if result == RangePart && (got.Start < 0 || got.Length <= 0 || got.Start > size-got.Length) {
			t.Errorf("ParseRange(%q, %d) = %+v: outside of the file", header, size, got)
		}
	})
}
