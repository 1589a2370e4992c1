package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// bench is a hub whose database and bucket fail where it is told.
type bench struct {
	t      *testing.T
	client *wiretest.Client
	bucket *buckettest.Injector
	db     *sabotage
}

func newBench(t *testing.T, database string) *bench {
	b := &bench{t: t}
	h := hubtest.Start(t, hubtest.Options{
		Database: database, Bucket: "memory:",
		OpenBucket: func(ctx context.Context, location string) (bucket.Bucket, error) {
			inner, err := bucket.Open(ctx, location)
			b.bucket = buckettest.Faulty(inner)
			return b.bucket, err
		},
		Configure: func(c *config.Config) { c.LFSMultipartAbove, c.LFSPartSize = partSize, partSize },
	})
	b.client = wiretest.New(t, h.URL, h.User("ada", hub.TokenWrite))
	b.db = newSabotage(t, database)
	return b
}

// TestFailingSteps runs every operation with a fault at each step that it
// takes: each object of the bucket that it touches, before, in the middle and
// after; each kind of statement, and the end of its transaction.
func TestFailingSteps(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		testFailingSteps(t, "sqlite:"+filepath.Join(t.TempDir(), "pantry.db"))
	})
	t.Run("postgres", func(t *testing.T) { testFailingSteps(t, storetest.PostgresURL(t)) })
}

func testFailingSteps(t *testing.T, database string) {
	b := newBench(t, database)
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			b := *b
			b.t = t
			steps := b.learn(op)
			if len(steps) == 0 {
				t.Error("the operation takes no step that can fail")
			}
			refused := 0
			for i, s := range steps {
				if b.try(op, i, s) {
					refused++
				}
			}
			t.Logf("%d steps, %d of them vital", len(steps), refused)
			if refused == 0 {
				t.Error("no fault made the operation fail")
			}
		})
	}
}

// step is a moment of an operation at which something fails.
type step struct {
	name   string
	inject func(struck func())
	status int  // what the client gets, unless the operation can do without
	always bool // the operation cannot do without
}

// learn runs an operation without faults and lists the steps that it took.
func (b *bench) learn(op operation) []step {
	b.t.Helper()
	ctx := b.t.Context()
	x := b.target(op, "learn")
	if err := op.setup(x, ctx); err != nil {
		b.t.Fatalf("set up: %v", err)
	}
	seen := map[buckettest.Op]int{}
	for _, o := range bucketOps {
		seen[o] = b.bucket.Seen(o)
	}
	b.db.forget()
	if err := mustReply(op.do(x, ctx)); err != nil {
		b.t.Fatalf("without a fault: %v", err)
	}
	changes := b.db.changes()
	var steps []step
	for _, o := range bucketOps {
		for n := range b.bucket.Seen(o) - seen[o] {
			steps = append(steps, b.bucketSteps(o, n)...)
		}
	}
	if err := op.check(x, ctx); err != nil {
		b.t.Fatalf("without a fault: %v", err)
	}
	for _, c := range changes {
		for _, m := range []moment{atStatement, atCommit} {
			steps = append(steps, step{
				name: fmt.Sprintf("%s at %s", c, m), status: 500,
				inject: func(struck func()) { struck(); b.db.fail(c, m) },
			})
		}
	}
	return steps
}

var bucketOps = []buckettest.Op{buckettest.Put, buckettest.Open, buckettest.ReadAt, buckettest.Stat, buckettest.Delete}

var errInjected = errors.New("injected fault")

func (b *bench) bucketSteps(o buckettest.Op, n int) []step {
	var steps []step
	for at, name := range []string{buckettest.Before: "before", buckettest.HalfWay: "half way", buckettest.After: "after"} {
		for _, err := range []error{errInjected, fmt.Errorf("%w: injected fault", bucket.ErrNoSpace)} {
			s := step{name: fmt.Sprintf("%s #%d %s: %v", o, n, name, err), status: 500, always: o == buckettest.Put}
			if errors.Is(err, bucket.ErrNoSpace) {
				if o != buckettest.Put {
					continue // only a Put needs space
				}
				s.status = 507
			}
			s.inject = func(struck func()) {
				b.bucket.Fail(buckettest.Fault{Op: o, Step: buckettest.Step(at), Skip: n, Times: 1, Err: err, Do: struck})
			}
			steps = append(steps, s)
		}
	}
	return steps
}

func (b *bench) target(op operation, suffix string) *target {
	return &target{Client: b.client, repo: "ada/" + strings.ReplaceAll(op.name, " ", "-") + "-" + suffix}
}

// try runs an operation once with a fault, and once more without if it failed,
// as is then reported.
func (b *bench) try(op operation, n int, s step) (refused bool) {
	b.t.Helper()
	ctx := b.t.Context()
	fatal := func(format string, args ...any) {
		b.t.Helper()
		b.t.Fatalf("%s: %s", s.name, fmt.Sprintf(format, args...))
	}
	x := b.target(op, fmt.Sprint(n))
	if err := op.setup(x, ctx); err != nil {
		fatal("set up: %v", err)
	}
	before, err := x.state(ctx)
	if err != nil {
		fatal("look before: %v", err)
	}
	var struck atomic.Bool
	s.inject(func() { struck.Store(true) })
	reply, err := op.do(x, ctx)
	b.bucket.Heal()
	b.db.heal()
	if err == nil && reply.OK() {
		if s.always && struck.Load() {
			fatal("status %d though it struck", reply.Status)
		}
		if err := op.check(x, ctx); err != nil {
			fatal("status %d, but: %v", reply.Status, err)
		}
		return false
	}
	if err == nil {
		b.checkError(s, reply)
	} else if op.name != "download" { // which may break off in the body
		fatal("no answer: %v", err)
	}
	after, err := x.state(ctx)
	if err != nil {
		fatal("look after: %v", err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		b.t.Errorf("%s: the refused request changed what clients see (-before +after):\n%s", s.name, diff)
	}
	if err := mustReply(op.do(x, ctx)); err != nil {
		fatal("the same request afterwards: %v", err)
	}
	if err := op.check(x, ctx); err != nil {
		fatal("after the second try: %v", err)
	}
	return true
}

// checkError checks that a client can make sense of a failure, and learns
// nothing of its cause.
func (b *bench) checkError(s step, reply wiretest.Reply) {
	b.t.Helper()
	var body struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply.Body, &body); err != nil || body.Error == "" {
		b.t.Errorf("%s: body %q is no JSON with an error", s.name, reply.Body)
	}
	if reply.Status != s.status {
		b.t.Errorf("%s: status %d, want %d: %s", s.name, reply.Status, s.status, reply.Body)
	}
	if reply.Header.Get("X-Request-Id") == "" || reply.Header.Get("X-Error-Message") == "" {
		b.t.Errorf("%s: headers %v lack X-Request-Id or X-Error-Message", s.name, reply.Header)
	}
	if strings.Contains(string(reply.Body), "injected") {
		b.t.Errorf("%s: the client is told %s", s.name, reply.Body)
	}
}
