package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/internal/bucket"
)

// Run checks that the buckets which open makes behave as bucket.Bucket says.
// Each call of open must return an empty one.
func Run(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, bucket.Bucket)
	}{
		{"round trip", testRoundTrip},
		{"put keeps what is there", testPutExisting},
		{"bad readers store nothing", testBadReaders},
		{"race to put", testPutRace},
		{"readers never see part of an object", testAtomic},
		{"missing", testMissing},
		{"delete", testDelete},
		{"malformed keys", testKeys},
		{"ranges", testRanges},
		{"sequential and concurrent reads", testReaders},
		{"read at the end", testReadEnd},
		{"list", testList},
		{"list pages", testListPages},
		{"cancelled context", testCancelled},
		{"context ends during put", testCancelledPut},
		{"context of open does not end reads", testOpenContext},
		{"presign", testPresign},
		{"check", testCheck},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, b bucket.Bucket) {
	ctx := t.Context()
	for _, size := range []int{0, 1, 511, 4096, 65_537, 1 << 20, 5<<20 + 3, 33<<20 + 1} {
		key := fmt.Sprintf("xorbs/%02x/%d", size%251, size)
		data := noise(size)
		// One byte per read for small objects, odd pieces for large ones.
		var r io.Reader = iotest.HalfReader(bytes.NewReader(data))
		if size < 5000 {
			r = iotest.OneByteReader(iotest.DataErrReader(bytes.NewReader(data)))
		}
		created, err := b.Put(ctx, key, r, int64(size))
		if err != nil || !created {
			t.Fatalf("Put(%s) = %v, %v; want true, nil", key, created, err)
		}
		if got := read(t, b, key); !bytes.Equal(got, data) {
			t.Errorf("%s: read %d bytes that differ from the %d written", key, len(got), size)
		}
		info, err := b.Stat(ctx, key)
		if err != nil || info.Key != key || info.Size != int64(size) {
			t.Errorf("Stat(%s) = %+v, %v", key, info, err)
		}
		if age := time.Since(info.ModTime); age < -time.Minute || age > time.Hour {
			t.Errorf("Stat(%s): ModTime is %v ago", key, age)
		}
	}
}

func testPutExisting(t *testing.T, b bucket.Bucket) {
	for _, size := range []int{3, 1 << 20} {
		key := fmt.Sprintf("a/%d", size)
		first := noise(size)
		put(t, b, key, first)
		created, err := b.Put(t.Context(), key, bytes.NewReader(make([]byte, size)), int64(size))
		if created || err != nil {
			t.Errorf("second Put(%s) = %v, %v; want false, nil", key, created, err)
		}
		if !bytes.Equal(read(t, b, key), first) {
			t.Errorf("%s: the second Put changed the object", key)
		}
	}
}

func testBadReaders(t *testing.T, b bucket.Bucket) {
	errBroken := errors.New("broken")
	const size = 300_000
	data := noise(size)
	for _, test := range []struct {
		name string
		r    io.Reader
		size int64
		want error // nil for any
	}{
		{"empty", strings.NewReader(""), 1, io.ErrUnexpectedEOF},
		{"short", bytes.NewReader(data[:size-1]), size, io.ErrUnexpectedEOF},
		{"short stream", io.LimitReader(bytes.NewReader(data), size/2), size, io.ErrUnexpectedEOF},
		{"long", bytes.NewReader(data), size - 1, nil},
		{"long for nothing", bytes.NewReader(data), 0, nil},
		{"negative size", bytes.NewReader(data), -1, nil},
		{"fails at once", iotest.ErrReader(errBroken), size, errBroken},
		{"fails half-way", io.MultiReader(bytes.NewReader(data[:size/2]), iotest.ErrReader(errBroken)), size, errBroken},
		{"fails instead of ending", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(errBroken)), size, errBroken},
		{"fails instead of ending empty", iotest.ErrReader(errBroken), 0, errBroken},
	} {
		key := "bad/" + strings.ReplaceAll(test.name, " ", "-")
		created, err := b.Put(t.Context(), key, test.r, test.size)
		if created || err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: Put = %v, %v; want an error %v", test.name, created, err, test.want)
		}
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%s: Stat after a failed Put: %v, want ErrNotExist", test.name, err)
		}
	}
	if found, err := b.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Errorf("List after failed Puts = %v, %v; want none", found, err)
	}
	// The key is free for a good reader.
	put(t, b, "bad/short", data)
}

