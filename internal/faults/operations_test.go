package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// target is the repository that one case of an operation works on.
type target struct {
	*wiretest.Client
	repo string
	href string // that setup found, where the operation needs one
	cas  *wiretest.Client
	xet  *wiretest.XetFile
}

// data is content that is this target's own.
func (x *target) data(n int) []byte {
	h := fnv.New64a()
	h.Write([]byte(x.repo))
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:n]
}

// operation is one request that changes a hub. Setup does what comes before
// it, check compares what it should have done. The target comes first, as in
// method expressions.
type operation struct {
	name  string
	setup func(*target, context.Context) error
	do    func(*target, context.Context) (wiretest.Reply, error)
	check func(*target, context.Context) error
}

// Sizes of content: over what git keeps in rows, and over one part.
const (
	bigFile   = 600_000
	largeFile = 700_000
	partSize  = 1 << 20
	manyParts = partSize + 500_000
)

var operations = []operation{
	{
		name:  "create",
		setup: func(*target, context.Context) error { return nil },
		do:    func(x *target, ctx context.Context) (wiretest.Reply, error) { return x.Create(ctx, x.repo) },
		check: func(x *target, ctx context.Context) error { return x.has(ctx, ".gitattributes", nil) },
	},
	{
		name:  "commit",
		setup: (*target).created,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Commit(ctx, x.repo, wiretest.Commit{Summary: "add", Files: map[string][]byte{
				"README.md": []byte("---\nlicense: mit\n---\n"), "dir/data.bin": x.data(1000),
			}})
		},
		check: func(x *target, ctx context.Context) error { return x.has(ctx, "dir/data.bin", x.data(1000)) },
	},
	{
		name:  "commit big",
		setup: (*target).created,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Commit(ctx, x.repo, wiretest.Commit{Summary: "add", Files: map[string][]byte{"big.bin": x.data(bigFile)}})
		},
		check: func(x *target, ctx context.Context) error { return x.has(ctx, "big.bin", x.data(bigFile)) },
	},
	{
		name: "commit large",
		setup: func(x *target, ctx context.Context) error {
			if err := x.created(ctx); err != nil {
				return err
			}
			return x.UploadLFS(ctx, x.repo, x.data(largeFile))
		},
		do: (*target).commitLarge,
		check: func(x *target, ctx context.Context) error {
			return x.has(ctx, "large.bin", x.data(largeFile))
		},
	},
	{
		name: "delete file", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Commit(ctx, x.repo, wiretest.Commit{Summary: "delete", Deleted: []string{"large.bin"}})
		},
		check: func(x *target, ctx context.Context) error {
			return x.status(ctx, "/"+x.repo+"/resolve/main/large.bin", 404)
		},
	},
	{
		name: "lfs put",
		setup: func(x *target, ctx context.Context) error {
			return x.wantsUpload(ctx, largeFile, "basic")
		},
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Do(ctx, "PUT", x.href, bytes.NewReader(x.data(largeFile)))
		},
		check: (*target).holdsLarge,
	},
	{
		name: "lfs part",
		setup: func(x *target, ctx context.Context) error {
			return x.wantsUpload(ctx, manyParts, "multipart")
		},
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Do(ctx, "PUT", x.href, bytes.NewReader(x.data(manyParts)[:partSize]))
		},
		check: func(*target, context.Context) error { return nil },
	},
	{
		name: "lfs complete", setup: (*target).partsUploaded,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", x.href, map[string]any{})
		},
		check: func(x *target, ctx context.Context) error { return x.commitAndRead(ctx, x.data(manyParts)) },
	},
	{
		name: "xorb", setup: (*target).packed,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) { return x.cas.PutXorb(ctx, x.xet) },
		check: func(x *target, ctx context.Context) error {
			if err := mustReply(x.cas.PutShard(ctx, x.xet)); err != nil {
				return err
			}
			return x.holdsLarge(ctx)
		},
	},
	{
		name: "shard",
		setup: func(x *target, ctx context.Context) error {
			if err := x.packed(ctx); err != nil {
				return err
			}
			return mustReply(x.cas.PutXorb(ctx, x.xet))
		},
		do:    func(x *target, ctx context.Context) (wiretest.Reply, error) { return x.cas.PutShard(ctx, x.xet) },
		check: (*target).holdsLarge,
	},
	{
		name: "move", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", "/api/repos/move", api.MoveRepo{FromRepo: x.repo, ToRepo: x.repo + "-moved"})
		},
		check: func(x *target, ctx context.Context) error {
			if err := x.status(ctx, "/api/models/"+x.repo, 307); err != nil {
				return err
			}
			moved := *x
			moved.repo += "-moved"
			return moved.has(ctx, "large.bin", x.data(largeFile))
		},
	},
	{
		name: "delete", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "DELETE", "/api/repos/delete", api.RepoRef{Name: x.repo})
		},
		check: func(x *target, ctx context.Context) error { return x.status(ctx, "/api/models/"+x.repo, 404) },
	},
	{
		name: "duplicate", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", "/api/models/"+x.repo+"/duplicate", api.Duplicate{Repository: x.repo + "-copy"})
		},
		check: func(x *target, ctx context.Context) error {
			twin := *x
			twin.repo += "-copy"
			return twin.has(ctx, "large.bin", x.data(largeFile))
		},
	},
	{
		name: "branch", setup: (*target).created,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", "/api/models/"+x.repo+"/branch/dev", api.CreateBranch{EmptyBranch: true})
		},
		check: func(x *target, ctx context.Context) error {
			return x.status(ctx, "/api/models/"+x.repo+"/tree/dev", 200)
		},
	},
	{
		name: "tag", setup: (*target).created,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", "/api/models/"+x.repo+"/tag/main", api.CreateTag{Tag: "v1", Message: "first"})
		},
		check: func(x *target, ctx context.Context) error {
			return x.status(ctx, "/api/models/"+x.repo+"/tree/v1", 200)
		},
	},
	{
		name: "settings", setup: (*target).created,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "PUT", "/api/models/"+x.repo+"/settings", map[string]any{"private": true})
		},
		check: func(x *target, ctx context.Context) error {
			anonymous := *x
			anonymous.Client = x.As("")
			return anonymous.status(ctx, "/api/models/"+x.repo, 404)
		},
	},
	{
		name: "squash", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.JSON(ctx, "POST", "/api/models/"+x.repo+"/super-squash/main", api.SuperSquash{Message: "one"})
		},
		check: func(x *target, ctx context.Context) error {
			history, err := commitsOf(ctx, x.Client, x.repo)
			if err != nil || len(history) != 1 {
				return fmt.Errorf("%d commits after the squash, %w", len(history), err)
			}
			return x.has(ctx, "large.bin", x.data(largeFile))
		},
	},
	{
		name: "purge", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			var body api.LFSDeletions
			body.Deletions.SHA = []string{wiretest.SHA256(x.data(largeFile))}
			body.Deletions.RewriteHistory = true
			return x.JSON(ctx, "POST", "/api/models/"+x.repo+"/lfs-files/batch", body)
		},
		check: func(x *target, ctx context.Context) error {
			return x.status(ctx, "/"+x.repo+"/resolve/main/large.bin", 404)
		},
	},
	{
		name: "download", setup: (*target).withFiles,
		do: func(x *target, ctx context.Context) (wiretest.Reply, error) {
			return x.Get(ctx, "/"+x.repo+"/resolve/main/large.bin")
		},
		check: func(x *target, ctx context.Context) error { return x.has(ctx, "large.bin", x.data(largeFile)) },
	},
}

