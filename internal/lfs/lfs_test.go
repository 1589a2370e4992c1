package lfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/sign"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// fixture is a service with one repository, and a clock to set.
type fixture struct {
	*Service
	t     *testing.T
	store bucket.Bucket
	clock time.Time
}

const repoID = 7

func newFixture(t *testing.T, db *store.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, store: bucket.NewMemory(), clock: time.Now()}
	c, err := cas.New(cas.Config{DB: db, Bucket: f.store, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	key, err := sign.NewKey(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(q *store.Q) error {
		return q.InsertRepo(t.Context(), store.Repo{
			ID: repoID, Type: hub.Model, Name: hub.RepoID{Namespace: "ada", Name: "model"}, Visibility: hub.Public, DefaultBranch: "main",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Service = New(Config{DB: db, CAS: c, Bucket: f.store, Key: key, Now: func() time.Time { return f.clock }})
	return f
}

func upload(data []byte) Upload {
	return Upload{Object: Object{SHA256: sha256.Sum256(data), Size: int64(len(data))}, RepoID: repoID, AccountID: 1}
}

func (f *fixture) held(data []byte) bool {
	f.t.Helper()
	o := upload(data).Object
	files, err := f.Held(f.t.Context(), repoID, []Object{o})
	if err != nil {
		f.t.Fatal(err)
	}
	_, ok := files[o.SHA256]
	return ok
}

func (f *fixture) parts() int {
	f.t.Helper()
	list, err := f.store.List(f.t.Context(), partsPrefix, "", 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	return len(list)
}

// TestTokens: a signed URL works for what it was signed for, until its time is
// over.
func TestTokens(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	data := []byte("content")
	u := f.NewMultipart(upload(data), 1<<20)
	uses := map[string]func(token string) error{
		"put":      func(token string) error { return f.Put(t.Context(), token, bytes.NewReader(data)) },
		"part":     func(token string) error { _, err := f.PutPart(t.Context(), token, bytes.NewReader(data)); return err },
		"complete": func(token string) error { return f.Complete(t.Context(), token) },
		"get": func(token string) error {
			r, _, err := f.Open(t.Context(), token)
			if err == nil {
				r.Close()
			}
			return err
		},
	}
	tokens := map[string]string{
		"put": f.PutToken(u), "part": f.PartToken(u, 1), "complete": f.CompleteToken(u), "get": f.GetToken(repoID, u.SHA256),
		"": "", "garbage": "AAAA", "cut": f.PutToken(u)[1:],
	}
	for _, use := range []string{"put", "part", "complete", "get"} { // get finds what put stored
		for signed, token := range tokens {
			err := uses[use](token)
			if use == signed && err != nil {
				t.Errorf("%s by its own token: %v", use, err)
			}
			if use != signed && hub.CodeOf(err) != hub.CodeForbidden {
				t.Errorf("%s by the token %q: %v, want Forbidden", use, signed, err)
			}
		}
	}
	f.clock = f.clock.Add(Lifetime + time.Second)
	for use, do := range uses {
		if err := do(tokens[use]); hub.CodeOf(err) != hub.CodeForbidden {
			t.Errorf("%s by a stale token: %v, want Forbidden", use, err)
		}
	}
}

// TestWrongContent: what is not the announced object belongs to nobody.
func TestWrongContent(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		data := bytes.Repeat([]byte("content "), 1000)
		token := f.PutToken(upload(data))
		for _, wrong := range [][]byte{nil, data[1:], append([]byte("x"), data...), bytes.ToUpper(data)} {
			if err := f.Put(t.Context(), token, bytes.NewReader(wrong)); hub.CodeOf(err) != hub.CodeUnprocessable {
				t.Errorf("PUT of %d wrong bytes: %v, want Unprocessable", len(wrong), err)
			}
		}
		if f.held(data) {
			t.Error("the repository holds what never came")
		}
		if err := f.Put(t.Context(), token, bytes.NewReader(data)); err != nil || !f.held(data) {
			t.Errorf("PUT of the right bytes: %v, held %v", err, f.held(data))
		}
		// Another repository must send the bytes, too, though they are known.
		other := upload(data)
		other.RepoID = 8
		if err := f.Put(t.Context(), f.PutToken(other), bytes.NewReader([]byte("guess"))); hub.CodeOf(err) != hub.CodeUnprocessable {
			t.Errorf("PUT of a guess: %v, want Unprocessable", err)
		}
	})
}

func TestParts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		data := bytes.Repeat([]byte("0123456789"), 250)
		u := f.NewMultipart(upload(data), 1000)
		if u.Parts() != 3 {
			t.Fatalf("%d parts, want 3", u.Parts())
		}
		put := func(part uint32, body []byte) error {
			_, err := f.PutPart(t.Context(), f.PartToken(u, part), bytes.NewReader(body))
			return err
		}
		complete := func() error { return f.Complete(t.Context(), f.CompleteToken(u)) }
		for _, step := range []struct {
			name string
			do   func() error
			fail bool
		}{
			{"complete without parts", complete, true},
			{"the last part first", func() error { return put(3, data[2000:]) }, false},
			{"a part that is short", func() error { return put(1, data[:999]) }, true},
			{"a part that is long", func() error { return put(1, data[:1001]) }, true},
			{"the first part", func() error { return put(1, data[:1000]) }, false},
			{"complete without the middle", complete, true},
			{"the middle", func() error { return put(2, data[1000:2000]) }, false},
			{"the middle again", func() error { return put(2, data[1000:2000]) }, false},
			{"complete", complete, false},
		} {
			err := step.do()
			if (err != nil) != step.fail {
				t.Errorf("%s: %v, want an error: %v", step.name, err, step.fail)
			}
			if err != nil && hub.CodeOf(err) != hub.CodeUnprocessable {
				t.Errorf("%s: code %s, want Unprocessable", step.name, hub.CodeOf(err))
			}
		}
		r, _, err := f.Open(t.Context(), f.GetToken(repoID, u.SHA256))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read back %d bytes, %v, want the %d sent", len(got), err, len(data))
		}
		if n := f.parts(); n != 0 {
			t.Errorf("%d parts are left", n)
		}
		// A client that missed the answer asks again.
		if err := complete(); err != nil {
			t.Errorf("complete again: %v", err)
		}
	})
}

