package transformers

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// quantizations are the values of Options.Quantize.
var quantizations = map[string]kernel.Type{
	"Q8_0": kernel.Q8_0, "Q6_K": kernel.Q6_K, "Q5_K": kernel.Q5_K, "Q4_K": kernel.Q4_K, "Q4_0": kernel.Q4_0,
}

// Quantizations lists the values of Options.Quantize, sorted.
func Quantizations() []string { return slices.Sorted(maps.Keys(quantizations)) }

// quantize does what Options.Quantize says; the result is kept for the next
// time if that is possible, and the reason if it is not.
func (m *Model) quantize(ctx context.Context, o Options) error {
	if o.Quantize == "" {
		return nil
	}
	t, ok := quantizations[strings.ToUpper(o.Quantize)]
	if !ok {
		return fmt.Errorf("%w: quantize to %q; want one of %s", ErrInput, o.Quantize, strings.Join(Quantizations(), ", "))
	}
	load := checkpoint.LoadOptions{Type: t, Dir: o.QuantizedDir}
	var unknown error
	if load.Dir == "" {
		load.Dir, unknown = quantizedDir()
	}
	if o.QuantizeProgress != nil {
		name := "quantize to " + t.String()
		var left int64
		load.Begin = func(n int64) {
			left = n
			o.QuantizeProgress.Begin(1, n)
		}
		load.Progress = func(n int64) {
			o.QuantizeProgress.Advance(name, n)
			if left -= n; left == 0 {
				o.QuantizeProgress.Finish(name)
			}
		}
	}
	unkept, err := m.checkpoint.Quantize(ctx, load)
	if unkept == nil {
		unkept = unknown
	}
	m.unkept = unkept
	return err
}

// quantizedDir is where quantised weights are kept: in PANTRY_CACHE, or in
// the user's cache.
func quantizedDir() (string, error) {
	if dir := os.Getenv("PANTRY_CACHE"); dir != "" {
		return filepath.Join(dir, "quantized"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "pantry", "quantized"), nil
}

// Unkept says why the weights that Options.Quantize asked for could not be kept
// on the disk, so that they are in memory and will be made again the next time;
// nil if they were kept.
func (m *Model) Unkept() error { return m.unkept }
