package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
)

func TestStage(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	d, err := bucket.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	stage := func(text string) *bucket.Staged {
		s, err := d.Stage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(s, text); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if created, err := stage("first+tail").Commit(ctx, "a/b", 5); !created || err != nil {
		t.Errorf("Commit = %v, %v, want created", created, err)
	}
	if created, err := stage("second").Commit(ctx, "a/b", 6); created || err != nil {
		t.Errorf("Commit of a taken key = %v, %v, want neither", created, err)
	}
	if _, err := stage("short").Commit(ctx, "a/c", 6); err == nil {
		t.Errorf("Commit of fewer bytes than announced succeeded")
	}
	if _, err := stage("bad").Commit(ctx, "../up", 3); !errors.Is(err, bucket.ErrBadKey) {
		t.Errorf("Commit under a bad key: %v, want ErrBadKey", err)
	}
	stage("forgotten").Discard()

	o, err := d.Open(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got := make([]byte, o.Size())
	if _, err := o.ReadAt(got, 0); err != nil || string(got) != "first" {
		t.Errorf("object = %q, %v, want %q", got, err, "first")
	}
	left, err := filepath.Glob(filepath.Join(root, ".tmp", "put-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(root, "a", "c")); err == nil {
		t.Errorf("the refused object exists")
	}
}

// TestStageSizes writes objects in odd portions and keeps some of their bytes,
// about the sizes where pieces begin and end.
func TestStageSizes(t *testing.T) {
	ctx := t.Context()
	d, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const piece = bucket.PieceSize
	data := make([]byte, 3*piece+1)
	rand.NewChaCha8([32]byte{1}).Read(data)
	for _, written := range []int{0, 1, 4096, piece - 1, piece, piece + 1, piece + 4096, 2 * piece, 3*piece - 5, 3*piece + 1} {
		for _, size := range []int{written, written - 1, written / 2, written / 3} {
			if size < 0 {
				continue
			}
			s, err := d.Stage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for rest := data[:written]; len(rest) > 0; {
				n := min(len(rest), 300_007)
				if _, err := s.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			key := fmt.Sprintf("sizes/%d-%d", written, size)
			if _, err := s.Commit(ctx, key, int64(size)); err != nil {
				t.Fatal(err)
			}
			checkObject(t, d, key, data[:size])
		}
	}
}

// TestStageRefusedDirectWrites has the file system refuse a write that is not
// aligned, as some refuse all direct ones.
func TestStageRefusedDirectWrites(t *testing.T) {
	d, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 10_000)
	rand.NewChaCha8([32]byte{2}).Read(data)
	if err := s.WriteDirect(data[1:9_000]); err != nil {
		t.Fatalf("the write was not repeated: %v", err)
	}
	if _, err := s.Write(data[9_000:]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), "key", int64(len(data)-1)); err != nil {
		t.Fatal(err)
	}
	checkObject(t, d, "key", data[1:])
}

func TestStageEnds(t *testing.T) {
	d, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 2*bucket.PieceSize)); err != nil {
		t.Fatal(err)
	}
	s.Discard()
	s.Discard()
	if _, err := s.Commit(t.Context(), "key", 1); err == nil {
		t.Error("what was discarded was committed")
	}
	if _, err := d.Stat(t.Context(), "key"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("Stat: %v, want ErrNotExist", err)
	}
}

func checkObject(t *testing.T, d *bucket.Dir, key string, want []byte) {
	t.Helper()
	o, err := d.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got := make([]byte, o.Size())
	if _, err := o.ReadAt(got, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, which differ from the %d written", key, len(got), len(want))
	}
}
