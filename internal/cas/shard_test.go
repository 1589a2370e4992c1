package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// repository adds a repository to register files in.
func (f *fixture) repository(t testing.TB) Scope {
	t.Helper()
	name, err := hub.NewRepoID("me", "repo")
	if err != nil {
		t.Fatal(err)
	}
	r := store.Repo{ID: 1, Type: hub.Model, Name: name, Visibility: hub.Public, DefaultBranch: "main"}
	if err := f.db.Update(context.Background(), func(q *store.Q) error { return q.InsertRepo(context.Background(), r) }); err != nil {
		t.Fatal(err)
	}
	return Scope{RepoID: 1, AccountID: 7}
}

// putChunks stores a xorb of chunks, and returns the shard of a file that repeats
// it.
func (f *fixture) putChunks(t testing.TB, chunks [][]byte, times int) *xet.Shard {
	t.Helper()
	var body bytes.Buffer
	w := xet.NewXorbWriter(&body, new(xet.Encoder))
	size := 0
	for _, c := range chunks {
		if err := w.Add(c, xet.ChunkHash(c)); err != nil {
			t.Fatal(err)
		}
		size += len(c)
	}
	x := w.Index()
	id := x.XorbHash()
	if _, err := f.PutXorb(context.Background(), id, &body); err != nil {
		t.Fatal(err)
	}
	file := xet.ShardFile{}
	var tree xet.Aggregator
	for range times {
		file.Terms = append(file.Terms, xet.Term{Xorb: id, End: uint32(x.Len()), Size: uint32(size)})
		file.Verification = append(file.Verification, x.RangeHash(0, x.Len()))
		for i := range x.Len() {
			tree.Add(x.Hash(i), uint64(len(chunks[i])))
		}
	}
	file.Hash = tree.FileHash()
	return &xet.Shard{Files: []xet.ShardFile{file}, Xorbs: []xet.ShardXorb{x.ShardXorb(id)}}
}

func (f *fixture) readShard(t testing.TB, s *xet.Shard) (*ShardUpload, error) {
	t.Helper()
	b := s.AppendUpload(nil)
	return f.ReadShard(context.Background(), bytes.NewReader(b), int64(len(b)))
}

