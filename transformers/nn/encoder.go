package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Input is what an encoder reads: one or more token sequences, one behind the
// other without padding.
type Input struct {
	IDs    []uint32
	Types  []uint32 // segment of each token (sentence A or B); nil: all 0
	Bounds []int    // sequence i is IDs[Bounds[i]:Bounds[i+1]]
}

// Sequences is the number of sequences.
func (in *Input) Sequences() int { return len(in.Bounds) - 1 }

// Append adds a sequence. types may be nil.
func (in *Input) Append(ids, types []uint32) {
	if len(in.Bounds) == 0 {
		in.Bounds = append(in.Bounds, 0)
	}
	in.IDs = append(in.IDs, ids...)
	if types == nil {
		types = make([]uint32, len(ids))
	}
	in.Types = append(in.Types, types...)
	in.Bounds = append(in.Bounds, len(in.IDs))
}

// Positions are the tokens' places in their sequences, counted from first.
func (in *Input) Positions(ws *Workspace, first uint32) []uint32 {
	p := ws.ints(len(in.IDs))
	for i := range in.Sequences() {
		for t := in.Bounds[i]; t < in.Bounds[i+1]; t++ {
			p[t] = first + uint32(t-in.Bounds[i])
		}
	}
	return p
}

// PaddedPositions are the positions of RoBERTa: tokens count from pad+1, and a
// token that is pad stays at pad.
func (in *Input) PaddedPositions(ws *Workspace, pad uint32) []uint32 {
	p := ws.ints(len(in.IDs))
	for i := range in.Sequences() {
		next := pad + 1
		for t := in.Bounds[i]; t < in.Bounds[i+1]; t++ {
			p[t] = pad
			if in.IDs[t] != pad {
				p[t] = next
				next++
			}
		}
	}
	return p
}

// Longest is the length of the longest sequence, at least 1.
func (in *Input) Longest() int {
	n := 1
	for i := range in.Sequences() {
		n = max(n, in.Bounds[i+1]-in.Bounds[i])
	}
	return n
}

// EncoderLayer is one layer of an encoder: attention and an MLP, each with a
// norm, after it as in BERT or before it as in ViT.
type EncoderLayer struct {
	Attention
	Q, K, V, O   Linear
	AttNorm      LayerNorm
	MLP          MLP
	MLPNorm      LayerNorm
	NormsAreLast bool
}

// Forward is (tokens, dim) -> (tokens, dim), in place. bias may be nil.
func (l *EncoderLayer) Forward(ws *Workspace, bounds []int, x tensor.Tensor, bias *RelativeBias) {
	mark := ws.Arena.Mark()
	if l.NormsAreLast {
		l.O.AddTo(ws, x, l.attend(ws, bounds, x, bias))
		l.AttNorm.ForwardInto(ws, x, x)
		l.MLP.AddTo(ws, x, x)
		l.MLPNorm.ForwardInto(ws, x, x)
	} else {
		l.O.AddTo(ws, x, l.attend(ws, bounds, l.AttNorm.Forward(ws, x), bias))
		l.MLP.AddTo(ws, x, l.MLPNorm.Forward(ws, x))
	}
	ws.Arena.Release(mark)
}

// attend is the attention over x, before its output layer.
func (l *EncoderLayer) attend(ws *Workspace, bounds []int, x tensor.Tensor, bias *RelativeBias) tensor.Tensor {
	var qkv [3]tensor.Tensor
	ForwardMany(ws, x, qkv[:], &l.Q, &l.K, &l.V)
	return l.Full(ws, bounds, qkv[0], qkv[1], qkv[2], bias)
}

// EncoderNames are the dotted names of an encoder layer's parts.
type EncoderNames struct {
	Q, K, V, O, AttNorm, Up, Down, MLPNorm string
}

// NewEncoderLayer reads a layer whose linear layers all have biases.
func NewEncoderLayer(w checkpoint.Weights, n EncoderNames, a Attention, hidden int, act Activation, eps float64) EncoderLayer {
	dim := a.Heads * a.Dim
	return EncoderLayer{
		Attention: a,
		Q:         NewLinear(w.Sub(n.Q), dim, dim, true),
		K:         NewLinear(w.Sub(n.K), dim, dim, true),
		V:         NewLinear(w.Sub(n.V), dim, dim, true),
		O:         NewLinear(w.Sub(n.O), dim, dim, true),
		AttNorm:   NewLayerNorm(w.Sub(n.AttNorm), dim, eps),
		MLP:       MLP{Up: NewLinear(w.Sub(n.Up), dim, hidden, true), Down: NewLinear(w.Sub(n.Down), hidden, dim, true), Act: act},
		MLPNorm:   NewLayerNorm(w.Sub(n.MLPNorm), dim, eps),
	}
}

