package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// The Markdown parser takes time quadratic in the nesting of block quotes and
// lists on a line and in the brackets and emphasis marks of a block (137 s for
// 512 KB of "**a_"), and cannot be cancelled. Hence these limits, which no
// honest card reaches, and a deadline for what they do not foresee.
const (
	maxNesting = 64   // block quotes and list items that one line opens
	maxMarks   = 1500 // brackets and emphasis marks of one block; the rest are text
	parseTime  = 3 * time.Second
)

var errTooComplex = errors.New("the Markdown is too complex")

// convert is md.Convert within bounds; errTooComplex if they are exceeded.
func convert(src []byte, w io.Writer, deadline time.Time) (err error) {
	if nestsTooDeep(src) {
		return errTooComplex
	}
	defer func() {
		// A stopwatch has no other way to leave the parser.
		if r := recover(); r == errTooComplex {
			err = errTooComplex
		} else if r != nil {
			err = fmt.Errorf("the Markdown parser failed: %v", r)
		}
	}()
	watch := &stopwatch{deadline: time.Now().Add(parseTime)}
	md := markdown(watch, deadline)
	ctx := parser.NewContext(parser.WithIDs(&slugs{next: map[string]int{}}))
	doc := md.Parser().Parse(&timedReader{Reader: text.NewReader(src), watch: watch}, parser.WithContext(ctx))
	return md.Renderer().Render(w, src, doc)
}

// nestsTooDeep reports whether a line opens more than maxNesting block quotes
// and list items.
func nestsTooDeep(src []byte) bool {
	for line := range bytes.Lines(src) {
		n := 0
		for rest := line; n <= maxNesting; n++ {
			after, ok := cutMarker(bytes.TrimLeft(rest, " \t"))
			if !ok {
				break
			}
			rest = after
		}
		if n > maxNesting && !isRule(line) {
			return true
		}
	}
	return false
}

// cutMarker cuts the marker of a block quote or list item from the start of s.
func cutMarker(s []byte) ([]byte, bool) {
	if len(s) > 0 && s[0] == '>' {
		return s[1:], true
	}
	rest := bytes.TrimLeft(s, "0123456789")
	bullet := "-*+"
	if len(rest) < len(s) {
		bullet = ".)"
	}
	if len(rest) < 2 || bytes.IndexByte([]byte(bullet), rest[0]) < 0 || (rest[1] != ' ' && rest[1] != '\t') {
		return nil, false
	}
	return rest[1:], true
}

// isRule reports whether a line is a horizontal rule such as "- - -".
func isRule(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(bytes.Trim(line, " \t"+string(line[:1]))) == 0 && bytes.IndexByte([]byte("-*"), line[0]) >= 0
}

// stopwatch panics with errTooComplex once the deadline has passed.
type stopwatch struct {
	deadline time.Time
	calls    int
}

func (s *stopwatch) check() {
	if s.calls++; s.calls%64 == 0 && time.Now().After(s.deadline) {
		panic(errTooComplex)
	}
}

// timedReader checks the time for each line that the block parser reads.
type timedReader struct {
	text.Reader
	watch *stopwatch
}

// PeekLine implements text.Reader.
func (r *timedReader) PeekLine() ([]byte, text.Segment) {
	r.watch.check()
	return r.Reader.PeekLine()
}

// markLimiter stands before the other inline parsers and takes brackets and
// emphasis marks away from them when a block has too many.
type markLimiter struct {
	watch *stopwatch
	marks int // in this block so far
}

// Trigger implements parser.InlineParser.
func (*markLimiter) Trigger() []byte { return []byte("[]!*_~") }

// Parse implements parser.InlineParser.
func (m *markLimiter) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	m.watch.check()
	if m.marks++; m.marks <= maxMarks {
		return nil
	}
	_, segment := block.PeekLine()
	block.Advance(1)
	return ast.NewTextSegment(segment.WithStop(segment.Start + 1))
}

// CloseBlock implements parser.CloseBlocker.
func (m *markLimiter) CloseBlock(ast.Node, text.Reader, parser.Context) { m.marks = 0 }
