package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSharedCache: `pantry download` and Python's snapshot_download fill a
// cache and a folder alike, each finds what the other downloaded, and both may
// work on one cache at once.
func TestSharedCache(t *testing.T) {
	tools := clients(t)
	h := startHub(t)
	repo := uploadModel(t, tools, h)
	both := downloaders{t: t, tools: tools, h: h}

	t.Run("cache", func(t *testing.T) {
		python, pantry := t.TempDir(), t.TempDir()
		both.python(t, python, "HF_HUB_DISABLE_XET=1", "snapshot_download(repo)")
		both.pantry(t, pantry, "", repo)
		sameTree(t, describeTree(t, pantry), describeTree(t, python))
		both.python(t, pantry, "HF_HUB_OFFLINE=1", "snapshot_download(repo)")
		both.pantry(t, python, "HF_HUB_OFFLINE=1", repo)
		both.python(t, pantry, "", "snapshot_download(repo)") // with Xet: nothing is left to do
		sameTree(t, describeTree(t, pantry), describeTree(t, python))
	})
	t.Run("xet", func(t *testing.T) {
		home := t.TempDir()
		both.python(t, home, "", "snapshot_download(repo)")
		before := describeTree(t, home)
		both.pantry(t, home, "", repo)
		both.pantry(t, home, "HF_HUB_OFFLINE=1", repo)
		sameTree(t, describeTree(t, home), before)
	})
	t.Run("file", func(t *testing.T) {
		python, pantry := t.TempDir(), t.TempDir()
		both.python(t, python, "HF_HUB_DISABLE_XET=1", `
for name in "large.bin", "sub/config.json", "nope.bin":
    try:
        hf_hub_download(repo, name, revision="main")
    except EntryNotFoundError:
        assert name == "nope.bin"
`)
		both.pantry(t, pantry, "", repo, "large.bin")
		both.pantry(t, pantry, "", repo, "sub/config.json", "--revision", "main")
		if out, err := both.command(pantry, "", repo, "nope.bin").CombinedOutput(); err == nil || !strings.Contains(string(out), "nope.bin") {
			t.Errorf("a file that is not there: %v\n%s", err, out)
		}
		sameTree(t, describeTree(t, pantry), describeTree(t, python))
	})
	t.Run("folder", func(t *testing.T) {
		python, pantry := t.TempDir(), t.TempDir()
		both.python(t, python, "HF_HUB_DISABLE_XET=1", fmt.Sprintf("snapshot_download(repo, local_dir=%q)", filepath.Join(python, "model")))
		both.pantry(t, pantry, "", repo, "--local-dir", filepath.Join(pantry, "model"))
		sameTree(t, describeTree(t, filepath.Join(pantry, "model")), describeTree(t, filepath.Join(python, "model")))
	})
	t.Run("lock", func(t *testing.T) { pantryWaits(t, both, repo) })
	t.Run("at once", func(t *testing.T) {
		home, alone := t.TempDir(), t.TempDir()
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if i%2 == 0 {
					both.python(t, home, "HF_HUB_DISABLE_XET=1", "snapshot_download(repo)")
				} else {
					both.pantry(t, home, "", repo)
				}
			})
		}
		all.Wait()
		both.pantry(t, alone, "", repo)
		sameTree(t, describeTree(t, home), describeTree(t, alone))
	})
}

// pantryWaits holds the lock of a blob as Python does, and sees that pantry
// download waits for it.
func pantryWaits(t *testing.T, both downloaders, repo string) {
	home := t.TempDir()
	const braces = "9e26dfeeb6e641a33dae4961196235bdb965b21b" // the git object id of {}
	lock := filepath.Join(home, "hf", "hub", ".locks", "models--alice--shared-cache", braces+".lock")
	holder := exec.Command(filepath.Join(both.tools, "venv", "bin", "python"), "-c", `
import os, sys
from huggingface_hub.utils import WeakFileLock
os.makedirs(os.path.dirname(sys.argv[1]))
with WeakFileLock(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
`, lock)
	holder.Env = both.environment(home, "")
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Wait()
	defer in.Close()
	if _, err := io.ReadFull(out, make([]byte, len("locked"))); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		both.pantry(t, home, "", repo, "sub/config.json")
		close(done)
	}()
	select {
	case <-done:
		t.Error("pantry download did not wait for the lock")
	case <-time.After(500 * time.Millisecond): // it takes a tenth of that
	}
	in.Close()
	<-done
}

