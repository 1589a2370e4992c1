package main

import (
	"context"
	"fmt"
	"net/http"
)

const (
	smallRepos = 100
	smallConns = 16
)

type headCommand struct{}

// Run measures HEAD of small files over many repositories, as hf_hub_download
// sends it.
func (c *headCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("head", "HEAD of a small file")
	r.text("`config.json` of %d repositories in turn, %d connections. Target: ≥ 5,000/s, p99 < 20 ms; the best open peer, measured for issue 2 on two cores: 184–288/s.", smallRepos, smallConns)
	return small{report: r, rate: 5000, peer: 288, request: func(h *hub, repo string, headers []string) (request, error) {
		return newRequest(http.MethodHead, h.url+"/"+repo+"/resolve/main/config.json", http.StatusOK, headers...)
	}}.run(ctx, s)
}

type infoCommand struct{}

// Run measures model_info.
func (c *infoCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("info", "model_info")
	r.text("`GET /api/models/{id}` of %d repositories in turn, %d connections. Target: ≥ 2,000/s, p99 < 20 ms; the best open peer, measured for issue 2 on two cores: 72–175/s.", smallRepos, smallConns)
	return small{report: r, rate: 2000, peer: 175, request: func(h *hub, repo string, headers []string) (request, error) {
		return newRequest(http.MethodGet, h.url+"/api/models/"+repo, http.StatusOK, headers...)
	}}.run(ctx, s)
}

// small is a benchmark of small requests.
type small struct {
	report  *report
	rate    float64 // the target, per second
	peer    float64 // the better figure of the peer
	request func(h *hub, repo string, headers []string) (request, error)
}

func (b small) run(ctx context.Context, s *settings) error {
	p, end, err := startHub(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	repos, err := smallRepositories(ctx, p.hub)
	if err != nil {
		return err
	}
	callers := []struct {
		name    string
		headers []string
		results results
	}{
		{name: "anonymous"},
		{name: "with a token", headers: []string{"Authorization: Bearer " + p.token}},
	}
	var sides []func(context.Context) error
	for i := range callers {
		c := &callers[i]
		requests := make([]request, len(repos))
		for j, repo := range repos {
			if requests[j], err = b.request(p.hub, repo, c.headers); err != nil {
				return err
			}
		}
		sides = append(sides, func(ctx context.Context) error {
			r, err := load{server: p.process, address: p.address, conns: smallConns, lasting: s.For,
				next: func(n int) request { return requests[n%len(requests)] }}.run(ctx)
			c.results = append(c.results, r)
			return err
		})
	}
	if err := s.rounds(ctx, sides...); err != nil {
		return err
	}
	var rows [][]any
	for _, c := range callers {
		rate, p99 := c.results.median(result.perSecond), c.results.median(quantileMS(0.99))
		rows = append(rows, []any{c.name, rate, rate / b.peer, c.results.median(quantileMS(0.5)), p99,
			c.results.median(result.cpuPerCall), verdict(rate >= b.rate && p99 < 20)})
	}
	b.report.table([]string{"caller", "req/s", "× peer", "p50 ms", "p99 ms", "CPU µs/req", "target"}, rows)
	return b.report.write(s)
}

// smallRepositories makes repositories as small models look without weights.
func smallRepositories(ctx context.Context, h *hub) ([]string, error) {
	var repos []string
	for i := range smallRepos {
		name := fmt.Sprintf("small-%03d", i)
		repo := benchUser + "/" + name
		if err := h.createRepo(ctx, name); err != nil {
			return nil, err
		}
		card := fmt.Sprintf("---\nlicense: mit\nlibrary_name: transformers\npipeline_tag: text-classification\ntags: [bench, n%d]\nlanguage: en\n---\n# Model %d\n", i, i)
		operations := []operation{
			addFile("README.md", []byte(card)),
			addFile("config.json", fmt.Appendf(nil, `{"model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_size": %d}`, i)),
		}
		for _, file := range []string{"tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", "generation_config.json"} {
			operations = append(operations, addFile(file, fmt.Appendf(nil, `{"file": %q, "n": %d}`, file, i)))
		}
		if err := h.commit(ctx, repo, "add", operations...); err != nil {
			return nil, err
		}
		repos = append(repos, repo)
	}
	return repos, nil
}
