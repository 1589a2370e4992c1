package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/internal/inspect"
)

type inspectCmd struct {
	Model      string `arg:"" help:"Folder, .safetensors or .gguf file, or a repository of a hub: namespace/name, or namespace/name:Q4_K_M for one of several GGUF models."`
	File       string `arg:"" optional:"" help:"Which file of the folder or repository, where there are several models."`
	remoteRepo `embed:""`
	Context    int64 `env:"-" placeholder:"TOKENS" help:"Length of text to compute the memory for; 4096 or what the model takes if not given."`
	Tensors    bool  `env:"-" help:"List the tensors."`
	JSON       bool  `name:"json" env:"-" help:"Print JSON."`
}

// Help is shown by --help.
func (inspectCmd) Help() string {
	return `Example:
  pantry inspect ./bert
  pantry inspect ada/llama-gguf:Q4_K_M --context 8192
  pantry inspect ada/bert --tensors

What is a file or folder here is read here, everything else is looked up at the hub (HF_ENDPOINT). Of large files only
the headers are read: nothing is downloaded.`
}

// Run describes the model.
func (c *inspectCmd) Run(ctx context.Context, streams Streams) error {
	if c.Context < 0 {
		return hub.Invalidf("--context is a number of tokens.")
	}
	report, commit, err := c.inspect(ctx)
	if err != nil {
		return c.describe(err)
	}
	if !c.Tensors {
		report.Tensors = nil
	}
	if c.JSON {
		enc := json.NewEncoder(streams.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(inspectReply{Model: c.Model, Commit: commit, Report: report, Memory: report.MemoryFor(c.Context)})
	}
	return c.print(streams.Out, report, commit)
}

// inspectReply is what --json prints.
type inspectReply struct {
	Model  string `json:"model"`
	Commit string `json:"commit,omitempty"` // of a hub's repository
	*inspect.Report
	Memory inspect.Memory `json:"memory"`
}

// inspect reads what the argument names: something here, or else at a hub.
func (c *inspectCmd) inspect(ctx context.Context) (report *inspect.Report, commit string, err error) {
	name, variant := c.Model, ""
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		name, variant = client.CutVariant(c.Model)
		info, err = os.Stat(name)
	}
	switch {
	case err == nil && info.IsDir():
		report, err = c.read(os.DirFS(name), variant)
		return report, "", err
	case err == nil:
		if file := cmp.Or(c.File, variant); file != "" {
			return nil, "", hub.Invalidf("%s is a file: it has no file %s.", name, file)
		}
		report, err = inspect.ModelFile(os.DirFS(filepath.Dir(name)), filepath.Base(name))
		return report, "", err
	case !errors.Is(err, fs.ErrNotExist) || client.IsPath(name):
		return nil, "", err
	}
	return c.inspectRemote(ctx, name, variant)
}

func (c *inspectCmd) read(fsys fs.FS, variant string) (*inspect.Report, error) {
	switch {
	case c.File != "":
		return inspect.ModelFile(fsys, c.File)
	case variant != "":
		return inspect.Variant(fsys, variant)
	}
	return inspect.Folder(fsys)
}

// inspectRemote reads headers at the hub; without it, what the cache has.
func (c *inspectCmd) inspectRemote(ctx context.Context, repo, variant string) (*inspect.Report, string, error) {
	s, err := c.source(repo)
	if err != nil {
		return nil, "", err
	}
	from, err := client.New(client.Options{})
	if err != nil {
		return nil, "", err
	}
	remote, err := from.FS(ctx, s)
	if hub.CodeOf(err) == hub.CodeUnavailable {
		if dir, ok := from.CachedSnapshot(s); ok {
			report, err := c.read(os.DirFS(dir), variant)
			return report, filepath.Base(dir), err
		}
	}
	if err != nil {
		return nil, "", err
	}
	report, err := c.read(remote, variant)
	return report, string(remote.Source().Revision), err
}