func testPutRace(t *testing.T, b bucket.Bucket) {
	const writers = 8
	for round := range 6 {
		key := fmt.Sprintf("race/%02d/object", round)
		data := noise(1000 + round*100_000)
		var created atomic.Int32
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				ok, err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)))
				if err != nil {
					t.Errorf("Put(%s): %v", key, err)
				}
				if ok {
					created.Add(1)
				}
			})
		}
		wg.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("%d of %d concurrent Puts of %s report created, want 1", n, writers, key)
		}
		if !bytes.Equal(read(t, b, key), data) {
			t.Errorf("%s differs after the race", key)
		}
	}
}

func testAtomic(t *testing.T, b bucket.Bucket) {
	const size = 2 << 20
	data := noise(size)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for seen := false; !seen; {
				select {
				case <-done:
					seen = true // one last look
				default:
				}
				info, err := b.Stat(t.Context(), "slow")
				if errors.Is(err, bucket.ErrNotExist) {
					continue
				}
				if err != nil || info.Size != size {
					t.Errorf("Stat during Put = %+v, %v", info, err)
				}
			}
		})
	}
	// A reader that trickles leaves time to look.
	trickle := readerFunc(func(p []byte) (int, error) {
		time.Sleep(time.Millisecond)
		n := copy(p[:min(len(p), size/20)], data)
		data = data[n:]
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	})
	if created, err := b.Put(t.Context(), "slow", trickle, size); err != nil || !created {
		t.Errorf("Put = %v, %v", created, err)
	}
	close(done)
	readers.Wait()
}

func testMissing(t *testing.T, b bucket.Bucket) {
	put(t, b, "there/is/one", noise(10))
	for _, key := range []string{"none", "there/is/none", "there", "there/is", "there/is/one/below"} {
		if _, err := b.Open(t.Context(), key); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("Open(%s): %v, want ErrNotExist", key, err)
		}
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("Stat(%s): %v, want ErrNotExist", key, err)
		}
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s): %v, want nil", key, err)
		}
	}
	if !exists(t, b, "there/is/one") {
		t.Error("deleting names around an object removed it")
	}
}

func testDelete(t *testing.T, b bucket.Bucket) {
	put(t, b, "a/b/one", noise(10))
	put(t, b, "a/b/two", noise(20))
	if err := b.Delete(t.Context(), "a/b/one"); err != nil {
		t.Fatal(err)
	}
	if exists(t, b, "a/b/one") || !exists(t, b, "a/b/two") {
		t.Error("Delete removed the wrong object")
	}
	put(t, b, "a/b/one", noise(30))
	if got := read(t, b, "a/b/one"); len(got) != 30 {
		t.Errorf("the object put after Delete has %d bytes, want 30", len(got))
	}
}

func testKeys(t *testing.T, b bucket.Bucket) {
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".hidden", "a/.tmp/b",
		"A", "a b", "a\x00b", "ä", "a\\b", "a%2fb", "a\nb", "a:b", "~",
		strings.Repeat("a", 256), strings.Repeat("a/", 300) + "a",
	}
	for _, key := range bad {
		_, putErr := b.Put(t.Context(), key, strings.NewReader("x"), 1)
		_, openErr := b.Open(t.Context(), key)
		_, statErr := b.Stat(t.Context(), key)
		_, signErr := b.Presign(t.Context(), key, time.Minute)
		for op, err := range map[string]error{
			"Put": putErr, "Open": openErr, "Stat": statErr, "Presign": signErr,
			"Delete": b.Delete(t.Context(), key),
		} {
			if !errors.Is(err, bucket.ErrBadKey) {
				t.Errorf("%s(%.40q): %v, want ErrBadKey", op, key, err)
			}
		}
	}
	for _, prefix := range []string{"/", "../", "a//", "A", ".tmp/", "a/../"} {
		if _, err := b.List(t.Context(), prefix, "", 1); !errors.Is(err, bucket.ErrBadKey) {
			t.Errorf("List(%q): %v, want ErrBadKey", prefix, err)
		}
	}
	good := []string{"a", "0", "a.b", "a-b_c.d/e", "_", "-", "a..b", strings.Repeat("a", 200) + "/" + strings.Repeat("b", 200)}
	for _, key := range good {
		put(t, b, key, []byte(key))
		if got := string(read(t, b, key)); got != key {
			t.Errorf("read %q from key %q", got, key)
		}
	}
}

