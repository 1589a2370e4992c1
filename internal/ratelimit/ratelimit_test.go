package ratelimit

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestLimiter(t *testing.T) {
	l := NewLimiter(3, 30*time.Second)
	for _, tt := range []struct {
		after     time.Duration
		key       string
		allowed   bool
		remaining int
		state     string
	}{
		{0, "a", true, 2, `"api";r=2;t=10`},
		{0, "a", true, 1, `"api";r=1;t=20`},
		{0, "a", true, 0, `"api";r=0;t=10`},
		{0, "a", false, 0, `"api";r=0;t=10`},
		{0, "b", true, 2, `"api";r=2;t=10`},
		{9 * time.Second, "a", false, 0, `"api";r=0;t=1`},
		{10 * time.Second, "a", true, 0, `"api";r=0;t=10`},
		{10 * time.Minute, "a", true, 2, `"api";r=2;t=10`},
	} {
		d := l.Take(tt.key, start.Add(tt.after))
		if d.Allowed != tt.allowed || d.Remaining != tt.remaining || d.State("api") != tt.state {
			t.Errorf("after %v, key %s: %+v %s, want allowed %v, remaining %d, %s",
				tt.after, tt.key, d, d.State("api"), tt.allowed, tt.remaining, tt.state)
		}
	}
	if got, want := l.Take("c", start).Policy("api"), `"fixed window";"api";q=3;w=30`; got != want {
		t.Errorf("Policy = %s, want %s", got, want)
	}
}

func TestExceeded(t *testing.T) {
	l := NewLimiter(1, time.Minute)
	if err := l.Take("a", start).Err(); err != nil {
		t.Fatalf("first request: %v", err)
	}
	err := l.Take("a", start).Err()
	var e *Exceeded
	if !errors.As(err, &e) || e.RetryAfter() != 60 || hub.CodeOf(err) != hub.CodeRateLimited {
		t.Fatalf("second request: %v (%s), want RateLimited with Retry-After 60", err, hub.CodeOf(err))
	}
}

func TestBackoffGrows(t *testing.T) {
	b := NewBackoff(2, 5*time.Second)
	now := start
	var waits []time.Duration
	for range 7 {
		err := b.Attempt("k", now)
		var e *Exceeded
		if errors.As(err, &e) {
			waits = append(waits, e.Wait)
			now = now.Add(e.Wait)
			err = b.Attempt("k", now)
		}
		if err != nil {
			t.Fatalf("attempt after its wait: %v", err)
		}
	}
	want := []time.Duration{1e9, 2e9, 4e9, 5e9, 5e9}
	if len(waits) != len(want) {
		t.Fatalf("waits %v, want %v", waits, want)
	}
	for i := range want {
		if waits[i] != want[i] {
			t.Fatalf("waits %v, want %v", waits, want)
		}
	}
	if err := b.Attempt("other", now); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := b.Attempt("k", now.Add(forgetAfter)); err != nil {
		t.Errorf("after %v of rest: %v", forgetAfter, err)
	}
}

func TestBackoffForgivesAndClears(t *testing.T) {
	b := NewBackoff(1, time.Minute)
	try := func() error { return b.Attempt("k", start) }
	if err := try(); err != nil {
		t.Fatal(err)
	}
	b.Forgive("k")
	if err := try(); err != nil {
		t.Fatalf("after Forgive: %v", err)
	}
	if try() == nil {
		t.Fatal("a second attempt did not wait")
	}
	b.Clear("k")
	if err := try(); err != nil {
		t.Fatalf("after Clear: %v", err)
	}
}

// Attempts that begin together are counted before any of them ends.
func TestBackoffAtOnce(t *testing.T) {
	b := NewBackoff(5, time.Minute)
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if b.Attempt("k", start) == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := passed.Load(); got != 5 {
		t.Errorf("%d of 100 attempts at once passed, want 5", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	g := newGenerations[int](100)
	for i := range 10_000 {
		g.put(strconv.Itoa(i), i)
		g.get("0") // a key in use is not forgotten
	}
	if g.len() > 101 {
		t.Errorf("holds %d keys, want at most 101", g.len())
	}
	if _, ok := g.get("0"); !ok {
		t.Error("forgot the key that is asked for all the time")
	}
	if _, ok := g.get("9999"); !ok {
		t.Error("forgot the newest key")
	}
}

func BenchmarkLimiterTake(b *testing.B) {
	l := NewLimiter(1000, 5*time.Minute)
	for b.Loop() {
		l.Take("203.0.113.7", start)
	}
}
