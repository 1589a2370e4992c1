package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/config"
)

type serveCmd struct {
	config.Config `embed:""`
}

// Help is shown by --help.
func (serveCmd) Help() string {
	return "Example:\n  pantry serve --data /srv/pantry --listen :7272 --public-url https://hub.example.org\n\nEach setting is also a PANTRY_* variable and a key of the file that --config names. Ctrl-C lets requests under way finish and stops."
}

// Run serves until the context ends (Ctrl-C).
func (c *serveCmd) Run(ctx context.Context, streams Streams) (err error) {
	if err := c.Check(); err != nil {
		return hub.Invalidf("%v", err)
	}
	lock, err := app.LockData(c.Storage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	l, err := listen(c.Listen)
	if err != nil {
		return err
	}
	log, flush := newLogger(c.Config, streams.Err)
	defer func() { err = errors.Join(err, flush()) }()
	a, err := app.New(ctx, c.Config, log)
	if err != nil {
		l.Close()
		return err
	}
	a.Start(ctx)
	if err := greet(ctx, a, c.OpenURL(l.Addr()), streams.Out); err != nil {
		l.Close()
		return errors.Join(err, a.Close())
	}
	if err := errors.Join(a.Serve(ctx, l), a.Close()); err != nil {
		return err
	}
	fmt.Fprintln(streams.Out, "Pantry has stopped.")
	return nil
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, hub.Errorf(hub.CodeConflict, "Something else listens on %s already. Stop it, or choose another address with --listen.", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
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
