package bucket_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
)

// TestDirFull fills a real file system of 1 MiB. Mounting one takes a mount
// namespace, in which the test runs itself again.
func TestDirFull(t *testing.T) {
	if os.Getenv("PANTRY_TEST_IN_NAMESPACE") == "" {
		rerunInNamespace(t)
		return
	}
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(root, syscall.MNT_DETACH)
	b, err := bucket.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	fits, tooLarge := bytes.Repeat([]byte("a"), 600<<10), bytes.Repeat([]byte("b"), 2<<20)

	if _, err := b.Put(t.Context(), "large", bytes.NewReader(tooLarge), int64(len(tooLarge))); !errors.Is(err, bucket.ErrNoSpace) {
		t.Errorf("Put on a full disk: %v, want ErrNoSpace", err)
	}
	// A staged object is refused by a later Write or when it is committed.
	s, err := b.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Write(tooLarge); err == nil {
		_, err = s.Commit(t.Context(), "staged", int64(len(tooLarge)))
	}
	if !errors.Is(err, bucket.ErrNoSpace) {
		t.Errorf("staging on a full disk: %v, want ErrNoSpace", err)
	}
	s.Discard()
	if names := tmpFiles(t, root); len(names) > 0 {
		t.Errorf("left in .tmp: %v", names)
	}
	// What the failed Put took is free again, twice over.
	for range 2 {
		if _, err := b.Put(t.Context(), "small", bytes.NewReader(fits), int64(len(fits))); err != nil {
			t.Errorf("Put after a failed one: %v", err)
		}
		if err := b.Delete(t.Context(), "small"); err != nil {
			t.Error(err)
		}
	}
}

func rerunInNamespace(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestDirFull$", "-test.v")
	cmd.Env = append(os.Environ(), "PANTRY_TEST_IN_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOSPC) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no mount namespace to be had: %v", err)
		}
		t.Skipf("no mount namespace to be had: %v", err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