func (x *target) created(ctx context.Context) error { return mustReply(x.Create(ctx, x.repo)) }

// withFiles makes a repository with a card and a large file.
func (x *target) withFiles(ctx context.Context) error {
	if err := x.created(ctx); err != nil {
		return err
	}
	if err := x.UploadLFS(ctx, x.repo, x.data(largeFile)); err != nil {
		return err
	}
	return mustReply(x.commitLarge(ctx))
}

func (x *target) commitLarge(ctx context.Context) (wiretest.Reply, error) {
	return x.Commit(ctx, x.repo, wiretest.Commit{
		Summary: "add", Files: map[string][]byte{"README.md": []byte("---\nlicense: mit\n---\n")},
		Large: map[string][]byte{"large.bin": x.data(largeFile)},
	})
}

func (x *target) wantsUpload(ctx context.Context, size int, transfer string) error {
	if err := x.created(ctx); err != nil {
		return err
	}
	actions, err := x.LFSActions(ctx, x.repo, x.data(size), transfer)
	if err != nil {
		return err
	}
	if x.href = actions["upload"].Href; transfer == "multipart" {
		x.href, _ = actions["upload"].Header["1"].(string)
	}
	if x.href == "" {
		return fmt.Errorf("no URL to upload to in %v", actions)
	}
	return nil
}

