package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

type quantizeCmd struct {
	Model    string `arg:"" help:"Folder, .gguf file, or a repository of a hub: namespace/name, which is downloaded first; of several GGUF files one is named by its format: namespace/name:F16."`
	Out      string `arg:"" help:"File to write; .gguf."`
	Type     string `default:"q8_0" env:"-" enum:"f32,f16,bf16,q8_0,q6_k,q5_k_m,q5_k,q4_k_m,q4_k,q4_0" help:"Format of the weights: ${enum}."`
	Revision string `env:"-" help:"Branch, tag or commit of a repository; main if not given."`
	Force    bool   `short:"f" env:"-" help:"Replace the file if it exists."`
	Quiet    bool   `short:"q" env:"-" help:"Show no progress."`
}

// Help is shown by --help.
func (quantizeCmd) Help() string {
	return `Example:
  pantry quantize ada/llama llama-q4_k_m.gguf --type q4_k_m
  pantry quantize ./model-f16.gguf model-q8_0.gguf

Writes a GGUF file with the tokenizer and the chat template in it, for "pantry run" and for llama.cpp. From a folder this
works for gemma2, gemma3_text, gpt2, llama, mistral, phi3, qwen2 and qwen3; from a GGUF file for all.`
}

// quantizeTypes are the values of --type, but for the mixes.
var quantizeTypes = map[string]kernel.Type{
	"f32": kernel.F32, "f16": kernel.F16, "bf16": kernel.BF16, "q8_0": kernel.Q8_0,
	"q6_k": kernel.Q6_K, "q5_k": kernel.Q5_K, "q4_k": kernel.Q4_K, "q4_0": kernel.Q4_0,
}

// Run writes the file.
func (c *quantizeCmd) Run(ctx context.Context, streams Streams) error {
	if !strings.EqualFold(filepath.Ext(c.Out), ".gguf") {
		return hub.Invalidf("%s is to be a .gguf file.", c.Out)
	}
	if _, err := os.Stat(c.Out); err == nil && !c.Force {
		return hub.Invalidf("%s exists; --force replaces it.", c.Out)
	}
	path, err := c.locate(ctx, streams)
	if err != nil {
		return err
	}
	model, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer model.Close()
	if err := c.save(ctx, streams, model); err != nil {
		if errors.Is(err, checkpoint.ErrConvert) {
			return hub.Invalidf("%s: %s.", c.Model, err.Error())
		}
		return err
	}
	fmt.Fprintln(streams.Out, c.Out)
	return nil
}

// save writes the file with a bar of its own.
func (c *quantizeCmd) save(ctx context.Context, streams Streams, model *checkpoint.Checkpoint) error {
	kind, mix := strings.CutSuffix(c.Type, "_m")
	o := checkpoint.GGUFOptions{Type: quantizeTypes[kind], Mix: mix}
	if c.Quiet {
		return model.SaveGGUF(ctx, c.Out, o)
	}
	bar := client.NewBar(streams.Err, isTerminal(streams.Err))
	defer bar.Close()
	o.Begin = func(n int64) { bar.Begin(1, n) }
	o.Progress = func(n int64) { bar.Advance(c.Out, n) }
	err := model.SaveGGUF(ctx, c.Out, o)
	if err == nil {
		bar.Finish(c.Out)
	}
	return err
}

// locate finds the model here, or downloads what is needed of it.
func (c *quantizeCmd) locate(ctx context.Context, streams Streams) (string, error) {
	o := client.Options{}
	if !c.Quiet {
		bar := client.NewBar(streams.Err, isTerminal(streams.Err))
		defer bar.Close()
		o.Progress = bar
	}
	from, err := client.New(o)
	if err != nil {
		return "", err
	}
	path, err := transformers.Locate(ctx, c.Model, transformers.Options{Client: from, Revision: c.Revision})
	return path, userError(err)
}
