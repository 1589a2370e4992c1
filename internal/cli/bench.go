package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/transformers"
)

type benchCmd struct {
	localModel   `embed:""`
	PromptTokens int  `env:"-" default:"512" help:"Tokens of the prompt."`
	GenTokens    int  `env:"-" default:"128" help:"Tokens to generate."`
	Sequences    int  `env:"-" default:"1" help:"Sequences to generate side by side."`
	Rounds       int  `env:"-" default:"3" help:"Rounds; the medians are printed."`
	JSON         bool `name:"json" env:"-" help:"Print JSON."`
}

// Help is shown by --help.
func (benchCmd) Help() string {
	return `Example:
  pantry bench ./model.gguf --prompt-tokens 512 --gen-tokens 128 --threads 2 --json

Reading a prompt is limited by arithmetic, writing an answer by the memory: every weight is read once for each token
(of all sequences together). The memory's speed is measured beside the model's and tells how near to the limit it is.`
}

// Run measures the speed of a model.
func (c *benchCmd) Run(ctx context.Context, streams Streams) error {
	m, err := c.open(ctx, streams)
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := m.Bench(ctx, transformers.BenchOptions{PromptTokens: c.PromptTokens, GenTokens: c.GenTokens, Sequences: c.Sequences, Rounds: c.Rounds})
	if err != nil {
		return userError(err)
	}
	if c.JSON {
		return json.NewEncoder(streams.Out).Encode(r)
	}
	return printBench(streams.Out, r)
}

func printBench(w io.Writer, r transformers.BenchResult) error {
	_, err := fmt.Fprintf(w, `prompt      %8.1f tokens/s
generation  %8.1f tokens/s (%d sequences)
memory      %8.1f GB/s read by %d threads; the generation reads %.1f GB/s of weights
`, r.PrefillTokensPerSecond, r.DecodeTokensPerSecond, r.Sequences, r.MemoryBandwidth/1e9, r.Threads, r.WeightBandwidth/1e9)
	return err
}
