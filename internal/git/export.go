package git

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// ExportOptions says what Export writes besides objects.
type ExportOptions struct {
	Refs []store.Ref
	Head string // short name of the default branch

	// Open opens a CAS file, for blobs that are not inline.
	Open func(hub.XetHash) (io.ReadCloser, error)
}

// Export writes a repository as a bare one for the git program: HEAD, config,
// packed-refs and one pack of all objects. The refs must have been read before
// the call, so that every object they need is found. The folder must not hold
// a repository.
func Export(ctx context.Context, r Reader, dir string, opts ExportOptions) error {
	for _, sub := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := exportPack(ctx, r, filepath.Join(dir, "objects", "pack"), opts.Open); err != nil {
		return fmt.Errorf("export objects: %w", err)
	}
	for name, content := range map[string]string{
		"config":      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
		"packed-refs": packedRefs(opts.Refs),
		"HEAD":        "ref: " + hub.BranchPrefix + opts.Head + "\n",
	} {
		if err := writeNew(filepath.Join(dir, name), []byte(content)); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return nil
}

// packedRefs is the content of the packed-refs file.
func packedRefs(refs []store.Ref) string {
	var b strings.Builder
	b.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	sorted := slices.SortedFunc(slices.Values(refs), func(a, b store.Ref) int { return strings.Compare(a.Name, b.Name) })
	for _, ref := range sorted {
		if ref.Tag == nil {
			fmt.Fprintf(&b, "%s %s\n", ref.Target, ref.Name)
			continue
		}
		fmt.Fprintf(&b, "%s %s\n^%s\n", *ref.Tag, ref.Name, ref.Target)
	}
	return b.String()
}

// exportPack writes every object into one pack with its index.
func exportPack(ctx context.Context, r Reader, dir string, open func(hub.XetHash) (io.ReadCloser, error)) error {
	f, err := os.CreateTemp(dir, "tmp_pack_")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone if renamed
	defer f.Close()

	// Objects may be added meanwhile, so the count is known only at the end.
	p := NewPackWriter(f, 0)
	for o, err := range r.q.EachGitObject(ctx, r.repo) {
		if err != nil {
			return err
		}
		if err := addToPack(p, o, open); err != nil {
			return err
		}
	}
	if _, err := p.Close(); err != nil {
		return err
	}
	if len(p.entries) == 0 {
		return nil
	}
	sum, err := setPackCount(f, uint32(len(p.entries)))
	if err != nil {
		return err
	}
	name := filepath.Join(dir, fmt.Sprintf("pack-%x", sum))
	if err := f.Chmod(0o444); err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(f.Name(), name+".pack")); err != nil {
		return err
	}
	return writeNew(name+".idx", p.Index(sum))
}

func addToPack(p *PackWriter, o store.GitObject, open func(hub.XetHash) (io.ReadCloser, error)) error {
	if o.Xet == nil {
		return p.Add(o)
	}
	if open == nil {
		return fmt.Errorf("blob %s is in the CAS, and there is no way to open it", o.OID)
	}
	content, err := open(*o.Xet)
	if err != nil {
		return fmt.Errorf("blob %s: %w", o.OID, err)
	}
	defer content.Close()
	return p.AddContent(o, content)
}

// setPackCount corrects the count in a pack's header and the checksum at its
// end, and returns the checksum.
func setPackCount(f *os.File, count uint32) ([20]byte, error) {
	var sum [20]byte
	end, err := f.Seek(-sha1.Size, io.SeekEnd)
	if err != nil {
		return sum, err
	}
	header := packHeader(count)
	if _, err := f.WriteAt(header, 0); err != nil {
		return sum, err
	}
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, end)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	_, err = f.WriteAt(sum[:], end)
	return sum, err
}

// writeNew creates a file that must not exist.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(content))
	return errors.Join(err, f.Close())
}
