package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// Limits of a commit body.
const (
	// inlineLimit is the size up to which a blob is a row; above, its bytes are
	// in the CAS, where versions of a large text share their chunks.
	inlineLimit = 256 << 10

	// spoolAfter is how many deflated bytes of a commit stay in memory; more
	// go to a temporary file, so that a commit of 100 MB costs no more memory
	// than a small one.
	spoolAfter = 4 << 20

	maxOperations = 1_000_000
)

// stage collects the operations of a commit before the branch is looked at:
// blobs are hashed, deflated and spooled, so that applying them again on a new
// head is cheap.
type stage struct {
	svc     *Service
	repoID  int64
	puts    []stagedOp
	blobs   []blobRef
	index   map[hub.OID]int // into blobs
	mem     []byte          // deflated blobs that stay in memory
	spool   *os.File        // nil until spoolAfter
	spooled int64
}

// stagedOp is an operation with its blob written.
type stagedOp struct {
	kind  OpKind
	path  string
	entry git.TreeEntry
	size  int64 // PutLarge: what the client said, -1 if nothing
}

// blobRef says where a staged blob's deflated bytes are.
type blobRef struct {
	object store.GitObject // without Data
	off    int64
	n      int
	spool  bool
}

func newStage(s *Service, repoID int64) *stage {
	return &stage{svc: s, repoID: repoID, index: map[hub.OID]int{}}
}

func (st *stage) close() {
	if st.spool == nil {
		return
	}
	st.spool.Close()
}

// add checks one operation and stages its content.
func (st *stage) add(ctx context.Context, op Operation) error {
	if len(st.puts) >= maxOperations {
		return hub.Errorf(hub.CodeTooLarge, "A commit has at most %d operations.", maxOperations)
	}
	if op.Kind == DeleteFolder || op.Kind == DeleteEntry {
		op.Path = strings.TrimSuffix(op.Path, "/")
	}
	p, err := hub.ParsePath(op.Path)
	if err != nil {
		return hub.Errorf(hub.CodeUnprocessable, "%s", hub.MessageOf(err))
	}
	staged := stagedOp{kind: op.Kind, path: p, size: op.Size}
	switch op.Kind {
	case PutFile:
		staged, err = st.putFile(ctx, p, op.Content)
	case PutLarge:
		staged.entry = git.TreeEntry{Name: path.Base(p), Mode: git.ModeFile, LFS: &hub.LFSInfo{OID: op.SHA256}}
	}
	if err != nil {
		return err
	}
	st.puts = append(st.puts, staged)
	return nil
}

// putFile stages a regular file. The text of an LFS pointer means the large
// file it names, as it does in a git push.
func (st *stage) putFile(ctx context.Context, p string, content []byte) (stagedOp, error) {
	if sha, size, ok := git.ParsePointer(content); ok {
		return stagedOp{kind: PutLarge, path: p, size: size, entry: git.TreeEntry{
			Name: path.Base(p), Mode: git.ModeFile, LFS: &hub.LFSInfo{OID: sha},
		}}, nil
	}
	object, err := st.putBlob(ctx, content)
	if err != nil {
		return stagedOp{}, fmt.Errorf("stage %s: %w", p, err)
	}
	return stagedOp{kind: PutFile, path: p, entry: git.TreeEntry{
		Name: path.Base(p), Mode: git.ModeFile, OID: object.OID, Size: object.Size,
	}}, nil
}

// putBlob writes a blob to memory, the spool or, when it is big, the CAS.
func (st *stage) putBlob(ctx context.Context, content []byte) (store.GitObject, error) {
	if len(content) <= inlineLimit {
		return st.keep(git.NewBlob(content))
	}
	file, err := st.svc.cas.Ingest(ctx, bytes.NewReader(content))
	if err != nil {
		return store.GitObject{}, err
	}
	return st.keep(store.GitObject{
		OID: git.Hash(git.KindBlob, content), Kind: git.KindBlob, Size: int64(len(content)), Xet: &file.Xet,
	})
}

// keep stores a blob's deflated bytes until the transaction.
func (st *stage) keep(o store.GitObject) (store.GitObject, error) {
	if _, ok := st.index[o.OID]; ok {
		return o, nil
	}
	ref := blobRef{object: o, n: len(o.Data)}
	ref.object.Data = nil
	if len(st.mem)+len(o.Data) <= spoolAfter {
		ref.off = int64(len(st.mem))
		st.mem = append(st.mem, o.Data...)
	} else {
		if err := st.write(o.Data); err != nil {
			return o, err
		}
		ref.off, ref.spool = st.spooled-int64(len(o.Data)), true
	}
	st.index[o.OID] = len(st.blobs)
	st.blobs = append(st.blobs, ref)
	return o, nil
}

func (st *stage) write(data []byte) error {
	if st.spool == nil {
		if err := st.openSpool(); err != nil {
			return spoolError(err)
		}
	}
	n, err := st.spool.Write(data)
	st.spooled += int64(n)
	if err != nil {
		return spoolError(err)
	}
	return nil
}

// openSpool makes a file that has no name, so that it does not outlive the
// process.
func (st *stage) openSpool() error {
	f, err := os.CreateTemp(st.svc.spoolDir, "commit-*")
	if err != nil {
		return err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		return err
	}
	st.spool = f
	return nil
}

// spoolError reports a full disk as the hub's clients understand it.
func spoolError(err error) error {
	err = fmt.Errorf("spool: %w", err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: err}
	}
	return err
}

