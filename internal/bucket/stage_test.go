package bucket_test

import (
	"context"
	"errors"
	"io"
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
	left, err := filepath.Glob(filepath.Join(root, ".tmp", "stage-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(root, "a", "c")); err == nil {
		t.Errorf("the refused object exists")
	}
}
