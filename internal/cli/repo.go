package cli

import (
	"context"
	"fmt"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/config"
)

type repoCmd struct {
	Export repoExportCmd `cmd:"" help:"Write a repository's history as a bare git repository."`
}

type repoExportCmd struct {
	config.Storage `embed:""`
	ID             string       `arg:"" help:"Repository: namespace/name."`
	Dir            string       `arg:"" help:"Folder to make."`
	Type           hub.RepoType `default:"model" env:"-" enum:"model,dataset,space,kernel" help:"Type: ${enum}."`
}

// Help is shown by --help.
func (repoExportCmd) Help() string {
	return "Example:\n  pantry repo export ada/model ./model.git && git -C model.git log\n\nLarge files stay LFS pointers."
}

// Run exports the repository. Whoever may read the data folder may.
func (c *repoExportCmd) Run(ctx context.Context, streams Streams) error {
	id, err := hub.ParseRepoID(c.ID)
	if err != nil {
		return err
	}
	a, err := openApp(ctx, c.Storage, streams.Err)
	if err != nil {
		return err
	}
	defer a.Close()
	operator := hub.Actor{ID: 1, Name: "operator", Admin: true}
	rp, err := a.Repos.Open(ctx, operator, c.Type, id, authz.Read)
	if err != nil {
		return err
	}
	if err := rp.Export(ctx, c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "Exported %s to %s.\n", rp.Name, c.Dir)
	return nil
}
