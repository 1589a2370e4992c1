package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

var errBroken = errors.New("the store is broken")

// TestFailingBucket fails the bucket at every step of a store, and once while it
// stores the second xorb of a file: nothing may be visible, and the next try must
// succeed.
func TestFailingBucket(t *testing.T) {
	small, large := randomBytes(1, 1_000_000), make([]byte, 66<<20)
	copy(large, randomBytes(2, 1_000_000))
	for i := range len(large) / 4096 { // no two chunks alike
		binary.LittleEndian.PutUint64(large[i*4096:], uint64(i))
	}
	tests := []struct {
		name string
		data []byte
		step buckettest.Step
		skip int
	}{
		{"before", small, buckettest.Before, 0},
		{"half way", small, buckettest.HalfWay, 0},
		{"after", small, buckettest.After, 0},
		{"half way through the second xorb", large, buckettest.HalfWay, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := buckettest.Faulty(bucket.NewMemory(), buckettest.Fault{Op: buckettest.Put, Step: tt.step, Skip: tt.skip, Err: errBroken})
			f := newFixture(t, storetest.SQLite(t), b)
			if _, err := f.Ingest(context.Background(), bytes.NewReader(tt.data)); !errors.Is(err, errBroken) {
				t.Fatalf("Ingest: %v, want %v", err, errBroken)
			}
			f.wantNothing(t, tt.data)
			b.Heal()
			file := f.mustIngest(t, tt.data)
			if !bytes.Equal(f.readAll(t, file.Xet), tt.data) {
				t.Errorf("the second try reads back differently")
			}
		})
	}
}

// wantNothing checks that no trace of an upload is left.
func (f *fixture) wantNothing(t *testing.T, data []byte) {
	t.Helper()
	if _, err := f.ByContent(context.Background(), sha256.Sum256(data)); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("the content is visible: %v", err)
	}
	if size, n := f.stored(t); n != 0 {
		t.Errorf("%d objects of %d bytes are left", n, size)
	}
}

func TestFullDisk(t *testing.T) {
	full := fmt.Errorf("put: %w", bucket.ErrNoSpace)
	b := buckettest.Faulty(bucket.NewMemory(), buckettest.Fault{Op: buckettest.Put, Err: full})
	f := newFixture(t, storetest.SQLite(t), b)
	if _, err := f.Ingest(context.Background(), bytes.NewReader([]byte("x"))); hub.CodeOf(err) != hub.CodeNoSpace {
		t.Errorf("Ingest: %v, want code %s", err, hub.CodeNoSpace)
	}
	b.Heal()
	f.mustIngest(t, []byte("x"))
}

// hookReader calls hook before it reports the end.
type hookReader struct {
	io.Reader
	hook func() error
}

func (r *hookReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		if hookErr := r.hook(); hookErr != nil {
			err = hookErr
		}
	}
	return n, err
}

func TestFailingDatabase(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "pantry.db")
	ctx := context.Background()
	open := func() *store.DB {
		db, err := store.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	b := bucket.NewMemory()
	f := newFixture(t, open(), b)
	data := randomBytes(1, 1_000_000)
	_, err := f.Ingest(ctx, &hookReader{bytes.NewReader(data), f.db.Close})
	if err == nil {
		t.Fatal("Ingest succeeded without a database")
	}
	f = newFixture(t, open(), b)
	f.wantNothing(t, data)
	f.mustIngest(t, data)
}