// describe says which of the user's words an error is about.
func (c *inspectCmd) describe(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name := c.Model
	if c.File != "" {
		name = c.File
	}
	return hub.Errorf(hub.CodeNotFound, "There is no %s.", name)
}

func (c *inspectCmd) print(out io.Writer, r *inspect.Report, commit string) error {
	w := tabwriter.NewWriter(forPeople(out), 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	line("Model", "%s", c.Model)
	line("Commit", "%s", commit)
	line("Name", "%s", r.Name)
	line("Architecture", "%s", architectureText(r))
	if a := r.Adapter; a != nil {
		line("Adapter", "%s of rank %d for %s", a.Type, a.Rank, a.BaseModel)
	}
	if r.Format != "" {
		line("Parameters", "%s", parametersText(r))
		line("Weights", "%s in %s, %s", client.Bytes(r.WeightBytes), plural(len(r.WeightFiles), "file"), r.Format)
	}
	line("Quantization", "%s", r.Quantization)
	if n := r.Shape.ContextLength; n > 0 {
		line("Context", "%s tokens", thousands(n))
	}
	line("Shape", "%s", shapeText(r.Shape))
	line("Tokenizer", "%s", r.Tokenizer)
	if r.ChatTemplate {
		line("Chat template", "yes")
	}
	if r.Format != "" {
		line("Memory", "%s", memoryText(r.MemoryFor(c.Context)))
	}
	for _, note := range r.Notes {
		line("Note", "%s", note)
	}
	c.printFiles(w, r)
	return w.Flush()
}

// printFiles lists the weights' files, and the tensors if they are wanted.
func (c *inspectCmd) printFiles(w io.Writer, r *inspect.Report) {
	const many = 12
	if len(r.WeightFiles) > 0 {
		fmt.Fprintln(w)
	}
	for i, f := range r.WeightFiles {
		if i == many {
			fmt.Fprintf(w, "and %d more files\n", len(r.WeightFiles)-many)
			break
		}
		fmt.Fprintf(w, "%s\t%s\n", f.Path, client.Bytes(f.Size))
	}
	if len(r.Tensors) > 0 {
		fmt.Fprintln(w)
	}
	for _, t := range r.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\n", t.Name, t.Type, t.Shape, client.Bytes(max(t.Size, 0)))
	}
}

func architectureText(r *inspect.Report) string {
	if r.ModelType == "" || r.ModelType == r.Architecture {
		return r.Architecture
	}
	return strings.TrimPrefix(r.Architecture+" ("+r.ModelType+")", " ")
}

// parametersText is "1.1 B (1,100,048,384): BF16", with shares if there are
// several types.
func parametersText(r *inspect.Report) string {
	var types []string
	for _, t := range r.TypesByCount() {
		if len(r.Types) > 1 {
			t += " " + magnitude(r.Types[t])
		}
		types = append(types, t)
	}
	return fmt.Sprintf("%s (%s): %s", magnitude(r.Parameters), thousands(r.Parameters), strings.Join(types, ", "))
}

func shapeText(s inspect.Shape) string {
	var parts []string
	add := func(n int64, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(text, thousands(n)))
		}
	}
	add(s.Layers, "%s layers")
	add(s.Hidden, "hidden size %s")
	add(s.Heads, "%s heads")
	if s.KVHeads != s.Heads {
		add(s.KVHeads, "%s key/value heads")
	}
	add(s.HeadDim, "head dimension %s")
	add(s.Vocabulary, "vocabulary %s")
	return strings.Join(parts, ", ")
}

func memoryText(m inspect.Memory) string {
	if m.KVCache == 0 {
		return client.Bytes(m.Total)
	}
	return fmt.Sprintf("%s = %s weights + %s key/value cache for %s tokens",
		client.Bytes(m.Total), client.Bytes(m.Weights), client.Bytes(m.KVCache), thousands(m.Context))
}

// magnitude is a count for people: 1.1 B.
func magnitude(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if n >= u.size {
			return strconv.FormatFloat(float64(n)/float64(u.size), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
