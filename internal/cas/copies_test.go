package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/xet"
)

// newCopyFixture is a folder fixture that keeps copies of up to limit bytes.
func newCopyFixture(t *testing.T, limit int64) (f *fixture, folder string) {
	t.Helper()
	folder = t.TempDir()
	b, err := bucket.OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	f = newFixture(t, storetest.SQLite(t), b)
	f.copies = f.newCopies(limit)
	return f, folder
}

// download reads a range of a file as a request does.
func (f *fixture) download(t *testing.T, id hub.XetHash, off, n int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	r, err := f.Open(context.Background(), id)
	if err == nil {
		_, err = r.WriteRange(&buf, off, n)
	}
	if err != nil {
		t.Fatalf("range [%d, %d): %v", off, off+n, err)
	}
	return buf.Bytes()
}

// has reports whether there is a copy.
func (f *fixture) has(id hub.XetHash) bool {
	f.copies.mu.Lock()
	defer f.copies.mu.Unlock()
	return f.copies.kept[id] != nil
}

// waitForCopy waits until there is a copy.
func (f *fixture) waitForCopy(t *testing.T, id hub.XetHash) {
	t.Helper()
	for began := time.Now(); !f.has(id); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("there is no copy of %s", id)
		}
	}
}

// copyNow makes a copy, or says why not.
func (f *fixture) copyNow(t *testing.T, id hub.XetHash) error {
	t.Helper()
	file, err := f.files.get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return f.copies.add(context.Background(), file)
}

// get downloads a range of what serveFile serves.
func get(t *testing.T, s *httptest.Server, off, n int64) []byte {
	t.Helper()
	res, err := s.Client().Get(fmt.Sprintf("%s?off=%d&n=%d", s.URL, off, n))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return got
}

// TestCopy downloads a file until there is a copy, and then from the copy alone,
// whole and in ranges, over plain TCP and TLS.
func TestCopy(t *testing.T) {
	want := bytes.Join([][]byte{randomBytes(5, 900_000), textBytes(6, 900_000), halfBytes(7, 900_000)}, nil)
	size := int64(len(want))
	f, folder := newCopyFixture(t, 10<<20)
	id := f.mustIngest(t, want).Xet
	for i := range 2 { // the first download is not enough, the second asks for it
		if f.has(id) || len(f.copies.wanted) > 0 {
			t.Fatalf("a copy after %d downloads", i)
		}
		if !bytes.Equal(f.download(t, id, 0, size), want) {
			t.Fatal("the file differs")
		}
	}
	f.waitForCopy(t, id)
	if err := os.RemoveAll(filepath.Join(folder, "xorbs")); err != nil {
		t.Fatal(err)
	}
	if err := f.objects.close(); err != nil { // what was open
		t.Fatal(err)
	}
	if left, err := os.ReadDir(f.spoolDir); err != nil || len(left) > 0 {
		t.Errorf("the folder holds %v, %v; want files without names", left, err)
	}
	for name, s := range map[string]*httptest.Server{
		"http": httptest.NewServer(serveFile(t, f, id)), "https": httptest.NewTLSServer(serveFile(t, f, id)),
	} {
		defer s.Close()
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 50 {
			off := rng.Int64N(size)
			n := rng.Int64N(size-off) + 1
			if i == 0 {
				off, n = 0, size
			}
			if !bytes.Equal(get(t, s, off, n), want[off:off+n]) {
				t.Fatalf("%s: range [%d, %d) differs", name, off, off+n)
			}
		}
	}
}

// TestNoCopyWithoutGain: what leaves at disk speed anyway is not copied.
func TestNoCopyWithoutGain(t *testing.T) {
	f, _ := newCopyFixture(t, 10<<20)
	id := f.mustIngest(t, append(randomBytes(1, 2_000_000), textBytes(1, 100_000)...)).Xet
	if err := f.copyNow(t, id); !errors.Is(err, errNoCopy) {
		t.Errorf("random bytes in a folder: %v, want %v", err, errNoCopy)
	}
	m := newFixture(t, storetest.SQLite(t), bucket.NewMemory())
	m.copies = m.newCopies(10 << 20)
	id = m.mustIngest(t, randomBytes(1, 2_000_000)).Xet
	if err := m.copyNow(t, id); err != nil {
		t.Errorf("random bytes in a store that is no folder: %v", err)
	}
}

