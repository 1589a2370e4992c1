package faults

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/internal/store"
)

// audit reads all that a stopped hub keeps and reports what is not whole. It
// returns the large files of every model.
func audit(t *testing.T, where config.Storage) map[string][]hub.SHA256 {
	t.Helper()
	ctx := context.Background()
	a, err := app.New(ctx, config.Config{Storage: where}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open the stores: %v", err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Errorf("close the stores: %v", err)
		}
	}()
	operator := hub.Actor{ID: 1, Name: "operator", Admin: true}
	rows, err := a.Repos.List(ctx, operator, store.Filter{Type: hub.Model, Sort: store.SortCreated, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	held := map[string][]hub.SHA256{}
	for _, row := range rows {
		r, err := a.Repos.Open(ctx, operator, row.Type, row.Name, authz.Read)
		if err != nil {
			t.Fatalf("open %s: %v", row.Name, err)
		}
		name := r.Name.String()
		if held[name], err = auditLarge(ctx, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := auditHistory(ctx, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := fsck(ctx, r, filepath.Join(t.TempDir(), row.Name.Name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return held
}

// auditLarge reads every large file of a repository, named by a commit or not.
func auditLarge(ctx context.Context, r *repo.Repo) ([]hub.SHA256, error) {
	files, err := r.LargeFiles(ctx, hub.SHA256{}, 1_000_000)
	if err != nil {
		return nil, err
	}
	held := make([]hub.SHA256, len(files))
	for i, f := range files {
		held[i] = f.SHA256
		e := hub.Entry{Kind: hub.FileEntry, Path: f.SHA256.String(), Size: f.Size, LFS: &hub.LFSInfo{OID: f.SHA256}}
		if err := auditFile(ctx, r, e); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// auditHistory reads every commit, tree and file that a ref leads to.
func auditHistory(ctx context.Context, r *repo.Repo) error {
	refs, err := r.Refs(ctx)
	if err != nil {
		return err
	}
	seen := map[hub.OID]bool{}
	for _, ref := range append(refs.Branches, refs.Tags...) {
		for c, err := range r.Log(ctx, ref.Target) {
			if err != nil {
				return fmt.Errorf("history of %s: %w", ref.Name, err)
			}
			if seen[c.OID] {
				continue
			}
			seen[c.OID] = true
			for e, err := range r.List(ctx, c, "", true, "") {
				if err != nil {
					return fmt.Errorf("tree of %s: %w", c.OID, err)
				}
				if e.Kind != hub.FileEntry || seen[e.OID] {
					continue
				}
				seen[e.OID] = true
				if err := auditFile(ctx, r, e); err != nil {
					return fmt.Errorf("commit %s: %w", c.OID, err)
				}
			}
		}
	}
	return nil
}

// auditFile reads a file and compares its bytes with its name.
func auditFile(ctx context.Context, r *repo.Repo, e hub.Entry) error {
	f, err := r.OpenFile(ctx, e)
	if err != nil {
		return fmt.Errorf("open %s: %w", e.Path, err)
	}
	defer f.Close()
	content, err := io.ReadAll(f.Reader())
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", e.Path, err)
	case int64(len(content)) != e.Size:
		return fmt.Errorf("%s has %d bytes, want %d", e.Path, len(content), e.Size)
	case e.LFS != nil && sha256.Sum256(content) != e.LFS.OID:
		return fmt.Errorf("%s has the SHA-256 %x, want %s", e.Path, sha256.Sum256(content), e.LFS.OID)
	case e.LFS == nil && git.Hash(git.KindBlob, content) != e.OID:
		return fmt.Errorf("%s is the blob %s, want %s", e.Path, git.Hash(git.KindBlob, content), e.OID)
	}
	return nil
}

// fsck exports a repository and lets git check it.
func fsck(ctx context.Context, r *repo.Repo, dir string) error {
	if err := r.Export(ctx, dir); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "fsck", "--strict", "--full").CombinedOutput()
	if err != nil || strings.Contains(string(out), "missing") || strings.Contains(string(out), "error") {
		return errors.Join(fmt.Errorf("git fsck says:\n%s", out), err)
	}
	return nil
}
