package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
)

// remoteRepo is how a command names a repository of a hub.
type remoteRepo struct {
	Revision string       `env:"-" help:"Branch, tag or commit; main if not given."`
	RepoType hub.RepoType `default:"model" env:"-" enum:"model,dataset,space,kernel" help:"Type: ${enum}. Or write datasets/NAME/REPO."`
}

// source reads what the user wrote for a repository.
func (r remoteRepo) source(text string) (client.Source, error) {
	s, err := client.ParseSource(text)
	if err != nil {
		return client.Source{}, err
	}
	if r.RepoType != hub.Model {
		s.Type = r.RepoType
	}
	if r.Revision != "" {
		s.Revision = hub.Revision(r.Revision)
	}
	return s, nil
}

type downloadCmd struct {
	Repo       string   `arg:"" help:"Repository: namespace/name, with @revision if you like, or :Q4_K_M for one of several GGUF models."`
	Files      []string `arg:"" optional:"" help:"Files to download, or folders with a / behind; all if none is given."`
	remoteRepo `embed:""`
	Include    []string `sep:"none" env:"-" placeholder:"PATTERN" help:"Download only files that match, such as *.safetensors. May be repeated."`
	Exclude    []string `sep:"none" env:"-" placeholder:"PATTERN" help:"Leave out files that match. May be repeated."`
	LocalDir   string   `env:"-" placeholder:"DIR" help:"Put the files into this folder instead of the cache."`
	Quiet      bool     `short:"q" env:"-" help:"Show no progress."`
}

// Help is shown by --help.
func (downloadCmd) Help() string {
	return `Example:
  pantry download ada/bert
  pantry download ada/bert config.json tokenizer/ --revision v1
  pantry download ada/llama-gguf:Q4_K_M
  HF_ENDPOINT=http://localhost:7272 pantry download datasets/ada/words --include "*.parquet" --local-dir words

Prints the path of the file, or of the folder. The cache is the one of Python's huggingface_hub, and so are the
variables: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE. What was stopped goes on the next time.`
}

// Run downloads.
func (c *downloadCmd) Run(ctx context.Context, streams Streams) error {
	repo, variant := client.CutVariant(c.Repo)
	s, err := c.source(repo)
	if err != nil {
		return err
	}
	sel, err := c.selection(variant)
	if err != nil {
		return err
	}
	opts := client.Options{}
	closeBar := func() {}
	if !c.Quiet {
		bar := client.NewBar(streams.Err, isTerminal(streams.Err))
		opts.Progress, closeBar = bar, bar.Close
	}
	from, err := client.New(opts)
	if err != nil {
		return err
	}
	path, err := c.download(ctx, from, s, sel)
	closeBar()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(streams.Err, "Stopped. The same command goes on where it was.")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Out, path)
	return nil
}

// selection sorts what was named into files and folders.
func (c *downloadCmd) selection(variant string) (client.Selection, error) {
	sel := client.Selection{Include: c.Include, Exclude: c.Exclude}
	if variant != "" {
		if len(c.Files) > 0 {
			return sel, hub.Invalidf("Name files, or the GGUF model %s, not both.", variant)
		}
		sel.Choose = func(paths []string) ([]string, error) {
			files, err := gguf.Choose(gguf.Models(paths), variant)
			if err != nil {
				return nil, hub.Invalidf("%s", err.Error())
			}
			return files, nil
		}
	}
	for _, name := range c.Files {
		if len(c.Include) > 0 || len(c.Exclude) > 0 {
			return sel, hub.Invalidf("Name files, or use --include and --exclude, not both.")
		}
		if strings.HasSuffix(name, "/") {
			sel.Include = append(sel.Include, name)
		} else {
			sel.Files = append(sel.Files, name)
		}
	}
	return sel, nil
}

// download returns the path of the only file, or of the folder.
func (c *downloadCmd) download(ctx context.Context, from *client.Client, s client.Source, sel client.Selection) (path string, err error) {
	only := ""
	if len(sel.Files) == 1 && len(sel.Include) == 0 {
		only = sel.Files[0]
	}
	if choose := sel.Choose; choose != nil {
		sel.Choose = func(paths []string) ([]string, error) {
			files, err := choose(paths)
			if len(files) == 1 {
				only = files[0]
			}
			return files, err
		}
	}
	dir := c.LocalDir
	switch {
	case dir != "":
		err = from.CopyTo(ctx, dir, s, sel)
	case only != "":
		return from.File(ctx, s, only)
	default:
		dir, err = from.Snapshot(ctx, s, sel)
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(only)), nil
}

// isTerminal reports whether w is a terminal, so that a line can be drawn
// again.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
