package cli

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

// Help is shown by --help.
func (versionCmd) Help() string { return "Example:\n  pantry version" }

// Run prints the version that the binary was built from.
func (versionCmd) Run(streams Streams) error {
	version, revision := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(streams.Out, "pantry %s%s\n", version, revision)
	return err
}
