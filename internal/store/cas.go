package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// Xorb is a stored xorb.
type Xorb struct {
	Hash      hub.XetHash
	ObjectKey string // of its records in the bucket
	Size      int64  // of the records
	RawSize   int64  // of the chunks in them
	TouchedAt time.Time
}

const xorbColumns = `hash, object_key, size, raw_size, touched_at`

func scanXorb(scan func(...any) error) (Xorb, error) {
	var x Xorb
	var hash []byte
	var touched int64
	if err := scan(&hash, &x.ObjectKey, &x.Size, &x.RawSize, &touched); err != nil {
		return x, err
	}
	x.TouchedAt = fromMicros(touched)
	return x, copyHash(x.Hash[:], hash, "cas_xorb.hash")
}

// PutXorb registers a xorb with its index. If the xorb is known already, the
// known one stays, is marked as of interest, and created is false.
func (q *Q) PutXorb(ctx context.Context, x Xorb, index []byte, now time.Time) (created bool, err error) {
	key, err := one(ctx, q, "put xorb", value[string], `
		INSERT INTO cas_xorb (hash, object_key, size, raw_size, shard_id, shard_seq, created_at, touched_at)
		VALUES ($1, $2, $3, $4, 0, 0, $5, $5)
		ON CONFLICT (hash) DO UPDATE SET touched_at = excluded.touched_at
		RETURNING object_key`, x.Hash[:], x.ObjectKey, x.Size, x.RawSize, micros(now))
	if err != nil || key != x.ObjectKey {
		return false, err
	}
	_, err = q.exec(ctx, "put xorb index", `INSERT INTO cas_xorb_index (hash, data) VALUES ($1, $2)`, x.Hash[:], index)
	return err == nil, err
}

// Xorb returns a xorb, or ErrNotFound.
func (q *Q) Xorb(ctx context.Context, hash hub.XetHash) (Xorb, error) {
	return one(ctx, q, "xorb", scanXorb, `SELECT `+xorbColumns+` FROM cas_xorb WHERE hash = $1`, hash[:])
}

// IndexedXorb is a xorb with the binary form of its index.
type IndexedXorb struct {
	Xorb
	Index []byte
}

// XorbIndex returns a xorb with its index, or ErrNotFound.
func (q *Q) XorbIndex(ctx context.Context, hash hub.XetHash) (IndexedXorb, error) {
	return one(ctx, q, "xorb index", scanIndexedXorb, `
		SELECT `+xorbColumns+`, (SELECT data FROM cas_xorb_index i WHERE i.hash = x.hash)
		FROM cas_xorb x WHERE x.hash = $1`, hash[:])
}

func scanIndexedXorb(scan func(...any) error) (x IndexedXorb, err error) {
	x.Xorb, err = scanXorb(func(dst ...any) error { return scan(append(dst, &x.Index)...) })
	return x, err
}

// TouchXorbs marks xorbs as of interest and returns how many of them exist.
func (q *Q) TouchXorbs(ctx context.Context, hashes []hub.XetHash, now time.Time) (found int, err error) {
	return q.touch(ctx, "touch xorbs", "cas_xorb", hashes, now)
}

// touch marks rows of cas_xorb or cas_file.
func (q *Q) touch(ctx context.Context, name, table string, hashes []hub.XetHash, now time.Time) (found int, err error) {
	// In one order always, so that two transactions do not wait for each other.
	hashes = slices.SortedFunc(slices.Values(hashes), compareHashes)
	for part := range slices.Chunk(hashes, batch) {
		args := append([]any{micros(now)}, hashArgs(part)...)
		changed, err := q.exec(ctx, name, `
			UPDATE `+table+` SET touched_at = $1 WHERE hash IN (`+placeholders(2, len(part))+`)`, args...)
		if err != nil {
			return 0, err
		}
		found += int(changed)
	}
	return found, nil
}

func compareHashes(a, b hub.XetHash) int { return bytes.Compare(a[:], b[:]) }

func hashArgs(hashes []hub.XetHash) []any {
	args := make([]any, len(hashes))
	for i := range hashes {
		args[i] = hashes[i][:]
	}
	return args
}

