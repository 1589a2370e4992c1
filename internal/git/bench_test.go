package git_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

const benchFiles = 20_000

// benchEntry is a large file with its pointer's id.
func benchEntry(i int) git.TreeEntry {
	sha := hub.SHA256{byte(i), byte(i >> 8)}
	for j := 2; j < len(sha); j++ { // not compressible, as real hashes are
		sha[j] = byte((i*2654435761 + j*40503) >> 7)
	}
	oid := git.Hash(git.KindBlob, git.FormatPointer(sha, int64(i)))
	return git.TreeEntry{
		Mode: git.ModeFile, OID: oid, Size: int64(i),
		LFS: &hub.LFSInfo{OID: sha, Size: int64(i), PointerSize: 130, Xet: hub.XetHash(sha)},
	}
}

// fill puts the files of the benchmarks, in as many folders.
func fill(b *testing.B, ed *git.Editor, folders int) {
	for i := range benchFiles {
		path := fmt.Sprintf("train-%05d.parquet", i)
		if folders > 1 {
			path = fmt.Sprintf("data/%03d/%s", i%folders, path)
		}
		if err := ed.Put(context.Background(), path, benchEntry(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPut20000 writes a new repository of 20,000 large files.
func BenchmarkPut20000(b *testing.B) {
	for _, folders := range []int{1, 200} {
		b.Run(fmt.Sprintf("folders=%d", folders), func(b *testing.B) {
			r := newRepo(b, storetest.SQLite(b))
			for b.Loop() {
				ed := git.NewEditor(r.cold(), hub.OID{})
				fill(b, ed, folders)
				if _, _, _, err := ed.Write(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEditOneOf20000 changes one file in a folder of 20,000, with the tree
// parsed already and not.
func BenchmarkEditOneOf20000(b *testing.B) {
	r := newRepo(b, storetest.SQLite(b))
	ed := git.NewEditor(r.cold(), hub.OID{})
	fill(b, ed, 1)
	root := r.write(ed)
	for name, reader := range map[string]git.Reader{"warm": r.reader(), "cold": r.cold()} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				ed := git.NewEditor(reader, root)
				if err := ed.Put(context.Background(), "train-10000.parquet", benchEntry(benchFiles+i)); err != nil {
					b.Fatal(err)
				}
				if _, _, _, err := ed.Write(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkList20000 lists a repository of 20,000 large files in 200 folders.
func BenchmarkList20000(b *testing.B) {
	r := newRepo(b, storetest.SQLite(b))
	ed := git.NewEditor(r.cold(), hub.OID{})
	fill(b, ed, 200)
	root := r.write(ed)
	for name, reader := range map[string]git.Reader{"warm": r.reader(), "cold": r.cold()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range reader.List(context.Background(), root, "", true, "") {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != benchFiles+201 {
					b.Fatalf("%d entries", n)
				}
			}
		})
	}
}

// BenchmarkPutGitObjects stores the pointers of 20,000 large files.
func BenchmarkPutGitObjects(b *testing.B) {
	objs := make([]store.GitObject, benchFiles)
	for b.Loop() {
		b.StopTimer()
		r := newRepo(b, storetest.SQLite(b))
		for i := range objs {
			objs[i] = git.NewBlob(git.FormatPointer(hub.SHA256{byte(i), byte(i >> 8)}, int64(i)))
		}
		b.StartTimer()
		r.put(objs...)
	}
}

// BenchmarkLastCommits finds the last commits of 100 files that were last
// touched over 1,000 commits.
func BenchmarkLastCommits(b *testing.B) {
	r := newRepo(b, storetest.SQLite(b))
	ctx := context.Background()
	blob := git.NewBlob([]byte("x"))
	ed := git.NewEditor(r.cold(), hub.OID{})
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("f%02d", i))
		if err := ed.Put(ctx, "dir/"+names[i], fileEntry(blob)); err != nil {
			b.Fatal(err)
		}
	}
	root := r.write(ed)
	head := r.commit(time.Unix(1e9, 0), root, "first")
	for i := range 1000 {
		ed := git.NewEditor(r.reader(), root)
		if err := ed.Put(ctx, "dir/"+names[i/10], benchEntry(i)); err != nil {
			b.Fatal(err)
		}
		root = r.write(ed)
		head = r.commit(time.Unix(int64(1e9+i), 0), root, "next", head)
	}
	for name, reader := range map[string]git.Reader{"warm": r.reader(), "cold": r.cold()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				budget := git.MaxLastCommits
				found, err := reader.LastCommits(ctx, head, "dir", names, &budget)
				if err != nil || len(found) != len(names) {
					b.Fatalf("%d found, %v", len(found), err)
				}
			}
		})
	}
}
