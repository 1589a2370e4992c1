package client_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
)

// TestEnvironment: settings are found where huggingface_hub finds them.
func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{".cache/huggingface/token": "hf_file\n", "hf/token": "hf_home", "elsewhere": "hf_path"} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name                   string
		options                client.Options
		env                    []string
		endpoint, cache, token string
	}{
		{"nothing", client.Options{}, nil, client.DefaultEndpoint, home + "/.cache/huggingface/hub", "hf_file"},
		{"HF_HOME", client.Options{}, []string{"HF_HOME", "~/hf"}, client.DefaultEndpoint, home + "/hf/hub", "hf_home"},
		{"XDG", client.Options{}, []string{"XDG_CACHE_HOME", "$HOME/xdg"}, client.DefaultEndpoint, home + "/xdg/huggingface/hub", ""},
		{"the rest", client.Options{}, []string{"HF_HUB_CACHE", "/c", "HF_TOKEN", " hf_env ", "HF_ENDPOINT", "http://h:1/hf/"}, "http://h:1/hf", "/c", "hf_env"},
		{"old names", client.Options{}, []string{"HUGGINGFACE_HUB_CACHE", "/old", "HUGGING_FACE_HUB_TOKEN", "hf_old"}, client.DefaultEndpoint, "/old", "hf_old"},
		{"token path", client.Options{}, []string{"HF_TOKEN_PATH", "~/elsewhere"}, client.DefaultEndpoint, home + "/.cache/huggingface/hub", "hf_path"},
		{"explicit only", client.Options{}, []string{"HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes"}, client.DefaultEndpoint, home + "/.cache/huggingface/hub", ""},
		{"options", client.Options{Endpoint: "https://o", CacheDir: "/o", Token: "hf_o"},
			[]string{"HF_HUB_CACHE", "/c", "HF_TOKEN", "hf_env", "HF_ENDPOINT", "http://h"}, "https://o", "/o", "hf_o"},
		{"anonymous", client.Options{Anonymous: true}, []string{"HF_TOKEN", "hf_env"}, client.DefaultEndpoint, home + "/.cache/huggingface/hub", ""},
	}
	for _, tt := range tests {
		tt.options.Env = env(append([]string{"HOME", home}, tt.env...)...)
		c, err := client.New(tt.options)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.Endpoint() != tt.endpoint || c.CacheDir() != tt.cache || c.Token() != tt.token {
			t.Errorf("%s: endpoint %s, cache %s, token %s", tt.name, c.Endpoint(), c.CacheDir(), c.Token())
		}
	}
	for _, bad := range []client.Options{{Endpoint: "hub.example.org"}, {Endpoint: "ftp://x"}, {Token: "hf_a\nX-Evil: 1"}} {
		bad.Env = env("HOME", home)
		if _, err := client.New(bad); hub.CodeOf(err) != hub.CodeInvalid {
			t.Errorf("New(%+v): %v", bad, err)
		}
	}
}

func TestCutVariant(t *testing.T) {
	for text, want := range map[string][2]string{
		"ada/llama-gguf:Q4_K_M":     {"ada/llama-gguf", "Q4_K_M"},
		"hf://ada/llama@v1:q8_0":    {"hf://ada/llama@v1", "q8_0"},
		"ada/llama-gguf":            {"ada/llama-gguf", ""},
		"hf://ada/llama":            {"hf://ada/llama", ""},
		"ada/llama:":                {"ada/llama:", ""},
		"ada/llama:../x":            {"ada/llama:../x", ""},
		`C:\models`:                 {`C:\models`, ""},
		"http://hub.example/ada/m":  {"http://hub.example/ada/m", ""},
		"ada/llama@refs/pr/1:IQ4.X": {"ada/llama@refs/pr/1", "IQ4.X"},
	} {
		if repo, word := client.CutVariant(text); repo != want[0] || word != want[1] {
			t.Errorf("CutVariant(%q) = %q, %q; want %q", text, repo, word, want)
		}
	}
}