// SetXorbShard notes which shard described xorbs first, in its order. Those that
// have been described stay where they are.
func (q *Q) SetXorbShard(ctx context.Context, shardID int64, hashes []hub.XetHash) error {
	first := 0
	for part := range slices.Chunk(hashes, batch) {
		var seq strings.Builder // the place of each in this part
		for i := range part {
			fmt.Fprintf(&seq, " WHEN $%d THEN %d", i+3, i)
		}
		args := append([]any{shardID, first}, hashArgs(part)...)
		_, err := q.exec(ctx, "set xorb shard", `
			UPDATE cas_xorb SET shard_id = $1, shard_seq = CAST($2 AS BIGINT) + CASE hash`+seq.String()+` END
			WHERE shard_id = 0 AND hash IN (`+placeholders(3, len(part))+`)`, args...)
		if err != nil {
			return err
		}
		first += len(part)
	}
	return nil
}

// XorbsAround returns up to limit xorbs of the shard that a xorb belongs to, in
// order, from the one that is before places ahead of it on. The xorb itself is
// among them if limit > before.
func (q *Q) XorbsAround(ctx context.Context, hash hub.XetHash, before, limit int) ([]Xorb, error) {
	type place struct{ shard, seq int64 }
	at, err := one(ctx, q, "place of xorb", func(scan func(...any) error) (p place, err error) {
		return p, scan(&p.shard, &p.seq)
	}, `SELECT shard_id, shard_seq FROM cas_xorb WHERE hash = $1`, hash[:])
	if err != nil {
		return nil, err
	}
	if at.shard == 0 {
		x, err := q.Xorb(ctx, hash)
		return []Xorb{x}, err
	}
	return all(ctx, q, "xorbs around", scanXorb, `
		SELECT `+xorbColumns+` FROM cas_xorb WHERE shard_id = $1 AND shard_seq >= $2
		ORDER BY shard_seq LIMIT $3`, at.shard, at.seq-int64(before), limit)
}

// CASFile is a file in the CAS. The encoding of Terms is package cas's.
type CASFile struct {
	Hash  hub.XetHash
	Size  int64
	Terms []byte
}

// PutFiles registers files and returns how many are new. One that is known keeps
// its terms, which describe the same bytes, and is marked as of interest.
func (q *Q) PutFiles(ctx context.Context, files []CASFile, now time.Time) (created int, err error) {
	b := bulkInsert{
		q: q, name: "put files",
		head: `INSERT INTO cas_file (hash, size, terms, created_at, touched_at) VALUES `,
		tail: ` ON CONFLICT DO NOTHING`,
	}
	hashes := make([]hub.XetHash, len(files))
	for i, f := range files {
		hashes[i] = f.Hash
		if err := b.add(ctx, len(f.Terms), []any{f.Hash[:], f.Size, f.Terms, micros(now), micros(now)}); err != nil {
			return 0, err
		}
	}
	if err := b.flush(ctx); err != nil {
		return 0, err
	}
	if created = int(b.inserted); created < len(files) {
		_, err = q.touch(ctx, "touch files", "cas_file", hashes, now)
	}
	return created, err
}

// TouchFile marks a file as of interest.
func (q *Q) TouchFile(ctx context.Context, hash hub.XetHash, now time.Time) error {
	_, err := q.touch(ctx, "touch file", "cas_file", []hub.XetHash{hash}, now)
	return err
}

// CASFile returns a file, or ErrNotFound.
func (q *Q) CASFile(ctx context.Context, hash hub.XetHash) (CASFile, error) {
	f := CASFile{Hash: hash}
	_, err := one(ctx, q, "file", func(scan func(...any) error) (struct{}, error) {
		return struct{}{}, scan(&f.Size, &f.Terms)
	}, `SELECT size, terms FROM cas_file WHERE hash = $1`, hash[:])
	return f, err
}

// Content says what bytes a file has.
type Content struct {
	SHA256 hub.SHA256
	File   hub.XetHash
}

