package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

type reposCommand struct {
	Count int `help:"Repositories to create." default:"10000"`
}

// reposPart is how many creations are compared with as many others.
const reposPart = 1000

// Run creates thousands of repositories, looks whether that becomes slower,
// and reads pages of their list.
func (c *reposCommand) Run(ctx context.Context, s *settings) error {
	if c.Count < 2*reposPart {
		return fmt.Errorf("--count must be at least %d", 2*reposPart)
	}
	r := newReport("repos", fmt.Sprintf("%d repositories", c.Count))
	r.text("Created one after the other, each with its initial commit. Targets: no slowdown (the last thousand within 1.2 × of the first); a listing page < 5 ms.")
	p, end, err := startHub(ctx, s)
	if err != nil {
		return err
	}
	defer end()

	var parts results
	for from := 0; from < c.Count; from += reposPart {
		one, err := c.create(ctx, p, from, min(from+reposPart, c.Count))
		if err != nil {
			return err
		}
		s.say("%d repositories, p50 %v", from+one.requests, one.quantile(0.5))
		parts = append(parts, one)
	}
	first, last := parts[0], parts[len(parts)-1]
	slow := float64(last.quantile(0.5)) / float64(first.quantile(0.5))
	r.table([]string{"create", "p50 ms", "p99 ms", "CPU ms"}, [][]any{
		{"first thousand", milliseconds(first.quantile(0.5)), milliseconds(first.quantile(0.99)), first.cpuPerCall() / 1000},
		{"last thousand", milliseconds(last.quantile(0.5)), milliseconds(last.quantile(0.99)), last.cpuPerCall() / 1000},
		{"ratio", slow, "", verdict(slow <= 1.2)},
	})
	return c.listings(ctx, s, p, r)
}

func (c *reposCommand) create(ctx context.Context, p *pantry, from, to int) (result, error) {
	requests := make([]request, to-from)
	for i := range requests {
		body, err := json.Marshal(map[string]any{"type": "model", "name": fmt.Sprintf("repo-%06d", from+i)})
		if err != nil {
			return result{}, err
		}
		requests[i], err = withBody(p.url+"/api/repos/create", "application/json", body, "Authorization: Bearer "+p.token)
		if err != nil {
			return result{}, err
		}
	}
	return load{server: p.process, address: p.address, conns: 1, requests: len(requests),
		next: func(n int) request { return requests[n] }}.run(ctx)
}

func (c *reposCommand) listings(ctx context.Context, s *settings, p *pantry, r *report) error {
	const list = "/api/models?limit=100"
	var entries []json.RawMessage
	next := p.url + list
	var err error
	for range 20 { // far into the list
		if next, err = p.page(ctx, next, &entries); err != nil {
			return err
		}
		if next == "" {
			return fmt.Errorf("the list ends after %d of its last page", len(entries))
		}
	}
	pages := []struct {
		name, address string
		results       results
	}{
		{name: "first page of 100", address: p.url + list},
		{name: "21st page of 100", address: next},
		{name: "by last modified", address: p.url + list + "&sort=lastModified"},
		{name: "by downloads, full", address: p.url + list + "&sort=downloads&full=true"},
		{name: "of one author", address: p.url + list + "&author=" + benchUser},
		{name: "search", address: p.url + list + "&search=repo-0012"},
	}
	var sides []func(context.Context) error
	for i := range pages {
		page := &pages[i]
		get, err := newRequest(http.MethodGet, page.address, http.StatusOK)
		if err != nil {
			return err
		}
		sides = append(sides, func(ctx context.Context) error {
			one, err := load{server: p.process, address: p.address, conns: 1, lasting: s.For,
				next: func(int) request { return get }}.run(ctx)
			page.results = append(page.results, one)
			return err
		})
	}
	if err := s.rounds(ctx, sides...); err != nil {
		return err
	}
	var rows [][]any
	for _, page := range pages {
		p50 := page.results.median(quantileMS(0.5))
		rows = append(rows, []any{page.name, p50, page.results.median(quantileMS(0.99)), verdict(p50 < 5)})
	}
	r.table([]string{"list", "p50 ms", "p99 ms", "target"}, rows)
	return r.write(s)
}
