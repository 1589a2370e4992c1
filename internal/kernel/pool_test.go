package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counter counts how often each part ran.
type counter struct{ ran []atomic.Int32 }

func (c *counter) Part(i int) { c.ran[i].Add(1) }

func TestPoolRunsEveryPartOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		for _, parts := range []int{0, 1, 2, 3, 7, 64, 1000} {
			for range 50 {
				c := &counter{make([]atomic.Int32, parts)}
				p.Run(parts, c)
				for i := range c.ran {
					if n := c.ran[i].Load(); n != 1 {
						t.Fatalf("%d threads, %d parts: part %d ran %d times", threads, parts, i, n)
					}
				}
			}
		}
		p.Close()
		p.Close()
	}
}

func TestPoolServesManyCallersAtOnce(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range maxJobs + 4 {
		wg.Go(func() {
			for round := range 200 {
				p.Do(round%9, func(int) {
					total.Add(1)
					if round == 100 {
						p.Do(3, func(int) { total.Add(1) }) // from inside a part
					}
				})
			}
		})
	}
	wg.Wait()
	parts := 0
	for round := range 200 {
		parts += round % 9
		if round == 100 {
			parts += 3 * (round % 9)
		}
	}
	if want := int64((maxJobs + 4) * parts); total.Load() != want {
		t.Errorf("%d parts ran, want %d", total.Load(), want)
	}
}

// TestPoolUsesItsWorkers holds every part until all threads are in one.
func TestPoolUsesItsWorkers(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for range 20 {
		var together sync.WaitGroup
		together.Add(3)
		p.Do(3, func(int) { together.Done(); together.Wait() })
		time.Sleep(time.Millisecond) // long enough to fall asleep
	}
}

func TestPoolOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := NewPool(3)
	defer p.Close()
	for range 100 {
		c := &counter{make([]atomic.Int32, 10)}
		p.Run(10, c)
		for i := range c.ran {
			if n := c.ran[i].Load(); n != 1 {
				t.Fatalf("part %d ran %d times", i, n)
			}
		}
	}
}

func TestPoolHandsPanicsToTheCaller(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, bad := range []int{0, 1, 500} {
		func() {
			defer func() {
				if got := recover(); got != "part failed" {
					t.Errorf("part %d: recovered %v", bad, got)
				}
			}()
			p.Do(501, func(i int) {
				if i == bad {
					panic("part failed")
				}
				runtime.Gosched()
			})
		}()
	}
	var n atomic.Int32
	p.Do(10, func(int) { n.Add(1) })
	if n.Load() != 10 {
		t.Errorf("after a panic %d of 10 parts ran", n.Load())
	}
}

func TestPoolDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	c := &counter{make([]atomic.Int32, 16)}
	if n := testing.AllocsPerRun(100, func() { p.Run(16, c) }); n != 0 {
		t.Errorf("Run allocates %g times", n)
	}
	// The same with a worker in every job.
	both := &pair{}
	if n := testing.AllocsPerRun(100, func() { both.in.Store(0); p.Run(2, both) }); n != 0 {
		t.Errorf("Run with a worker allocates %g times", n)
	}
}

// pair is two parts that wait for each other.
type pair struct{ in atomic.Int32 }

func (p *pair) Part(int) {
	for p.in.Add(1); p.in.Load() < 2; {
		runtime.Gosched()
	}
}

func TestPoolAsleepAndClosed(t *testing.T) {
	p := NewPool(4)
	waitFor(t, "the workers to fall asleep", func() bool { return p.asleep.Load() == 3 })
	p.Close()
	waitFor(t, "the workers to return", func() bool { return p.workers.Load() == 0 })
	c := &counter{make([]atomic.Int32, 5)}
	p.Run(5, c)
	(*Pool)(nil).Run(5, c)
	for i := range c.ran {
		if n := c.ran[i].Load(); n != 2 {
			t.Errorf("without workers, part %d ran %d times of 2", i, n)
		}
	}
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ready(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// BenchmarkPoolRun is the cost of a parallel region that does nothing, while the
// workers still spin and after they have fallen asleep.
func BenchmarkPoolRun(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	c := &counter{make([]atomic.Int32, 8)}
	b.Run("awake", func(b *testing.B) {
		for b.Loop() {
			p.Run(8, c)
		}
	})
	b.Run("asleep", func(b *testing.B) {
		var run time.Duration
		for range b.N {
			time.Sleep(200 * time.Microsecond)
			start := time.Now()
			p.Run(8, c)
			run += time.Since(start)
		}
		b.ReportMetric(float64(run.Nanoseconds())/float64(b.N), "ns/region")
	})
}