func TestFailingReader(t *testing.T) {
	f := newDirFixture(t)
	for _, n := range []int{0, 1000, blockSize, 3_000_000} {
		data := randomBytes(uint64(n), n)
		for _, broken := range []error{errBroken, io.ErrUnexpectedEOF} { // the latter is a client that went away
			_, err := f.Ingest(context.Background(), &hookReader{bytes.NewReader(data), func() error { return broken }})
			if !errors.Is(err, broken) {
				t.Errorf("after %d bytes: %v, want %v", n, err, broken)
			}
		}
	}
	if _, n := f.stored(t); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestCancelledUpload(t *testing.T) {
	f := newDirFixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	data := randomBytes(1, 3_000_000)
	_, err := f.Ingest(ctx, &hookReader{bytes.NewReader(data), func() error { cancel(); return nil }})
	if err == nil {
		t.Fatal("a cancelled upload succeeded")
	}
	f.wantNothing(t, data)
}

// TestDamagedStorage damages stored objects: reads must fail, not lie.
func TestDamagedStorage(t *testing.T) {
	data := bytes.Join([][]byte{textBytes(1, 500_000), randomBytes(2, 500_000)}, nil)
	damage := map[string]func(path string) error{
		"gone": os.Remove,
		"cut":  func(path string) error { return os.Truncate(path, 100_000) },
		"zero": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, make([]byte, info.Size()), 0o600)
		},
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			b, err := bucket.OpenDir(root)
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, storetest.SQLite(t), b)
			file := f.mustIngest(t, data)
			paths, err := filepath.Glob(filepath.Join(root, "xorbs", "*", "*"))
			if err != nil || len(paths) != 1 {
				t.Fatalf("objects: %v, %v", paths, err)
			}
			if err := os.Chmod(paths[0], 0o600); err != nil {
				t.Fatal(err)
			}
			if err := do(paths[0]); err != nil {
				t.Fatal(err)
			}
			r, err := f.Open(context.Background(), file.Xet)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r); err == nil || hub.CodeOf(err) != hub.CodeInternal {
				t.Errorf("read: %v, want an internal error", err)
			}
			if _, err := r.WriteRange(io.Discard, 0, r.Size()); err == nil || hub.CodeOf(err) != hub.CodeInternal {
				t.Errorf("write: %v, want an internal error", err)
			}
		})
	}
}

// TestConcurrentUploads uploads overlapping content from many goroutines and
// reads it meanwhile.
func TestConcurrentUploads(t *testing.T) {
	f := newDirFixture(t)
	shared := randomBytes(1, 2_000_000)
	contents := make([][]byte, 6)
	for i := range contents {
		contents[i] = bytes.Join([][]byte{shared[:i*300_000], randomBytes(uint64(i+10), 300_000), shared}, nil)
	}
	var group errgroup.Group
	ids := make([]hub.XetHash, 24)
	for i := range ids {
		group.Go(func() error {
			want := contents[i%len(contents)]
			file, err := f.Ingest(context.Background(), bytes.NewReader(want))
			if err != nil {
				return err
			}
			ids[i] = file.Xet
			r, err := f.Open(context.Background(), file.Xet)
			if err != nil {
				return err
			}
			var got bytes.Buffer
			if _, err := r.WriteTo(&got); err != nil {
				return err
			}
			if !bytes.Equal(got.Bytes(), want) {
				return fmt.Errorf("upload %d reads back differently", i)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if id != ids[i%len(contents)] {
			t.Errorf("uploads %d and %d of the same content are different files", i, i%len(contents))
		}
	}
}

// endless yields random bytes, then waits for the other uploads before it ends.
type endless struct {
	rng  *rand.ChaCha8
	left int
	wait func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		e.wait()
		return 0, io.EOF
	}
	n, err := e.rng.Read(p[:min(len(p), e.left)])
	e.left -= n
	return n, err
}

// TestMemoryOfManyUploads runs 64 uploads at once, none of which ends before all
// have sent everything: what they hold must not be in memory.
func TestMemoryOfManyUploads(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	const uploads, size, limit = 64, 16 << 20, 200 << 20
	f := newDirFixture(t)
	var arrived sync.WaitGroup
	arrived.Add(uploads)
	var peak atomic.Uint64
	stop := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var group errgroup.Group
	for i := range uploads {
		group.Go(func() error {
			_, err := f.Ingest(context.Background(), &endless{rand.NewChaCha8([32]byte{byte(i)}), size, func() { arrived.Done(); arrived.Wait() }})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	sampler.Wait()
	t.Logf("peak %d MB", peak.Load()>>20)
	if peak.Load() > limit {
		t.Errorf("%d uploads of %d MB take %d MB of memory, want at most %d", uploads, size>>20, peak.Load()>>20, limit>>20)
	}
}