func testRanges(t *testing.T, b bucket.Bucket) {
	const size = 20<<20 + 17
	data := noise(size)
	put(t, b, "large", data)
	o := openObject(t, b, "large")
	if o.Size() != size {
		t.Errorf("Size() = %d, want %d", o.Size(), size)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		off := random.Int64N(size)
		n := random.Int64N(min(size-off, 1<<20)) + 1
		if i < 3 {
			off, n = int64(i), size-int64(2*i) // nearly everything
		}
		p := make([]byte, n)
		if got, err := o.ReadAt(p, off); got != len(p) || err != nil && err != io.EOF {
			t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", n, off, got, err)
		}
		if !bytes.Equal(p, data[off:off+n]) {
			t.Fatalf("ReadAt(%d bytes, %d) reads other bytes", n, off)
		}
	}
	if f := o.File(); f != nil {
		p := make([]byte, 100)
		if _, err := f.ReadAt(p, 1<<20); err != nil || !bytes.Equal(p, data[1<<20:1<<20+100]) {
			t.Errorf("File() holds other bytes (%v)", err)
		}
	}
}

// testReaders reads one object to its end by several sequential readers with
// different piece sizes at once, some of which stop early.
func testReaders(t *testing.T, b bucket.Bucket) {
	const size = 18<<20 + 5
	data := noise(size)
	put(t, b, "large", data)
	o := openObject(t, b, "large")
	var wg sync.WaitGroup
	for i, piece := range []int{64 << 10, 100_003, 1 << 20, 7 << 20, 333, 64 << 10} {
		wg.Go(func() {
			from := int64(i) * 1000
			n := int64(size) - from
			if piece < 1000 || i == 5 {
				n = 300_000 // stops early
			}
			got := make([]byte, 0, n)
			r := io.NewSectionReader(o, from, n)
			for p := make([]byte, piece); ; {
				m, err := r.Read(p)
				got = append(got, p[:m]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Errorf("reader %d: %v", i, err)
					return
				}
			}
			if !bytes.Equal(got, data[from:from+n]) {
				t.Errorf("reader %d reads other bytes", i)
			}
		})
	}
	wg.Wait()
}

func testReadEnd(t *testing.T, b bucket.Bucket) {
	put(t, b, "ten", []byte("0123456789"))
	put(t, b, "none", nil)
	ten, none := openObject(t, b, "ten"), openObject(t, b, "none")
	for _, test := range []struct {
		o    bucket.Object
		n    int
		off  int64
		want string
		eof  bool
	}{
		{ten, 4, 2, "2345", false},
		{ten, 4, 8, "89", true},
		{ten, 4, 10, "", true},
		{ten, 4, 1 << 40, "", true},
		{none, 1, 0, "", true},
	} {
		p := make([]byte, test.n)
		n, err := test.o.ReadAt(p, test.off)
		if string(p[:n]) != test.want || (err == io.EOF) != test.eof || err != nil && err != io.EOF {
			t.Errorf("ReadAt(%d bytes, %d) = %q, %v; want %q, EOF %v", test.n, test.off, p[:n], err, test.want, test.eof)
		}
	}
	if _, err := ten.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt(-1): %v, want an error", err)
	}
}