func TestIsPath(t *testing.T) {
	for text, want := range map[string]bool{
		"ada/bert": false, "gpt2": false, "ada/llama.v2": false, "hf://ada/model.gguf": false,
		"./ada": true, "../ada": true, "/ada": true, "~/ada": true, "ada/bert/": true, "ada/model.gguf": true, "model.SAFETENSORS": true,
	} {
		if got := client.IsPath(text); got != want {
			t.Errorf("IsPath(%q) = %v", text, got)
		}
	}
}

func TestParseSource(t *testing.T) {
	tests := []struct {
		text string
		kind hub.RepoType
		name string
		rev  hub.Revision
	}{
		{"ada/bert", hub.Model, "ada/bert", ""},
		{"gpt2", hub.Model, "gpt2", ""},
		{"hf://ada/bert@refs/pr/1", hub.Model, "ada/bert", "refs/pr/1"},
		{"datasets/ada/words@v1", hub.Dataset, "ada/words", "v1"},
		{"hf://spaces/ada/demo", hub.Space, "ada/demo", ""},
		{"datasets/squad", hub.Dataset, "squad", ""},
	}
	for _, tt := range tests {
		s, err := client.ParseSource(tt.text)
		if err != nil || s.Type != tt.kind || s.Name() != tt.name || s.Revision != tt.rev {
			t.Errorf("ParseSource(%q) = %+v, %v", tt.text, s, err)
		}
	}
	for _, bad := range []string{"", "a/b/c", "a//b", "../b", "ada/bert@../../x", "ada/bert@/etc", `ada/bert@a\b`, "ada/bert@a/../b", "a b/c", "--/x"} {
		if s, err := client.ParseSource(bad); err == nil {
			t.Errorf("ParseSource(%q) = %+v, want an error", bad, s)
		}
	}
}

// TestGlob: verified against Python 3.11's fnmatch.fnmatchcase.
func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"*.json", "config.json", true}, {"*.json", "a/b/config.json", true}, {"*.json", "config.jsonl", false},
		{"data/*.json", "data/x/y.json", true}, {"data/", "data/x", true}, {"data/", "database", false},
		{"?.txt", "a.txt", true}, {"?.txt", "é.txt", true}, {"?.txt", "ab.txt", false}, {"a?b", "a/b", true},
		{"[abc].bin", "b.bin", true}, {"[!abc].bin", "b.bin", false}, {"[!abc].bin", "d.bin", true},
		{"[a-c]x", "bx", true}, {"[c-a]x", "bx", false}, {"[!c-a]x", "bx", true}, {"[]]x", "]x", true},
		{"[!]]x", "ax", true}, {"[x", "[x", true}, {"a[", "a[", true}, {"[a-]", "-", true}, {"[^a]", "^", true},
		{"[.]x", ".x", true}, {"a.b", "axb", false}, {"(a)+", "(a)+", true}, {`dir\*.txt`, "dir/a.txt", true},
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a\nb", true}, {"[--0]", ".", true}, {"A", "a", false},
		{"[a-c-e]", "d", false}, {"[a-c-e]", "-", true}, {"[z-a-c]", "b", false}, {"[z-a-c]", "-", true}, {"[!a-]", "-", false},
	}
	for _, tt := range tests {
		if got := client.Glob(tt.pattern, tt.path); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.path, got, tt.want)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for _, good := range []string{"a", "a/b c/é.txt", "..a", "a..", ".hidden", "a:b:c/ab:c", "what?"} {
		if got, err := client.LocalPath(good); good != "a:b:c/ab:c" && (err != nil || filepath.ToSlash(got) != good) {
			t.Errorf("LocalPath(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", `..\x`, `a\..\..\x`, `C:\x`, "C:x", "a/D:x", `\\host\share`, "a/", "x\x00y", ".git/config"} {
		if got, err := client.LocalPath(bad); err == nil {
			t.Errorf("LocalPath(%q) = %q, want an error", bad, got)
		}
	}
}
