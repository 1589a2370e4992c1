package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/wiretest"
)

const inNamespace = "PANTRY_TEST_IN_NAMESPACE"

// TestDiskFull fills the file system under a hub, both slowly from the hub's
// side and at once from another's, and frees it again. Mounting one takes a
// mount namespace, in which the test runs itself again.
func TestDiskFull(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		rerunInNamespace(t)
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	ctx := t.Context()
	h := hubtest.Start(t, hubtest.Options{Configure: func(c *config.Config) {
		c.Data = filepath.Join(disk, "data")
		c.LFSMultipartAbove, c.LFSPartSize = 64<<20, 8<<20
	}})
	c := wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))

	kept := &target{Client: c, repo: "ada/kept"}
	if err := kept.withFiles(ctx); err != nil {
		t.Fatal(err)
	}
	whole, err := kept.state(ctx)
	if err != nil {
		t.Fatal(err)
	}

	// One upload that is larger than the disk.
	huge := &target{Client: c, repo: "ada/huge"}
	if err := huge.created(ctx); err != nil {
		t.Fatal(err)
	}
	wantNoSpace(t, "an upload over the size of the disk", c.UploadLFS(ctx, huge.repo, huge.data(40<<20)))
	xetFile, err := wiretest.PackXet(huge.data(40 << 20))
	if err != nil {
		t.Fatal(err)
	}
	cas, err := c.XetWriter(ctx, huge.repo)
	if err != nil {
		t.Fatal(err)
	}
	wantNoSpace(t, "a xorb over the size of the disk", mustReply(cas.PutXorb(ctx, xetFile)))

	// Nothing is left at all: no statement and no object can be written.
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	for _, op := range operations {
		x := &target{Client: c, repo: "ada/full-" + fmt.Sprintf("%x", op.name)}
		switch op.name {
		case "create":
			wantNoSpace(t, op.name, mustReply(op.do(x, ctx)))
		case "commit", "commit big":
			x.repo = kept.repo
			wantNoSpace(t, op.name, mustReply(op.do(x, ctx)))
		case "lfs put":
			wantNoSpace(t, op.name, c.UploadLFS(ctx, kept.repo, x.data(largeFile)))
		}
	}
	if got, err := kept.state(ctx); err != nil || got != whole {
		t.Errorf("with a full disk clients see, %v (-before +after):\n%s", err, cmp.Diff(whole, got))
	}
	if err := kept.has(ctx, "large.bin", kept.data(largeFile)); err != nil {
		t.Errorf("download with a full disk: %v", err)
	}
	if reply, err := c.Get(ctx, "/healthz"); err != nil || reply.Status != 503 {
		t.Errorf("healthz of a full disk: status %d, %v, want 503", reply.Status, err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, op := range operations {
		x := &target{Client: c, repo: "ada/free-" + fmt.Sprintf("%x", op.name)}
		if err := op.setup(x, ctx); err != nil {
			t.Errorf("set up %s after space was freed: %v", op.name, err)
		} else if err := mustReply(op.do(x, ctx)); err != nil {
			t.Errorf("%s after space was freed: %v", op.name, err)
		} else if err := op.check(x, ctx); err != nil {
			t.Errorf("%s after space was freed: %v", op.name, err)
		}
		if op.name == "lfs put" {
			break // the rest does not fit
		}
	}
}

func wantNoSpace(t *testing.T, what string, err error) {
	t.Helper()
	var status *wiretest.StatusError
	if !errors.As(err, &status) || status.Reply.Status != 507 {
		t.Errorf("%s: %v, want status 507", what, err)
		return
	}
	if !bytes.Contains(status.Reply.Body, []byte(hub.ErrNoSpace.Message)) {
		t.Errorf("%s: the client is told %s", what, status.Reply.Body)
	}
}

// fill writes to a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func rerunInNamespace(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
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
