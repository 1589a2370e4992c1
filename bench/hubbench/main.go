// Command hubbench measures a hub against its peers, on one machine, in one
// run: each comparison alternates between the sides and reports medians. It
// starts the real pantry binary on an empty folder and, where the peer is a
// file server, nginx with sendfile on the same bytes of the same disk. Both
// sides get the same client. Each subcommand writes a markdown fragment;
// "hubbench readme" puts them together. It speaks to the hub by HTTP only, as
// any client does. bench/run runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	settings

	Get       getCommand       `cmd:"" help:"Whole files: plain HTTP and Xet fetch URLs, against nginx."`
	Ranges    rangesCommand    `cmd:"" help:"Ranges of 64 KiB, against nginx."`
	Head      headCommand      `cmd:"" help:"HEAD of small files."`
	Info      infoCommand      `cmd:"" help:"model_info."`
	Ingest    ingestCommand    `cmd:"" help:"LFS uploads: speed per core, and what it is spent on."`
	Hfupload  hfuploadCommand  `cmd:"" help:"hf upload by Xet: who is waiting for whom."`
	Dedup     dedupCommand     `cmd:"" help:"Stored bytes of families of files, by LFS and by hf_xet."`
	Commit    commitCommand    `cmd:"" help:"Commits of one file to a large repository."`
	Tree      treeCommand      `cmd:"" help:"The recursive tree of a large repository."`
	Repos     reposCommand     `cmd:"" help:"Creating and listing thousands of repositories."`
	Idle      idleCommand      `cmd:"" help:"Start, and memory at rest."`
	Uploaders uploadersCommand `cmd:"" help:"Memory while many clients upload at once."`

	Readme readmeCommand `cmd:"" help:"Put the fragments together."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	k := kong.Parse(&c, kong.Name("hubbench"), kong.Description("Benchmarks of a hub beside its peers."),
		kong.UsageOnError(), kong.Vars{"tmp": os.TempDir()}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(&c.settings); err != nil {
		fmt.Fprintln(os.Stderr, "hubbench:", err)
		os.Exit(1)
	}
}
