package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Limits of an index.
const (
	MaxIndex       = 100_000_000 // bytes; the largest known has 60 MB
	MaxIndexShards = 10_000      // weight shards
)

// Index is a model.safetensors.index.json: which weight shard holds which
// tensor of a sharded checkpoint.
type Index struct {
	// WeightMap maps tensor names to file names, relative to the index's folder.
	WeightMap map[string]string
	// TotalParameters is the count that the index claims, 0 if it claims none.
	TotalParameters int64
}

// ParseIndex reads an index. File names that leave its folder are refused.
func ParseIndex(src []byte) (*Index, error) {
	if len(src) > MaxIndex {
		return nil, fmt.Errorf("%w: an index of %d bytes is over the limit of %d", ErrFormat, len(src), MaxIndex)
	}
	x, err := parseIndex(src)
	if err != nil {
		return nil, fmt.Errorf("%w: index: %w", ErrFormat, err)
	}
	return x, nil
}

func parseIndex(src []byte) (*Index, error) {
	x := new(Index)
	shards := map[string]bool{}
	o := newObjectReader(bytes.TrimPrefix(src, []byte("\ufeff")))
	err := o.object(func(key string) error {
		switch key {
		case "metadata":
			var meta struct {
				TotalParameters json.RawMessage `json:"total_parameters"`
			}
			if err := o.dec.Decode(&meta); err != nil {
				return err
			}
			x.TotalParameters = claimedCount(meta.TotalParameters)
			return nil
		case "weight_map":
			x.WeightMap = map[string]string{}
			return o.object(func(name string) error {
				file, err := o.text()
				if err != nil {
					return err
				}
				if !fs.ValidPath(file) || file == "." || strings.ContainsAny(file, "\\:%\x00\r\n") {
					return fmt.Errorf("%q is not the name of a weight shard", file)
				}
				if shards[file] = true; len(shards) > MaxIndexShards {
					return fmt.Errorf("more than %d weight shards", MaxIndexShards)
				}
				x.WeightMap[name] = file
				return nil
			})
		}
		var ignored json.RawMessage
		return o.dec.Decode(&ignored)
	})
	if err != nil {
		return nil, err
	}
	if x.WeightMap == nil {
		return nil, errors.New("it has no weight_map")
	}
	return x, nil
}

// claimedCount reads a count that writers spell as a number or a string.
func claimedCount(raw json.RawMessage) int64 {
	n, err := json.Number(strings.Trim(string(raw), `"`)).Int64()
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Shards lists the weight shards, sorted.
func (x *Index) Shards() []string {
	var out []string
	seen := map[string]bool{}
	for _, file := range x.WeightMap {
		if !seen[file] {
			seen[file] = true
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return out
}