// PutContents notes what content files have. Whoever calls it has hashed their
// bytes.
func (q *Q) PutContents(ctx context.Context, contents []Content, now time.Time) error {
	b := bulkInsert{
		q: q, name: "put contents",
		head: `INSERT INTO cas_content (sha256, file, created_at) VALUES `,
		tail: ` ON CONFLICT DO NOTHING`,
	}
	for _, c := range contents {
		if err := b.add(ctx, 0, []any{c.SHA256[:], c.File[:], micros(now)}); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// ContentFile returns the oldest file with that content, or ErrNotFound.
func (q *Q) ContentFile(ctx context.Context, sha hub.SHA256) (hub.XetHash, int64, error) {
	var size int64
	hash, err := one(ctx, q, "file of content", func(scan func(...any) error) (h hub.XetHash, err error) {
		var b []byte
		if err := scan(&b, &size); err != nil {
			return h, err
		}
		return h, copyHash(h[:], b, "cas_content.file")
	}, `
		SELECT f.hash, f.size FROM cas_content c JOIN cas_file f ON f.hash = c.file
		WHERE c.sha256 = $1 ORDER BY c.created_at, f.hash LIMIT 1`, sha[:])
	return hash, size, err
}

// FileContent returns the content that a file is known to have, or ErrNotFound.
func (q *Q) FileContent(ctx context.Context, file hub.XetHash) (hub.SHA256, error) {
	return one(ctx, q, "content of file", func(scan func(...any) error) (sha hub.SHA256, err error) {
		var b []byte
		if err := scan(&b); err != nil {
			return sha, err
		}
		return sha, copyHash(sha[:], b, "cas_content.sha256")
	}, `SELECT sha256 FROM cas_content WHERE file = $1`, file[:])
}

// DedupChunk is an entry of the global dedup index: a chunk, and a xorb that
// holds it.
type DedupChunk struct{ Chunk, Xorb hub.XetHash }

// PutDedupChunks adds chunks to the global dedup index. A chunk that is in it
// stays where it is. It sorts its argument.
func (q *Q) PutDedupChunks(ctx context.Context, chunks []DedupChunk) error {
	// In one order always, as in touch.
	slices.SortStableFunc(chunks, func(a, b DedupChunk) int { return compareHashes(a.Chunk, b.Chunk) })
	b := bulkInsert{
		q: q, name: "put dedup chunks",
		head: `INSERT INTO cas_chunk (hash, xorb) VALUES `,
		tail: ` ON CONFLICT DO NOTHING`,
	}
	for _, c := range chunks {
		if err := b.add(ctx, 0, []any{c.Chunk[:], c.Xorb[:]}); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// DedupXorb returns a xorb that holds a chunk of the global dedup index, or
// ErrNotFound.
func (q *Q) DedupXorb(ctx context.Context, chunk hub.XetHash) (hub.XetHash, error) {
	return one(ctx, q, "dedup chunk", func(scan func(...any) error) (h hub.XetHash, err error) {
		var b []byte
		if err := scan(&b); err != nil {
			return h, err
		}
		return h, copyHash(h[:], b, "cas_chunk.xorb")
	}, `SELECT xorb FROM cas_chunk WHERE hash = $1`, chunk[:])
}

// NewRepoFile is a large file to be let into a repository.
type NewRepoFile struct {
	RepoID    int64
	AccountID int64 // who uploaded it
	SHA256    hub.SHA256
	Xet       hub.XetHash
	Size      int64
}

// LinkRepoFile lets a repository read and commit a large file. If it holds that
// content already, it keeps the file it has.
func (q *Q) LinkRepoFile(ctx context.Context, f NewRepoFile, now time.Time) (created bool, err error) {
	n, err := q.LinkRepoFiles(ctx, []NewRepoFile{f}, now)
	return n > 0, err
}

// LinkRepoFiles does the same for several files, and returns how many are new to
// their repositories.
func (q *Q) LinkRepoFiles(ctx context.Context, files []NewRepoFile, now time.Time) (created int, err error) {
	b := bulkInsert{
		q: q, name: "link repo files",
		head: `INSERT INTO repo_file (repo_id, sha256, xet, size, account_id, created_at) VALUES `,
		tail: ` ON CONFLICT DO NOTHING`,
	}
	for _, f := range files {
		if err := b.add(ctx, 0, []any{f.RepoID, f.SHA256[:], f.Xet[:], f.Size, f.AccountID, micros(now)}); err != nil {
			return 0, err
		}
	}
	err = b.flush(ctx)
	return int(b.inserted), err
}
