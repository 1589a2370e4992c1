package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/internal/kernel"
)

// LoadOptions say how Quantize makes a checkpoint smaller.
type LoadOptions struct {
	// Type is the format of the matrices of linear layers; quantised.
	Type kernel.Type
	// Dir is the folder that keeps the result for the next time; it is made if
	// need be. "" keeps it in memory only.
	Dir string
	// Begin is told how many bytes there are to write, and Progress of each
	// piece how many were; nil for nobody. Neither is called if the result is
	// there already.
	Begin, Progress func(n int64)
}

// onloadVersion is part of the name of what Quantize keeps. It changes with the
// choice of tensors and with the numbers that kernel.Quantize gives.
const onloadVersion = 1

// The cache of what Quantize wrote is cleaned whenever it grows.
const (
	unusedFor = 30 * 24 * time.Hour // after which a file is deleted
	abandoned = 24 * time.Hour      // after which an unfinished file is
)

// The keys of a file that Quantize keeps: a GGUF file of the quantised tensors
// alone, under the names of transformers. It is no model.
const (
	onloadArchitecture = "pantry-onload"
	onloadKey          = "pantry.source" // what it was made of, see identity
)

// Quantize replaces the matrices of linear layers and the tables of words by
// quantised ones. Everything else stays as it is: vectors, the kernels of
// convolutions, the tables of positions and token types, the few rows of a
// classifier, matrices whose rows are no whole blocks and those that are
// quantised already. As in a file of SaveGGUF, the output layer, or the table
// of words that is one too, has at least Q6_K.
//
// The result is kept in o.Dir and mapped the next time, as long as the model's
// files do not change; what was not used for 30 days is deleted. unkept says
// why it could not be kept: then it is in memory, and everything works. Quantize
// must not be called once networks are built, and cannot merge adapters
// afterwards. err wraps ErrConvert, ErrFormat or the context's.
func (c *Checkpoint) Quantize(ctx context.Context, o LoadOptions) (unkept, err error) {
	defer faults(&err)()
	if !o.Type.Quantised() {
		return nil, fmt.Errorf("%w: %v is no quantised format", ErrConvert, o.Type)
	}
	plan := c.planOnLoad(o.Type)
	if len(plan) == 0 {
		return nil, nil
	}
	key := c.identity(plan)
	path := filepath.Join(o.Dir, key+".gguf")
	if o.Dir != "" {
		if c.openOnLoad(path, key, plan) == nil {
			return nil, nil
		}
		unkept = c.writeOnLoad(ctx, path, key, plan, o)
		if unkept == nil {
			unkept = c.openOnLoad(path, key, plan)
		}
		if unkept == nil || ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return unkept, c.memoryOnLoad(ctx, key, plan, o)
}

// planned is a tensor that is to be quantised, and the format that it gets.
type planned struct {
	name  string
	entry entry
	shaping
	to kernel.Type
}

// fewRows is how many outputs a layer has at most that is not worth
// quantising: a classifier.
const fewRows = 31

// planOnLoad chooses the tensors, sorted by name.
func (c *Checkpoint) planOnLoad(t kernel.Type) []planned {
	var sizes struct {
		VocabSize int `json:"vocab_size"`
		Text      struct {
			VocabSize int `json:"vocab_size"`
		} `json:"text_config"`
		TieWordEmbeddings *bool `json:"tie_word_embeddings"`
	}
	if json.Unmarshal(c.Config, &sizes) != nil {
		return nil // the network will say what is wrong with it
	}
	vocab := max(sizes.VocabSize, sizes.Text.VocabSize)
	_, head := c.entries["lm_head.weight"]
	tied := !head || sizes.TieWordEmbeddings != nil && *sizes.TieWordEmbeddings
	var plan []planned
	for _, name := range c.Names() {
		p := planned{name: name, entry: c.entries[name], shaping: shaping{transposed: c.isTransposed(name)}}
		if len(p.entry.shape) != 2 || p.entry.matrix.Type.Quantised() || !strings.HasSuffix(name, ".weight") || isSmallTable(name) {
			continue
		}
		rows, cols := p.size(p.entry.matrix)
		want := t
		if name == "lm_head.weight" || tied && rows == vocab {
			want = outputType(t)
		}
		var ok bool
		if p.to, ok = fitting(want, cols); ok && rows > fewRows {
			plan = append(plan, p)
		}
	}
	return plan
}

// isSmallTable recognises the tables of positions, of token types and of
// distances, which are added to something and have no layer's redundancy.
func isSmallTable(name string) bool {
	for _, part := range []string{"position", "token_type_embeddings", ".wpe.", "relative_attention_bias"} {
		if strings.Contains("."+name, part) {
			return true
		}
	}
	return false
}

// isTransposed reports whether a linear layer's weight is stored as (in, out):
// in GPT-2's checkpoints, not in its GGUF files.
func (c *Checkpoint) isTransposed(name string) bool {
	if c.GGUF != nil || c.ModelType() != "gpt2" {
		return false
	}
	stem := strings.TrimSuffix(name, ".weight")
	return strings.HasSuffix(stem, ".c_attn") || strings.HasSuffix(stem, ".c_proj") || strings.HasSuffix(stem, ".c_fc")
}

// transpose is a copy of a plain matrix with rows and columns exchanged.
func transpose(m kernel.Matrix) kernel.Matrix {
	size := m.Type.BlockBytes()
	data := make([]byte, len(m.Data))
	for r := range m.Cols {
		for c := range m.Rows {
			copy(data[(r*m.Rows+c)*size:(r*m.Rows+c+1)*size], m.Data[(c*m.Cols+r)*size:])
		}
	}
	return kernel.Matrix{Type: m.Type, Rows: m.Cols, Cols: m.Rows, Data: data}
}

// identity names what a plan gives: a digest of the files' paths (in Hugging
// Face's cache that is the digest of their contents), sizes and times, and of
// each tensor's shape, format and a sample of its numbers.
func (c *Checkpoint) identity(plan []planned) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s\n", onloadVersion, onloadArchitecture)
	for _, m := range c.maps {
		path, err := filepath.EvalSymlinks(m.path)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			path = m.path
		}
		fmt.Fprintf(h, "%q %d %d\n", path, len(m.data), m.time.UnixNano())
	}
	for _, p := range plan {
		m := p.entry.matrix
		fmt.Fprintf(h, "%q %v %v %v %v\n", p.name, p.entry.shape, m.Type, p.transposed, p.to)
		middle := len(m.Data) / 2
		h.Write(m.Data[middle:min(middle+64, len(m.Data))])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// onLoadWriter plans the file.
func (c *Checkpoint) onLoadWriter(ctx context.Context, key string, plan []planned, o LoadOptions) *ggufWriter {
	w := &ggufWriter{ctx: ctx, pool: kernel.NewPool(0), options: GGUFOptions{Type: o.Type, Progress: o.Progress}}
	w.Set("general.architecture", onloadArchitecture)
	w.Set(onloadKey, key)
	for _, p := range plan {
		w.add(p.name, p.entry, p.to, p.shaping)
	}
	if o.Begin != nil {
		o.Begin(w.total)
	}
	return w
}

// writeOnLoad makes the file, and deletes others that nobody used for long.
func (c *Checkpoint) writeOnLoad(ctx context.Context, path, key string, plan []planned, o LoadOptions) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	clean(o.Dir, time.Now())
	w := c.onLoadWriter(ctx, key, plan, o)
	defer w.pool.Close()
	return w.save(path, 0o600)
}

