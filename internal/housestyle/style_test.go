package housestyle

import (
	"bytes"
	"go/ast"
	"path"
	"regexp"
	"strconv"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
)

// Longest files, in lines. Tables of tests are long and read one by one.
const (
	maxLines     = 600
	maxTestLines = 800
)

// TestFilesAreShort: a file that has grown too long holds two ideas.
func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxLines
		if s.isTest() {
			limit = maxTestLines
		}
		if n := bytes.Count(s.text, []byte("\n")); n > limit && !s.isGenerated() {
			t.Errorf("%s has %d lines, over %d", s.path, n, limit)
		}
	}
}

// TestNoBags: a package is named for what it provides.
func TestNoBags(t *testing.T) {
	bags := map[string]bool{
		"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "types": true, "base": true,
		"misc": true, "shared": true, "lib": true, "core": true, "models": true, "interfaces": true, "mocks": true,
	}
	for _, s := range sources(t) {
		if bags[path.Base(s.pkg)] || bags[s.file.Name.Name] {
			t.Errorf("%s: package %s is named for nothing", s.path, s.file.Name.Name)
		}
	}
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// TestNothingUnfinished: what is not done is an issue, not a comment; and
// importing a package does nothing.
func TestNothingUnfinished(t *testing.T) {
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if found := unfinished.FindString(group.Text()); found != "" {
				t.Errorf("%s: a comment says %s", s.path, found)
			}
		}
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// TestEveryCodeIsInTheErrorTable reads the codes of package hub and looks each
// up.
func TestEveryCodeIsInTheErrorTable(t *testing.T) {
	codes := 0
	for _, s := range sources(t) {
		if s.path != "hub/errors.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
				return true
			}
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes++
			c := hub.Code(text)
			if status := api.Status(c); status < 400 || status > 599 {
				t.Errorf("%s has the status %d", spec.Names[0], status)
			}
			if exit := api.ExitCode(c); exit < 1 || exit > 125 {
				t.Errorf("%s has the exit code %d", spec.Names[0], exit)
			}
			return true
		})
	}
	if codes < 15 {
		t.Errorf("only %d codes were found in hub/errors.go", codes)
	}
}
