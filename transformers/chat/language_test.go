package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
)

// languageVariables are what the templates of language.jsonl read.
func languageVariables(t testing.TB) map[string]value {
	t.Helper()
	data, err := os.ReadFile("testdata/variables.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := decodeJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]value{}
	for _, m := range members(v) {
		vars[m.key] = m.v
	}
	return vars
}

// TestLanguage renders random templates and compares with what jinja2 made of
// them (testdata/fuzz_language.py). CHAT_LANGUAGE names a longer list.
func TestLanguage(t *testing.T) {
	path := os.Getenv("CHAT_LANGUAGE")
	if path == "" {
		path = "testdata/language.jsonl"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vars := languageVariables(t)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c [2]*string
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n++
		got, err := renderSource(*c[0], vars)
		switch want := c[1]; {
		case want == nil && err == nil:
			t.Errorf("%s\n got %q, want an error", *c[0], got)
		case want != nil && err != nil:
			t.Errorf("%s\n got the error %v, want %q", *c[0], err, *want)
		case want != nil && got != *want:
			t.Errorf("%s\n got %q\nwant %q", *c[0], got, *want)
		}
	}
	if n < 1000 {
		t.Errorf("only %d templates were read", n)
	}
}

func renderSource(source string, vars map[string]value) (string, error) {
	tmpl, err := Parse(source)
	if err != nil {
		return "", err
	}
	return tmpl.render(&Input{}, vars)
}
