package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	bigFiles  = 20_000
	bigLarge  = bigFiles / 2 // of them LFS
	bigCommit = 50           // commits per round
)

// shape is how the files of a large repository lie in folders.
type shape struct {
	name string
	path func(i int) string
}

var shapes = []shape{
	{"200 folders", func(i int) string { return fmt.Sprintf("data/part-%03d/file-%05d.json", i%200, i) }},
	{"one folder", func(i int) string { return fmt.Sprintf("file-%05d.json", i) }},
}

// bigRepository makes a repository of 20,000 files, half of them LFS, in one
// commit, and returns how long that took.
func bigRepository(ctx context.Context, h *hub, name string, path func(int) string) (time.Duration, error) {
	repo := benchUser + "/" + name
	if err := h.createRepo(ctx, name); err != nil {
		return 0, err
	}
	// A hundred large objects appear under a hundred names each.
	var objects []object
	for i := range 100 {
		objects = append(objects, bytesObject(fmt.Appendf(nil, "large object %d of %s", i, name)))
	}
	if err := h.upload(ctx, repo, objects...); err != nil {
		return 0, err
	}
	operations := make([]operation, 0, bigFiles)
	for i := range bigFiles {
		if i < bigLarge {
			operations = append(operations, addObject(path(i)+".bin", objects[i%len(objects)]))
			continue
		}
		operations = append(operations, addFile(path(i), fmt.Appendf(nil, `{"n": %d}`, i)))
	}
	return timed(func() error { return h.commit(ctx, repo, "add everything", operations...) })
}

type commitCommand struct{}

// Run measures commits that touch one file of 20,000.
func (c *commitCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("commit", "Commit of one file to a repository of 20,000")
	r.text("One client, one commit after the other, each with new content for one file; durable when answered. Target: < 15 ms.")
	p, end, err := startHub(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	first := make([]time.Duration, len(shapes))
	rounds := make([]results, len(shapes))
	var sides []func(context.Context) error
	for i, shape := range shapes {
		name := fmt.Sprintf("big-%d", i)
		if first[i], err = bigRepository(ctx, p.hub, name, shape.path); err != nil {
			return err
		}
		sides = append(sides, func(ctx context.Context) error {
			one, err := c.round(ctx, p, name, shape.path, len(rounds[i]))
			rounds[i] = append(rounds[i], one)
			return err
		})
	}
	if err := s.rounds(ctx, sides...); err != nil {
		return err
	}
	var rows [][]any
	for i, shape := range shapes {
		p50 := rounds[i].median(quantileMS(0.5))
		rows = append(rows, []any{shape.name, p50, rounds[i].median(quantileMS(0.99)), rounds[i].median(result.cpuPerCall) / 1000,
			verdict(p50 < 15), first[i].Seconds()})
	}
	r.table([]string{"layout", "p50 ms", "p99 ms", "CPU ms/commit", "target", "the commit of all 20,000 files, s"}, rows)
	return r.write(s)
}

func (c *commitCommand) round(ctx context.Context, p *pantry, name string, path func(int) string, round int) (result, error) {
	requests := make([]request, bigCommit)
	for i := range requests {
		n := bigLarge + (round*bigCommit+i)*37%(bigFiles-bigLarge)
		body, err := commitBody("touch", []operation{addFile(path(n), fmt.Appendf(nil, `{"n": %d, "round": %d}`, n, round))})
		if err != nil {
			return result{}, err
		}
		requests[i], err = withBody(p.url+"/api/models/"+benchUser+"/"+name+"/commit/main", "application/x-ndjson", body,
			"Authorization: Bearer "+p.token)
		if err != nil {
			return result{}, err
		}
	}
	return load{server: p.process, address: p.address, conns: 1, requests: len(requests),
		next: func(n int) request { return requests[n] }}.run(ctx)
}

type treeCommand struct{}

// listing is one reading of a tree.
type listing struct {
	took           time.Duration
	pages, entries int
}

// Run measures the recursive tree of 20,000 files, by its pages.
func (c *treeCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("tree", "Recursive tree of 20,000 files")
	r.text("`GET /api/models/{id}/tree/main?recursive=true`, half of the files LFS, read and decoded by all its pages. Target: < 100 ms.")
	p, end, err := startHub(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	rounds := make([][]listing, len(shapes))
	var sides []func(context.Context) error
	for i, shape := range shapes {
		name := fmt.Sprintf("big-%d", i)
		if _, err := bigRepository(ctx, p.hub, name, shape.path); err != nil {
			return err
		}
		sides = append(sides, func(ctx context.Context) error {
			one, err := c.list(ctx, p, p.url+"/api/models/"+benchUser+"/"+name+"/tree/main?recursive=true")
			rounds[i] = append(rounds[i], one)
			return err
		})
	}
	if err := s.rounds(ctx, sides...); err != nil {
		return err
	}
	var rows [][]any
	for i, shape := range shapes {
		took := medianOf(rounds[i], func(l listing) float64 { return milliseconds(l.took) })
		rows = append(rows, []any{shape.name, rounds[i][0].entries, rounds[i][0].pages, took, verdict(took < 100)})
	}
	r.table([]string{"layout", "entries", "pages", "ms", "target"}, rows)
	return r.write(s)
}

// list reads all pages from address on.
func (c *treeCommand) list(ctx context.Context, p *pantry, address string) (l listing, err error) {
	begun := time.Now()
	large := 0
	for address != "" {
		var entries []struct {
			Type string
			LFS  *struct{ OID string }
		}
		if address, err = p.page(ctx, address, &entries); err != nil {
			return listing{}, err
		}
		l.pages++
		l.entries += len(entries)
		for _, e := range entries {
			if e.LFS != nil {
				large++
			}
		}
	}
	l.took = time.Since(begun)
	if l.entries < bigFiles || large != bigLarge {
		return listing{}, fmt.Errorf("the tree has %d entries, %d of them LFS", l.entries, large)
	}
	return l, nil
}

// page reads one page of a list and returns the address of the next.
func (h *hub) page(ctx context.Context, address string, entries any) (next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	resp, err := h.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %.300s", address, resp.Status, data)
	}
	link, isNext := strings.CutSuffix(resp.Header.Get("Link"), `>; rel="next"`)
	if isNext {
		next = strings.TrimPrefix(link, "<")
	}
	return next, json.Unmarshal(data, entries)
}
