package card

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"go.yaml.in/yaml/v4"
)

// Limits of front matter.
const (
	maxFrontMatter = 256 << 10 // bytes
	maxDepth       = 100       // nesting
	maxNodes       = 50_000    // values, counting each use of an alias
)

// Data is a card's metadata: the value of its YAML front matter as JSON would
// spell it. Values are nil, bool, int64, float64, string, []any and
// map[string]any. Dates are strings such as "2024-01-02T00:00:00.000Z".
type Data map[string]any

// Card is a README.md taken apart.
type Card struct {
	Data        Data   // nil if the card has no front matter or an empty one
	FrontMatter []byte // the YAML, without its fences
	Body        []byte // the Markdown behind it
}

// SyntaxError is front matter that is not YAML, or over a limit.
type SyntaxError struct {
	Line    int // in the README, from 1; 0 if unknown
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (line %d)", e.Message, e.Line)
}

// ErrNotMapping means that the front matter is YAML but not a mapping.
var ErrNotMapping = errors.New("the front matter is not a mapping")

// Parse takes a README.md apart. With an error, a *SyntaxError or
// ErrNotMapping, the Card still has its Body.
func Parse(readme []byte) (Card, error) {
	start, end, bodyAt, ok := split(readme)
	c := Card{Body: readme[bodyAt:]}
	if !ok {
		return c, nil
	}
	c.FrontMatter = readme[start:end]
	data, err := parseYAML(c.FrontMatter, bytes.Count(readme[:start], []byte("\n")))
	c.Data = data
	return c, err
}

// Split separates the front matter from the body as the Hub does: an opening
// "---" line, which blank lines may precede, and the first line after it that
// is "---". ok is false, and body is all of src, if there is none.
func Split(src []byte) (front, body []byte, ok bool) {
	start, end, bodyAt, ok := split(src)
	return src[start:end], src[bodyAt:], ok
}

// split finds the front matter src[start:end] and the body src[bodyAt:].
func split(src []byte) (start, end, bodyAt int, ok bool) {
	rest := bytes.TrimLeft(src, " \t\r\n\v\f\ufeff")
	rest, ok = bytes.CutPrefix(rest, []byte("---"))
	opening := newline(rest)
	if !ok || opening == 0 {
		return 0, 0, 0, false
	}
	start = len(src) - len(rest) + opening
	for i := start; i < len(src); i++ {
		n := newline(src[i:])
		if n == 0 {
			continue
		}
		if body, ok := closingFence(src[i+n:]); ok {
			return start, i, len(src) - len(body), true
		}
		i += n - 1
	}
	// The Hub's expression backtracks: "---\r" opens and "\n---" closes.
	if body, ok := closingFence(src[start:]); ok && opening == 2 {
		return start - 1, start - 1, len(src) - len(body), true
	}
	return 0, 0, 0, false
}

// newline is the length of the line end at the start of s, 0 if there is none.
func newline(s []byte) int {
	switch {
	case bytes.HasPrefix(s, []byte("\r\n")):
		return 2
	case len(s) > 0 && (s[0] == '\n' || s[0] == '\r'):
		return 1
	}
	return 0
}

// closingFence cuts a "---" line from the start of s.
func closingFence(s []byte) (rest []byte, ok bool) {
	s, ok = bytes.CutPrefix(s, []byte("---"))
	if !ok {
		return nil, false
	}
	s = bytes.TrimLeft(s, " \t")
	if len(s) == 0 {
		return s, true
	}
	n := newline(s)
	if n == 0 || (n == 1 && s[0] == '\r') {
		return nil, false
	}
	return s[n:], true
}

// parseYAML reads front matter that begins after linesAbove lines.
func parseYAML(src []byte, linesAbove int) (Data, error) {
	if len(src) > maxFrontMatter {
		return nil, &SyntaxError{Message: fmt.Sprintf("the front matter has %d bytes, more than the limit of %d", len(src), maxFrontMatter)}
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return nil, nil
	}
	var doc yaml.Node
	err := yaml.Load(src, &doc)
	if err != nil {
		if joined := joinSurrogates(src); !bytes.Equal(joined, src) {
			err = yaml.Load(joined, &doc)
		}
	}
	if err != nil {
		return nil, syntaxError(err, linesAbove)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	c := converter{linesAbove: linesAbove}
	v, err := c.value(doc.Content[0], 0)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, ErrNotMapping
}

func syntaxError(err error, linesAbove int) error {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return &SyntaxError{Message: err.Error()}
	}
	out := &SyntaxError{Message: e.Message}
	if e.Mark.Line > 0 {
		out.Line = e.Mark.Line + linesAbove
	}
	return out
}

var surrogatePair = regexp.MustCompile(`\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})`)

// joinSurrogates rewrites JSON's two-part escapes, which Python writers use
// for emoji and the YAML parser refuses, as one escape.
func joinSurrogates(src []byte) []byte {
	return surrogatePair.ReplaceAllFunc(src, func(m []byte) []byte {
		hi, err1 := strconv.ParseUint(string(m[2:6]), 16, 32)
		lo, err2 := strconv.ParseUint(string(m[8:12]), 16, 32)
		if err1 != nil || err2 != nil {
			return m
		}
		return fmt.Appendf(nil, `\U%08X`, utf16.DecodeRune(rune(hi), rune(lo)))
	})
}

// converter turns YAML nodes into JSON values within limits.
type converter struct {
	linesAbove int
	nodes      int
}

func (c *converter) fail(n *yaml.Node, format string, args ...any) error {
	return &SyntaxError{Line: n.Line + c.linesAbove, Message: fmt.Sprintf(format, args...)}
}

func (c *converter) value(n *yaml.Node, depth int) (any, error) {
	if c.nodes++; c.nodes > maxNodes {
		return nil, c.fail(n, "more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, c.fail(n, "nested more than %d deep", maxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := c.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		return c.mapping(n, depth)
	}
	return c.scalar(n)
}

func (c *converter) mapping(n *yaml.Node, depth int) (any, error) {
	out := make(map[string]any, len(n.Content)/2)
	var merged []any
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, c.fail(key, "a key is not a scalar")
		}
		v, err := c.value(item, depth+1)
		if err != nil {
			return nil, err
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, v)
			continue
		}
		if _, dup := out[key.Value]; dup {
			return nil, c.fail(key, "duplicated mapping key %q", key.Value)
		}
		out[key.Value] = v
	}
	for _, m := range merged {
		mergeInto(out, m)
	}
	return out, nil
}

// mergeInto adds what a "<<" key refers to: a mapping, or a list of them, of
// which earlier ones win.
func mergeInto(out map[string]any, from any) {
	switch from := from.(type) {
	case map[string]any:
		for k, v := range from {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
	case []any:
		for _, m := range from {
			if m, ok := m.(map[string]any); ok {
				mergeInto(out, m)
			}
		}
	}
}

func (c *converter) scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null", "!!merge":
		return nil, nil
	case "!!bool", "!!int", "!!float", "!!timestamp":
	default:
		return n.Value, nil
	}
	var v any
	if err := n.Load(&v); err != nil {
		return nil, c.fail(n, "%q is not a value of type %s", n.Value, strings.TrimPrefix(n.ShortTag(), "!!"))
	}
	switch v := v.(type) {
	case bool:
		return v, nil
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case uint64:
		return float64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil // as JSON.stringify does
		}
		return v, nil
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z"), nil
	}
	return n.Value, nil
}
