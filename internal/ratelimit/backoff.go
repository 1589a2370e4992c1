package ratelimit

import (
	"sync"
	"time"
)

// Backoff slows down guessing: a key has some free attempts, and after them
// each further one must wait twice as long as the one before. An attempt
// counts from its beginning, so that many at once cannot slip through
// together; the caller takes it back when it succeeded. It is safe for
// concurrent use.
type Backoff struct {
	free  int
	limit time.Duration

	mu   sync.Mutex
	keys generations[attempts] // guarded by mu
}

type attempts struct {
	n    int
	last time.Time
}

// firstWait is the wait after the free attempts are spent.
const firstWait = time.Second

// forgetAfter is how long without attempts clears a key's record.
const forgetAfter = time.Hour

// NewBackoff gives each key free attempts, then waits of 1 s, 2 s, 4 s … up to
// limit.
func NewBackoff(free int, limit time.Duration) *Backoff {
	return &Backoff{free: free, limit: limit, keys: newGenerations[attempts](maxKeys)}
}

// Attempt records an attempt, or returns an *Exceeded if the key must still
// wait. A refused attempt is not recorded.
func (b *Backoff) Attempt(key string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.keys.get(key)
	if ok && now.Sub(a.last) >= forgetAfter {
		a = attempts{}
	}
	if left := a.last.Add(b.wait(a.n)).Sub(now); left > 0 {
		return &Exceeded{Wait: left}
	}
	b.keys.put(key, attempts{n: a.n + 1, last: now})
	return nil
}

// wait is how long after its last attempt a key with n of them must wait.
func (b *Backoff) wait(n int) time.Duration {
	if n < b.free {
		return 0
	}
	return min(firstWait<<min(n-b.free, 30), b.limit)
}

// Forgive takes one attempt back.
func (b *Backoff) Forgive(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a, ok := b.keys.get(key); ok && a.n > 0 {
		a.n--
		b.keys.put(key, a)
	}
}

// Clear forgets all attempts of a key.
func (b *Backoff) Clear(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys.delete(key)
}