func (f *fixture) mustReadShard(t testing.TB, s *xet.Shard) *ShardUpload {
	t.Helper()
	up, err := f.readShard(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

func ignoreProgress(int64, int64) {}

// TestCommitReadsNothing registers files whose content is known while nothing
// can be read: the transaction must find everything in what was read before.
func TestCommitReadsNothing(t *testing.T) {
	eachFixture(t, func(t *testing.T, f *fixture) {
		scope := f.repository(t)
		data := randomBytes(1, 300_000)
		want := f.mustIngest(t, data)
		up := f.mustReadShard(t, f.putChunks(t, chunksOf(data), 1))
		refuse := errors.New("read during the transaction")
		var err error
		f.xorbs, err = newXorbCache(func(context.Context, hub.XetHash) (*xorb, error) { return nil, refuse })
		if err != nil {
			t.Fatal(err)
		}
		if created, err := up.Register(context.Background(), scope, ignoreProgress); err != nil || !created {
			t.Fatalf("Register = %v, %v, want true", created, err)
		}
		got, err := f.db.Read().RepoFile(context.Background(), scope.RepoID, want.SHA256)
		if err != nil || got.Xet != want.Xet {
			t.Errorf("the repository's file is %+v, %v, want %s", got, err, want.Xet)
		}
	})
}

// TestOpenInOtherChunks opens content that a repository holds by the id of a file
// that is cut otherwise.
func TestOpenInOtherChunks(t *testing.T) {
	f := newDirFixture(t)
	ctx := context.Background()
	scope := f.repository(t)
	data := randomBytes(1, 300_000)
	other := f.mustIngest(t, data)
	s := f.putChunks(t, [][]byte{data[:100_000], data[100_000:200_000], data[200_000:]}, 1)
	if _, err := f.mustReadShard(t, s).Register(ctx, scope, ignoreProgress); err != nil {
		t.Fatal(err)
	}
	foreign := f.mustIngest(t, randomBytes(2, 300_000))
	if other.Xet == s.Files[0].Hash {
		t.Fatal("the files are the same")
	}
	for _, tt := range []struct {
		name string
		repo int64
		id   hub.XetHash
		want hub.Code
	}{
		{"its own", scope.RepoID, s.Files[0].Hash, ""},
		{"the same content", scope.RepoID, other.Xet, ""},
		{"other content", scope.RepoID, foreign.Xet, hub.CodeNotFound},
		{"no file", scope.RepoID, hub.XetHash{1}, hub.CodeNotFound},
		{"another repository", scope.RepoID + 1, other.Xet, hub.CodeNotFound},
	} {
		r, err := f.OpenIn(ctx, tt.repo, tt.id)
		if err == nil && tt.want != "" || err != nil && hub.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want code %q", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		}
	}
}

// TestSameFileTwiceInAShard hashes it once.
func TestSameFileTwiceInAShard(t *testing.T) {
	f := newDirFixture(t)
	scope := f.repository(t)
	data := randomBytes(1, 300_000)
	s := f.putChunks(t, chunksOf(data), 1)
	s.Files = append(s.Files, s.Files[0])
	var verified, total int64
	created, err := f.mustReadShard(t, s).Register(context.Background(), scope, func(v, n int64) { verified, total = v, n })
	if err != nil || !created {
		t.Fatalf("Register = %v, %v", created, err)
	}
	if n := int64(len(data)); verified != n || total != n {
		t.Errorf("%d of %d bytes were hashed, want %d of %d", verified, total, n, n)
	}
	if got, err := f.ByContent(context.Background(), sha256.Sum256(data)); err != nil || got.Xet != s.Files[0].Hash {
		t.Errorf("ByContent = %+v, %v", got, err)
	}
}

// TestHashingEndsWithItsClient cancels a registration after its first bytes.
func TestHashingEndsWithItsClient(t *testing.T) {
	f := newDirFixture(t)
	scope := f.repository(t)
	up := f.mustReadShard(t, f.putChunks(t, chunksOf(randomBytes(1, 4<<20)), 50))
	ctx, cancel := context.WithCancel(context.Background())
	var verified, total int64
	_, err := up.Register(ctx, scope, func(v, n int64) {
		verified, total = v, n
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Register: %v, want %v", err, context.Canceled)
	}
	if verified == 0 || verified > total/10 {
		t.Errorf("%d of %d bytes were hashed", verified, total)
	}
	if created, err := up.Register(context.Background(), scope, ignoreProgress); err != nil || !created {
		t.Errorf("another try: %v, %v", created, err)
	}
}

// TestAmplification sends small shards of files that are huge.
func TestAmplification(t *testing.T) {
	f := newDirFixture(t)
	scope := f.repository(t)
	const chunks, chunk = 1024, xet.MaxChunk
	zeros := make([][]byte, chunks)
	for i := range zeros {
		zeros[i] = make([]byte, chunk)
	}
	good := f.putChunks(t, zeros, 2)
	tests := []struct {
		name  string
		files int
		terms int // of each, 128 MiB
		edit  func(t *xet.Term)
		want  hub.Code
	}{
		{"two terms", 1, 2, nil, ""},
		{"just below what is free", 1, freeRaw / (chunks * chunk), nil, hub.CodeInvalid}, // the hash is wrong
		{"just above", 1, freeRaw/(chunks*chunk) + 1, nil, hub.CodeTooLarge},
		{"in two files", 2, freeRaw/(chunks*chunk)/2 + 1, nil, hub.CodeTooLarge},
		{"a file of over a tebibyte", 1, maxFile/(chunks*chunk) + 1, nil, hub.CodeTooLarge},
		{"sizes that are lies", 1, 20, func(t *xet.Term) { t.Size = 4 << 30 / 2 }, hub.CodeInvalid},
		{"chunks that are lies", 1, 20, func(t *xet.Term) { t.End = 1 << 31 }, hub.CodeTooLarge},
	}
	for _, tt := range tests {
		s := &xet.Shard{Xorbs: good.Xorbs}
		for range tt.files {
			file := good.Files[0]
			file.Terms, file.Verification = nil, nil
			for range tt.terms {
				file.Terms = append(file.Terms, good.Files[0].Terms[0])
				file.Verification = append(file.Verification, good.Files[0].Verification[0])
			}
			if tt.edit != nil {
				tt.edit(&file.Terms[0])
			}
			s.Files = append(s.Files, file)
		}
		_, err := f.readShard(t, s)
		if err == nil && tt.want != "" || err != nil && hub.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want code %q", tt.name, err, tt.want)
		}
		if !f.shards.TryAcquire(MaxShard) {
			t.Fatalf("%s: memory is still taken", tt.name)
		}
		f.shards.Release(MaxShard)
	}
	if created, err := f.mustReadShard(t, good).Register(context.Background(), scope, ignoreProgress); err != nil || !created {
		t.Errorf("the honest shard: %v, %v", created, err)
	}
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		turns := newTurns(2)
		order := make(chan string, 10)
		start := func(ctx context.Context, name string, account int64, d time.Duration) {
			done, err := turns.wait(ctx, account, maxWaiting/4)
			if err != nil {
				order <- fmt.Sprintf("%s gave up", name)
				return
			}
			time.Sleep(d)
			order <- name
			done()
		}
		begin := func(ctx context.Context, name string, account int64, d time.Duration) {
			go start(ctx, name, account, d)
			synctest.Wait()
		}
		begin(ctx, "a1", 1, 10*time.Second)
		begin(ctx, "a2", 1, 10*time.Second)        // waits for a1, though a slot is free
		begin(ctx, "b1", 2, 3*time.Second)         // does not
		begin(ctx, "c1", 3, 5*time.Second)         // waits for a slot: b1's
		begin(ctx, "a3", 1, time.Second)           // waits for a2
		begin(ctx, "a4", 1, time.Second)           // fills the queue
		begin(ctx, "a5", 1, time.Second)           // is too many
		impatient, stop := context.WithCancel(ctx) // of another account
		begin(impatient, "d1", 4, time.Second)     // waits for a slot
		stop()
		synctest.Wait()
		time.Sleep(25 * time.Second)
		cancel()
		for _, want := range []string{"a5 gave up", "d1 gave up", "b1", "c1", "a1", "a2", "a3", "a4"} {
			select {
			case got := <-order:
				if got != want {
					t.Errorf("%s came where %s should", got, want)
				}
			default:
				t.Errorf("%s never came", want)
			}
		}
		synctest.Wait() // for those that are leaving
		turns.mu.Lock()
		defer turns.mu.Unlock()
		if len(turns.accounts) != 0 || len(turns.slots) != 0 {
			t.Errorf("left behind: %d accounts, %d slots", len(turns.accounts), len(turns.slots))
		}
	})
}
