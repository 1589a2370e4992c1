package buckettest

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pantryhub/pantry/internal/bucket"
)

// Op names a method of bucket.Bucket or bucket.Object.
type Op string

// The operations that can fail.
const (
	Put     Op = "put"
	Open    Op = "open"
	ReadAt  Op = "readat"
	Stat    Op = "stat"
	Delete  Op = "delete"
	List    Op = "list"
	Presign Op = "presign"
	Check   Op = "check"
)

// Step is the moment of an operation at which it fails.
type Step int

// The steps. HalfWay is when half of the bytes of a Put or ReadAt have passed;
// of other operations it is the same as Before.
const (
	Before  Step = iota // nothing happened
	HalfWay             // the store saw half of it
	After               // it happened, but the caller does not learn so
)

// Fault says what fails, and when. The zero values of its fields mean: every
// key, at once, and for ever.
type Fault struct {
	Op     Op
	Step   Step
	Prefix string // of the keys concerned
	Skip   int    // so many matching operations succeed first
	Times  int    // then so many fail; 0 means all
	Err    error  // what the caller gets; nil lets the operation go on
	Do     func() // called at that step, to wait, count or kill; may be nil
}

// Injector is a real bucket whose operations fail where it is told. An object
// opened through it has no File, so that every byte passes its ReadAt.
type Injector struct {
	inner bucket.Bucket

	mu     sync.Mutex
	faults []*Fault
	seen   map[Op]int
}

// Faulty wraps a bucket with faults to come.
func Faulty(b bucket.Bucket, faults ...Fault) *Injector {
	f := &Injector{inner: b, seen: make(map[Op]int)}
	for _, fault := range faults {
		f.Fail(fault)
	}
	return f
}

// Fail adds a fault.
func (f *Injector) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fault)
}

// Heal removes all faults.
func (f *Injector) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Seen counts the operations so far, failed ones included.
func (f *Injector) Seen(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[op]
}

// strike returns the fault that hits this operation, or an empty one.
func (f *Injector) strike(op Op, key string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[op]++
	for i, fault := range f.faults {
		if fault.Op != op || !strings.HasPrefix(key, fault.Prefix) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		hit := *fault
		if fault.Times == 1 {
			f.faults = slices.Delete(f.faults, i, i+1)
		}
		fault.Times = max(fault.Times-1, 0)
		return hit
	}
	return Fault{}
}

// at is the fault's error if this is its step.
func (fault Fault) at(step Step) error {
	if fault.Op == "" || fault.Step != step {
		return nil
	}
	if fault.Do != nil {
		fault.Do()
	}
	return fault.Err
}

// around runs an operation between the steps of a fault.
func around[T any](fault Fault, run func() (T, error)) (T, error) {
	var none T
	if fault.Step == HalfWay {
		fault.Step = Before
	}
	if err := fault.at(Before); err != nil {
		return none, err
	}
	result, err := run()
	if err != nil {
		return none, err
	}
	if err := fault.at(After); err != nil {
		return none, err
	}
	return result, nil
}

// Put implements bucket.Bucket.
func (f *Injector) Put(ctx context.Context, key string, r io.Reader, size int64) (bool, error) {
	fault := f.strike(Put, key)
	if fault.Op != "" && fault.Step == HalfWay {
		// The store itself meets a reader that fails.
		half := io.MultiReader(io.LimitReader(r, size/2), &stop{fault: fault, rest: r})
		return f.inner.Put(ctx, key, half, size)
	}
	return around(fault, func() (bool, error) { return f.inner.Put(ctx, key, r, size) })
}

// stop is where a reader fails.
type stop struct {
	fault  Fault
	rest   io.Reader
	passed bool
}

func (s *stop) Read(p []byte) (int, error) {
	if !s.passed {
		if err := s.fault.at(HalfWay); err != nil {
			return 0, err
		}
		s.passed = true
	}
	return s.rest.Read(p)
}

// Open implements bucket.Bucket.
func (f *Injector) Open(ctx context.Context, key string) (bucket.Object, error) {
	fault := f.strike(Open, key)
	if fault.Op != "" && fault.Step == After && fault.Err != nil {
		// An object that nobody gets must not stay open.
		o, err := f.inner.Open(ctx, key)
		if err != nil {
			return nil, err
		}
		o.Close()
		return nil, fault.at(After)
	}
	return around(fault, func() (bucket.Object, error) {
		o, err := f.inner.Open(ctx, key)
		if err != nil {
			return nil, err
		}
		return &faultyObject{Object: o, injector: f, key: key}, nil
	})
}

type faultyObject struct {
	bucket.Object
	injector *Injector
	key      string
}

// File hides the file, whose bytes would pass by ReadAt.
func (o *faultyObject) File() *os.File { return nil }

func (o *faultyObject) ReadAt(p []byte, off int64) (int, error) {
	fault := o.injector.strike(ReadAt, o.key)
	if fault.Op != "" && fault.Step == HalfWay && fault.Err != nil {
		n, err := o.Object.ReadAt(p[:len(p)/2], off)
		if err != nil {
			return n, err
		}
		return n, fault.at(HalfWay)
	}
	if err := fault.at(Before); err != nil {
		return 0, err
	}
	n, err := o.Object.ReadAt(p, off)
	if err := fault.at(After); err != nil {
		return n, err
	}
	return n, err
}

// Stat implements bucket.Bucket.
func (f *Injector) Stat(ctx context.Context, key string) (bucket.Info, error) {
	return around(f.strike(Stat, key), func() (bucket.Info, error) { return f.inner.Stat(ctx, key) })
}

// Delete implements bucket.Bucket.
func (f *Injector) Delete(ctx context.Context, key string) error {
	_, err := around(f.strike(Delete, key), func() (struct{}, error) { return struct{}{}, f.inner.Delete(ctx, key) })
	return err
}

// List implements bucket.Bucket; the key that a fault's Prefix is compared to
// is the prefix asked for.
func (f *Injector) List(ctx context.Context, prefix, after string, limit int) ([]bucket.Info, error) {
	return around(f.strike(List, prefix), func() ([]bucket.Info, error) { return f.inner.List(ctx, prefix, after, limit) })
}

// Presign implements bucket.Bucket.
func (f *Injector) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	return around(f.strike(Presign, key), func() (string, error) { return f.inner.Presign(ctx, key, ttl) })
}

// Check implements bucket.Bucket.
func (f *Injector) Check(ctx context.Context) error {
	_, err := around(f.strike(Check, ""), func() (struct{}, error) { return struct{}{}, f.inner.Check(ctx) })
	return err
}