// onloadName matches the names of files that Quantize writes; a finished one has
// nothing behind ".gguf".
var onloadName = regexp.MustCompile(`^\.?[0-9a-f]{32}\.gguf(\.[0-9]+` + regexp.QuoteMeta(unfinished) + `)?$`)

// clean deletes what was not used for long, and what a killed process left. A
// file that cannot be deleted, or that another process deletes, is left, and so
// is what Quantize did not write: the folder may hold models too.
func clean(dir string, now time.Time) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		name := onloadName.FindStringSubmatch(f.Name())
		info, err := f.Info()
		if name == nil || err != nil || !info.Mode().IsRegular() {
			continue
		}
		age, most := now.Sub(info.ModTime()), unusedFor
		if name[1] != "" {
			most = abandoned
		}
		if age > most {
			os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// memoryOnLoad quantises into memory.
func (c *Checkpoint) memoryOnLoad(ctx context.Context, key string, plan []planned, o LoadOptions) error {
	w := c.onLoadWriter(ctx, key, plan, o)
	defer w.pool.Close()
	var b bytes.Buffer
	b.Grow(int(w.total) + len(plan)*(256+32) + 4096) // names and alignment
	if _, err := w.WriteTo(&b); err != nil {
		return err
	}
	return c.useOnLoad(mapping{data: b.Bytes(), unmap: func() error { return nil }}, key, plan)
}

// openOnLoad maps a file that was kept, if it is whole and holds the plan.
func (c *Checkpoint) openOnLoad(path, key string, plan []planned) error {
	m, err := mapFile(path)
	if err != nil {
		return err
	}
	if err := c.useOnLoad(m, key, plan); err != nil {
		return errors.Join(err, m.close())
	}
	now := time.Now()
	os.Chtimes(path, now, now) // it is in use; if that cannot be noted, it is made again some day
	return nil
}

// useOnLoad takes the matrices from a file.
func (c *Checkpoint) useOnLoad(m mapping, key string, plan []planned) error {
	h, err := gguf.ReadHeader(m, int64(len(m.data)))
	if err != nil {
		return err
	}
	if have, _ := h.Text(onloadKey); have != key || len(h.Tensors) != len(plan) {
		return fmt.Errorf("%w: not what was quantised", ErrFormat)
	}
	matrices := make(map[string]kernel.Matrix, len(plan))
	saved := int64(0)
	for i, p := range plan {
		rows, cols := p.size(p.entry.matrix)
		t := h.Tensors[i]
		if t.Name != p.name || t.Type != ggmlType(p.to) || !slices.Equal(t.Shape, []int64{int64(cols), int64(rows)}) {
			return fmt.Errorf("%w: tensor %s is not what was quantised", ErrFormat, p.name)
		}
		data := m.data[t.Offset : t.Offset+t.Size]
		if matrices[p.name], err = kernel.NewMatrix(p.to, rows, cols, data); err != nil {
			return fmt.Errorf("%w: tensor %s: %w", ErrFormat, p.name, err)
		}
		saved += int64(len(p.entry.matrix.Data) - len(data))
	}
	c.quantised, c.maps = matrices, append(c.maps, m)
	c.Bytes -= saved
	return nil
}
