package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
)

type getCommand struct{}

// Run measures downloads of one large file by plain HTTP and by Xet fetch
// URLs, beside nginx, by one and by eight clients.
func (c *getCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("get", fmt.Sprintf("Download of a %s file", s.Size))
	r.text("From the page cache. *xet* fetches the pieces of xorbs that hf_xet would, by the URLs that the hub gives out; " +
		"their bytes count as they travel, compressed. *first* is plain HTTP, by one client, before anybody has asked for the file: " +
		"a hub keeps copies of what is asked for again (`--cache-size`), from which compressed content need not be inflated each time. Target: ≥ 1.0 × nginx.")
	var rows [][]any
	for _, kind := range []dataKind{random, weights} {
		more, err := c.measure(ctx, s, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		rows = append(rows, more...)
	}
	r.table([]string{"content", "clients", "nginx MB/s", "first MB/s", "plain MB/s", "ratio", "target", "xet MB/s", "ratio", "target",
		"CPU-s/GB nginx", "plain", "xet"}, rows)
	return r.write(s)
}

func (c *getCommand) measure(ctx context.Context, s *settings, kind dataKind) ([][]any, error) {
	pair, err := startPair(ctx, s, kind)
	if err != nil {
		return nil, err
	}
	defer pair.close()
	var rows [][]any
	for _, clients := range []int{1, 8} {
		var peer, plain, xet results
		err := s.rounds(ctx,
			pair.side(&peer, func(ctx context.Context) (result, error) {
				return pair.whole(ctx, pair.nginx.process, pair.static, clients)
			}),
			pair.side(&plain, func(ctx context.Context) (result, error) {
				return pair.whole(ctx, pair.pantry.process, pair.resolve, clients)
			}),
			pair.side(&xet, func(ctx context.Context) (result, error) { return pair.fetches(ctx, clients) }),
		)
		if err != nil {
			return nil, err
		}
		speed := result.megabytes
		n, p, x := peer.median(speed), plain.median(speed), xet.median(speed)
		rows = append(rows, []any{kind, clients, n, pair.first.megabytes(), p, p / n, verdict(p >= n), x, x / n, verdict(x >= n),
			peer.median(result.cpuPerGB), plain.median(result.cpuPerGB), xet.median(result.cpuPerGB)})
	}
	return rows, nil
}

// pair is a hub and nginx with the same large file.
type pair struct {
	file    dataFile
	pantry  *pantry
	nginx   *nginx
	endHub  func()
	repo    string
	static  string // URL of the file at nginx
	resolve string // and at the hub
	first   result // of the first downloads from the hub
}

func startPair(ctx context.Context, s *settings, kind dataKind) (*pair, error) {
	file, err := s.data(kind, int64(s.Size))
	if err != nil {
		return nil, err
	}
	p := &pair{file: file, repo: benchUser + "/large"}
	if p.pantry, p.endHub, err = startHub(ctx, s); err != nil {
		return nil, err
	}
	if err := p.prepare(ctx, s); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pair) prepare(ctx context.Context, s *settings) error {
	s.say("uploading %s", p.file.path)
	path, err := p.pantry.addLarge(ctx, "large", p.file)
	if err != nil {
		return err
	}
	if p.nginx, err = startNginx(ctx, s, s.dataFolder()); err != nil {
		return err
	}
	p.static = p.nginx.url + "/" + filepath.Base(p.file.path)
	p.resolve = p.pantry.url + path
	if p.first, err = p.whole(ctx, p.pantry.process, p.resolve, 1); err != nil {
		return err
	}
	if err := p.pantry.settle(ctx); err != nil {
		return err
	}
	return errors.Join(p.pantry.verify(ctx, p.static, p.file.sha256), p.pantry.verify(ctx, p.resolve, p.file.sha256))
}

func (p *pair) close() {
	if p.nginx != nil {
		p.nginx.close()
	}
	p.endHub()
}

// side makes a round of one side, which appends to its results.
func (p *pair) side(to *results, run func(context.Context) (result, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := run(ctx)
		*to = append(*to, r)
		return err
	}
}

// whole downloads the file twice by each client.
func (p *pair) whole(ctx context.Context, server *process, address string, clients int) (result, error) {
	host, err := hostOf(address)
	if err != nil {
		return result{}, err
	}
	get, err := newRequest(http.MethodGet, address, http.StatusOK)
	if err != nil {
		return result{}, err
	}
	return load{server: server, address: host, conns: clients, requests: 2 * clients,
		next: func(int) request { return get }}.run(ctx)
}

// fetches downloads what a Xet client would, twice by each client, with fresh
// URLs.
func (p *pair) fetches(ctx context.Context, clients int) (result, error) {
	hash, err := p.pantry.xetHash(ctx, "/"+p.repo+"/resolve/main/model.bin")
	if err != nil {
		return result{}, err
	}
	ranges, err := p.pantry.fetchRanges(ctx, p.repo, hash)
	if err != nil {
		return result{}, err
	}
	requests := make([]request, len(ranges))
	for i, r := range ranges {
		requests[i], err = newRequest(http.MethodGet, r.url, http.StatusPartialContent, fmt.Sprintf("Range: bytes=%d-%d", r.from, r.to))
		if err != nil {
			return result{}, err
		}
	}
	host, err := hostOf(ranges[0].url)
	if err != nil {
		return result{}, err
	}
	return load{server: p.pantry.process, address: host, conns: clients, requests: 2 * clients * len(requests),
		next: func(n int) request { return requests[n%len(requests)] }}.run(ctx)
}
