package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Process runs this process's command line and returns its exit code. The
// first SIGINT or SIGTERM asks the command to end, a second one kills it.
func Process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
