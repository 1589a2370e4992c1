package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestKilled kills the server at random moments while clients commit and
// upload in every way, and starts it again each time.
func TestKilled(t *testing.T) {
	t.Run("sqlite and folder", func(t *testing.T) {
		testKilled(t, config.Storage{Data: t.TempDir()})
	})
	t.Run("postgres and s3", func(t *testing.T) {
		testKilled(t, config.Storage{Data: t.TempDir(), Database: storetest.PostgresURL(t), Bucket: buckettest.S3URL(t)})
	})
}

// How much is done before the end, and how long it may take.
const (
	wantCommits = 200
	wantKills   = 20
	killBudget  = 60 * time.Second
)

func testKilled(t *testing.T, where config.Storage) {
	commits, kills := wantCommits, wantKills
	if testing.Short() {
		commits, kills = 40, 4
	}
	flags := []string{"--data", where.Data}
	if where.Database != "" {
		flags = append(flags, "--database", where.Database, "--bucket", where.Bucket)
	}
	p := newProcess(t, flags...)
	p.start()
	w := &writers{t: t, client: wiretest.New(t, p.url(), p.user("ada"))}
	for _, repo := range killRepos {
		if err := mustReply(w.client.Create(t.Context(), repo)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), killBudget)
	var running sync.WaitGroup
	for i, way := range []func(context.Context, attempt) error{
		w.commitFiles, w.commitFiles, w.commitBig, w.commitMany, w.commitLFS, w.commitLFS, w.commitXet, w.commitXet,
	} {
		running.Go(func() { w.run(ctx, i, way) })
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	killed := 0
	for ctx.Err() == nil && (killed < kills || w.acked() < commits) {
		// From the moment it serves to well into the work.
		time.Sleep(time.Duration(rng.IntN(700)) * time.Millisecond)
		if killed < kills {
			p.kill()
			killed++
			p.start()
		}
	}
	stop()
	running.Wait()
	if killed < kills || w.acked() < commits {
		t.Errorf("only %d kills and %d commits in %v", killed, w.acked(), killBudget)
	}
	w.verify()
	if err := p.interrupt(); err != nil {
		t.Errorf("the server ended with %v after SIGINT", err)
	}
	w.verifyHeld(audit(t, where))
	verifyCache(t, where)
	t.Logf("%d kills, %d commits acknowledged, %d sent without an answer", killed, w.acked(), w.unanswered())
}

var killRepos = []string{"ada/one", "ada/two"}

// attempt is one try of one writer. Whatever it sends is its own.
type attempt struct {
	name string // of the commit, and of the files in it
	repo string
	rng  *rand.Rand
}

func (a attempt) bytes(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, a.rng.Uint64())
	}
	return b[:n]
}

// writers are clients that remember what they sent and what the hub said.
type writers struct {
	t      *testing.T
	client *wiretest.Client
	allow  int // status that is no fault of the hub, besides success

	mu       sync.Mutex
	sent     map[string]bool   // titles of commits that went out
	commits  map[string]string // titles of acknowledged commits -> repository and id
	files    []sentFile        // of acknowledged commits
	uploaded []upload          // acknowledged uploads, committed or not
}

type sentFile struct {
	repo, path string
	content    []byte
}

type upload struct {
	repo string
	sha  hub.SHA256
}

func (w *writers) acked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.commits)
}

func (w *writers) unanswered() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent) - len(w.commits)
}

// run tries one way of writing again and again. The connection may break at
// any time; an answer other than success is a fault of the hub.
func (w *writers) run(ctx context.Context, id int, way func(context.Context, attempt) error) {
	for n := 0; ctx.Err() == nil; n++ {
		a := attempt{
			name: fmt.Sprintf("w%d-%d", id, n), repo: killRepos[n%len(killRepos)],
			rng: rand.New(rand.NewPCG(uint64(id), uint64(n))),
		}
		err := way(ctx, a)
		var status *wiretest.StatusError
		if errors.As(err, &status) && status.Reply.Status != w.allow {
			w.t.Errorf("%s: %v", a.name, err)
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // it is down
		}
	}
}

func (w *writers) commitFiles(ctx context.Context, a attempt) error {
	return w.commit(ctx, a, wiretest.Commit{Files: map[string][]byte{
		"small/" + a.name + ".txt":      a.bytes(200),
		"small/deep/" + a.name + ".txt": a.bytes(20_000),
	}})
}

// commitBig commits a regular file that is too big for a row.
func (w *writers) commitBig(ctx context.Context, a attempt) error {
	return w.commit(ctx, a, wiretest.Commit{Files: map[string][]byte{a.name + ".txt": a.bytes(600_000)}})
}

