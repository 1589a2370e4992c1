package render

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// maxDataURL is the longest data URL that is kept, in bytes.
const maxDataURL = 32 << 10

func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(
		"h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "div", "span", "center", "blockquote", "q", "pre", "code",
		"kbd", "samp", "var", "tt", "sup", "sub", "b", "strong", "i", "em", "u", "s", "del", "ins", "strike", "mark", "small", "abbr", "cite", "wbr",
		"ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td",
		"details", "summary", "figure", "figcaption", "picture", "img", "video", "audio", "source", "a", "ruby", "rt", "rp", "section",
	)
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowURLSchemeWithCustomPolicy("data", smallImage)
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnFullyQualifiedLinks(true)
	p.RequireNoReferrerOnFullyQualifiedLinks(true)

	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src").OnElements("img", "video", "audio", "source")
	p.AllowAttrs("poster").OnElements("video")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^(?:video|audio|image)/[\w.+-]+$`)).OnElements("source")
	p.AllowAttrs("alt", "title").OnElements("img", "a", "abbr", "video", "audio")

	length := regexp.MustCompile(`^\d{1,4}(?:px|%)?$`)
	p.AllowAttrs("width", "height").Matching(length).OnElements("img", "video", "table", "th", "td", "col", "colgroup")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`(?i)^(?:left|right|center|justify|middle|top|bottom)$`)).
		OnElements("div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "img", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("valign").Matching(regexp.MustCompile(`(?i)^(?:top|middle|bottom|baseline)$`)).OnElements("tr", "th", "td")
	number := regexp.MustCompile(`^\d{1,4}$`)
	p.AllowAttrs("colspan", "rowspan").Matching(number).OnElements("th", "td")
	p.AllowAttrs("span").Matching(number).OnElements("col", "colgroup")
	p.AllowAttrs("start").Matching(number).OnElements("ol")

	flag := regexp.MustCompile(`^(?:|open|controls|loop|muted|true)$`)
	p.AllowAttrs("open").Matching(flag).OnElements("details")
	p.AllowAttrs("controls", "loop", "muted").Matching(flag).OnElements("video", "audio")

	p.AllowAttrs("dir").Matching(regexp.MustCompile(`^(?:ltr|rtl|auto)$`)).Globally()
	p.AllowAttrs("lang").Matching(regexp.MustCompile(`^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$`)).Globally()
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^` + idPrefix + `[\p{L}\p{N}_:.-]{1,200}$`)).Globally()
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^`+classPrefix+`[a-z0-9]+(?: `+classPrefix+`[a-z0-9]+)*$`)).OnElements("span", "pre", "code")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(?:anchor|footnote-(?:ref|backref))$`)).OnElements("a")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(?:footnotes|task)$`)).OnElements("div", "span")
	p.AllowAttrs("aria-hidden").Matching(regexp.MustCompile(`^true$`)).OnElements("a")
	return p
}

// smallImage accepts data URLs of raster images.
func smallImage(u *url.URL) bool {
	_, data, ok := strings.Cut(u.Opaque, ";base64,")
	if !ok || len(u.Opaque) > maxDataURL || u.RawQuery != "" || u.Fragment != "" || !rasterImage.MatchString(u.Opaque) {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(data)
	return err == nil
}

var rasterImage = regexp.MustCompile(`^image/(?:png|jpeg|gif|webp);base64,`)