// BucketBias is a RelativeBias in steps that widen with the distance, as T5
// and MPNet learn it: table is (buckets, heads).
//
// Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning".
type BucketBias struct {
	table         tensor.Tensor
	maxDistance   int
	bidirectional bool
	longest       atomic.Pointer[RelativeBias]
}

// NewBucketBias reads weight (buckets, heads).
func NewBucketBias(w checkpoint.Weights, buckets, heads, maxDistance int, bidirectional bool) *BucketBias {
	return &BucketBias{table: w.Tensor("weight", buckets, heads), maxDistance: maxDistance, bidirectional: bidirectional}
}

// For is the bias for sequences of up to n tokens. It is computed once for
// lengths up to the next power of two and then shared.
func (b *BucketBias) For(n int) *RelativeBias {
	if r := b.longest.Load(); r != nil && n <= r.Zero+1 {
		return r
	}
	n = 1 << bits.Len(uint(max(n-1, 63)))
	r := &RelativeBias{Zero: n - 1, Heads: make([][]float32, b.table.Cols())}
	for h := range r.Heads {
		r.Heads[h] = make([]float32, 2*n-1)
	}
	for distance := 1 - n; distance < n; distance++ {
		row := b.table.Row(b.bucket(distance))
		for h := range r.Heads {
			r.Heads[h][r.Zero+distance] = row[h]
		}
	}
	b.longest.Store(r)
	return r
}

// bucket is the row of a distance, key − query.
func (b *BucketBias) bucket(distance int) int {
	buckets, first := b.table.Rows(), 0
	back := -distance
	if b.bidirectional {
		buckets /= 2
		if distance > 0 {
			first, back = buckets, distance
		}
	}
	back = max(back, 0)
	exact := buckets / 2
	if back < exact {
		return first + back
	}
	// in float32, as the reference: the bucket of a border distance depends on it
	scale := float32(math.Log(float64(float32(back)/float32(exact)))) / float32(math.Log(float64(b.maxDistance)/float64(exact)))
	return first + min(exact+int(scale*float32(buckets-exact)), buckets-1)
}

// Pooling says which row or rows of a sequence stand for it.
type Pooling int

// The poolings.
const (
	PoolTokens Pooling = iota // every token for itself
	PoolFirst                 // the first token ([CLS])
	PoolMean                  // the mean of all tokens
	PoolLast                  // the last token
	PoolMax                   // the largest number in each dimension
)

// Pool turns (tokens, dim) into (sequences, dim), or with PoolTokens returns
// x.
func Pool(ws *Workspace, p Pooling, x tensor.Tensor, bounds []int) tensor.Tensor {
	if p == PoolTokens {
		return x
	}
	y := ws.Arena.New(len(bounds)-1, x.Cols())
	for i := range y.Rows() {
		PoolInto(p, y.Row(i), x.Slice(bounds[i], bounds[i+1]))
	}
	return y
}

// PoolInto makes one row y of the rows of one sequence.
func PoolInto(p Pooling, y []float32, x tensor.Tensor) {
	switch {
	case x.Rows() == 0:
		clear(y)
	case p == PoolFirst:
		copy(y, x.Row(0))
	case p == PoolLast:
		copy(y, x.Row(x.Rows()-1))
	case p == PoolMax:
		copy(y, x.Row(0))
		for r := range x.Rows() {
			for j, v := range x.Row(r) {
				y[j] = max(y[j], v)
			}
		}
	default:
		clear(y)
		for r := range x.Rows() {
			for j, v := range x.Row(r) {
				y[j] += v
			}
		}
		for j := range y {
			y[j] /= float32(x.Rows())
		}
	}
}

// Head turns an encoder's output into logits: it pools, and applies a hidden
// layer, an activation and a norm, each optional, and the output layer.
type Head struct {
	Pooling Pooling
	Dense   *Linear
	Act     Activation
	Norm    *LayerNorm
	Out     Linear
}

