package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/safetensors"
)

// Errors that callers can tell apart.
var (
	// ErrNoWeights: the folder holds no safetensors weights.
	ErrNoWeights = errors.New("no safetensors weights")
	// ErrPickle: the weights are a PyTorch pickle.
	ErrPickle = errors.New("the weights are a PyTorch pickle, which can run code when it is loaded and is never opened here; " +
		"convert it once with: python -c \"from transformers import AutoModel; AutoModel.from_pretrained('.').save_pretrained('.', safe_serialization=True)\"")
	// ErrFormat: a file contradicts itself or the model.
	ErrFormat = errors.New("malformed checkpoint")
)

// MaxConfig is the largest config.json that is read, in bytes.
const MaxConfig = 16 << 20

// entry is one stored tensor.
type entry struct {
	matrix kernel.Matrix // rows are the first dimension, columns the product of the others
	shape  []int
}

// Checkpoint is an opened model. It is immutable and may be used by several
// goroutines.
type Checkpoint struct {
	// Dir is the folder of the model's other files (tokenizer, processor
	// configuration); the folder of the file for GGUF.
	Dir string
	// Config is config.json, or for GGUF what it would say.
	Config json.RawMessage
	// GGUF is the header of a GGUF file, which also holds the vocabulary and
	// the chat template; nil for a folder.
	GGUF *gguf.Header
	// Bytes is the size of the weights' files, or of what Quantize made of them.
	Bytes int64

	entries   map[string]entry
	quantised map[string]kernel.Matrix // by Quantize, in place of some entries' matrices
	maps      []mapping
	adapters  []*Adapter
}

// Open opens a folder or a .gguf file. The error wraps fs.ErrNotExist,
// ErrPickle, ErrNoWeights or ErrFormat.
func Open(path string) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	c := &Checkpoint{Dir: path, entries: map[string]entry{}}
	if info.IsDir() {
		err = c.openFolder()
	} else if strings.EqualFold(filepath.Ext(path), ".gguf") {
		c.Dir = filepath.Dir(path)
		err = c.openGGUF(path)
	} else {
		err = fmt.Errorf("%w: want a folder or a .gguf file", ErrFormat)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	return c, nil
}

// OpenFile opens one safetensors file that is not a whole model: an adapter.
// Config is empty.
func OpenFile(path string) (*Checkpoint, error) {
	c := &Checkpoint{Dir: filepath.Dir(path), entries: map[string]entry{}}
	if err := c.openSafetensors(path); err != nil {
		c.Close()
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// Rename gives tensors other names, or drops those for which keep is false. It
// must not be called once networks are built.
func (c *Checkpoint) Rename(rename func(name string) (changed string, keep bool)) {
	renamed := make(map[string]entry, len(c.entries))
	for name, e := range c.entries {
		if changed, keep := rename(name); keep {
			renamed[changed] = e
		}
	}
	c.entries = renamed
}

// Close unmaps the files. No tensor may be in use.
func (c *Checkpoint) Close() error {
	var all []error
	for _, m := range c.maps {
		all = append(all, m.close())
	}
	c.maps, c.entries, c.quantised = nil, nil, nil
	return errors.Join(all...)
}

// ModelType is config.json's model_type.
func (c *Checkpoint) ModelType() string {
	var head struct {
		ModelType string `json:"model_type"`
	}
	if json.Unmarshal(c.Config, &head) != nil {
		return ""
	}
	return head.ModelType
}

// Names lists the tensors, sorted.
func (c *Checkpoint) Names() []string {
	names := make([]string, 0, len(c.entries))
	for name := range c.entries {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Describe is the format and shape of a tensor in its file.
func (c *Checkpoint) Describe(name string) (format kernel.Type, shape []int, ok bool) {
	e, ok := c.entries[name]
	return e.matrix.Type, e.shape, ok
}

func (c *Checkpoint) openFolder() error {
	config, err := ReadLimited(os.DirFS(c.Dir), "config.json", MaxConfig)
	if err != nil {
		return err
	}
	if !json.Valid(config) {
		return fmt.Errorf("%w: config.json is not JSON", ErrFormat)
	}
	c.Config = config
	files, err := weightFiles(c.Dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := c.openSafetensors(filepath.Join(c.Dir, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// ReadLimited reads a file of at most limit bytes.
func ReadLimited(dir fs.FS, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrFormat, name, limit)
	}
	return data, nil
}

// weightFiles lists the safetensors files of a folder that hold its model.
func weightFiles(dir string) ([]string, error) {
	index, err := ReadLimited(os.DirFS(dir), "model.safetensors.index.json", safetensors.MaxIndex)
	switch {
	case err == nil:
		parsed, err := safetensors.ParseIndex(index)
		if err != nil {
			return nil, err
		}
		return parsed.Shards(), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "model.safetensors")); err == nil {
		return []string{"model.safetensors"}, nil
	}
	for _, pickle := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if _, err := os.Stat(filepath.Join(dir, pickle)); err == nil {
			return nil, ErrPickle
		}
	}
	return nil, fmt.Errorf("%w: want model.safetensors or model.safetensors.index.json", ErrNoWeights)
}

// dtypes are the element types that a network can use.
var dtypes = map[safetensors.DType]kernel.Type{
	safetensors.F32: kernel.F32, safetensors.F16: kernel.F16, safetensors.BF16: kernel.BF16,
}

func (c *Checkpoint) openSafetensors(path string) error {
	m, err := mapFile(path)
	if err != nil {
		return err
	}
	c.maps = append(c.maps, m)
	c.Bytes += int64(len(m.data))
	header, err := safetensors.ReadHeader(m, int64(len(m.data)), safetensors.MaxHeader)
	if err != nil {
		return err
	}
	for _, t := range header.Tensors {
		format, ok := dtypes[t.DType]
		if !ok {
			continue // position ids and the like; a network that needs it will miss it by name
		}
		if _, twice := c.entries[t.Name]; twice {
			return fmt.Errorf("%w: tensor %s is in two files", ErrFormat, t.Name)
		}
		if err := c.add(t.Name, format, intShape(t.Shape), m.data[t.Offset:t.Offset+t.Size]); err != nil {
			return err
		}
	}
	return nil
}

func intShape(dims []int64) []int {
	shape := make([]int, len(dims))
	for i, d := range dims {
		shape[i] = int(d)
	}
	return shape
}

// add enters a tensor, seen as a matrix whose rows are its first dimension.
func (c *Checkpoint) add(name string, format kernel.Type, shape []int, data []byte) error {
	rows, cols := 1, 1
	for i, d := range shape {
		if i == 0 && len(shape) > 1 {
			rows = d
		} else {
			cols *= d
		}
	}
	m, err := kernel.NewMatrix(format, rows, cols, data)
	if err != nil {
		return fmt.Errorf("%w: tensor %s: %w", ErrFormat, name, err)
	}
	c.entries[name] = entry{matrix: m, shape: shape}
	return nil
}