// uploadModel makes a model of alice's with small and large files, one of them
// twice, and returns its id.
func uploadModel(t *testing.T, tools string, h *hub) string {
	t.Helper()
	dir := t.TempDir()
	large := make([]byte, 12<<20)
	chacha := rand.NewChaCha8([32]byte{7})
	chacha.Read(large)
	for name, b := range map[string][]byte{
		"large.bin": large, "sub/twin.bin": large, "sub/config.json": []byte("{}"), "README.md": []byte("# Hello\n"),
		"empty.txt": nil, "names/é 😀 [1].txt": []byte("odd"),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const repo = "alice/shared-cache"
	cmd := exec.Command(filepath.Join(tools, "venv", "bin", "hf"), "upload", repo, dir)
	cmd.Env = clientEnv(t, tools, h, arm{xet: true})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("upload: %v\n%s", err, out)
	}
	return repo
}

// downloaders runs the two clients against a hub.
type downloaders struct {
	t     *testing.T
	tools string
	h     *hub
}

// environment is what a client with its home in a folder sees; more is one
// further variable or "".
func (d downloaders) environment(home, more string) []string {
	env := slices.DeleteFunc(clientEnv(d.t, d.tools, d.h, arm{xet: true}), func(v string) bool { return strings.HasPrefix(v, "HF_HOME=") })
	if env = append(env, "HF_HOME="+filepath.Join(home, "hf")); more != "" {
		env = append(env, more)
	}
	return env
}

// python runs Python code with the client imported and repo set.
func (d downloaders) python(t *testing.T, home, more, code string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(d.tools, "venv", "bin", "python"), "-c",
		"from huggingface_hub import snapshot_download, hf_hub_download\nfrom huggingface_hub.errors import EntryNotFoundError\nrepo = 'alice/shared-cache'\n"+code)
	cmd.Env = d.environment(home, more)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("python: %v\n%s", err, out)
	}
}

func (d downloaders) command(home, more string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"download"}, args...)...)
	cmd.Env = d.environment(home, more)
	return cmd
}

// pantry runs pantry download.
func (d downloaders) pantry(t *testing.T, home, more string, args ...string) {
	t.Helper()
	if out, err := d.command(home, more, args...).CombinedOutput(); err != nil {
		t.Errorf("pantry download: %v\n%s", err, out)
	}
}

// describeTree is what there is below a folder: mode and target of links, mode
// and content of files. Times in metadata do not count, nor does what Python
// keeps beside the cache.
func describeTree(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, filepath.Join("hf", "xet")) || strings.HasPrefix(filepath.Base(name), ".agent_harnesses") {
			return nil
		}
		got[filepath.ToSlash(name)], err = describeEntry(path, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func describeEntry(path string, e fs.DirEntry) (string, error) {
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	switch {
	case e.IsDir():
		return info.Mode().String(), nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "-> " + target, err
	}
	b, err := os.ReadFile(path)
	mode := info.Mode().String()
	switch {
	case filepath.Ext(path) == ".metadata":
		b = []byte(strings.Join(strings.SplitAfter(string(b), "\n")[:2], ""))
	case filepath.Base(filepath.Dir(path)) == "trees":
		mode = "" // Python keeps listings to their owner, by accident of mkstemp
	}
	if len(b) > 1000 {
		return fmt.Sprintf("%s %d bytes %x", mode, len(b), sha256.Sum256(b)), err
	}
	return fmt.Sprintf("%s %q", mode, b), err
}

func sameTree(t *testing.T, got, want map[string]string) {
	t.Helper()
	names := maps.Clone(got)
	maps.Copy(names, want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			t.Errorf("%s is %s, want %s", name, got[name], want[name])
		}
	}
}
