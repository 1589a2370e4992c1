package cas

import (
	"sync"
	"sync/atomic"
)

// ahead runs work in another goroutine, one piece at a time. That goroutine stays
// until stop, so that its stack need not grow for each piece.
type ahead struct {
	work chan func() error
	done chan error
	busy bool
}

func (a *ahead) begin(work func() error) {
	if a.work == nil {
		a.work, a.done = make(chan func() error), make(chan error, 1)
		go func() {
			for work := range a.work {
				a.done <- work()
			}
		}()
	}
	a.busy = true
	a.work <- work
}

// wait returns the error of the work that was begun last, once.
func (a *ahead) wait() (err error) {
	if a.busy {
		err = <-a.done
		a.busy = false
	}
	return err
}

// stop waits and ends the goroutine.
func (a *ahead) stop() {
	a.wait()
	if a.work != nil {
		close(a.work)
	}
}

// crew lends idle processors to uploads. When there are none, each upload gets
// on with its own.
type crew struct{ idle chan struct{} }

func newCrew(n int) *crew {
	c := &crew{idle: make(chan struct{}, n)}
	for range n {
		c.idle <- struct{}{}
	}
	return c
}

// share hands out 0 to n-1 among several calls of work, which may run at the same
// time and ask next for one after the other. It returns when all calls have.
func (c *crew) share(n int, work func(next func() (i int, ok bool))) {
	var taken atomic.Int64
	next := func() (int, bool) {
		i := taken.Add(1) - 1
		return int(i), i < int64(n)
	}
	var helpers sync.WaitGroup
	for range n - 1 {
		select {
		case <-c.idle:
			helpers.Go(func() {
				work(next)
				c.idle <- struct{}{}
			})
			continue
		default:
		}
		break
	}
	work(next)
	helpers.Wait()
}
