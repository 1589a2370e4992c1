package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
)

type rangesCommand struct{}

const rangeSize = 64 << 10

// Run measures requests for 64 KiB at random places of a large file.
func (c *rangesCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("ranges", fmt.Sprintf("Ranges of 64 KiB of a %s file", s.Size))
	r.text("At random offsets, by plain HTTP. Target: ≥ 0.7 × nginx.")
	var rows [][]any
	for _, kind := range []dataKind{random, weights} {
		more, err := c.measure(ctx, s, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		rows = append(rows, more...)
	}
	r.table([]string{"content", "clients", "nginx req/s", "hub req/s", "ratio", "target", "nginx p50 ms", "p99 ms", "hub p50 ms", "p99 ms",
		"CPU µs/req nginx", "hub"}, rows)
	return r.write(s)
}

func (c *rangesCommand) measure(ctx context.Context, s *settings, kind dataKind) ([][]any, error) {
	pair, err := startPair(ctx, s, kind)
	if err != nil {
		return nil, err
	}
	defer pair.close()
	var rows [][]any
	for _, clients := range []int{1, 16} {
		var peer, hub results
		err := s.rounds(ctx,
			pair.side(&peer, func(ctx context.Context) (result, error) {
				return c.load(ctx, s, pair.nginx.process, pair.static, clients)
			}),
			pair.side(&hub, func(ctx context.Context) (result, error) {
				return c.load(ctx, s, pair.pantry.process, pair.resolve, clients)
			}),
		)
		if err != nil {
			return nil, err
		}
		n, h := peer.median(result.perSecond), hub.median(result.perSecond)
		rows = append(rows, []any{kind, clients, n, h, h / n, verdict(h >= 0.7*n),
			peer.median(quantileMS(0.5)), peer.median(quantileMS(0.99)), hub.median(quantileMS(0.5)), hub.median(quantileMS(0.99)),
			peer.median(result.cpuPerCall), hub.median(result.cpuPerCall)})
	}
	return rows, nil
}

func (c *rangesCommand) load(ctx context.Context, s *settings, server *process, address string, clients int) (result, error) {
	host, err := hostOf(address)
	if err != nil {
		return result{}, err
	}
	// The same places for both sides.
	source := rand.New(noise(2))
	requests := make([]request, 4096)
	for i := range requests {
		at := source.Int64N(int64(s.Size) - rangeSize)
		requests[i], err = newRequest(http.MethodGet, address, http.StatusPartialContent, fmt.Sprintf("Range: bytes=%d-%d", at, at+rangeSize-1))
		if err != nil {
			return result{}, err
		}
	}
	return load{server: server, address: host, conns: clients, lasting: s.For,
		next: func(n int) request { return requests[n%len(requests)] }}.run(ctx)
}
