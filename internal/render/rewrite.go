package render

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// idPrefix begins every id in a card.
const idPrefix = "card-"

// rewrite copies HTML, changing the targets of links and media, the ids, and
// what cannot pass the sanitiser but has a harmless equivalent. It need not be
// safe: the sanitiser follows.
func rewrite(out *bytes.Buffer, in io.Reader, opt Options) error {
	z := html.NewTokenizer(in)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			writeTag(out, &tag, opt)
		case html.CommentToken, html.DoctypeToken:
		default:
			out.Write(z.Raw())
		}
	}
}

func writeTag(out *bytes.Buffer, tag *html.Token, opt Options) {
	if tag.DataAtom == atom.Input {
		writeCheckbox(out, tag)
		return
	}
	id := ""
	kept := tag.Attr[:0]
	for _, a := range tag.Attr {
		switch a.Key {
		case "id", "name":
			if id != "" || a.Val == "" {
				continue
			}
			id = idPrefix + a.Val
			a = html.Attribute{Key: "id", Val: id}
		case "href":
			a.Val = target(a.Val, opt.Link, false)
		case "src", "poster":
			a.Val = target(a.Val, opt.Media, tag.DataAtom == atom.Img)
		default:
			kept = append(kept, a)
			continue
		}
		if a.Val != "" {
			kept = append(kept, a)
		}
	}
	tag.Attr = kept
	if tag.DataAtom == atom.Video || tag.DataAtom == atom.Audio {
		tag.Attr = append(tag.Attr, html.Attribute{Key: "controls"})
	}
	out.WriteString(tag.String())
	if isHeading(tag.DataAtom) && id != "" {
		out.WriteString(`<a class="anchor" href="#` + html.EscapeString(id) + `" aria-hidden="true"></a>`)
	}
}

func isHeading(a atom.Atom) bool {
	switch a {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return true
	}
	return false
}

// writeCheckbox shows the box of a task list as text: cards have no inputs.
func writeCheckbox(out *bytes.Buffer, tag *html.Token) {
	checkbox, box := false, "☐"
	for _, a := range tag.Attr {
		checkbox = checkbox || (a.Key == "type" && strings.EqualFold(a.Val, "checkbox"))
		if a.Key == "checked" {
			box = "☑"
		}
	}
	if checkbox {
		out.WriteString(`<span class="task">` + box + `</span>`)
	}
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// target rewrites one URL; "" drops it.
func target(s string, relative func(string) string, image bool) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/' // as browsers do
		case r < ' ' || r == 0x7f:
			return -1 // likewise
		}
		return r
	}, strings.TrimSpace(s))
	switch found := strings.ToLower(scheme.FindString(s)); {
	case s == "":
		return ""
	case found == "http:" || found == "https:" || found == "mailto:":
		return s
	case found == "data:" && image:
		return s
	case found != "":
		return ""
	case strings.HasPrefix(s, "//"):
		return "https:" + s
	case s[0] == '#':
		if s == "#" {
			return s
		}
		return "#" + idPrefix + s[1:]
	case s[0] == '/' || relative == nil:
		return s
	}
	return relative(strings.TrimPrefix(s, "./"))
}
