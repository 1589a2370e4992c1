package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/transformers"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// root is the command tree.
type root struct {
	ConfigFile string `name:"config" short:"c" placeholder:"FILE" help:"YAML file with settings, named like the flags. Flags and PANTRY_* variables win over it."`

	Serve    serveCmd    `cmd:"" help:"Run a hub."`
	User     userCmd     `cmd:"" help:"Manage accounts."`
	Org      orgCmd      `cmd:"" help:"Manage organizations."`
	Token    tokenCmd    `cmd:"" help:"Manage access tokens."`
	Repo     repoCmd     `cmd:"" help:"Work on stored repositories."`
	Download downloadCmd `cmd:"" help:"Download a repository, or files of one, from a hub."`
	Inspect  inspectCmd  `cmd:"" help:"Describe a model: architecture, size, memory, tensors."`
	Run      runCmd      `cmd:"" help:"Ask a language model, or chat with it."`
	Pipeline pipelineCmd `cmd:"" help:"Run a model's task once: classify, translate, embed, …"`
	Quantize quantizeCmd `cmd:"" help:"Write a model as a smaller GGUF file."`
	Bench    benchCmd    `cmd:"" help:"Measure how fast a language model reads and writes."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const description = `Pantry is a hub for models, datasets and demos that stock Hugging Face clients use.

Examples:
  pantry serve                                     run a hub on http://localhost:7272
  pantry serve --data /srv/pantry --listen :7272   the same for a team
  pantry user create ada --admin                   add an administrator
  pantry token create --user ada --name ci --role write
  pantry download ada/bert                         fetch a model into the cache of huggingface_hub
  pantry inspect ada/bert                          what it is and what memory it needs
  pantry run ada/llama "Why is the sky blue?"      ask a language model
  pantry pipeline fill-mask ada/bert "I [MASK] it" run a model's task
  pantry quantize ada/llama llama.gguf --type q4_k make it smaller
`

// newParser makes the parser of the command line; exit is called by --help.
func newParser(ctx context.Context, cmd *root, streams Streams, exit func(int)) (*kong.Kong, error) {
	return kong.New(cmd,
		kong.Name("pantry"), kong.Description(description), kong.DefaultEnvars("PANTRY"),
		kong.Writers(streams.Out, streams.Err), kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"quantizations": strings.ToLower(strings.Join(transformers.Quantizations(), ", "))},
		kong.Bind(streams), kong.BindTo(ctx, (*context.Context)(nil)),
	)
}

// Main runs the command line and returns its exit code.
func Main(ctx context.Context, args []string, streams Streams) int {
	var cmd root
	exit := -1
	parser, err := newParser(ctx, &cmd, streams, func(code int) { exit = code })
	if err != nil {
		fmt.Fprintln(streams.Err, "pantry:", err)
		return 1
	}
	if err := addConfigFile(parser, args, os.LookupEnv); err != nil {
		fmt.Fprintln(streams.Err, "pantry:", err)
		return 2
	}
	kctx, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(streams.Err, "pantry: %v\nTry: pantry --help\n", err)
		return 2
	}
	if err := kctx.Run(); err != nil {
		return report(streams.Err, err)
	}
	return 0
}

// report prints an error and returns the exit code for it.
func report(w io.Writer, err error) int {
	if errors.Is(err, context.Canceled) {
		return 130
	}
	w = forPeople(w) // a message may quote a file
	var e *hub.Error
	if errors.As(err, &e) && e.Code != hub.CodeInternal {
		fmt.Fprintln(w, "pantry:", e.Message)
		return api.ExitCode(e.Code)
	}
	fmt.Fprintln(w, "pantry:", err)
	return 1
}

// openApp builds the services of a hub for a command that runs beside its
// server.
func openApp(ctx context.Context, s config.Storage, errs io.Writer) (*app.App, error) {
	log := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	_, missing := os.Stat(s.Data)
	a, err := app.New(ctx, config.Config{Storage: s}, log)
	if err == nil && s.Database == "" && errors.Is(missing, fs.ErrNotExist) {
		fmt.Fprintf(errs, "pantry: there was no hub in %s, so one was made; --data names the folder of another\n", s.Data)
	}
	return a, err
}