func (x *target) partsUploaded(ctx context.Context) error {
	if err := x.created(ctx); err != nil {
		return err
	}
	data := x.data(manyParts)
	actions, err := x.LFSActions(ctx, x.repo, data, "multipart")
	if err != nil {
		return err
	}
	for i, part := range [][]byte{data[:partSize], data[partSize:]} {
		href, _ := actions["upload"].Header[fmt.Sprint(i+1)].(string)
		if err := mustReply(x.Do(ctx, "PUT", href, bytes.NewReader(part))); err != nil {
			return err
		}
	}
	x.href = actions["upload"].Href
	return nil
}

func (x *target) packed(ctx context.Context) (err error) {
	if err := x.created(ctx); err != nil {
		return err
	}
	if x.xet, err = wiretest.PackXet(x.data(largeFile)); err != nil {
		return err
	}
	x.cas, err = x.XetWriter(ctx, x.repo)
	return err
}

func (x *target) holdsLarge(ctx context.Context) error {
	return x.commitAndRead(ctx, x.data(largeFile))
}

// commitAndRead commits an uploaded file and downloads it.
func (x *target) commitAndRead(ctx context.Context, data []byte) error {
	err := mustReply(x.Commit(ctx, x.repo, wiretest.Commit{Summary: "add", Large: map[string][]byte{"up.bin": data}}))
	if err != nil {
		return err
	}
	return x.has(ctx, "up.bin", data)
}

// has compares a file on main with what it should be; nil is anything.
func (x *target) has(ctx context.Context, path string, want []byte) error {
	reply, err := x.Get(ctx, "/"+x.repo+"/resolve/main/"+path)
	if err := mustReply(reply, err); err != nil {
		return err
	}
	if want != nil && !bytes.Equal(reply.Body, want) {
		return fmt.Errorf("%s has other bytes than were sent", path)
	}
	return nil
}

func (x *target) status(ctx context.Context, path string, want int) error {
	reply, err := x.Get(ctx, path)
	if err == nil && reply.Status != want {
		err = fmt.Errorf("GET %s: status %d, want %d", path, reply.Status, want)
	}
	return err
}

// state is all that clients can see of a target, as one text.
func (x *target) state(ctx context.Context) (string, error) {
	var b strings.Builder
	for _, repo := range []string{x.repo, x.repo + "-moved", x.repo + "-copy"} {
		for _, path := range []string{"", "/refs", "/commits/main", "/tree/main?recursive=true", "/lfs-files"} {
			reply, err := x.Get(ctx, "/api/models/"+repo+path)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%s%s %d %s\n", repo, path, reply.Status, reply.Body)
			if path == "" && !reply.OK() {
				break
			}
		}
	}
	if x.cas != nil {
		reply, err := x.cas.Do(ctx, "HEAD", "/v1/xorbs/default/"+x.xet.Xorb.String(), nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "xorb %d\n", reply.Status)
	}
	return b.String(), nil
}
