package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var smallLimits = Limits{Steps: 200_000, Bytes: 8 << 20, Output: 1 << 20, Depth: 300}

// FuzzTemplate: whatever a template says, Parse and Render end with a text
// within the limits or an *Error.
func FuzzTemplate(f *testing.F) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) == 0 {
		f.Fatal("no templates", err)
	}
	for _, p := range paths {
		source, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	for _, s := range hostile {
		if len(s) < 1000 { // the fuzzer would spend its time on making the others smaller
			f.Add(s)
		}
	}
	vars := languageVariables(f)
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse(source)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("Parse gave the error %v of another type", err)
			}
			return
		}
		text, err := tmpl.render(&Input{Limits: smallLimits}, vars)
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("Render gave the error %v of another type", err)
		}
		if len(text) > smallLimits.Output {
			t.Fatalf("Render wrote %d bytes", len(text))
		}
	})
}

// FuzzMessages: whatever a conversation holds, a real template renders it
// within the limits or refuses it, and twice the same.
func FuzzMessages(f *testing.F) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) == 0 {
		f.Fatal("no templates", err)
	}
	var all []*Template
	for i, p := range paths {
		source, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		tmpl, err := Parse(string(source))
		if err != nil {
			f.Fatalf("%s: %v", p, err)
		}
		all = append(all, tmpl)
		f.Add(uint8(i), false, []byte(`[{"role":"system","content":"Be short."},{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image"}]},{"role":"assistant","content":"<think>a</think>Yes"}]`), []byte(`null`))
		f.Add(uint8(i), true, []byte(`[{"role":"user","content":"What?"},{"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"call12345","type":"function","function":{"name":"f","arguments":"{\"a\":[1.5,null]}"}}]},`+
			`{"role":"tool","tool_call_id":"call12345","name":"f","content":"{\"x\":1}"}]`), []byte(`[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}}},"required":["a"]}}}]`))
	}
	f.Fuzz(func(t *testing.T, which uint8, next bool, messages, tools []byte) {
		in := Input{AddGenerationPrompt: next, BOSToken: "<s>", EOSToken: "</s>", Now: time.Unix(1e9, 0).UTC(), Limits: smallLimits}
		if json.Unmarshal(messages, &in.Messages) != nil || json.Unmarshal(tools, &in.Tools) != nil {
			return
		}
		in.ContinueFinalMessage = !next && len(in.Messages)%2 == 0
		tmpl := all[int(which)%len(all)]
		text, err := tmpl.Render(in)
		if len(text) > smallLimits.Output {
			t.Fatalf("%d bytes were written", len(text))
		}
		if again, err2 := tmpl.Render(in); again != text || (err == nil) != (err2 == nil) {
			t.Errorf("%s\ngives %q, %v\nand then %q, %v", messages, text, err, again, err2)
		}
	})
}

// hostile templates want more than their share.
var hostile = []string{
	"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
	"{% for a in range(100001) %}{% endfor %}",
	"{{ 'a' * 99999999999 }}",
	"{{ 'a' * 999999999999999999 * 999 }}",
	"{{ [1] * 99999999999 }}",
	"{{ 9 ** 99999 }}",
	"{{ '%099999999999d' % 1 }}",
	"{{ '%.99999999999f' % 1.5 }}",
	"{{ '{:>99999999999}'.format(1) }}",
	"{{ 'x'|center(99999999999) }}",
	"{{ 'x'.ljust(99999999999) }}",
	"{{ '\t'.expandtabs(99999999999) }}",
	"{{ 'x'|indent(99999999999, true) }}",
	"{{ range(99999)|list|tojson(indent=99999999999) }}",
	"{{ nums|batch(99999999999, 0)|list }}",
	"{{ nums|slice(99999999999, 0)|list }}",
	"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
	"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
	"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
	"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l|list }}",
	"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}",
	"{% set ns = namespace(l=(1,)) %}{% for i in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
	"{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
	"{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('a', ns.s) %}{% endfor %}",
	"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
	"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x == [ns] }}{{ ns.x|tojson }}",
	"{{ " + strings.Repeat("(", 100_000),
	"{{ " + strings.Repeat("not ", 100_000),
	"{{ " + strings.Repeat("1+", 200_000) + "1 }}",
	"{{ " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + " }}",
	"{{ a" + strings.Repeat("|trim", 100_000) + " }}",
	strings.Repeat("{% if 1 %}", 50_000),
	"{{ '%*d' % (99999999999, 1) }}",
	"{{ 'a'.join(range(99999)|map('string')|list) * 99999 }}",
}

// TestHostileTemplates: none of them succeeds at what it wants, none takes
// long.
func TestHostileTemplates(t *testing.T) {
	vars := languageVariables(t)
	for _, source := range hostile {
		start := time.Now()
		var text string
		tmpl, err := Parse(source)
		if err == nil {
			text, err = tmpl.render(&Input{Limits: smallLimits}, vars)
		}
		short := source[:min(len(source), 90)]
		if err == nil {
			t.Errorf("%s: gave %d bytes, want an error", short, len(text))
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s: took %v", short, d)
		} else if testing.Verbose() {
			t.Logf("%v %s: %v", d.Round(time.Millisecond), short, err)
		}
	}
}

// TestSandbox: a template reaches nothing but its values, and changes none.
func TestSandbox(t *testing.T) {
	vars := languageVariables(t)
	for _, source := range []string{
		"{{ s.__class__.__mro__ }}", "{{ s['__class__'].x }}", "{{ (s|attr('__class__')).x }}", "{{ nums.append(1) }}",
		"{{ d.update({'a': 2}) }}", "{{ d.pop('a') }}", "{% set d.a = 1 %}", "{{ '{0.__class__.x}'.format(s) }}",
		"{% set ns = namespace(__class__=1) %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}",
		"{{ namespace.__init__ ('x') }}", "{{ messages[0].clear() }}",
	} {
		if got, err := renderSource(source, vars); err == nil {
			t.Errorf("%s: got %q, want an error", source, got)
		}
	}
}
