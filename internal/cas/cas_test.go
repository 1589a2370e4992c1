package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// randomBytes are the same for the same seed.
func randomBytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:n]
}

// textBytes compress well.
func textBytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	words := strings.Fields("the of a model dataset layer weight tensor attention head token batch loss train eval")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[rng.IntN(len(words))])
		b.WriteByte(" \n,."[rng.IntN(4)])
	}
	return b.Bytes()[:n]
}

// halfBytes are normally distributed weights in bfloat16.
func halfBytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := make([]byte, 0, n+2)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(rng.NormFloat64()*0.02))>>16))
	}
	return b[:n]
}

type fixture struct {
	*Service
	db     *store.DB
	bucket bucket.Bucket
}

func newFixture(t testing.TB, db *store.DB, b bucket.Bucket) *fixture {
	t.Helper()
	s, err := New(Config{DB: db, Bucket: b, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{s, db, b}
}

func newDirFixture(t testing.TB) *fixture {
	t.Helper()
	b, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return newFixture(t, storetest.SQLite(t), b)
}

func (f *fixture) mustIngest(t testing.TB, data []byte) File {
	t.Helper()
	got, err := f.Ingest(context.Background(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != int64(len(data)) || got.SHA256 != sha256.Sum256(data) {
		t.Fatalf("ingested as %+v, want %d bytes of SHA-256 %x", got, len(data), sha256.Sum256(data))
	}
	return got
}

// stored is how many bytes and objects the bucket holds.
func (f *fixture) stored(t testing.TB) (size int64, objects int) {
	t.Helper()
	list, err := f.bucket.List(context.Background(), "xorbs/", "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		size += o.Size
	}
	return size, len(list)
}

func (f *fixture) readAll(t testing.TB, id hub.XetHash) []byte {
	t.Helper()
	r, err := f.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func eachFixture(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("folder", func(t *testing.T) { test(t, newDirFixture(t)) })
	t.Run("memory", func(t *testing.T) { test(t, newFixture(t, storetest.SQLite(t), bucket.NewMemory())) })
	t.Run("S3 and PostgreSQL", func(t *testing.T) {
		db := storetest.Postgres(t)
		test(t, newFixture(t, db, buckettest.S3(t)))
	})
}

func TestRoundTrip(t *testing.T) {
	data := map[string][]byte{
		"empty":            nil,
		"one byte":         []byte("x"),
		"block":            randomBytes(1, blockSize),
		"block and a byte": randomBytes(1, blockSize+1),
		"random":           randomBytes(2, 3_000_000),
		"text":             textBytes(3, 3_000_000),
		"weights":          halfBytes(4, 3_000_000),
		"zeros":            make([]byte, 2_000_000),
		"mixed":            bytes.Join([][]byte{randomBytes(5, 700_000), textBytes(6, 700_000), make([]byte, 300_000), halfBytes(7, 700_000)}, nil),
		"two xorbs":        randomBytes(8, 65<<20),
	}
	eachFixture(t, func(t *testing.T, f *fixture) {
		for name, want := range data {
			file := f.mustIngest(t, want)
			if got := f.readAll(t, file.Xet); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes read back, equal %v", name, len(got), bytes.Equal(got, want))
			}
			var buf bytes.Buffer
			r, err := f.Open(context.Background(), file.Xet)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.WriteTo(&buf); err != nil || n != int64(len(want)) || !bytes.Equal(buf.Bytes(), want) {
				t.Errorf("%s: WriteTo = %d, %v, equal %v", name, n, err, bytes.Equal(buf.Bytes(), want))
			}
			if stat, err := f.Stat(context.Background(), file.Xet); err != nil || stat != file {
				t.Errorf("%s: Stat = %+v, %v, want %+v", name, stat, err, file)
			}
		}
	})
}

func TestRanges(t *testing.T) {
	want := bytes.Join([][]byte{randomBytes(5, 700_000), textBytes(6, 700_000), randomBytes(5, 500_000), halfBytes(7, 700_000)}, nil)
	size := int64(len(want))
	eachFixture(t, func(t *testing.T, f *fixture) {
		file := f.mustIngest(t, want)
		r, err := f.Open(context.Background(), file.Xet)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 300 {
			off := rng.Int64N(size)
			n := rng.Int64N(min(size-off, 1+rng.Int64N(size))) + 1
			var buf bytes.Buffer
			if got, err := r.WriteRange(&buf, off, n); err != nil || got != n || !bytes.Equal(buf.Bytes(), want[off:off+n]) {
				t.Fatalf("WriteRange(%d, %d) = %d, %v, equal %v", off, n, got, err, bytes.Equal(buf.Bytes(), want[off:off+n]))
			}
			p := make([]byte, n)
			if got, err := r.ReadAt(p, off); int64(got) != n || err != nil || !bytes.Equal(p, want[off:off+n]) {
				t.Fatalf("ReadAt(%d, %d) = %d, %v", off, n, got, err)
			}
		}
		if n, err := r.ReadAt(make([]byte, 10), size-3); n != 3 || err != io.EOF {
			t.Errorf("ReadAt over the end = %d, %v, want 3, EOF", n, err)
		}
		if _, err := r.WriteRange(io.Discard, size-3, 4); err == nil {
			t.Errorf("WriteRange over the end succeeded")
		}
	})
}

func TestSameContentSameFile(t *testing.T) {
	f := newDirFixture(t)
	data := randomBytes(1, 1_000_000)
	first := f.mustIngest(t, data)
	size, objects := f.stored(t)
	if again := f.mustIngest(t, data); again != first {
		t.Errorf("ingested again as %+v, want %+v", again, first)
	}
	if s, n := f.stored(t); s != size || n != objects {
		t.Errorf("the second time %d bytes in %d objects are stored, want %d in %d", s, n, size, objects)
	}
}

func TestShiftedContentIsStoredOnce(t *testing.T) {
	f := newDirFixture(t)
	base := randomBytes(1, 20<<20)
	f.mustIngest(t, base)
	before, _ := f.stored(t)
	edited := bytes.Join([][]byte{base[:5<<20], []byte("inserted"), base[5<<20:]}, nil)
	file := f.mustIngest(t, edited)
	after, _ := f.stored(t)
	if grown := after - before; grown > 300_000 {
		t.Errorf("an insertion of 8 bytes stored %d more bytes", grown)
	}
	if !bytes.Equal(f.readAll(t, file.Xet), edited) {
		t.Errorf("the edited file reads back differently")
	}
}

func TestRepetitionIsStoredOnce(t *testing.T) {
	f := newDirFixture(t)
	part := randomBytes(1, 4<<20)
	file := f.mustIngest(t, bytes.Repeat(part, 5))
	if size, _ := f.stored(t); size > 5<<20 {
		t.Errorf("five times 4 MiB take %d bytes", size)
	}
	if !bytes.Equal(f.readAll(t, file.Xet), bytes.Repeat(part, 5)) {
		t.Errorf("it reads back differently")
	}
}

func TestExpectedContent(t *testing.T) {
	f := newDirFixture(t)
	ctx := context.Background()
	data := randomBytes(1, 500_000)
	right := Expected{SHA256: sha256.Sum256(data), Size: int64(len(data))}
	for name, want := range map[string]Expected{
		"wrong content": {SHA256: sha256.Sum256(nil), Size: right.Size},
		"other content": {SHA256: sha256.Sum256([]byte("x")), Size: right.Size},
		"too short":     {SHA256: right.SHA256, Size: right.Size + 1},
		"too long":      {SHA256: right.SHA256, Size: right.Size - 1},
	} {
		_, err := f.IngestExpected(ctx, bytes.NewReader(data), want)
		if hub.CodeOf(err) != hub.CodeUnprocessable {
			t.Errorf("%s: %v, want code %s", name, err, hub.CodeUnprocessable)
		}
	}
	if _, objects := f.stored(t); objects != 0 {
		t.Errorf("refused uploads left %d objects", objects)
	}
	if _, err := f.ByContent(ctx, right.SHA256); !errorsIsNotFound(err) {
		t.Errorf("refused content is found: %v", err)
	}
	for range 2 { // the second time it is known
		if got, err := f.IngestExpected(ctx, bytes.NewReader(data), right); err != nil || got.SHA256 != right.SHA256 {
			t.Errorf("right content: %+v, %v", got, err)
		}
	}
	if _, err := f.IngestExpected(ctx, strings.NewReader("liar"), right); hub.CodeOf(err) != hub.CodeUnprocessable {
		t.Errorf("a claim of known content without having it: %v", err)
	}
}

func errorsIsNotFound(err error) bool { return hub.CodeOf(err) == hub.CodeNotFound }
