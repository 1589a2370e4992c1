package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is a number of connections that each send one request after the other.
type load struct {
	server  *process
	address string
	conns   int

	// It ends after so many requests, or so long, whichever is not zero.
	requests int
	lasting  time.Duration

	// next is request number n of all, and may be called from any goroutine.
	next func(n int) request
}

// result is what a load measured.
type result struct {
	requests  int
	bytes     int64
	wall, cpu time.Duration   // cpu is the server's
	latencies []time.Duration // sorted
}

func (r result) perSecond() float64  { return float64(r.requests) / r.wall.Seconds() }
func (r result) megabytes() float64  { return float64(r.bytes) / 1e6 / r.wall.Seconds() }
func (r result) cpuPerGB() float64   { return r.cpu.Seconds() / (float64(r.bytes) / 1e9) }
func (r result) cpuPerCall() float64 { return r.cpu.Seconds() * 1e6 / float64(r.requests) }

// quantile returns the latency that a share of the requests stays below.
func (r result) quantile(share float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(share*float64(len(r.latencies))), len(r.latencies)-1)]
}

func (l load) run(ctx context.Context) (result, error) {
	before, err := l.server.cpu()
	if err != nil {
		return result{}, err
	}
	wires := make([]*wire, l.conns)
	for i := range wires {
		if wires[i], err = dial(ctx, l.address); err != nil {
			return result{}, err
		}
		defer wires[i].close()
	}
	if l.lasting > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.lasting)
		defer cancel()
	}
	var (
		issued  atomic.Int64
		wg      sync.WaitGroup
		parts   = make([]result, l.conns)
		errs    = make(chan error, l.conns)
		started = time.Now()
	)
	for i, w := range wires {
		wg.Go(func() {
			var err error
			if parts[i], err = l.worker(ctx, w, &issued); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	sum := result{wall: time.Since(started)}
	select {
	case err := <-errs:
		return result{}, err
	default:
	}
	after, err := l.server.cpu()
	if err != nil {
		return result{}, err
	}
	sum.cpu = after - before
	for _, part := range parts {
		sum.requests += part.requests
		sum.bytes += part.bytes
		sum.latencies = append(sum.latencies, part.latencies...)
	}
	slices.Sort(sum.latencies)
	if sum.requests == 0 {
		return result{}, fmt.Errorf("no request was answered")
	}
	return sum, nil
}

func (l load) worker(ctx context.Context, w *wire, issued *atomic.Int64) (result, error) {
	var r result
	for ctx.Err() == nil {
		n := int(issued.Add(1)) - 1
		if l.requests > 0 && n >= l.requests {
			break
		}
		begun := time.Now()
		got, err := w.fetch(l.next(n))
		if err != nil {
			return r, err
		}
		r.latencies = append(r.latencies, time.Since(begun))
		r.requests++
		r.bytes += got.bytes
	}
	return r, nil
}

// results are the rounds of one side.
type results []result

// median is the median of a figure over the rounds.
func (rs results) median(figure func(result) float64) float64 {
	return medianOf(rs, figure)
}

func medianOf[T any](items []T, figure func(T) float64) float64 {
	values := make([]float64, len(items))
	for i, item := range items {
		values[i] = figure(item)
	}
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

func quantileMS(share float64) func(result) float64 {
	return func(r result) float64 { return milliseconds(r.quantile(share)) }
}
