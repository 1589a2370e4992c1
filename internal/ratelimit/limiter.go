package ratelimit

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pantryhub/pantry/hub"
)

// Limiter allows each key a number of requests per window, as a token bucket:
// a full bucket may be spent at once and refills evenly over the window. It is
// safe for concurrent use.
type Limiter struct {
	quota  int
	window time.Duration

	mu   sync.Mutex
	keys generations[*rate.Limiter] // guarded by mu
}

// NewLimiter allows quota requests per window and key.
func NewLimiter(quota int, window time.Duration) *Limiter {
	return &Limiter{quota: quota, window: window, keys: newGenerations[*rate.Limiter](maxKeys)}
}

// Take spends one request of the key, if it has one left.
func (l *Limiter) Take(key string, now time.Time) Decision {
	b := l.bucket(key)
	d := Decision{Allowed: b.AllowN(now, 1), Quota: l.quota, Window: l.window}
	left := max(b.TokensAt(now), 0)
	d.Remaining = int(left)
	perToken := l.window / time.Duration(l.quota)
	if d.Remaining == 0 {
		d.Reset = time.Duration((1 - left) * float64(perToken))
	} else {
		d.Reset = time.Duration((float64(l.quota) - left) * float64(perToken))
	}
	return d
}

func (l *Limiter) bucket(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.keys.get(key)
	if !ok {
		b = rate.NewLimiter(rate.Limit(float64(l.quota)/l.window.Seconds()), l.quota)
		l.keys.put(key, b)
	}
	return b
}

// Decision is the answer to one request, and what the client is told of it.
type Decision struct {
	Allowed   bool
	Quota     int           // requests per Window
	Window    time.Duration //
	Remaining int           // requests left now
	Reset     time.Duration // until one more is free if none is left, else until all are
}

// Policy is the value of the RateLimit-Policy header for a named limit, in the
// syntax that clients of the Hub read.
func (d Decision) Policy(name string) string {
	return fmt.Sprintf(`"fixed window";%q;q=%d;w=%d`, name, d.Quota, seconds(d.Window))
}

// State is the value of the RateLimit header for a named limit.
func (d Decision) State(name string) string {
	return fmt.Sprintf(`%q;r=%d;t=%d`, name, d.Remaining, seconds(d.Reset))
}

// Err is nil when the request is allowed, else an *Exceeded.
func (d Decision) Err() error {
	if d.Allowed {
		return nil
	}
	return &Exceeded{Wait: d.Reset}
}

// Exceeded is the refusal of a request over a limit. It unwraps to a hub.Error
// with CodeRateLimited; transports add Retry-After.
type Exceeded struct {
	Wait time.Duration // until another attempt can succeed
}

// RetryAfter is the value of the Retry-After header: whole seconds, at least 1.
func (e *Exceeded) RetryAfter() int { return max(seconds(e.Wait), 1) }

func (e *Exceeded) Error() string { return e.Unwrap().Error() }

func (e *Exceeded) Unwrap() error {
	return hub.Errorf(hub.CodeRateLimited, "Too many attempts. Try again in %d seconds.", e.RetryAfter())
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
