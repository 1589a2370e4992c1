package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/config"
)

type serveCmd struct {
	config.Config `embed:""`
}

// Run serves until the context ends (Ctrl-C).
func (c *serveCmd) Run(ctx context.Context, streams Streams) error {
	if err := c.Check(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a, err := app.New(ctx, c.Config, newLogger(c.Config, streams.Err))
	if err != nil {
		l.Close()
		return err
	}
	a.Start(ctx)
	if err := greet(ctx, a, c.OpenURL(l.Addr()), streams.Out); err != nil {
		l.Close()
		a.Close()
		return err
	}
	if err := a.Serve(ctx, l); err != nil {
		a.Close()
		return err
	}
	fmt.Fprintln(streams.Out, "Pantry has stopped.")
	return a.Close()
}

// greet says where the hub is and, while it has no account, how to make the
// first one.
func greet(ctx context.Context, a *app.App, url string, out io.Writer) error {
	code, ok, err := a.Identity.FirstAdminLink(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPantry is running. Open %s\n", url)
	if ok {
		fmt.Fprintf(out, "\nMake the administrator's account (this link works once):\n  %s/setup?code=%s\n", url, code)
	}
	fmt.Fprintf(out, "\nPoint any Hugging Face client at it:\n  export HF_ENDPOINT=%s\n  hf auth login\n\nCtrl-C stops it.\n\n", url)
	return nil
}

func newLogger(c config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