// TestDamagedFileIsNotCopied changes a byte of a stored chunk, which nothing
// notices when a range is sent: no copy may be made of it.
func TestDamagedFileIsNotCopied(t *testing.T) {
	f, folder := newCopyFixture(t, 10<<20)
	id := f.mustIngest(t, append(randomBytes(1, 500_000), textBytes(1, 500_000)...)).Xet
	err := filepath.WalkDir(filepath.Join(folder, "xorbs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[1000] ^= 1
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.copyNow(t, id); !errors.Is(err, xet.ErrCorrupt) || f.has(id) {
		t.Errorf("copied: %v, the copy is kept: %v", err, f.has(id))
	}
}

// TestCopiesMakeRoom: the copy used longest ago goes first, and who reads it
// reads on.
func TestCopiesMakeRoom(t *testing.T) {
	f, _ := newCopyFixture(t, 2_500_000)
	var ids []hub.XetHash
	var texts [][]byte
	for i := range 3 {
		texts = append(texts, textBytes(uint64(i), 1_000_000))
		ids = append(ids, f.mustIngest(t, texts[i]).Xet)
	}
	now := time.Now()
	f.copies.now = func() time.Time { now = now.Add(time.Second); return now }
	for _, id := range ids[:2] {
		if err := f.copyNow(t, id); err != nil {
			t.Fatal(err)
		}
	}
	file, err := f.files.get(context.Background(), ids[1])
	if err != nil {
		t.Fatal(err)
	}
	reading := f.copies.get(file, 1)
	f.download(t, ids[0], 0, 1)
	if err := f.copyNow(t, ids[2]); err != nil {
		t.Fatal(err)
	}
	if !f.has(ids[0]) || f.has(ids[1]) || !f.has(ids[2]) || f.copies.bytes != 2_000_000 {
		t.Errorf("kept: %v %v %v, %d bytes; want the two used last", f.has(ids[0]), f.has(ids[1]), f.has(ids[2]), f.copies.bytes)
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, &objectSection{o: &reading.object, end: 1_000_000}); err != nil || !bytes.Equal(buf.Bytes(), texts[1]) {
		t.Errorf("a dropped copy that is being read: %v, %d bytes", err, buf.Len())
	}
	f.copies.release(reading)
	if _, err := reading.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after its last reader a dropped copy is open: %v", err)
	}
	if err := f.copyNow(t, f.mustIngest(t, textBytes(9, 3_000_000)).Xet); !errors.Is(err, errNoCopy) {
		t.Errorf("a file over the limit: %v", err)
	}
	if !f.has(ids[0]) || !f.has(ids[2]) {
		t.Error("a file over the limit made others go")
	}

	now = now.Add(copyIdle)
	f.download(t, ids[0], 0, 1)
	f.copies.dropIdle()
	if f.copies.dropIdle(); !f.has(ids[0]) || f.has(ids[2]) {
		t.Errorf("after an hour kept: the one just used %v, the other %v", f.has(ids[0]), f.has(ids[2]))
	}
}

// TestCopiesGiveWay: without room on the disk there are no copies, and requests
// do not notice.
func TestCopiesGiveWay(t *testing.T) {
	f, _ := newCopyFixture(t, 10<<20)
	data := textBytes(1, 1_000_000)
	id := f.mustIngest(t, data).Xet
	free := int64(20_000_000)
	f.copies.space = func(string) (int64, int64, error) { return free, 100_000_000, nil }
	if err := f.copyNow(t, id); err != nil {
		t.Fatal(err)
	}
	free = 9_000_000
	if f.copies.makeRoom(0) || f.has(id) {
		t.Errorf("with 9 %% of the disk free a copy is kept")
	}
	if err := f.copyNow(t, id); !errors.Is(err, errNoCopy) {
		t.Errorf("with 9 %% of the disk free: %v, want %v", err, errNoCopy)
	}
	free = 20_000_000
	whole := f.copies.fill
	f.copies.fill = func(ctx context.Context, file *file, w io.Writer) error {
		return whole(ctx, file, &failingWriter{w, 300_000})
	}
	for range 4 {
		if !bytes.Equal(f.download(t, id, 0, 1_000_000), data) {
			t.Fatal("the file differs")
		}
	}
	if err := f.copyNow(t, id); hub.CodeOf(err) != hub.CodeNoSpace || f.has(id) {
		t.Errorf("a disk that is full half way: %v, the copy is kept: %v", err, f.has(id))
	}
	f.copies.dir = filepath.Join(f.spoolDir, "gone")
	if err := f.copyNow(t, id); err == nil || f.has(id) {
		t.Errorf("without its folder: %v, the copy is kept: %v", err, f.has(id))
	}
}

// failingWriter takes left bytes and is full then.
type failingWriter struct {
	w    io.Writer
	left int
}

func (f *failingWriter) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return f.w.Write(p)
}

// TestCopiesConcurrently reads files by many while their copies come and go.
func TestCopiesConcurrently(t *testing.T) {
	f, _ := newCopyFixture(t, 1_200_000)
	var wg sync.WaitGroup
	for i := range 4 {
		data := textBytes(uint64(i), 500_000)
		id := f.mustIngest(t, data).Xet
		server := httptest.NewServer(serveFile(t, f, id))
		defer server.Close()
		for seed := range 3 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
				for range 60 {
					off := rng.Int64N(400_000)
					if !bytes.Equal(get(t, server, off, 100_000), data[off:off+100_000]) {
						t.Errorf("file %d differs at %d", i, off)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// TestNoCopiesByDefault: without a limit there are none.
func TestNoCopiesByDefault(t *testing.T) {
	f := newDirFixture(t)
	data := textBytes(1, 500_000)
	id := f.mustIngest(t, data).Xet
	for range 4 {
		if !bytes.Equal(f.download(t, id, 0, 500_000), data) {
			t.Fatal("the file differs")
		}
	}
	if f.copies != nil {
		t.Error("there are copies")
	}
}
