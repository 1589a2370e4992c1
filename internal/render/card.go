package render

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"

	"github.com/pantryhub/pantry/internal/card"
)

// MaxCard is the longest text, without front matter, that is rendered.
const MaxCard = 512 << 10

// excerpt is how much is shown, as plain text, of a card that is not rendered.
const excerpt = 64 << 10

// highlightTime is how long all code blocks of a card may take to highlight;
// the rest are shown plainly.
const highlightTime = 500 * time.Millisecond

// Options says where a card stands.
type Options struct {
	// Link rewrites the relative target of a link, for example "docs/x.md" to
	// "/org/repo/blob/main/docs/x.md". Media does so for images, video and
	// audio. They are given what the card says, without leading "./"; nil
	// leaves targets alone.
	Link, Media func(target string) string
}

// Card renders a README.md, without its front matter.
func Card(src []byte, opt Options) (template.HTML, error) {
	_, body, _ := card.Split(src)
	if len(body) > MaxCard {
		return plain(body, fmt.Sprintf("This card has %d KB, too many to render. It begins:", len(body)>>10)), nil
	}
	body = bytes.ToValidUTF8(body, []byte("\ufffd"))
	var raw bytes.Buffer
	err := convert(body, &raw, time.Now().Add(highlightTime))
	if errors.Is(err, errTooComplex) {
		return plain(body, "This card is too complex to render. It reads:"), nil
	}
	if err != nil {
		return "", fmt.Errorf("render card: %w", err)
	}
	var rewritten bytes.Buffer
	if err := rewrite(&rewritten, &raw, opt); err != nil {
		return "", fmt.Errorf("render card: %w", err)
	}
	return template.HTML(policy().SanitizeBytes(rewritten.Bytes())), nil
}

// plain shows the beginning of a text that cannot be rendered.
func plain(body []byte, why string) template.HTML {
	shown := bytes.ToValidUTF8(body[:min(len(body), excerpt)], nil)
	return template.HTML(fmt.Sprintf("<p><em>%s</em></p>\n<pre>%s</pre>\n", why, html.EscapeString(string(shown))))
}

// markdown is the converter. It is made for each card because its parts keep
// the card's time budget; making one takes microseconds.
func markdown(watch *stopwatch, highlightUntil time.Time) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
			extension.Strikethrough,
			extension.Linkify,
			extension.TaskList,
			extension.Footnote,
		),
		goldmark.WithParserOptions(
			parser.WithAutoHeadingID(),
			parser.WithInlineParsers(util.Prioritized(&markLimiter{watch: watch}, 0)),
		),
		goldmark.WithRendererOptions(
			goldmarkhtml.WithUnsafe(), // the sanitiser comes last
			renderer.WithNodeRenderers(util.Prioritized(&codeBlocks{deadline: highlightUntil}, 100)),
		),
	)
}

// codeBlocks renders fenced code blocks with highlighting.
type codeBlocks struct{ deadline time.Time }

// RegisterFuncs implements renderer.NodeRenderer.
func (c *codeBlocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, c.render)
}

func (c *codeBlocks) render(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := node.(*ast.FencedCodeBlock)
	var code bytes.Buffer
	for i := range block.Lines().Len() {
		line := block.Lines().At(i)
		code.Write(line.Value(source))
	}
	if !highlight(w, lexerFor(string(block.Language(source))), code.String(), inlineFormat(), c.deadline) {
		fmt.Fprintf(w, "<pre><code>%s</code></pre>\n", html.EscapeString(code.String()))
	}
	return ast.WalkSkipChildren, nil
}

// slugs makes heading ids as the public sites do: letters and digits of any
// script in lower case, "-" for spaces, other characters dropped, a number
// behind repeated ones.
type slugs struct{ next map[string]int }

// Generate implements parser.IDs.
func (s *slugs) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	for _, r := range strings.TrimSpace(string(value)) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			b.WriteRune(unicode.ToLower(r))
		case r == ' ':
			b.WriteByte('-')
		}
	}
	base := b.String()
	if base == "" {
		base = "section"
	}
	id := base
	for n := max(s.next[base], 1); s.next[id] > 0; n++ {
		id = base + "-" + strconv.Itoa(n)
		s.next[base] = n + 1
	}
	s.next[id]++
	return []byte(id)
}

// Put implements parser.IDs.
func (s *slugs) Put(value []byte) { s.next[string(value)]++ }

// policy is the sanitiser's list of what may be in a card.
var policy = sync.OnceValue(newPolicy)
