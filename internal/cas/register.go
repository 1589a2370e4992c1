package cas

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Scope is on whose behalf a client acts.
type Scope struct {
	RepoID    int64
	AccountID int64
}

// Progress reports how many bytes of content have been hashed, of how many.
type Progress func(verified, total int64)

// Register makes the files of the shard exist in a repository. Content that has
// not been hashed here yet is hashed first, one shard of an account after the
// other. It reports false if everything was known. Nothing is visible until
// everything is.
func (up *ShardUpload) Register(ctx context.Context, scope Scope, progress Progress) (created bool, err error) {
	sums, err := up.contents(ctx, scope.AccountID, progress)
	if err == nil {
		created, err = up.commit(ctx, scope, sums)
	}
	if err != nil {
		return false, fmt.Errorf("register shard: %w", err)
	}
	return created, nil
}

// contents returns the SHA-256 of each file.
func (up *ShardUpload) contents(ctx context.Context, account int64, progress Progress) ([]hub.SHA256, error) {
	sums, unknown, err := up.knownContents(ctx)
	if err != nil || len(unknown) == 0 {
		return sums, err
	}
	done, err := up.svc.turns.wait(ctx, account, up.weight())
	if err != nil {
		return nil, err
	}
	defer done()
	// The shard before this one may have had the same files.
	if sums, unknown, err = up.knownContents(ctx); err != nil {
		return nil, err
	}
	return sums, up.hashAll(ctx, unknown, sums, progress)
}

// knownContents returns the SHA-256 of each file, zero if it has never been
// hashed, and the numbers of those files.
func (up *ShardUpload) knownContents(ctx context.Context) (sums []hub.SHA256, unknown []int, err error) {
	sums = make([]hub.SHA256, len(up.files))
	for i := range up.files {
		if sums[i], err = up.knownContent(ctx, &up.files[i]); err != nil {
			return nil, nil, err
		}
		if sums[i].IsZero() {
			unknown = append(unknown, i)
		}
	}
	return sums, unknown, nil
}

// knownContent is the SHA-256 of a file that has been hashed before, or zero.
func (up *ShardUpload) knownContent(ctx context.Context, f *shardFile) (hub.SHA256, error) {
	if f.id.IsZero() {
		return emptyFile.SHA256, sameContent(f, emptyFile.SHA256)
	}
	sha, err := up.svc.db.Read().FileContent(ctx, f.id)
	if errors.Is(err, store.ErrNotFound) {
		return hub.SHA256{}, nil
	}
	if err != nil {
		return hub.SHA256{}, err
	}
	return sha, sameContent(f, sha)
}

// sameContent compares what the uploader says about a file's content with what
// it is.
func sameContent(f *shardFile, sha hub.SHA256) error {
	if f.claim.IsZero() || f.claim == sha {
		return nil
	}
	return hub.Invalidf("The file %s has the SHA-256 %s, not %s.", f.id, sha, f.claim)
}

// hashAll fills in the sums of the files with these numbers, each file once.
func (up *ShardUpload) hashAll(ctx context.Context, unknown []int, sums []hub.SHA256, progress Progress) error {
	distinct := make(map[hub.XetHash]hub.SHA256)
	var verified, total int64
	for _, i := range unknown {
		f := &up.files[i]
		if _, ok := distinct[f.id]; !ok {
			total += f.size
			distinct[f.id] = hub.SHA256{} // to come
		}
	}
	for _, i := range unknown {
		f := &up.files[i]
		if distinct[f.id].IsZero() {
			sum, err := up.hash(ctx, f, func(n int64) {
				verified += n
				progress(verified, total)
			})
			if err != nil {
				return err
			}
			distinct[f.id] = sum
		}
		sums[i] = distinct[f.id]
		if err := sameContent(f, sums[i]); err != nil {
			return err
		}
	}
	return nil
}

// hash reads a file that is not registered yet.
func (up *ShardUpload) hash(ctx context.Context, f *shardFile, progress func(n int64)) (hub.SHA256, error) {
	terms, err := parseTerms(f.terms)
	if err != nil {
		return hub.SHA256{}, err
	}
	r := &Reader{ctx: ctx, svc: up.svc, file: newFile(f.id, terms)}
	w := &hashWriter{ctx: ctx, hash: sha256.New(), progress: progress}
	if _, err := r.WriteRange(w, 0, r.Size()); err != nil {
		return hub.SHA256{}, err
	}
	return hub.SHA256(w.hash.Sum(nil)), nil
}

// hashWriter hashes until its client goes away.
type hashWriter struct {
	ctx      context.Context
	hash     hash.Hash
	progress func(n int64)
}

func (w *hashWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	w.hash.Write(p)
	w.progress(int64(len(p)))
	return len(p), nil
}

// commit is the one transaction that makes everything visible. Everything that
// it writes is known before it begins: it must not hold a connection, or SQLite's
// only writer, while it waits for another.
func (up *ShardUpload) commit(ctx context.Context, scope Scope, sums []hub.SHA256) (created bool, err error) {
	now := up.svc.now()
	files, contents, links := up.rows(scope, sums)
	err = up.svc.db.Update(ctx, func(q *store.Q) error {
		if err := touchAll(ctx, q, up.refs, now); err != nil {
			return err
		}
		if err := q.SetXorbShard(ctx, store.NewID(), up.xorbs); err != nil {
			return err
		}
		if err := q.PutDedupChunks(ctx, up.chunks); err != nil {
			return err
		}
		made, err := q.PutFiles(ctx, files, now)
		if err != nil {
			return err
		}
		if err := q.PutContents(ctx, contents, now); err != nil {
			return err
		}
		linked, err := q.LinkRepoFiles(ctx, links, now)
		created = made+linked > 0
		return err
	})
	return created, err
}

// rows are what the files become in the database. The empty file is in no table
// of the CAS.
func (up *ShardUpload) rows(scope Scope, sums []hub.SHA256) (files []store.CASFile, contents []store.Content, links []store.NewRepoFile) {
	for i := range up.files {
		f := &up.files[i]
		if !f.id.IsZero() {
			files = append(files, store.CASFile{Hash: f.id, Size: f.size, Terms: f.terms})
			contents = append(contents, store.Content{SHA256: sums[i], File: f.id})
		}
		links = append(links, store.NewRepoFile{
			RepoID: scope.RepoID, AccountID: scope.AccountID, SHA256: sums[i], Xet: f.id, Size: f.size,
		})
	}
	return files, contents, links
}
