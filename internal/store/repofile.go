package store

import (
	"context"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// RepoFile is a large file that a repository may read and commit.
type RepoFile struct {
	SHA256    hub.SHA256
	Xet       hub.XetHash
	Size      int64
	CreatedAt time.Time
	Path      string // where it was first committed, "" before
}

const repoFileColumns = `sha256, xet, size, created_at, path`

func scanRepoFile(scan func(...any) error) (RepoFile, error) {
	var f RepoFile
	var sha, xet []byte
	var created int64
	if err := scan(&sha, &xet, &f.Size, &created, &f.Path); err != nil {
		return f, err
	}
	f.CreatedAt = fromMicros(created)
	if err := copyHash(f.SHA256[:], sha, "repo_file.sha256"); err != nil {
		return f, err
	}
	return f, copyHash(f.Xet[:], xet, "repo_file.xet")
}

// RepoFile returns the large file with that content, or ErrNotFound.
func (q *Q) RepoFile(ctx context.Context, repoID int64, sha hub.SHA256) (RepoFile, error) {
	return one(ctx, q, "repo file", scanRepoFile, `
		SELECT `+repoFileColumns+` FROM repo_file WHERE repo_id = $1 AND sha256 = $2`, repoID, sha[:])
}

// RepoFilesBySHA returns those of the large files that the repository holds.
func (q *Q) RepoFilesBySHA(ctx context.Context, repoID int64, shas []hub.SHA256) (map[hub.SHA256]RepoFile, error) {
	out := make(map[hub.SHA256]RepoFile, len(shas))
	for len(shas) > 0 {
		n := min(len(shas), batch)
		args := []any{repoID}
		for _, sha := range shas[:n] {
			args = append(args, sha[:])
		}
		shas = shas[n:]
		for f, err := range each(ctx, q, "repo files", scanRepoFile, `
			SELECT `+repoFileColumns+` FROM repo_file WHERE repo_id = $1 AND sha256 IN (`+placeholders(2, n)+`)`, args...) {
			if err != nil {
				return nil, err
			}
			out[f.SHA256] = f
		}
	}
	return out, nil
}

// RepoFileByXet returns a large file of the repository by its file id in the
// CAS, or ErrNotFound.
func (q *Q) RepoFileByXet(ctx context.Context, repoID int64, xet hub.XetHash) (RepoFile, error) {
	return one(ctx, q, "repo file by xet", scanRepoFile, `
		SELECT `+repoFileColumns+` FROM repo_file WHERE repo_id = $1 AND xet = $2 LIMIT 1`, repoID, xet[:])
}

// RepoFiles returns one page of a repository's large files, ordered by content,
// after one of them.
func (q *Q) RepoFiles(ctx context.Context, repoID int64, after hub.SHA256, limit int) ([]RepoFile, error) {
	return all(ctx, q, "list repo files", scanRepoFile, `
		SELECT `+repoFileColumns+` FROM repo_file WHERE repo_id = $1 AND sha256 > $2
		ORDER BY sha256 LIMIT $3`, repoID, after[:], limit)
}

// SetRepoFilePath notes where a large file was committed, the first time.
func (q *Q) SetRepoFilePath(ctx context.Context, repoID int64, sha hub.SHA256, path string) error {
	_, err := q.exec(ctx, "set file path", `
		UPDATE repo_file SET path = $3 WHERE repo_id = $1 AND sha256 = $2 AND path = ''`, repoID, sha[:], path)
	return err
}

// CopyRepoFiles lets another repository hold the same large files.
func (q *Q) CopyRepoFiles(ctx context.Context, from, to int64) error {
	_, err := q.exec(ctx, "copy repo files", `
		INSERT INTO repo_file (repo_id, sha256, xet, size, account_id, created_at, path)
		SELECT $2, sha256, xet, size, account_id, created_at, path FROM repo_file WHERE repo_id = $1
		ON CONFLICT DO NOTHING`, from, to)
	return err
}

// DeleteRepoFile takes a large file from a repository.
func (q *Q) DeleteRepoFile(ctx context.Context, repoID int64, sha hub.SHA256) (bool, error) {
	n, err := q.exec(ctx, "delete repo file", `DELETE FROM repo_file WHERE repo_id = $1 AND sha256 = $2`, repoID, sha[:])
	return n > 0, err
}
