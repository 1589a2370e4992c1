package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// addConfigFile makes the settings of the file that --config or PANTRY_CONFIG
// names the defaults of the flags. Variables win over it, as flags do.
func addConfigFile(parser *kong.Kong, args []string, lookupEnv func(string) (string, bool)) error {
	path, _ := lookupEnv("PANTRY_CONFIG")
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
	text, err := readConfig(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	settings, err := parseSettings(text, knownSettings(parser))
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if _, ok := lookupEnv(name); ok {
				return nil, nil
			}
		}
		if v, ok := settings[flag.Name]; ok {
			return v, nil
		}
		return nil, nil
	})).Apply(parser)
}

// knownSettings are the flags that are settings of a hub and not arguments of
// one command: those of serve.
func knownSettings(parser *kong.Kong) map[string]bool {
	known := map[string]bool{}
	for _, leaf := range parser.Model.Leaves(false) {
		if leaf.Name != "serve" {
			continue
		}
		for _, flag := range leaf.Flags {
			known[flag.Name] = true
		}
	}
	return known
}

// maxConfig bounds a configuration file: a larger one is another file.
const maxConfig = 1 << 20

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s is over %d bytes", path, maxConfig)
	}
	return text, err
}

// parseSettings reads a configuration file: YAML of known names and plain
// values, as flags take them. An unknown name is an error: it is a typing
// mistake.
func parseSettings(text []byte, known map[string]bool) (map[string]string, error) {
	var raw map[string]any
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	settings := make(map[string]string, len(raw))
	for name, value := range raw {
		if !known[name] {
			return nil, fmt.Errorf("there is no setting %q", name)
		}
		switch v := value.(type) {
		case string:
			settings[name] = v
		case bool, int, int64, uint64:
			settings[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("the value of %q is neither text nor a whole number nor true or false", name)
		}
	}
	return settings, nil
}
