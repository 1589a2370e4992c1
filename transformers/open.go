package transformers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/adapter"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/nn"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrUnsupported: the model's architecture or the task is not one that
	// runs here. The message lists those that do.
	ErrUnsupported = errors.New("not supported")
	// ErrInput: what was passed to a pipeline cannot be used.
	ErrInput = errors.New("invalid input")
	// ErrClosed: the model was closed.
	ErrClosed = errors.New("the model is closed")
	// ErrNotANumber: the model computes NaN; its weights are damaged.
	ErrNotANumber = generate.ErrNotANumber
	// ErrInternal: a bug; the message says where.
	ErrInternal = errors.New("internal error")
)

// Options say how to open a model. The zero value is right for most.
type Options struct {
	// Revision is the branch, tag or commit of a model on a hub; main.
	Revision string
	// File chooses one of several GGUF files of a folder or repository: by its
	// path, or by a word of its name ("Q4_K_M"), for which the model can also be
	// named "org/name:Q4_K_M". If neither says, it is Q4_K_M, else Q8_0, else
	// the first.
	File string
	// Client downloads models that are named by their id; one configured by
	// HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE if nil.
	Client *client.Client
	// Threads is how many processors one call uses; all if 0.
	Threads int
	// Adapters are folders of LoRA adapters that change the model.
	Adapters []AdapterOptions

	// Quantize is the format that matrices in F32, F16 or BF16 get: Q8_0, or
	// Q6_K, Q5_K, Q4_K or Q4_0, which are smaller and less exact. The first
	// time takes a while, then the result is mapped. It is in QuantizedDir, and
	// may be deleted. An adapter over it cannot be merged.
	Quantize string
	// QuantizedDir is the folder that keeps what Quantize made; quantized in
	// $PANTRY_CACHE, or pantry/quantized in the user's cache folder.
	QuantizedDir string
	// QuantizeProgress is told how quantising goes, in bytes of the result; nil
	// for nobody.
	QuantizeProgress client.Progress
}

// AdapterOptions name a LoRA adapter in PEFT's format.
type AdapterOptions struct {
	// Path is a folder with adapter_config.json.
	Path string
	// Merge adds the adapter to the weights once, which costs memory but no
	// time; otherwise the weights stay mapped and shared, and a few small
	// products are added to each call.
	Merge bool
}

// Model is an opened checkpoint: weights, configuration, tokenizer.
type Model struct {
	checkpoint *checkpoint.Checkpoint
	dir        fs.FS
	config     config
	tokenizer  *tokenizers.Tokenizer // nil for a model without text
	pool       *kernel.Pool
	workspaces sync.Pool

	buildDecoder func() (sharedDecoder, error) // once

	using    sync.Mutex // guards closed, and users from being added to afterwards
	closed   bool
	users    sync.WaitGroup // calls, which need the weights mapped
	adapters []*checkpoint.Adapter
	applied  []int // numbers of those that are not merged
	unkept   error // see Unkept
}

// config are the keys of config.json that pipelines need.
type config struct {
	ModelType     string             `json:"model_type"`
	Architectures []string           `json:"architectures"`
	ID2Label      map[string]string  `json:"id2label"`
	Label2ID      map[string]float64 `json:"label2id"`
	NumLabels     int                `json:"num_labels"`
	ProblemType   string             `json:"problem_type"`
	MaxPosition   int                `json:"max_position_embeddings"`
	NPositions    int                `json:"n_positions"`
	PadTokenID    *uint32            `json:"pad_token_id"`

	BOSTokenID          generate.IDs            `json:"bos_token_id"`
	EOSTokenID          generate.IDs            `json:"eos_token_id"`
	DecoderStartTokenID generate.IDs            `json:"decoder_start_token_id"`
	ForcedBOSTokenID    generate.IDs            `json:"forced_bos_token_id"`
	ForcedEOSTokenID    generate.IDs            `json:"forced_eos_token_id"`
	TaskSpecificParams  map[string]taskSettings `json:"task_specific_params"`

	SentenceTransformers struct {
		ActivationFn string `json:"activation_fn"`
	} `json:"sentence_transformers"`
}

