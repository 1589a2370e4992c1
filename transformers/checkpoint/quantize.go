package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	// Mix gives the matrices that matter most a better type than Q4_K or Q5_K,
	// as llama.cpp does in its Q4_K_M and Q5_K_M.
	Mix bool
	// Begin is told how many bytes of tensors there are to write, and Progress
	// of each piece how many were; nil for nobody.
	Begin, Progress func(n int64)
}

// fileTypes are llama.cpp's numbers for the format of most of a file.
var fileTypes = map[kernel.Type]uint32{
	kernel.F32: 0, kernel.F16: 1, kernel.Q4_0: 2, kernel.Q8_0: 7, kernel.Q4_K: 14, kernel.Q5_K: 16, kernel.Q6_K: 18, kernel.BF16: 32,
}

// mixedTypes are those of the mixes.
var mixedTypes = map[kernel.Type]uint32{kernel.Q4_K: 15, kernel.Q5_K: 17}

// SaveGGUF writes the model as a GGUF file that llama.cpp loads: from a GGUF
// file with the same keys, or from a folder of a decoder (gemma2, gemma3, gpt2,
// llama, mistral, phi3, qwen2, qwen3) with its tokenizer. The file appears under its name only once it is
// complete; memory stays at a few MB, whatever the model's size. The error
// wraps ErrConvert, ErrFormat or the context's.
func (c *Checkpoint) SaveGGUF(ctx context.Context, path string, o GGUFOptions) (err error) {
	defer faults(&err)()
	w, err := c.ggufWriter(ctx, o)
	if err != nil {
		return err
	}
	defer w.pool.Close()
	return w.save(path, 0o644)
}

// save writes the file under another name until it is complete and on the disk.
func (w *ggufWriter) save(path string, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+unfinished)
	if err != nil {
		return err
	}
	complete := false
	defer func() { // also after a panic
		if !complete {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(mode); err != nil {
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
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	complete = true
	return nil
}

// unfinished is how the name of a file ends that is being written.
const unfinished = ".tmp"

// ggufWriter writes one checkpoint.
type ggufWriter struct {
	gguf.Writer
	ctx     context.Context
	pool    *kernel.Pool
	options GGUFOptions
	tied    bool  // the token embeddings are the output layer too
	layers  int   // of the network
	total   int64 // bytes of the tensors
	floats  []float32
	blocks  []byte
}

func (c *Checkpoint) ggufWriter(ctx context.Context, o GGUFOptions) (*ggufWriter, error) {
	types := fileTypes
	if o.Mix {
		types = mixedTypes
	}
	kind, ok := types[o.Type]
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
	layers, _ := c.GGUF.Uint(arch + ".block_count")
	w.layers = int(min(layers, 1<<20))
	for _, t := range c.GGUF.Tensors {
		e := c.entries[pythonName(arch, t.Name)]
		w.add(t.Name, e, w.typeOf(t.Name, e, shaping{}), shaping{})
	}
	return nil
}

// typeOf is the format of a tensor in the file.
func (w *ggufWriter) typeOf(name string, e entry, s shaping) kernel.Type {
	if len(e.shape) < 2 || !strings.HasSuffix(name, ".weight") || strings.Contains(name, "_norm") ||
		strings.Contains(name, "ffn_gate_inp") || name == "position_embd.weight" {
		return kernel.F32
	}
	t := w.options.Type
	if !t.Quantised() {
		return t
	}
	if name == "output.weight" || w.tied && name == "token_embd.weight" {
		t = outputType(t)
	} else if w.options.Mix {
		t = w.mixed(name, t)
	}
	cols := e.shape[len(e.shape)-1]
	if s.transposed {
		cols = e.shape[0]
	}
	if t, ok := fitting(t, cols); ok {
		return t
	}
	return kernel.F16
}

// mixed is the type of a matrix in a mix: in some layers, values and the second
// half of the MLP get more bits.
//
// Source: llama.cpp's llama_tensor_get_type.
func (w *ggufWriter) mixed(name string, t kernel.Type) kernel.Type {
	rest, _ := strings.CutPrefix(name, "blk.")
	number, part, _ := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	if err != nil {
		return t
	}
	first := w.layers / 8
	more := layer < first || layer >= 7*w.layers/8 || (layer-first)%3 == 2
	if more && (part == "attn_v.weight" || part == "attn_qkv.weight" || part == "ffn_down.weight") {
		return kernel.Q6_K
	}
	return t
}

// outputType is the format of the output layer in a model of quantised type t:
// as in llama.cpp, not less than Q6_K.
func outputType(t kernel.Type) kernel.Type {
	if t == kernel.Q8_0 {
		return t
	}
	return kernel.Q6_K
}

// fitting is t, or Q8_0 for rows of cols numbers that the blocks of t do not
// divide; ok is false if neither does.
func fitting(t kernel.Type, cols int) (fits kernel.Type, ok bool) {
	for _, t := range []kernel.Type{t, kernel.Q8_0} {
		if cols%t.BlockLen() == 0 {
			return t, true
		}
	}
	return 0, false
}

func (w *ggufWriter) progress(n int) {
	if w.options.Progress != nil {
		w.options.Progress(int64(n))
	}
}

// pieceFloats is how many numbers are converted at a time: enough for all
// threads, little memory.
const pieceFloats = 1 << 20

// shaping is how the matrix that is written differs from the one that is stored.
type shaping struct {
	order      func(i int) int // its row i is row order(i); nil: i
	transposed bool            // rows and columns are exchanged
}

// size is the shape of what is written of m.
func (s shaping) size(m kernel.Matrix) (rows, cols int) {
	if s.transposed {
		return m.Cols, m.Rows
	}
	return m.Rows, m.Cols
}

// add plans a tensor of type t.
func (w *ggufWriter) add(name string, e entry, t kernel.Type, s shaping) {
	shape := make([]int64, len(e.shape))
	for i, d := range e.shape {
		shape[i] = int64(d)
	}
	rows, cols := s.size(e.matrix)
	if !s.transposed {
		slices.Reverse(shape) // ggml lists the fastest dimension first
	}
	w.total += int64(rows) * int64(t.RowBytes(cols))
	w.Add(name, ggmlType(t), shape, func(out io.Writer) error {
		m := e.matrix
		if s.transposed {
			m = transpose(m)
		}
		if m.Type == t && s.order == nil {
			return w.copyBytes(out, m.Data)
		}
		n := max(1, pieceFloats/max(1, cols))
		for first := 0; first < rows; first += n {
			if err := w.piece(out, &m, t, first, min(n, rows-first), s.order); err != nil {
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
