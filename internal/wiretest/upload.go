package wiretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/xet"
)

// Create makes a public model.
func (c *Client) Create(ctx context.Context, repo string) (Reply, error) {
	return c.JSON(ctx, "POST", "/api/repos/create", map[string]any{"name": repo, "type": "model"})
}

// Commit is what goes into a commit. Files are sent inline; Large are files
// that were uploaded before, by path.
type Commit struct {
	Summary string
	Parent  string
	Files   map[string][]byte
	Large   map[string][]byte
	Deleted []string
}

// NDJSON is the body of a commit.
func (k Commit) NDJSON() []byte {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	line := func(key string, value map[string]any) {
		out.Encode(map[string]any{"key": key, "value": value}) // strings and numbers always encode
	}
	header := map[string]any{"summary": k.Summary, "description": ""}
	if k.Parent != "" {
		header["parentCommit"] = k.Parent
	}
	line("header", header)
	for _, p := range slices.Sorted(maps.Keys(k.Files)) {
		line("file", map[string]any{"path": p, "encoding": "base64", "content": base64.StdEncoding.EncodeToString(k.Files[p])})
	}
	for _, p := range slices.Sorted(maps.Keys(k.Large)) {
		line("lfsFile", map[string]any{"path": p, "algo": "sha256", "oid": SHA256(k.Large[p]), "size": len(k.Large[p])})
	}
	for _, p := range k.Deleted {
		line("deletedFile", map[string]any{"path": p})
	}
	return b.Bytes()
}

// Commit makes a commit on the branch main of a model.
func (c *Client) Commit(ctx context.Context, repo string, k Commit) (Reply, error) {
	return c.Do(ctx, "POST", "/api/models/"+repo+"/commit/main", bytes.NewReader(k.NDJSON()), "Content-Type", "application/x-ndjson")
}

// SHA256 is the LFS name of content.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// LFSActions asks a model how to upload content. Without actions it is there.
func (c *Client) LFSActions(ctx context.Context, repo string, data []byte, transfers ...string) (map[string]api.LFSAction, error) {
	reply, err := c.JSON(ctx, "POST", "/"+repo+".git/info/lfs/objects/batch", api.LFSBatch{
		Operation: "upload", Transfers: transfers, HashAlgo: "sha256",
		Objects: []api.LFSObject{{OID: SHA256(data), Size: int64(len(data))}},
	})
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		return nil, err
	}
	var batch api.LFSBatchReply
	if err := reply.Decode(&batch); err != nil {
		return nil, err
	}
	if len(batch.Objects) != 1 || batch.Objects[0].Error != nil {
		return nil, fmt.Errorf("LFS batch: %.300s", reply.Body)
	}
	return batch.Objects[0].Actions, nil
}

// UploadLFS uploads content to a model by one PUT, or in parts when the hub
// wants it so.
func (c *Client) UploadLFS(ctx context.Context, repo string, data []byte) error {
	actions, err := c.LFSActions(ctx, repo, data, "basic", "multipart")
	if err != nil || len(actions) == 0 {
		return err
	}
	upload := actions["upload"]
	if chunk, ok := upload.Header["chunk_size"].(string); ok {
		return c.uploadParts(ctx, upload, chunk, data)
	}
	return must(c.Do(ctx, "PUT", upload.Href, bytes.NewReader(data)))
}

func (c *Client) uploadParts(ctx context.Context, upload api.LFSAction, chunk string, data []byte) error {
	size, err := strconv.Atoi(chunk)
	if err != nil {
		return err
	}
	for part := 1; len(data) > 0; part++ {
		n := min(size, len(data))
		href, _ := upload.Header[strconv.Itoa(part)].(string)
		if err := must(c.Do(ctx, "PUT", href, bytes.NewReader(data[:n]))); err != nil {
			return fmt.Errorf("part %d: %w", part, err)
		}
		data = data[n:]
	}
	return must(c.JSON(ctx, "POST", upload.Href, map[string]any{}))
}

func must(r Reply, err error) error {
	if err != nil {
		return err
	}
	return r.Err()
}

// XetFile is a file as a Xet client packs it: one xorb and one shard.
type XetFile struct {
	Hash  hub.XetHash
	Xorb  hub.XetHash
	Body  []byte // of the xorb
	Shard []byte
}

// PackXet packs content of less than 64 MiB.
func PackXet(data []byte) (*XetFile, error) {
	var body bytes.Buffer
	var tree xet.Aggregator
	var cut xet.Chunker
	w := xet.NewXorbWriter(&body, new(xet.Encoder))
	for rest := data; len(rest) > 0; {
		n, _ := cut.Next(rest)
		hash := xet.ChunkHash(rest[:n])
		if err := w.Add(rest[:n], hash); err != nil {
			return nil, err
		}
		tree.Add(hash, uint64(n))
		rest = rest[n:]
	}
	x := w.Index()
	f := &XetFile{Hash: tree.FileHash(), Xorb: x.XorbHash(), Body: body.Bytes()}
	shard := xet.Shard{
		Files: []xet.ShardFile{{
			Hash:         f.Hash,
			Terms:        []xet.Term{{Xorb: f.Xorb, Start: 0, End: uint32(x.Len()), Size: uint32(len(data))}},
			Verification: []hub.XetHash{x.RangeHash(0, x.Len())},
			SHA256:       sha256.Sum256(data),
		}},
		Xorbs: []xet.ShardXorb{x.ShardXorb(f.Xorb)},
	}
	f.Shard = shard.AppendUpload(nil)
	return f, nil
}

// XetWriter gets a write token of a model and returns the CAS as a client.
func (c *Client) XetWriter(ctx context.Context, repo string) (*Client, error) {
	reply, err := c.Get(ctx, "/api/models/"+repo+"/xet-write-token/main")
	if err := must(reply, err); err != nil {
		return nil, err
	}
	var token api.XetToken
	if err := reply.Decode(&token); err != nil {
		return nil, err
	}
	return &Client{URL: token.CASURL, Token: token.AccessToken, HTTP: c.HTTP}, nil
}

// PutXorb uploads the xorb of a file to the CAS.
func (c *Client) PutXorb(ctx context.Context, f *XetFile) (Reply, error) {
	return c.Do(ctx, "POST", "/v1/xorbs/default/"+f.Xorb.String(), bytes.NewReader(f.Body))
}

// PutShard registers a file whose xorb is in the CAS.
func (c *Client) PutShard(ctx context.Context, f *XetFile) (Reply, error) {
	return c.Do(ctx, "POST", "/v1/shards", bytes.NewReader(f.Shard))
}

// UploadXet uploads content to a model as a Xet client does.
func (c *Client) UploadXet(ctx context.Context, repo string, data []byte) error {
	f, err := PackXet(data)
	if err != nil {
		return err
	}
	cas, err := c.XetWriter(ctx, repo)
	if err != nil {
		return err
	}
	if err := must(cas.PutXorb(ctx, f)); err != nil {
		return fmt.Errorf("xorb: %w", err)
	}
	if err := must(cas.PutShard(ctx, f)); err != nil {
		return fmt.Errorf("shard: %w", err)
	}
	return nil
}