// commitMany commits more bytes than wait for their transaction in memory.
func (w *writers) commitMany(ctx context.Context, a attempt) error {
	files := map[string][]byte{}
	for i := range 25 {
		files[fmt.Sprintf("many/%s/%d.txt", a.name, i)] = a.bytes(200_000)
	}
	return w.commit(ctx, a, wiretest.Commit{Files: files})
}

func (w *writers) commitLFS(ctx context.Context, a attempt) error {
	data := a.bytes(1_500_000)
	if err := w.client.UploadLFS(ctx, a.repo, data); err != nil {
		return err
	}
	w.noteUpload(a.repo, data)
	return w.commit(ctx, a, wiretest.Commit{Large: map[string][]byte{a.name + ".bin": data}})
}

func (w *writers) commitXet(ctx context.Context, a attempt) error {
	data := a.bytes(1_000_000)
	if err := w.client.UploadXet(ctx, a.repo, data); err != nil {
		return err
	}
	w.noteUpload(a.repo, data)
	return w.commit(ctx, a, wiretest.Commit{Large: map[string][]byte{a.name + ".safetensors": data}})
}

func (w *writers) noteUpload(repo string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uploaded = append(w.uploaded, upload{repo, sha256.Sum256(data)})
}

func (w *writers) commit(ctx context.Context, a attempt, k wiretest.Commit) error {
	k.Summary = a.name
	w.mu.Lock()
	if w.sent == nil {
		w.sent, w.commits = map[string]bool{}, map[string]string{}
	}
	w.sent[a.name] = true
	w.mu.Unlock()
	reply, err := w.client.Commit(ctx, a.repo, k)
	if err := mustReply(reply, err); err != nil {
		return err
	}
	var done api.CommitReply
	if err := reply.Decode(&done); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits[a.name] = a.repo + "@" + done.CommitOID
	for _, files := range []map[string][]byte{k.Files, k.Large} {
		for path, content := range files {
			w.files = append(w.files, sentFile{a.repo, path, content})
		}
	}
	return nil
}

// verify compares what the running hub shows with what it acknowledged.
func (w *writers) verify() {
	w.t.Helper()
	ctx := context.Background()
	seen := map[string]string{}
	for _, repo := range killRepos {
		history, err := commitsOf(ctx, w.client, repo)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range history {
			if _, twice := seen[c.Title]; twice && c.Title != "initial commit" {
				w.t.Errorf("commit %s is in the history twice", c.Title)
			}
			if !w.sent[c.Title] && c.Title != "initial commit" {
				w.t.Errorf("commit %s was never sent", c.Title)
			}
			seen[c.Title] = repo + "@" + c.ID
		}
	}
	for title, where := range w.commits {
		if seen[title] != where {
			w.t.Errorf("commit %s was acknowledged as %s, the history has %q", title, where, seen[title])
		}
	}
	for _, f := range w.files {
		reply, err := w.client.Get(ctx, "/"+f.repo+"/resolve/main/"+f.path)
		if err := mustReply(reply, err); err != nil {
			w.t.Errorf("download %s: %v", f.path, err)
		} else if !bytes.Equal(reply.Body, f.content) {
			w.t.Errorf("%s of %s has other bytes than were sent", f.path, f.repo)
		}
	}
}

// verifyHeld compares the large files that repositories hold with the uploads
// that were acknowledged.
func (w *writers) verifyHeld(held map[string][]hub.SHA256) {
	w.t.Helper()
	for _, u := range w.uploaded {
		if !slices.Contains(held[u.repo], u.sha) {
			w.t.Errorf("%s does not hold %s, whose upload was acknowledged", u.repo, u.sha)
		}
	}
}

// verifyCache checks that killed processes left no temporary files.
func verifyCache(t *testing.T, where config.Storage) {
	t.Helper()
	entries, err := os.ReadDir(where.CacheDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left in the cache", e.Name())
	}
	left, err := filepath.Glob(filepath.Join(where.BucketLocation(), ".tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			t.Errorf("%s is left in the bucket", filepath.Base(path))
		}
	}
}

// commitsOf lists the history of main, newest first.
func commitsOf(ctx context.Context, c *wiretest.Client, repo string) ([]api.Commit, error) {
	var all []api.Commit
	for page := 0; ; page++ {
		reply, err := c.Get(ctx, fmt.Sprintf("/api/models/%s/commits/main?limit=1000&p=%d", repo, page))
		if err := mustReply(reply, err); err != nil {
			return nil, err
		}
		var some []api.Commit
		if err := reply.Decode(&some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if reply.Header.Get("Link") == "" {
			return all, nil
		}
	}
}

// mustReply makes any answer but success an error.
func mustReply(r wiretest.Reply, err error) error {
	if err != nil {
		return err
	}
	return r.Err()
}
