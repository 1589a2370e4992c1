package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/app"
	"github.com/pantryhub/pantry/internal/config"
	"github.com/pantryhub/pantry/internal/identity"
)

type userCmd struct {
	Create   userCreateCmd   `cmd:"" help:"Create a user."`
	Password userPasswordCmd `cmd:"" help:"Make a link by which a user sets a new password."`
}

type userCreateCmd struct {
	config.Storage `embed:""`
	Name           string `arg:"" help:"User name: 2 to 42 letters, digits and dashes."`
	Admin          bool   `env:"-" help:"Make it an administrator of the hub."`
	Email          string `env:"-" help:"E-mail address."`
	PasswordStdin  bool   `name:"password-stdin" env:"-" help:"Read the password from standard input. Without, a link to set one is printed."`
}

// Help is shown by --help.
func (userCreateCmd) Help() string {
	return "Example:\n  echo \"$PASSWORD\" | pantry user create ada --admin --password-stdin\n\nWorks beside a running server."
}

// Run creates the user.
func (c *userCreateCmd) Run(ctx context.Context, streams Streams) error {
	account := identity.NewAccount{Name: c.Name, Email: c.Email, Admin: c.Admin}
	if c.PasswordStdin {
		line, err := bufio.NewReader(io.LimitReader(streams.In, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the password: %w", err)
		}
		account.Password = strings.TrimRight(line, "\r\n")
		if account.Password == "" {
			return hub.Invalidf("The password on standard input is empty.")
		}
	}
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	created, err := a.Identity.CreateUser(ctx, account)
	if err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "Created the user %s.\n", created.Name)
	if c.PasswordStdin {
		return nil
	}
	return printPasswordLink(ctx, a, created.Name, streams.Out)
}

func printPasswordLink(ctx context.Context, a *app.App, user string, out io.Writer) error {
	code, err := a.Identity.PasswordLink(ctx, user)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "To set a password, open this page of the hub (it works once):\n  /password?code=%s\n", code)
	return err
}

type userPasswordCmd struct {
	config.Storage `embed:""`
	Name           string `arg:"" help:"User name."`
}

// Help is shown by --help.
func (userPasswordCmd) Help() string {
	return "Example:\n  pantry user password ada\n\nWorks beside a running server. The old password holds until the link is used."
}

// Run prints the link.
func (c *userPasswordCmd) Run(ctx context.Context, streams Streams) error {
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	user, err := account(ctx, a, c.Name)
	if err != nil {
		return err
	}
	return printPasswordLink(ctx, a, user.Name, streams.Out)
}

type orgCmd struct {
	Create orgCreateCmd `cmd:"" help:"Create an organization."`
	Add    orgAddCmd    `cmd:"" help:"Add a member, or change a member's role."`
}

type orgCreateCmd struct {
	config.Storage `embed:""`
	Name           string `arg:"" help:"Name of the organization."`
	Owner          string `required:"" env:"-" help:"User who administers it."`
	FullName       string `env:"-" help:"Name to show."`
}

// Help is shown by --help.
func (orgCreateCmd) Help() string {
	return "Example:\n  pantry org create acme --owner ada --full-name \"Acme Research\""
}

// Run creates the organization.
func (c *orgCreateCmd) Run(ctx context.Context, streams Streams) error {
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	owner, err := account(ctx, a, c.Owner)
	if err != nil {
		return err
	}
	org, err := a.Identity.CreateOrg(ctx, c.Name, c.FullName, owner.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "Created the organization %s.\n", org.Name)
	return nil
}

type orgAddCmd struct {
	config.Storage `embed:""`
	Org            string   `arg:"" help:"Organization."`
	User           string   `arg:"" help:"User to add."`
	Role           hub.Role `default:"write" env:"-" enum:"read,contributor,write,admin" help:"Role: ${enum}."`
}

// Help is shown by --help.
func (orgAddCmd) Help() string { return "Example:\n  pantry org add acme grace --role write" }

// Run adds the member.
func (c *orgAddCmd) Run(ctx context.Context, streams Streams) error {
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	for _, name := range []string{c.Org, c.User} {
		if _, err := account(ctx, a, name); err != nil {
			return err
		}
	}
	if err := a.Identity.AddMember(ctx, c.Org, c.User, c.Role); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "%s has the role %s in %s.\n", c.User, c.Role, c.Org)
	return nil
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create an access token and print it."`
}

type tokenCreateCmd struct {
	config.Storage `embed:""`
	User           string        `required:"" env:"-" help:"User whose token it is."`
	Name           string        `required:"" env:"-" help:"What it is for."`
	Role           hub.TokenRole `default:"read" env:"-" enum:"read,write" help:"What it allows: ${enum}."`
}

// Help is shown by --help.
func (tokenCreateCmd) Help() string {
	return "Example:\n  export HF_TOKEN=$(pantry token create --user ada --name ci --role write)\n\nPrints only the token. It is stored hashed and cannot be shown again."
}

// Run creates the token.
func (c *tokenCreateCmd) Run(ctx context.Context, streams Streams) error {
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	user, err := account(ctx, a, c.User)
	if err != nil {
		return err
	}
	text, _, err := a.Identity.CreateToken(ctx, user.ID, identity.NewToken{Name: c.Name, Role: c.Role})
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Out, text)
	return nil
}

// account finds an account that a command names.
func account(ctx context.Context, a *app.App, name string) (hub.Account, error) {
	found, err := a.Identity.Account(ctx, name)
	if errors.Is(err, hub.ErrNotFound) {
		return hub.Account{}, hub.Errorf(hub.CodeNotFound, "There is no user or organization %q.", name)
	}
	return found, err
}
