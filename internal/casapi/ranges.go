package casapi

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/xet"
)

// maxRanges bounds the ranges of one request.
const maxRanges = 4096

// byteRange is a range as a client writes it. Both ends are included.
type byteRange struct {
	first, last uint64
	suffix      bool // the last `last` bytes
}

var errRangeSyntax = hub.Invalidf("The byte range is malformed.")

// parseRanges parses "bytes=a-b,c-,-n". Numbers may be as large as 64 bits allow:
// clients ask far beyond the end of a file whose size they do not know.
func parseRanges(header string) ([]byteRange, error) {
	unit, list, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return nil, errRangeSyntax
	}
	var out []byteRange
	for spec := range strings.SplitSeq(list, ",") {
		if len(out) == maxRanges {
			return nil, hub.Invalidf("A request has at most %d byte ranges.", maxRanges)
		}
		r, err := parseRange(strings.TrimSpace(spec))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func parseRange(spec string) (r byteRange, err error) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok || first == "" && last == "" {
		return r, errRangeSyntax
	}
	r.suffix, r.last = first == "", math.MaxUint64
	if first != "" {
		if r.first, err = parseNumber(first); err != nil {
			return r, err
		}
	}
	if last != "" {
		r.last, err = parseNumber(last)
	}
	return r, err
}

// parseNumber parses digits; what does not fit is as large as possible.
func parseNumber(s string) (uint64, error) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, errRangeSyntax
		}
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return math.MaxUint64, nil
	}
	return v, nil
}

// within resolves the range in something of a size: [Start, End). It reports
// false if no byte of it exists.
func (r byteRange) within(size int64) (xet.ByteRange, bool) {
	n := uint64(size)
	if r.suffix {
		r.first, r.last = n-min(n, r.last), n-1
		if n == 0 {
			return xet.ByteRange{}, false
		}
	}
	if r.first >= n || r.last < r.first {
		return xet.ByteRange{}, false
	}
	return xet.ByteRange{Start: int64(r.first), End: int64(min(r.last, n-1)) + 1}, true
}

// requestedRange resolves the Range header of a reconstruction request: the
// whole file if there is none. The empty file has its empty beginning.
func requestedRange(header string, size int64) (xet.ByteRange, error) {
	if header == "" {
		return xet.ByteRange{End: size}, nil
	}
	ranges, err := parseRanges(header)
	if err != nil {
		return xet.ByteRange{}, err
	}
	if len(ranges) > 1 {
		return xet.ByteRange{}, hub.Invalidf("A reconstruction is for one byte range.")
	}
	got, ok := ranges[0].within(size)
	if !ok && !(size == 0 && ranges[0].first == 0) {
		return xet.ByteRange{}, hub.ErrRange
	}
	return got, nil
}

// dirtyRanges resolves X-Range-Dirty: sorted, joined where they touch, cut at
// the end of the file.
func dirtyRanges(header string, size int64) ([]xet.ByteRange, error) {
	ranges, err := parseRanges(header)
	if err != nil {
		return nil, err
	}
	var out []xet.ByteRange
	for _, r := range ranges {
		if got, ok := r.within(size); ok {
			out = append(out, got)
		}
	}
	if len(out) == 0 {
		return nil, hub.Invalidf("X-Range-Dirty names no byte of the file.")
	}
	slices.SortFunc(out, func(a, b xet.ByteRange) int { return cmp.Compare(a.Start, b.Start) })
	merged := out[:1]
	for _, r := range out[1:] {
		last := &merged[len(merged)-1]
		if r.Start > last.End {
			merged = append(merged, r)
			continue
		}
		last.End = max(last.End, r.End)
	}
	return merged, nil
}