// load returns a staged blob with its bytes.
func (st *stage) load(i int) (store.GitObject, error) {
	ref := st.blobs[i]
	o := ref.object
	switch {
	case o.Xet != nil:
	case ref.spool:
		o.Data = make([]byte, ref.n)
		if _, err := st.spool.ReadAt(o.Data, ref.off); err != nil && err != io.EOF {
			return o, fmt.Errorf("read spool: %w", err)
		}
	default:
		o.Data = st.mem[ref.off : ref.off+int64(ref.n)]
	}
	return o, nil
}

// objects streams the staged blobs.
func (st *stage) objects() iter.Seq2[store.GitObject, error] {
	return func(yield func(store.GitObject, error) bool) {
		for i := range st.blobs {
			o, err := st.load(i)
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// resolveLarge looks up the large files that the operations name, and stages
// their pointers.
func (st *stage) resolveLarge(ctx context.Context) error {
	var shas []hub.SHA256
	for _, p := range st.puts {
		if p.kind == PutLarge {
			shas = append(shas, p.entry.LFS.OID)
		}
	}
	if len(shas) == 0 {
		return nil
	}
	files, err := st.svc.db.Read().RepoFilesBySHA(ctx, st.repoID, shas)
	if err != nil {
		return err
	}
	for i := range st.puts {
		p := &st.puts[i]
		if p.kind != PutLarge {
			continue
		}
		f, ok := files[p.entry.LFS.OID]
		if !ok {
			return hub.Errorf(hub.CodeUnprocessable, "LFS pointer of %s names %s, which was never uploaded to this repository.", p.path, p.entry.LFS.OID)
		}
		if p.size >= 0 && p.size != f.Size {
			return hub.Errorf(hub.CodeUnprocessable, "The size of %s is %d, not %d.", p.path, f.Size, p.size)
		}
		if err := st.putPointer(p, f); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) putPointer(p *stagedOp, f store.RepoFile) error {
	pointer := git.FormatPointer(f.SHA256, f.Size)
	object, err := st.keep(git.NewBlob(pointer))
	if err != nil {
		return err
	}
	p.entry.OID, p.entry.Size = object.OID, f.Size
	p.entry.LFS.Size, p.entry.LFS.PointerSize, p.entry.LFS.Xet = f.Size, int64(len(pointer)), f.Xet
	return nil
}

// applied is what came of putting a stage on a tree.
type applied struct {
	objects []store.GitObject // blobs made on the way (.gitattributes)
	paths   []string          // every path touched
	large   []largePut
}

type largePut struct {
	path  string
	sha   hub.SHA256
	first bool // the repository has not named a path for it yet
}

// applyTo applies the staged operations in order.
func (st *stage) applyTo(ctx context.Context, edit *git.Editor) (applied, error) {
	var out applied
	seen := map[hub.SHA256]bool{}
	for _, p := range st.puts {
		out.paths = append(out.paths, p.path)
		var err error
		switch p.kind {
		case PutFile, PutLarge:
			err = edit.Put(ctx, p.path, p.entry)
			if p.kind == PutLarge {
				out.large = append(out.large, largePut{path: p.path, sha: p.entry.LFS.OID, first: !seen[p.entry.LFS.OID]})
				seen[p.entry.LFS.OID] = true
			}
		case DeleteFile:
			err = edit.Remove(ctx, p.path)
		case DeleteFolder:
			err = edit.RemoveDir(ctx, p.path)
		case DeleteEntry:
			err = removeAny(ctx, edit, p.path)
		}
		if err != nil {
			return applied{}, err
		}
	}
	return out, st.trackLarge(ctx, edit, &out)
}

func removeAny(ctx context.Context, edit *git.Editor, p string) error {
	e, ok, err := edit.Lookup(ctx, p)
	if err != nil {
		return err
	}
	if ok && e.Mode == git.ModeDir {
		return edit.RemoveDir(ctx, p)
	}
	return edit.Remove(ctx, p)
}

const attributesFile = ".gitattributes"

// trackLarge adds the large files of a commit to .gitattributes.
func (st *stage) trackLarge(ctx context.Context, edit *git.Editor, out *applied) error {
	if len(out.large) == 0 {
		return nil
	}
	var current []byte
	e, ok, err := edit.Lookup(ctx, attributesFile)
	if err != nil {
		return err
	}
	if ok && e.LFS == nil {
		if current, err = st.blobContent(ctx, e.OID); err != nil {
			return err
		}
	}
	paths := make([]string, len(out.large))
	for i, l := range out.large {
		paths[i] = l.path
	}
	text, err := trackLarge(current, paths)
	if err != nil {
		return err
	}
	if text == nil {
		return nil
	}
	blob := git.NewBlob(text)
	out.objects = append(out.objects, blob)
	out.paths = append(out.paths, attributesFile)
	return edit.Put(ctx, attributesFile, git.TreeEntry{Name: attributesFile, Mode: git.ModeFile, OID: blob.OID, Size: blob.Size})
}

// blobContent reads a small blob that is staged or in the repository.
func (st *stage) blobContent(ctx context.Context, oid hub.OID) ([]byte, error) {
	if i, ok := st.index[oid]; ok {
		o, err := st.load(i)
		if err != nil {
			return nil, err
		}
		return st.svc.readObject(ctx, o)
	}
	o, err := git.NewReader(st.svc.db.Read(), st.svc.cache, st.repoID).Object(ctx, oid)
	if err != nil {
		return nil, err
	}
	return st.svc.readObject(ctx, o)
}
