package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"
)

type uploadersCommand struct {
	Clients int `help:"How many clients upload at once." default:"64"`
}

// Run measures the memory of a hub to which many clients upload a large file
// each at the same time, all of them different.
func (c *uploadersCommand) Run(ctx context.Context, s *settings) error {
	if err := s.needSpace(int64(c.Clients) * int64(s.Size) * 11 / 10); err != nil {
		return err
	}
	r := newReport("uploaders", fmt.Sprintf("%d clients upload %s each", c.Clients, s.Size))
	r.once = true
	r.text("By LFS, of random data that differ from client to client; memory is read every 50 ms. Target: < 400 MB.")
	p, end, err := startHub(ctx, s)
	if err != nil {
		return err
	}
	defer end()

	s.say("hashing %d × %s", c.Clients, s.Size)
	objects := make([]object, c.Clients)
	for i := range objects {
		if objects[i], err = streamObject(int64(s.Size), uint64(1000+i)); err != nil {
			return err
		}
	}
	if err := p.createRepo(ctx, "many"); err != nil {
		return err
	}
	before, err := p.cpu()
	if err != nil {
		return err
	}
	watching, stopWatching := context.WithCancel(ctx)
	watched := make(chan watch, 1)
	go func() { watched <- watchMemory(watching, p.process) }()
	wall, err := timed(func() error { return c.uploadAll(ctx, p, objects) })
	stopWatching()
	seen := <-watched
	if err != nil {
		return err
	}
	after, err := p.cpu()
	if err != nil {
		return err
	}
	bytes := float64(c.Clients) * float64(s.Size)
	cpu := (after - before).Seconds()
	r.table([]string{"clients", "MB/s", "MB/s per core", "most resident MB", "of it its own", "median resident MB", "target"}, [][]any{{
		c.Clients, bytes / 1e6 / wall.Seconds(), bytes / 1e6 / cpu, float64(seen.peak) / 1e6, float64(seen.anonymous) / 1e6,
		medianOf(seen.samples, func(m memory) float64 { return float64(m.resident) / 1e6 }), verdict(float64(seen.peak) < 400e6),
	}})
	return r.write(s)
}

func (c *uploadersCommand) uploadAll(ctx context.Context, p *pantry, objects []object) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, o := range objects {
		wg.Go(func() {
			if err := p.upload(ctx, benchUser+"/many", o); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// watch is what was seen of a server's memory.
type watch struct {
	peak, anonymous int64 // the most of each
	samples         []memory
}

// watchMemory samples a server until ctx ends.
func watchMemory(ctx context.Context, p *process) watch {
	var w watch
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if m, err := p.memory(); err == nil {
			w.peak, w.anonymous = max(w.peak, m.peak), max(w.anonymous, m.anonymous)
			w.samples = append(w.samples, m)
		}
		select {
		case <-ctx.Done():
			return w
		case <-tick.C:
		}
	}
}

// streamObject is an object of noise that is made as it is sent, so that it
// takes no disk of the client.
func streamObject(size int64, seed uint64) (object, error) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(noise(seed), size)), nil }
	body, err := open()
	if err != nil {
		return object{}, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return object{}, err
	}
	return object{hex.EncodeToString(sum.Sum(nil)), size, open}, nil
}
