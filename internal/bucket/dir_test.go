package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pantryhub/pantry/internal/bucket"
)

func TestDirSweepsOnlyWhenAlone(t *testing.T) {
	root := filepath.Join(t.TempDir(), "some", "bucket")
	first, err := bucket.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(root, ".tmp", "put-left-by-a-crash")
	if err := os.WriteFile(left, []byte("half an obj"), 0o600); err != nil {
		t.Fatal(err)
	}

	// Somebody opens the folder while a writer is half-way.
	data := bytes.Repeat([]byte("x"), 1<<20)
	r := io.MultiReader(bytes.NewReader(data[:1000]), &hook{do: func() {
		if _, err := bucket.OpenDir(root); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(left); err != nil {
			t.Error("a folder in use was swept")
		}
	}}, bytes.NewReader(data[1000:]))
	if _, err := first.Put(t.Context(), "a/b", r, int64(len(data))); err != nil {
		t.Fatalf("Put beside another OpenDir: %v", err)
	}

	// A copy of the folder stands for the machine after a crash: same files,
	// nobody in it.
	after := t.TempDir()
	if err := os.CopyFS(after, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	b, err := bucket.OpenDir(after)
	if err != nil {
		t.Fatal(err)
	}
	if names := tmpFiles(t, after); len(names) > 0 {
		t.Errorf("left after sweeping: %v", names)
	}
	if info, err := b.Stat(t.Context(), "a/b"); err != nil || info.Size != int64(len(data)) {
		t.Errorf("Stat after sweeping = %+v, %v", info, err)
	}
}

func TestDirLeavesNoTemporaryFiles(t *testing.T) {
	root := t.TempDir()
	b, err := bucket.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []io.Reader{
		strings.NewReader("12345"), strings.NewReader("12345"), strings.NewReader("1234"), strings.NewReader("123456"),
		iotest.ErrReader(errors.New("broken")),
	} {
		b.Put(t.Context(), "key", r, 5)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if names := tmpFiles(t, root); len(names) > 0 {
		t.Errorf("left in .tmp: %v", names)
	}
}

func TestDirIgnoresForeignFiles(t *testing.T) {
	root := t.TempDir()
	b, err := bucket.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, ".hidden"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "link"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("Stat of a symbolic link: %v, want ErrNotExist", err)
	}
	if found, err := b.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Errorf("List = %v, %v; want none", found, err)
	}
}

func TestOpenDirRefusesAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.OpenDir(name); err == nil {
		t.Error("OpenDir of a file succeeded")
	}
}

func tmpFiles(t *testing.T, root string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, ".tmp", "put-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// hook is an empty reader that does something when it is read.
type hook struct{ do func() }

func (h *hook) Read([]byte) (int, error) {
	h.do()
	return 0, io.EOF
}
