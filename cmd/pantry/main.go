// Command pantry is a self-hosted hub for models, datasets and demos.
package main

import (
	"os"

	"github.com/pantryhub/pantry/internal/cli"
)

func main() { os.Exit(cli.Process()) }
