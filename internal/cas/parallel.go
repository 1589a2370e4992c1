package cas

import (
	"crypto/sha256"
	"hash"
	"sync"
	"sync/atomic"

	"github.com/pantryhub/pantry/hub"
)

// digester computes the SHA-256 of blocks in another goroutine.
type digester struct {
	h    hash.Hash
	work chan []byte
	idle sync.WaitGroup
}

func newDigester() *digester { return &digester{h: sha256.New()} }

// write hashes b, which must not change before wait returns. A short file is
// not worth a goroutine.
func (d *digester) write(b []byte) {
	if d.work == nil && len(b) < blockSize {
		d.h.Write(b)
		return
	}
	if d.work == nil {
		d.work = make(chan []byte)
		go func() {
			for b := range d.work {
				d.h.Write(b)
				d.idle.Done()
			}
		}()
	}
	d.idle.Add(1)
	d.work <- b
}

func (d *digester) wait() { d.idle.Wait() }

func (d *digester) sum() hub.SHA256 {
	d.wait()
	return hub.SHA256(d.h.Sum(nil))
}

func (d *digester) stop() {
	if d.work != nil {
		close(d.work)
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
