package identity

import (
	"sync"
	"time"

	"github.com/pantryhub/pantry/internal/store"
)

// usePrecision is how exactly the last use of a credential is known.
const usePrecision = 5 * time.Minute

// maxUsage bounds what waits for a flush; what is over it is not noted.
const maxUsage = 100_000

// usage collects the credentials that were used since the last flush.
type usage struct {
	mu       sync.Mutex
	tokens   map[int64]struct{}            // guarded by mu
	sessions map[store.SecretHash]struct{} // guarded by mu
}

func newUsage() *usage {
	return &usage{tokens: make(map[int64]struct{}), sessions: make(map[store.SecretHash]struct{})}
}

func (u *usage) token(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.tokens) < maxUsage {
		u.tokens[id] = struct{}{}
	}
}

func (u *usage) session(h store.SecretHash) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.sessions) < maxUsage {
		u.sessions[h] = struct{}{}
	}
}

// take returns what was collected and starts anew.
func (u *usage) take() (tokens []int64, sessions []store.SecretHash) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id := range u.tokens {
		tokens = append(tokens, id)
	}
	for h := range u.sessions {
		sessions = append(sessions, h)
	}
	clear(u.tokens)
	clear(u.sessions)
	return tokens, sessions
}
