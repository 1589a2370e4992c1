package render

import (
	"bytes"
	"html/template"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
)

// Limits on code.
const (
	MaxCode      = 512 << 10 // bytes of a file that Code shows
	maxHighlight = 256 << 10 // bytes that are highlighted; more is shown plainly
)

// classPrefix begins every class that highlighting uses.
const classPrefix = "hl-"

// Code renders a text file with line numbers that can be linked to as "#L12".
// It returns false for what is not text or is longer than MaxCode.
func Code(filename string, src []byte) (template.HTML, bool) {
	if len(src) > MaxCode || bytes.IndexByte(src, 0) >= 0 || !utf8.Valid(src) {
		return "", false
	}
	text := string(src)
	var out bytes.Buffer
	deadline := time.Now().Add(highlightTime)
	if highlight(&out, lexers.Match(filename), text, fileFormat(), deadline) {
		return template.HTML(out.String()), true
	}
	out.Reset()
	if !highlight(&out, lexers.Fallback, text, fileFormat(), time.Time{}) {
		return "", false
	}
	return template.HTML(out.String()), true
}

// lexerFor is the lexer of a fence's language, nil if it names none.
func lexerFor(language string) chroma.Lexer {
	if language == "" {
		return nil
	}
	return lexers.Get(strings.ToLower(language))
}

func inlineFormat() *chromahtml.Formatter {
	return chromahtml.New(chromahtml.WithClasses(true), chromahtml.ClassPrefix(classPrefix))
}

func fileFormat() *chromahtml.Formatter {
	return chromahtml.New(chromahtml.WithClasses(true), chromahtml.ClassPrefix(classPrefix),
		chromahtml.WithLineNumbers(true), chromahtml.WithLinkableLineNumbers(true, "L"))
}

// highlight writes code as HTML. It returns false, having written nothing, if
// there is no lexer, too much code, or the deadline passes; a zero deadline
// lifts both limits.
func highlight(w io.Writer, lexer chroma.Lexer, code string, format *chromahtml.Formatter, deadline time.Time) bool {
	limited := !deadline.IsZero()
	if lexer == nil || (limited && (len(code) > maxHighlight || time.Now().After(deadline))) {
		return false
	}
	it, err := chroma.Coalesce(lexer).Tokenise(nil, code)
	if err != nil {
		return false
	}
	var tokens []chroma.Token
	for t := it(); t != chroma.EOF; t = it() {
		tokens = append(tokens, t)
		if limited && time.Now().After(deadline) {
			return false
		}
	}
	var out bytes.Buffer
	if err := format.Format(&out, styles.Fallback, chroma.Literator(tokens...)); err != nil {
		return false
	}
	_, err = w.Write(out.Bytes())
	return err == nil
}