// Open opens a model: a folder, a .gguf file, or the id of a repository on a
// hub ("org/name"), which is downloaded into Hugging Face's cache first. A name
// that is a path on this machine is never looked up on a hub. Of a folder or
// repository without other weights than GGUF files, one of these is the model,
// and only this one is downloaded; see Options.File.
func Open(ctx context.Context, name string, o Options) (m *Model, err error) {
	defer recovered(&err)
	path, err := Locate(ctx, name, o)
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	m = &Model{checkpoint: c, dir: os.DirFS(c.Dir), pool: kernel.NewPool(o.Threads)}
	m.buildDecoder = sync.OnceValues(m.newDecoder)
	m.workspaces.New = func() any {
		ws := nn.NewWorkspace(m.pool)
		ws.Adapters = m.applied
		return ws
	}
	if err := m.quantize(ctx, o); err != nil {
		m.Close()
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	if err := m.adapt(o.Adapters); err != nil {
		m.Close()
		return nil, err
	}
	if err := m.read(); err != nil {
		m.Close()
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	return m, nil
}

func (m *Model) read() error {
	if err := json.Unmarshal(m.checkpoint.Config, &m.config); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	if m.checkpoint.GGUF != nil {
		t, err := tokenizers.FromGGUF(m.checkpoint.GGUF)
		m.tokenizer = t
		return err
	}
	t, err := tokenizers.Open(m.dir)
	switch {
	case err == nil:
		m.tokenizer = t
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// adapt puts the adapters over the checkpoint.
func (m *Model) adapt(list []AdapterOptions) error {
	for i, o := range list {
		a, err := adapter.Open(o.Path, filepath.Base(o.Path), o.Merge)
		if err != nil {
			return err
		}
		m.adapters = append(m.adapters, a)
		if m.checkpoint.GGUF != nil && len(a.Saved.Names()) > 0 {
			return fmt.Errorf("%w: an adapter with whole tensors (%s) over a GGUF file, whose tensors are in another order; open the safetensors folder",
				ErrUnsupported, a.Saved.Names()[0])
		}
		if !o.Merge {
			m.applied = append(m.applied, i)
		}
	}
	c, err := m.checkpoint.With(m.adapters...)
	if err != nil {
		return err
	}
	m.checkpoint = c
	return nil
}

// Close waits for running calls, ends the threads and unmaps the weights. The
// model's pipelines return ErrClosed from then on. It must not be called by a
// function that a running call calls, such as Stream.
func (m *Model) Close() error {
	m.using.Lock()
	if m.closed {
		m.using.Unlock()
		return nil
	}
	m.closed = true
	m.using.Unlock()
	m.users.Wait()
	m.pool.Close()
	err := m.checkpoint.Close()
	for _, a := range m.adapters {
		err = errors.Join(err, a.Saved.Close())
	}
	return err
}

// ModelType is config.json's model_type, for example "bert".
func (m *Model) ModelType() string { return m.config.ModelType }

// Tokenizer is the model's tokenizer, nil if it has none.
func (m *Model) Tokenizer() *tokenizers.Tokenizer { return m.tokenizer }

// text is the tokenizer, or an error for a model that has none.
func (m *Model) text() (*tokenizers.Tokenizer, error) {
	if m.tokenizer == nil {
		return nil, fmt.Errorf("%w: the checkpoint has no tokenizer (tokenizer.json, or an older form of it)", ErrUnsupported)
	}
	return m.tokenizer, nil
}

// labels are the names of a classifier's n outputs.
func (m *Model) labels(n int) []string {
	names := make([]string, n)
	for i := range names {
		if name, ok := m.config.ID2Label[fmt.Sprint(i)]; ok {
			names[i] = name
			continue
		}
		names[i] = fmt.Sprintf("LABEL_%d", i)
	}
	return names
}

// maxTokens is how many tokens the model reads at most; 0 if it does not say.
func (m *Model) maxTokens() int {
	limit := max(m.config.MaxPosition, m.config.NPositions)
	if first, ok := paddedPositions[m.config.ModelType]; ok && limit > 0 {
		limit -= first // the table of positions has rows that no token takes
		pad := 1       // what the networks take if config.json does not say
		if m.config.PadTokenID != nil {
			pad = int(*m.config.PadTokenID)
		}
		limit = max(limit-pad, 1)
	}
	if m.tokenizer != nil {
		if n := m.tokenizer.Special().MaxLength; n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// paddedPositions are the model types whose positions begin behind the padding
// id, by so many rows.
var paddedPositions = map[string]int{"roberta": 1, "xlm-roberta": 1, "camembert": 1, "mpnet": 1}

// hold keeps the weights mapped until release, which the same goroutine calls; the
// error is ErrClosed if they no longer are, or Close waits for those that hold
// them. A weight's file may be cut short by another program meanwhile: reading
// it panics then, see recovered, and does not end the program.
func (m *Model) hold() (release func(), err error) {
	m.using.Lock()
	defer m.using.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	m.users.Add(1)
	faults := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(faults)
		m.users.Done()
	}, nil
}

// workspace lends the memory of forward passes, the first of which has begun,
// and holds the weights; done gives both back.
func (m *Model) workspace(ctx context.Context) (ws *nn.Workspace, done func(), err error) {
	release, err := m.hold()
	if err != nil {
		return nil, nil, err
	}
	ws = m.workspaces.Get().(*nn.Workspace)
	ws.Begin(ctx)
	return ws, func() {
		ws.Begin(context.Background()) // keeps nothing of the caller's
		m.workspaces.Put(ws)
		release()
	}, nil
}

// recovered turns a panic into an error: a bug in a network must not end the
// program that called it.
func recovered(err *error) {
	if r := recover(); r != nil {
		if known, ok := r.(error); ok && errors.Is(known, checkpoint.ErrFormat) { // building was given up, see checkpoint.Weights
			*err = known
			return
		}
		*err = fmt.Errorf("%w: %v\n%s", ErrInternal, r, debug.Stack())
	}
}
