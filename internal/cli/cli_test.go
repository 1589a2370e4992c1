package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// runMain runs a command line in this process.
func runMain(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

// commands lists every command that runs something.
func commands(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := newParser(context.Background(), new(root), Streams{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(false)
	if len(leaves) < 6 {
		t.Fatalf("only %d commands", len(leaves))
	}
	return leaves
}

func TestHelp(t *testing.T) {
	for _, node := range commands(t) {
		args := append(strings.Fields(node.Path()), "--help")
		for i, a := range args { // Path ends with the arguments
			if strings.HasPrefix(a, "<") {
				args = append(args[:i], "--help")
				break
			}
		}
		code, out, errs := runMain(t, args...)
		if code != 0 || errs != "" {
			t.Errorf("pantry %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		if !regexp.MustCompile(`Example:\s+.*\bpantry `).MatchString(out) {
			t.Errorf("pantry %s shows no example:\n%s", strings.Join(args, " "), out)
		}
	}
	if code, out, _ := runMain(t, "--help"); code != 0 || !strings.Contains(out, "Examples:") {
		t.Errorf("pantry --help: exit %d:\n%s", code, out)
	}
}

func TestMisuse(t *testing.T) {
	data := t.TempDir()
	settings := func(text string) string {
		path := filepath.Join(t.TempDir(), "pantry.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		args []string
		code int
		want string // in what it says
	}{
		{nil, 2, "Try: pantry --help"},
		{[]string{"nope"}, 2, "nope"},
		{[]string{"serve", "--nope"}, 2, "--nope"},
		{[]string{"serve", "extra"}, 2, "extra"},
		{[]string{"serve", "--log-level", "loud"}, 2, "--log-level"},
		{[]string{"serve", "--listen", "here"}, 2, "HOST:PORT"},
		{[]string{"serve", "--public-url", "hub.example.org"}, 2, "https://HOST"},
		{[]string{"serve", "--public-url", "https://example.org/hub"}, 2, "path"},
		{[]string{"serve", "--lfs-part-size", "7"}, 2, "--lfs-part-size"},
		{[]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--database", "mysql://x"}, 1, "sqlite:PATH or postgres://"},
		{[]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--bucket", "gs://x"}, 1, "give a folder or s3://"},
		{[]string{"user", "create"}, 2, "<name>"},
		{[]string{"user", "create", "no spaces", "--data", data}, 2, "not a valid user name"},
		{[]string{"user", "create", "models", "--data", data}, 2, "reserved"},
		{[]string{"user", "create", "ada", "--password-stdin", "--data", data}, 2, "empty"},
		{[]string{"token", "create", "--data", data}, 2, "--user"},
		{[]string{"token", "create", "--user", "nobody", "--name", "x", "--data", data}, 5, "nobody"},
		{[]string{"token", "create", "--user", "a", "--name", "x", "--role", "god"}, 2, "--role"},
		{[]string{"repo", "export", "noslash", "x", "--data", data}, 5, "Repository not found"},
		{[]string{"repo", "export", "a/b", "x", "--data", data}, 5, "Repository not found"},
		{[]string{"org", "create", "acme", "--owner", "nobody", "--data", data}, 5, "nobody"},
		{[]string{"serve", "--config", "/does/not/exist"}, 2, "no such file"},
		{[]string{"user", "create", "ada", "--config", settings("admin: true")}, 2, `there is no setting "admin"`},
		{[]string{"serve", "--config", settings("lisen: ':1'")}, 2, `there is no setting "lisen"`},
		{[]string{"serve", "--config", settings("listen: [1, 2]")}, 2, `value of "listen"`},
		{[]string{"serve", "--config", settings("{")}, 2, "configuration"},
		{[]string{"serve", "--config", settings("listen: here")}, 2, "HOST:PORT"},
		{[]string{"serve", "--config=" + settings("log-level: loud")}, 2, "log-level"},
		{[]string{"serve", "-c", settings("lfs-part-size: 7")}, 2, "--lfs-part-size"},
	}
	for _, tt := range tests {
		code, _, errs := runMain(t, tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.want) {
			t.Errorf("pantry %s: exit %d, %q, want %d and %q", strings.Join(tt.args, " "), code, errs, tt.code, tt.want)
		}
	}
}

// TestPrecedence: flags win over variables, variables over the file.
func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pantry.yaml")
	if err := os.WriteFile(path, []byte("listen: file\npublic-url: file\ndata: file\nsign-up: false\nlfs-part-size: 5000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PANTRY_CONFIG", path)
	t.Setenv("PANTRY_LISTEN", "env")
	t.Setenv("PANTRY_PUBLIC_URL", "env")
	args := []string{"serve", "--listen", "flag"}
	var cmd root
	parser, err := newParser(t.Context(), &cmd, Streams{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := addConfigFile(parser, args, os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	got := cmd.Serve.Config
	want := got
	want.Listen, want.PublicURL, want.Data, want.SignUp, want.LFSPartSize = "flag", "env", "file", false, 5_000_000
	want.LogLevel, want.LFSMultipartAbove = "info", 5_000_000_000
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings %+v, want %+v", got, want)
	}
}

// TestDocumentedSettings compares docs/configuration.md with the flags.
func TestDocumentedSettings(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `--(\\[no-\\])?([a-z-]+)` \\| `([A-Z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1)
	documented := map[string][]string{}
	for _, row := range rows {
		documented[row[2]] = row
	}
	for _, node := range commands(t) {
		if node.Name != "serve" {
			continue
		}
		for _, flag := range node.Flags {
			if flag.Name == "help" || flag.Name == "config" {
				continue
			}
			row := documented[flag.Name]
			if row == nil {
				t.Errorf("docs/configuration.md does not know --%s", flag.Name)
				continue
			}
			delete(documented, flag.Name)
			if row[3] != flag.Envs[0] {
				t.Errorf("docs/configuration.md: --%s has the variable %s, want %s", flag.Name, row[3], flag.Envs[0])
			}
			if flag.HasDefault && row[4] != "`"+flag.Default+"`" {
				t.Errorf("docs/configuration.md: --%s has the default %s, want `%s`", flag.Name, row[4], flag.Default)
			}
		}
	}
	for name := range documented {
		t.Errorf("docs/configuration.md knows --%s, which serve does not", name)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte("listen: ':7272'\nsign-up: false\nlfs-part-size: 7\n"))
	f.Add([]byte("listen: [1]"))
	f.Add([]byte("&a [*a]"))
	f.Add([]byte("nope: 1"))
	known := map[string]bool{"listen": true, "sign-up": true, "lfs-part-size": true}
	f.Fuzz(func(t *testing.T, text []byte) {
		settings, err := parseSettings(text, known)
		for name, value := range settings {
			if err != nil || !known[name] {
				t.Errorf("%q gives the setting %q: %q, and %v", text, name, value, err)
			}
		}
	})
}