func testList(t *testing.T, b bucket.Bucket) {
	keys := []string{
		"shards/00/00a", "xorbs/ab/ab01", "xorbs/ab/ab02", "xorbs/ab-c", "xorbs/ab.c", "xorbs/ac/ac01", "xorbs0",
		"z/deep/er/and/er", "z/deep0",
	}
	for _, key := range slices.Backward(keys) {
		put(t, b, key, []byte(key))
	}
	for _, test := range []struct {
		prefix, after string
		limit         int
	}{
		{"", "", 100}, {"", "", 1}, {"", "", 3}, {"", "", 0}, {"", "", -1},
		{"xorbs", "", 100}, {"xorbs/", "", 100}, {"xorbs/ab", "", 100}, {"xorbs/ab/", "", 100}, {"xorbs/ab/ab0", "", 1},
		{"xorbs/ab/ab01", "", 100}, {"xorbs/zz", "", 100}, {"nowhere/", "", 100},
		{"", "xorbs/ab/ab01", 100}, {"", "xorbs/ab/ab01", 2}, {"", "xorbs/ab", 100}, {"", "xorbs/ab/", 100}, {"", "xorbs/b", 100},
		{"xorbs/", "xorbs/ab.c", 100}, {"xorbs/", "a", 100}, {"xorbs/", "zzz", 100},
		{"z/", "z/deep/er/and/er", 100}, {"z/", "z/deep/er/zz", 100},
	} {
		var want []string
		for _, key := range slices.Sorted(slices.Values(keys)) {
			if strings.HasPrefix(key, test.prefix) && key > test.after && len(want) < test.limit {
				want = append(want, key)
			}
		}
		found, err := b.List(t.Context(), test.prefix, test.after, test.limit)
		if err != nil {
			t.Errorf("List(%q, %q, %d): %v", test.prefix, test.after, test.limit, err)
			continue
		}
		var got []string
		for _, info := range found {
			got = append(got, info.Key)
			if info.Size != int64(len(info.Key)) || time.Since(info.ModTime) > time.Hour {
				t.Errorf("List describes %s as %+v", info.Key, info)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List(%q, %q, %d) (-want +got):\n%s", test.prefix, test.after, test.limit, diff)
		}
	}
}

func testListPages(t *testing.T, b bucket.Bucket) {
	var want []string
	for i := range 50 {
		key := fmt.Sprintf("page/%02x/%04d", i%7, i)
		put(t, b, key, []byte{1})
		want = append(want, key)
	}
	slices.Sort(want)
	var got []string
	for after := ""; ; {
		found, err := b.List(t.Context(), "page/", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		for _, info := range found {
			got = append(got, info.Key)
		}
		after = got[len(got)-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys by pages (-want +got):\n%s", diff)
	}
}

func testCancelled(t *testing.T, b bucket.Bucket) {
	put(t, b, "a/key", noise(10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, putErr := b.Put(ctx, "a/other", strings.NewReader("x"), 1)
	_, againErr := b.Put(ctx, "a/key", strings.NewReader("x"), 1)
	_, openErr := b.Open(ctx, "a/key")
	_, statErr := b.Stat(ctx, "a/key")
	_, listErr := b.List(ctx, "", "", 10)
	for op, err := range map[string]error{
		"Put": putErr, "Put of an existing key": againErr, "Open": openErr, "Stat": statErr, "List": listErr,
		"Delete": b.Delete(ctx, "a/key"), "Check": b.Check(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", op, err)
		}
	}
	if !exists(t, b, "a/key") || exists(t, b, "a/other") {
		t.Error("a cancelled call had an effect")
	}
}

func testCancelledPut(t *testing.T, b bucket.Bucket) {
	const size = 1 << 20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	data := bytes.NewReader(noise(size))
	r := readerFunc(func(p []byte) (int, error) {
		if data.Len() < size/2 {
			cancel()
		}
		return data.Read(p[:min(len(p), 64<<10)])
	})
	if _, err := b.Put(ctx, "cut", r, size); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v, want context.Canceled", err)
	}
	if exists(t, b, "cut") {
		t.Error("the object is there although its Put was cancelled")
	}
}

func testOpenContext(t *testing.T, b bucket.Bucket) {
	put(t, b, "key", []byte("hello"))
	ctx, cancel := context.WithCancel(t.Context())
	o, err := b.Open(ctx, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	cancel()
	p := make([]byte, 5)
	if n, err := o.ReadAt(p, 0); n != 5 || err != nil && err != io.EOF {
		t.Errorf("ReadAt after the context of Open ended = %d, %v", n, err)
	}
}

func testPresign(t *testing.T, b bucket.Bucket) {
	data := noise(100_000)
	put(t, b, "xorbs/ab/abcd", data)
	address, err := b.Presign(t.Context(), "xorbs/ab/abcd", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if address == "" {
		return // this bucket has none
	}
	for _, test := range []struct {
		header string
		status int
		want   []byte
	}{
		{"", http.StatusOK, data},
		{"bytes=100-199", http.StatusPartialContent, data[100:200]},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.header != "" {
			req.Header.Set("Range", test.header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != test.status || !bytes.Equal(body, test.want) {
			t.Errorf("GET of the presigned URL, Range %q: %s, %d bytes, %v", test.header, resp.Status, len(body), err)
		}
	}
}

func testCheck(t *testing.T, b bucket.Bucket) {
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if found, err := b.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Errorf("Check left %v (%v)", found, err)
	}
}

// noise is size reproducible bytes that do not compress.
func noise(size int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(p)
	return p
}

func put(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	created, err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)))
	if err != nil || !created {
		t.Fatalf("Put(%s) = %v, %v; want true, nil", key, created, err)
	}
}

func openObject(t *testing.T, b bucket.Bucket, key string) bucket.Object {
	t.Helper()
	o, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("Close(%s): %v", key, err)
		}
	})
	return o
}

func read(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	o := openObject(t, b, key)
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return data
}

func exists(t *testing.T, b bucket.Bucket, key string) bool {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
