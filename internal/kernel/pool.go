package kernel

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// spinFor is how long an idle worker, or a caller whose workers still run,
	// looks for work before it sleeps: longer than the serial stretches between
	// the parallel regions of one token, shorter than anybody notices. Waking a
	// sleeper costs 5–50 µs, as much as a whole region of a small model.
	spinFor = 40 * time.Microsecond

	// maxJobs bounds how many callers share the workers at once. Further callers
	// do all their parts themselves.
	maxJobs = 16

	cacheLine = 64
)

// Task is work that falls into independent parts.
type Task interface {
	// Part does part i. Parts run at the same time, on any goroutine.
	Part(i int)
}

// Pool is a set of goroutines that share the parts of tasks with their callers.
// A nil pool runs everything on the caller.
type Pool struct {
	threads int
	jobs    [maxJobs]job
	workers atomic.Int32 // not yet returned

	_         [cacheLine]byte
	published atomic.Uint32 // counts jobs; idle workers watch it
	_         [cacheLine]byte
	asleep    atomic.Int32
	closed    atomic.Bool
	wake      chan struct{}
}

// job is one Run in progress. Only its caller opens and closes it. A worker
// counts itself in before it looks whether the job is open, and the caller
// closes it before it looks who is in, so the fields cannot change under a
// worker that saw it open.
type job struct {
	taken   atomic.Bool // by a caller
	open    atomic.Bool // parts may be left
	waiting atomic.Bool // the caller sleeps until the last worker leaves
	users   atomic.Int32
	task    Task
	parts   int64
	done    chan struct{}
	failure atomic.Pointer[any] // what a part panicked with

	_    [cacheLine]byte
	next atomic.Int64 // the first part nobody has taken
	_    [cacheLine]byte
}

// NewPool returns a pool that runs tasks on up to threads goroutines, the
// callers included; 0 means as many as Go runs at once (GOMAXPROCS). An idle
// pool uses no processor time.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, wake: make(chan struct{}, threads)}
	for i := range p.jobs {
		p.jobs[i].done = make(chan struct{}, 1)
	}
	p.workers.Store(int32(threads - 1))
	for i := range threads - 1 {
		go p.work(i)
	}
	return p
}

// Threads returns how many goroutines a task can run on.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Close ends the workers. Tasks still running finish, later ones run on their
// callers.
func (p *Pool) Close() {
	if p == nil || p.closed.Swap(true) {
		return
	}
	p.published.Add(1)
	p.rouse(p.threads - 1)
}

// Run does parts 0 to parts−1 of t and returns when all are done. The caller
// takes part; workers that are free join. Any number of goroutines may call Run,
// also from inside a part. It does not allocate.
func (p *Pool) Run(parts int, t Task) {
	j := p.begin(parts)
	if j == nil {
		for i := range parts {
			t.Part(i)
		}
		return
	}
	defer p.end(j)
	j.task, j.parts = t, int64(parts)
	j.next.Store(0)
	j.open.Store(true)
	p.published.Add(1)
	p.rouse(min(int(p.asleep.Load()), parts-1))
	j.help()
}

// rouse wakes up to n workers. A full channel has a wake-up under way for each.
func (p *Pool) rouse(n int) {
	for range n {
		select {
		case p.wake <- struct{}{}:
		default:
			return
		}
	}
}

// Do is Run for a function; the closure costs an allocation.
func (p *Pool) Do(parts int, f func(i int)) { p.Run(parts, partFunc(f)) }

type partFunc func(i int)

func (f partFunc) Part(i int) { f(i) }

// begin takes a free job, or returns nil if the caller should work alone.
func (p *Pool) begin(parts int) *job {
	if p == nil || p.threads < 2 || parts < 2 || p.closed.Load() {
		return nil
	}
	for i := range p.jobs {
		if j := &p.jobs[i]; !j.taken.Load() && j.taken.CompareAndSwap(false, true) {
			return j
		}
	}
	return nil
}

// end waits for the workers in the job and gives it back. It runs deferred, so
// that a part that panics on the caller does not leave workers behind.
func (p *Pool) end(j *job) {
	j.open.Store(false)
	p.wait(j)
	failure := j.failure.Swap(nil)
	j.task = nil
	j.taken.Store(false)
	if failure != nil {
		panic(*failure)
	}
}

// help does parts until none is left; then nobody else needs to look.
func (j *job) help() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.parts {
			j.open.Store(false)
			return
		}
		j.task.Part(int(i))
	}
}

// join does parts of the job if it is open, and reports whether it was.
func (j *job) join() bool {
	j.users.Add(1)
	defer j.leave()
	open := j.open.Load()
	if open {
		j.help()
	}
	return open
}

// leave counts a worker out, with what its part panicked with, which belongs to
// the caller.
func (j *job) leave() {
	if v := recover(); v != nil {
		failure := v // on the heap only when there is one
		j.failure.CompareAndSwap(nil, &failure)
		j.next.Store(j.parts)
	}
	if j.users.Add(-1) == 0 && j.waiting.Load() && j.waiting.CompareAndSwap(true, false) {
		j.done <- struct{}{}
	}
}

// wait returns when no worker is in the closed job.
func (p *Pool) wait(j *job) {
	if p.spin(func() bool { return j.users.Load() == 0 }) {
		return
	}
	for j.users.Load() != 0 {
		j.waiting.Store(true)
		if j.users.Load() == 0 && j.waiting.CompareAndSwap(true, false) {
			return
		}
		<-j.done
	}
}

// work is the life of a worker.
func (p *Pool) work(first int) {
	debug.SetPanicOnFault(true) // a mapped weight whose file was cut short: the caller gets the panic
	for !p.closed.Load() {
		seen := p.published.Load()
		if p.joinAny(first) {
			continue
		}
		if p.spin(func() bool { return p.published.Load() != seen }) {
			continue
		}
		// A caller that publishes after this looks at asleep and wakes us; one
		// that published before is found by the last look.
		p.asleep.Add(1)
		if p.published.Load() == seen {
			<-p.wake
		}
		p.asleep.Add(-1)
	}
	p.workers.Add(-1)
}

// joinAny helps with every open job, the first one first, and reports whether
// there was any. Workers start at different jobs, so that several callers share
// them.
func (p *Pool) joinAny(first int) bool {
	joined := false
	for i := range p.jobs {
		if j := &p.jobs[(first+i)%maxJobs]; j.open.Load() && j.join() {
			joined = true
		}
	}
	return joined
}

// spin waits for ready and reports whether it became true in time. It does not
// spin where the spinner could keep the one it waits for from running.
func (p *Pool) spin(ready func() bool) bool {
	if ready() {
		return true
	}
	if p.threads > runtime.GOMAXPROCS(0) {
		return false
	}
	for start := time.Now(); time.Since(start) < spinFor; {
		for range 8 {
			pause()
			if ready() {
				return true
			}
		}
	}
	return false
}
