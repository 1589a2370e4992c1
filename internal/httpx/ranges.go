package httpx

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// Range is a piece of a file: Length bytes from Start.
type Range struct {
	Start, Length int64
}

// RangeResult says what a Range header asks for.
type RangeResult uint8

// The results of ParseRange.
const (
	RangeAll     RangeResult = iota // no range, or one that is to be ignored
	RangePart                       // one satisfiable range
	RangeInvalid                    // beyond the end
)

// ParseRange parses a Range header against a file's size. Several ranges, and
// units other than bytes, are ignored, as RFC 9110 allows: the whole file is
// the answer. Positions beyond 63 bits mean "to the end".
func ParseRange(header string, size int64) (Range, RangeResult) {
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return Range{}, RangeAll
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	switch {
	case !ok || first == "" && last == "":
		return Range{}, RangeAll
	case first == "":
		n, ok := position(last)
		if !ok {
			return Range{}, RangeAll
		}
		if n == 0 || size == 0 {
			return Range{}, RangeInvalid
		}
		n = min(n, size)
		return Range{Start: size - n, Length: n}, RangePart
	}
	start, ok := position(first)
	if !ok {
		return Range{}, RangeAll
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = position(last); !ok || end < start {
			return Range{}, RangeAll
		}
	}
	if start >= size {
		return Range{}, RangeInvalid
	}
	end = min(end, size-1)
	return Range{Start: start, Length: end - start + 1}, RangePart
}

// position parses a byte position; what does not fit 63 bits is the largest.
func position(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// ETagMatches reports whether an If-None-Match or If-Range header names the
// entity tag (given without quotes).
func ETagMatches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || strings.Trim(part, `"`) == etag {
			return true
		}
	}
	return false
}

// RequestRange is the range that a request asks of a file with that size and
// entity tag, with If-Range observed.
func RequestRange(r *http.Request, size int64, etag string) (Range, RangeResult) {
	header := r.Header.Get("Range")
	if header == "" {
		return Range{}, RangeAll
	}
	if cond := r.Header.Get("If-Range"); cond != "" && !ETagMatches(cond, etag) {
		return Range{}, RangeAll
	}
	return ParseRange(header, size)
}

// RangeWriter is content that can write a piece of itself.
type RangeWriter interface {
	Size() int64
	// WriteRange writes n bytes from off on, by the fastest way that w offers.
	WriteRange(w io.Writer, off, n int64) (int64, error)
}

// ServeRange answers a GET or HEAD for content: all of it, or the range asked
// for. The caller has set the headers that describe it.
func ServeRange(w http.ResponseWriter, r *http.Request, f RangeWriter, etag string) error {
	size := f.Size()
	part, result := RequestRange(r, size, etag)
	if result == RangeInvalid {
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return hub.ErrRange
	}
	WriteRangeStatus(w, part, result, size)
	if r.Method == http.MethodHead {
		return nil
	}
	if result == RangeAll {
		part = Range{Length: size}
	}
	SendRange(w, f, part)
	return nil
}

// WriteRangeStatus writes the status line and headers of an answer with a
// range of a file.
func WriteRangeStatus(w http.ResponseWriter, part Range, result RangeResult, size int64) {
	h := w.Header()
	if result == RangeAll {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		w.WriteHeader(http.StatusOK)
		return
	}
	var scratch [80]byte // fits three numbers
	b := append(scratch[:0], "bytes "...)
	b = append(strconv.AppendInt(b, part.Start, 10), '-')
	b = append(strconv.AppendInt(b, part.Start+part.Length-1, 10), '/')
	b = strconv.AppendInt(b, size, 10)
	values := []string{strconv.FormatInt(part.Length, 10), string(b)}
	h["Content-Length"], h["Content-Range"] = values[:1:1], values[1:]
	w.WriteHeader(http.StatusPartialContent)
}

// SendRange writes the body. A failure in the middle ends the connection, so
// that the client sees a short body and not a wrong one.
func SendRange(w http.ResponseWriter, f RangeWriter, part Range) {
	if part.Length == 0 {
		return
	}
	if n, err := f.WriteRange(w, part.Start, part.Length); err != nil || n != part.Length {
		panic(http.ErrAbortHandler)
	}
}
