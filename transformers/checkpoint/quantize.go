package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/internal/kernel"
)

// ErrConvert: the checkpoint cannot be written as GGUF.
var ErrConvert = errors.New("cannot be written as GGUF")

// GGUFOptions say what SaveGGUF writes.
type GGUFOptions struct {
	// Type is the format of the matrices. Vectors stay F32, and as in
	// llama.cpp the output layer of a model in Q4_0, Q4_K or Q5_K is Q6_K.
	Type kernel.Type
	// Begin is told how many bytes of tensors there are to write, and Progress
	// of each piece how many were; nil for nobody.
	Begin, Progress func(n int64)
}

// fileTypes are llama.cpp's numbers for the format of most of a file.
var fileTypes = map[kernel.Type]uint32{
	kernel.F32: 0, kernel.F16: 1, kernel.Q4_0: 2, kernel.Q8_0: 7, kernel.Q4_K: 14, kernel.Q5_K: 16, kernel.Q6_K: 18, kernel.BF16: 32,
}

// SaveGGUF writes the model as a GGUF file that llama.cpp loads: from a GGUF
// file with the same keys, or from a folder of llama, mistral, qwen2 or qwen3
// with its tokenizer. The file appears under its name only once it is
// complete; memory stays at a few MB, whatever the model's size. The error
// wraps ErrConvert, ErrFormat or the context's.
func (c *Checkpoint) SaveGGUF(ctx context.Context, path string, o GGUFOptions) (err error) {
	w, err := c.ggufWriter(ctx, o)
	if err != nil {
		return err
	}
	defer w.pool.Close()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if _, err := w.WriteTo(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ggufWriter writes one checkpoint.
type ggufWriter struct {
	gguf.Writer
	ctx     context.Context
	pool    *kernel.Pool
	options GGUFOptions
	tied    bool  // the token embeddings are the output layer too
	total   int64 // bytes of the tensors
	floats  []float32
	blocks  []byte
}

func (c *Checkpoint) ggufWriter(ctx context.Context, o GGUFOptions) (*ggufWriter, error) {
	kind, ok := fileTypes[o.Type]
	if !ok {
		return nil, fmt.Errorf("%w: no file has type %v", ErrConvert, o.Type)
	}
	w := &ggufWriter{ctx: ctx, pool: kernel.NewPool(0), options: o}
	plan := c.copyGGUF
	if c.GGUF == nil {
		plan = c.convert
	}
	if err := plan(w); err != nil {
		w.pool.Close()
		return nil, err
	}
	w.Set("general.file_type", kind)
	w.Set("general.quantization_version", uint32(2))
	if o.Begin != nil {
		o.Begin(w.total)
	}
	return w, nil
}

// copyGGUF plans a file with the keys and tensors of another.
func (c *Checkpoint) copyGGUF(w *ggufWriter) error {
	w.Copy(c.GGUF, func(key string) bool { return key != "general.file_type" && key != "general.quantization_version" })
	_, untied := c.GGUF.Lookup("output.weight")
	w.tied = !untied
	arch, _ := c.GGUF.Text("general.architecture")
	for _, t := range c.GGUF.Tensors {
		w.add(t.Name, c.entries[pythonName(arch, t.Name)], nil)
	}
	return nil
}

// typeOf is the format of a tensor in the file.
func (w *ggufWriter) typeOf(name string, e entry) kernel.Type {
	if len(e.shape) < 2 || !strings.HasSuffix(name, ".weight") || strings.Contains(name, "_norm") || strings.Contains(name, "ffn_gate_inp") {
		return kernel.F32
	}
	t := w.options.Type
	if !t.Quantised() {
		return t
	}
	if t != kernel.Q8_0 && (name == "output.weight" || w.tied && name == "token_embd.weight") {
		t = kernel.Q6_K
	}
	cols := e.shape[len(e.shape)-1]
	for _, smaller := range []kernel.Type{t, kernel.Q8_0} {
		if cols%smaller.BlockLen() == 0 {
			return smaller
		}
	}
	return kernel.F16
}

func (w *ggufWriter) progress(n int) {
	if w.options.Progress != nil {
		w.options.Progress(int64(n))
	}
}

// pieceFloats is how many numbers are converted at a time: enough for all
// threads, little memory.
const pieceFloats = 1 << 20

// add plans a tensor. Its row i is row order(i) of the entry; nil keeps them.
func (w *ggufWriter) add(name string, e entry, order func(i int) int) {
	t := w.typeOf(name, e)
	shape := make([]int64, len(e.shape))
	for i, d := range e.shape { // ggml lists the fastest dimension first
		shape[len(shape)-1-i] = int64(d)
	}
	w.total += int64(e.matrix.Rows) * int64(t.RowBytes(e.matrix.Cols))
	w.Add(name, ggmlType(t), shape, func(out io.Writer) error {
		if e.matrix.Type == t && order == nil {
			return w.copyBytes(out, e.matrix.Data)
		}
		rows := max(1, pieceFloats/max(1, e.matrix.Cols))
		for first := 0; first < e.matrix.Rows; first += rows {
			n := min(rows, e.matrix.Rows-first)
			if err := w.piece(out, &e.matrix, t, first, n, order); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *ggufWriter) copyBytes(out io.Writer, data []byte) error {
	for piece := range slices.Chunk(data, 4*pieceFloats) {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if _, err := out.Write(piece); err != nil {
			return err
		}
		w.progress(len(piece))
	}
	return nil
}

// piece converts n rows.
func (w *ggufWriter) piece(out io.Writer, m *kernel.Matrix, t kernel.Type, first, n int, order func(i int) int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	size := t.RowBytes(m.Cols)
	w.floats = slices.Grow(w.floats[:0], n*m.Cols)[:n*m.Cols]
	w.blocks = slices.Grow(w.blocks[:0], n*size)[:n*size]
	w.pool.Do(n, func(i int) {
		row := w.floats[i*m.Cols : (i+1)*m.Cols]
		at := first + i
		if order != nil {
			at = order(at)
		}
		m.Row(row, at)
		kernel.Quantize(t, w.blocks[i*size:(i+1)*size], row)
	})
	_, err := out.Write(w.blocks)
	w.progress(len(w.blocks))
	return err
}

// ggmlType is ggufFormats the other way.
func ggmlType(t kernel.Type) gguf.Type {
	for theirs, ours := range ggmlFormats {
		if ours == t {
			return theirs
		}
	}
	panic("checkpoint: no ggml type for " + t.String())
}