// TestSweep removes the parts of abandoned uploads, and only those.
func TestSweep(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	u := f.NewMultipart(upload(bytes.Repeat([]byte("x"), 5000)), 1000)
	for part := uint32(1); part <= u.Parts(); part++ {
		if _, err := f.PutPart(t.Context(), f.PartToken(u, part), bytes.NewReader(bytes.Repeat([]byte("x"), 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.store.Put(t.Context(), "xorbs/aa/other", bytes.NewReader([]byte("x")), 1); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		parts int
	}{{0, 5}, {Lifetime - time.Hour, 5}, {2 * time.Hour, 0}} {
		f.clock = f.clock.Add(step.after)
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := f.parts(); n != step.parts {
			t.Errorf("%s later %d parts are left, want %d", step.after, n, step.parts)
		}
	}
	if _, err := f.store.Stat(t.Context(), "xorbs/aa/other"); err != nil {
		t.Errorf("another object was swept: %v", err)
	}
}

func TestPartCount(t *testing.T) {
	for _, tt := range []struct {
		size, part int64
		want       uint32
	}{{0, 10, 0}, {1, 10, 1}, {10, 10, 1}, {11, 10, 2}, {5, 0, 0}} {
		u := Upload{Object: Object{Size: tt.size}, PartSize: tt.part}
		if got := u.Parts(); got != tt.want {
			t.Errorf("%d bytes in parts of %d: %d parts, want %d", tt.size, tt.part, got, tt.want)
		}
		var sum int64
		for p := uint32(1); p <= u.Parts(); p++ {
			sum += u.partLength(p)
		}
		if u.Parts() > 0 && sum != tt.size {
			t.Errorf("%s: the parts have %d bytes together", fmt.Sprint(tt), sum)
		}
	}
}
