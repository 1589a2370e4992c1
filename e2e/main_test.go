package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/compatibility.md from this run")

// Paths of the checkout, and the binary under test; set by TestMain.
var (
	rootDir string
	binary  string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	root, err := filepath.Abs("..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rootDir = root
	dir, err := os.MkdirTemp("", "pantry-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pantry")
	build := exec.Command("go", "build", "-o", binary, "./cmd/pantry")
	build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build pantry:", err)
		return 1
	}
	return m.Run()
}

// clients returns the folder of the installed clients. Without them the test
// is skipped, in CI it fails.
func clients(t *testing.T) string {
	t.Helper()
	tools := filepath.Join(rootDir, ".tools")
	for _, installed := range []string{"venv/.pins", "node/.pins"} {
		if _, err := os.Stat(filepath.Join(tools, installed)); err != nil {
			require(t, "the clients are not installed: run script/clients")
		}
	}
	return tools
}

// require skips a test that lacks what reason says; in CI nothing may lack.
func require(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
