package cas

import (
	"context"
	"sync"

	"github.com/pantryhub/pantry/hub"
)

// maxWaiting bounds the memory of an account's uploads that wait for their turn.
const maxWaiting = 32 << 20

// turns shares out the hashing of what shards describe: a few at a time, and of
// an account one after the other, so that none can keep the others from it.
type turns struct {
	slots chan struct{}

	mu       sync.Mutex
	accounts map[int64]*queue // of those with an upload that hashes or waits
}

// queue is the uploads of an account. mu guards uploads and weight.
type queue struct {
	turn    chan struct{}
	uploads int
	weight  int64
}

func newTurns(slots int) *turns {
	return &turns{slots: make(chan struct{}, slots), accounts: make(map[int64]*queue)}
}

// wait waits for the turn of an upload, which lasts until done is called.
func (t *turns) wait(ctx context.Context, account, weight int64) (done func(), err error) {
	q, err := t.enter(account, weight)
	if err != nil {
		return nil, err
	}
	for i, c := range []chan struct{}{q.turn, t.slots} {
		select {
		case c <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-q.turn
			}
			t.leave(account, weight)
			return nil, ctx.Err()
		}
	}
	return func() {
		<-t.slots
		<-q.turn
		t.leave(account, weight)
	}, nil
}

func (t *turns) enter(account, weight int64) (*queue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.accounts[account]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		t.accounts[account] = q
	}
	if q.uploads > 0 && q.weight+weight > maxWaiting {
		return nil, hub.Errorf(hub.CodeUnavailable, "Too many uploads of this account wait to be checked. Try again later.")
	}
	q.uploads++
	q.weight += weight
	return q, nil
}

func (t *turns) leave(account, weight int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.accounts[account]
	q.weight -= weight
	if q.uploads--; q.uploads == 0 {
		delete(t.accounts, account)
	}
}