// Forward is (tokens, dim) -> (sequences or tokens, logits).
func (h *Head) Forward(ws *Workspace, x tensor.Tensor, bounds []int) tensor.Tensor {
	return h.Rows(ws, Pool(ws, h.Pooling, x, bounds))
}

// Rows is Forward for rows that are pooled or selected already.
func (h *Head) Rows(ws *Workspace, x tensor.Tensor) tensor.Tensor {
	if h.Dense != nil {
		x = h.Dense.Forward(ws, x)
	}
	if h.Act != nil {
		h.Act.Apply(ws, x)
	}
	if h.Norm != nil {
		h.Norm.ForwardInto(ws, x, x)
	}
	return h.Out.Forward(ws, x)
}

// NewHiddenHead reads a classifier of sequences with a hidden layer, dense and
// out_proj, as RoBERTa, MPNet and BART have it.
func NewHiddenHead(w checkpoint.Weights, p Pooling, dim, labels int) *Head {
	dense := NewLinear(w.Sub("dense"), dim, dim, true)
	return &Head{Pooling: p, Dense: &dense, Act: kernel.Tanh, Out: NewLinear(w.Sub("out_proj"), dim, labels, true)}
}

// NewLMHead reads the scores of words as RoBERTa and MPNet have them: dense,
// layer_norm, and the table of words or decoder.
func NewLMHead(w checkpoint.Weights, c *EncoderConfig, words *Embedding) *Head {
	dense := NewLinear(w.Sub("dense"), c.HiddenSize, c.HiddenSize, true)
	norm := NewLayerNorm(w.Sub("layer_norm"), c.HiddenSize, c.LayerNormEps)
	out := words.Linear()
	if !c.Tied() && w.Has("decoder.weight") {
		out = NewLinear(w.Sub("decoder"), c.HiddenSize, c.VocabSize, false)
	}
	out.Bias = w.Vector("bias", c.VocabSize)
	return &Head{Dense: &dense, Act: kernel.GELU, Norm: &norm, Out: out}
}

// HeadConfig are the keys of config.json that heads depend on.
type HeadConfig struct {
	ID2Label  map[string]string `json:"id2label"`
	NumLabels int               `json:"num_labels"`
}

// Labels is the number of outputs of a classifier.
func (c HeadConfig) Labels() int {
	switch {
	case len(c.ID2Label) > 0:
		return len(c.ID2Label)
	case c.NumLabels > 0:
		return c.NumLabels
	}
	return 2
}

// EncoderConfig are the keys of config.json that the encoders of the BERT
// family share.
type EncoderConfig struct {
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	IntermediateSize      int     `json:"intermediate_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	HiddenAct             string  `json:"hidden_act"`
	LayerNormEps          float64 `json:"layer_norm_eps"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	PadTokenID            uint32  `json:"pad_token_id"`
	TieWordEmbeddings     *bool   `json:"tie_word_embeddings"` // nil: true
}

// Tied reports whether the output layer is the table of words.
func (c *EncoderConfig) Tied() bool { return c.TieWordEmbeddings == nil || *c.TieWordEmbeddings }

// Parse reads config.json into c, which embeds e and holds the defaults, and
// refuses what cannot be.
func (e *EncoderConfig) Parse(config json.RawMessage, c any) error {
	if err := json.Unmarshal(config, c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return e.Check()
}

// Check refuses what cannot be.
func (e *EncoderConfig) Check() error {
	for name, v := range map[string]int{
		"vocab_size": e.VocabSize, "hidden_size": e.HiddenSize, "intermediate_size": e.IntermediateSize,
		"num_hidden_layers": e.NumHiddenLayers, "num_attention_heads": e.NumAttentionHeads,
		"max_position_embeddings": e.MaxPositionEmbeddings,
	} {
		if v <= 0 || v > maxConfigSize {
			return fmt.Errorf("%w: config.json has %s %d", checkpoint.ErrFormat, name, v)
		}
	}
	if e.HiddenSize%e.NumAttentionHeads != 0 {
		return fmt.Errorf("%w: %d numbers do not divide among %d heads", checkpoint.ErrFormat, e.HiddenSize, e.NumAttentionHeads)
	}
	return nil
}

// Attention is the attention that the configuration describes.
func (e *EncoderConfig) Attention() Attention {
	return NewAttention(e.NumAttentionHeads, e.NumAttentionHeads, e.HiddenSize/e.NumAttentionHeads)
}
