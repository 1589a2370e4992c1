package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// addConfigFile makes the settings of the file that --config or PANTRY_CONFIG
// names the defaults of the flags. An unknown key is an error: it is a typing
// mistake.
func addConfigFile(parser *kong.Kong, args []string, getenv func(string) string) error {
	path := getenv("PANTRY_CONFIG")
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			path = v
		} else if (a == "--config" || a == "-c") && i+1 < len(args) {
			path = args[i+1]
		}
	}
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	settings := map[string]any{}
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	known := map[string]bool{}
	for _, leaf := range parser.Model.Leaves(false) {
		for _, flag := range leaf.Flags {
			known[flag.Name] = true
		}
	}
	for key := range settings {
		if !known[key] {
			return fmt.Errorf("configuration %s: there is no setting %q", path, key)
		}
	}
	return kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		return settings[flag.Name], nil
	})).Apply(parser)
}
