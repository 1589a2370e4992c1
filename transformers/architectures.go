package transformers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/bart"
	"github.com/pantryhub/pantry/transformers/models/bert"
	"github.com/pantryhub/pantry/transformers/models/clip"
	"github.com/pantryhub/pantry/transformers/models/convnext"
	"github.com/pantryhub/pantry/transformers/models/distilbert"
	"github.com/pantryhub/pantry/transformers/models/gemma2"
	"github.com/pantryhub/pantry/transformers/models/gemma3"
	"github.com/pantryhub/pantry/transformers/models/gpt2"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/marian"
	"github.com/pantryhub/pantry/transformers/models/mistral"
	"github.com/pantryhub/pantry/transformers/models/modernbert"
	"github.com/pantryhub/pantry/transformers/models/mpnet"
	"github.com/pantryhub/pantry/transformers/models/phi3"
	"github.com/pantryhub/pantry/transformers/models/qwen2"
	"github.com/pantryhub/pantry/transformers/models/qwen3"
	"github.com/pantryhub/pantry/transformers/models/resnet"
	"github.com/pantryhub/pantry/transformers/models/roberta"
	"github.com/pantryhub/pantry/transformers/models/t5"
	"github.com/pantryhub/pantry/transformers/models/vit"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// encoder turns tokens into hidden states: (tokens, dim).
type encoder interface {
	Forward(ws *nn.Workspace, in *nn.Input) tensor.Tensor
}

// decoder predicts the next token of sequences.
type decoder interface {
	KVShape() nn.KVShape
	Vocabulary() int
	MaxPosition() int
	Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor
}

// seq2seq predicts the next token of an output, looking at an input.
type seq2seq interface {
	decoder
	Encode(ws *nn.Workspace, in *nn.Input) []*nn.Memory
}

// Builders of the networks of one architecture; nil for tasks that it has none
// for.
type (
	buildEncoder func(json.RawMessage, checkpoint.Weights) (encoder, error)
	buildHead    func(json.RawMessage, checkpoint.Weights) (encoder, *nn.Head, error)
	buildDecoder func(json.RawMessage, checkpoint.Weights) (decoder, error)
	buildSeq2Seq func(json.RawMessage, checkpoint.Weights) (seq2seq, error)
	buildImage   func(json.RawMessage, checkpoint.Weights) (imageClassifier, error)
	buildCLIP    func(json.RawMessage, checkpoint.Weights) (*clip.Model, error)
)

// architecture is what a model type can do.
type architecture struct {
	encoder  buildEncoder // hidden states
	sequence buildHead    // labels of a text
	token    buildHead    // labels of tokens
	answer   buildHead    // start and end of an answer
	mask     buildHead    // words for masked tokens
	decoder  buildDecoder
	seq2seq  buildSeq2Seq

	image       buildImage // labels of a picture
	contrastive buildCLIP  // pictures and texts in one space
}

// architectures is the table of model types.
var architectures = map[string]architecture{
	"bert":        encoders(bert.New, bert.NewSequenceClassifier, bert.NewTokenClassifier, bert.NewQuestionAnswerer, bert.NewMaskFiller),
	"distilbert":  encoders(distilbert.New, distilbert.NewSequenceClassifier, distilbert.NewTokenClassifier, distilbert.NewQuestionAnswerer, distilbert.NewMaskFiller),
	"roberta":     robertas,
	"xlm-roberta": robertas,
	"camembert":   robertas,
	"mpnet":       encoders(mpnet.New, mpnet.NewSequenceClassifier, mpnet.NewTokenClassifier, mpnet.NewQuestionAnswerer, mpnet.NewMaskFiller),
	"modernbert":  encoders(modernbert.New, modernbert.NewSequenceClassifier, modernbert.NewTokenClassifier, modernbert.NewQuestionAnswerer, modernbert.NewMaskFiller),

	"llama":       {decoder: decoders(llama.New)},
	"mistral":     {decoder: decoders(mistral.New)},
	"qwen2":       {decoder: decoders(qwen2.New)},
	"qwen3":       {decoder: decoders(qwen3.New)},
	"gemma2":      {decoder: decoders(gemma2.New)},
	"gemma3_text": {decoder: decoders(gemma3.New)},
	"phi3":        {decoder: decoders(phi3.New)},
	"gpt2":        {decoder: decoders(gpt2.New)},

	"bart":   {seq2seq: seq2seqs(bart.New), sequence: heads(bart.NewSequenceClassifier)},
	"marian": {seq2seq: seq2seqs(marian.New)},
	"t5":     {seq2seq: seq2seqs(t5.New)},
	"mt5":    {seq2seq: seq2seqs(t5.New)},

	"vit":      {image: images(vit.New)},
	"resnet":   {image: images(resnet.New)},
	"convnext": {image: images(convnext.New)},
	"clip":     {contrastive: clip.New},
}

var robertas = encoders(roberta.New, roberta.NewSequenceClassifier, roberta.NewTokenClassifier, roberta.NewQuestionAnswerer, roberta.NewMaskFiller)

type headOf[M encoder] func(json.RawMessage, checkpoint.Weights) (M, *nn.Head, error)

// encoders is the row of an architecture of the BERT family.
func encoders[M encoder](bare func(json.RawMessage, checkpoint.Weights) (M, error), sequence, token, answer, mask headOf[M]) architecture {
	return architecture{
		encoder: func(c json.RawMessage, w checkpoint.Weights) (encoder, error) {
			m, err := bare(c, w)
			return m, err
		},
		sequence: heads(sequence), token: heads(token), answer: heads(answer), mask: heads(mask),
	}
}

func heads[M encoder](build headOf[M]) buildHead {
	return func(c json.RawMessage, w checkpoint.Weights) (encoder, *nn.Head, error) {
		m, h, err := build(c, w)
		return m, h, err
	}
}

func decoders[M decoder](build func(json.RawMessage, checkpoint.Weights) (M, error)) buildDecoder {
	return func(c json.RawMessage, w checkpoint.Weights) (decoder, error) {
		m, err := build(c, w)
		return m, err
	}
}

func seq2seqs[M seq2seq](build func(json.RawMessage, checkpoint.Weights) (M, error)) buildSeq2Seq {
	return func(c json.RawMessage, w checkpoint.Weights) (seq2seq, error) {
		m, err := build(c, w)
		return m, err
	}
}

func images[M imageClassifier](build func(json.RawMessage, checkpoint.Weights) (M, error)) buildImage {
	return func(c json.RawMessage, w checkpoint.Weights) (imageClassifier, error) {
		m, err := build(c, w)
		return m, err
	}
}

// bareEncoder picks the network without a head.
func bareEncoder(a architecture) buildHead {
	if a.encoder == nil {
		return nil
	}
	return func(c json.RawMessage, w checkpoint.Weights) (encoder, *nn.Head, error) {
		m, err := a.encoder(c, w)
		return m, nil, err
	}
}

// Architectures lists the model types that run here, sorted.
func Architectures() []string { return slices.Sorted(maps.Keys(architectures)) }

// architecture is the model's row of the table, if it has what is asked for.
func (m *Model) architecture(task string, has func(architecture) bool) (architecture, error) {
	a, ok := architectures[m.config.ModelType]
	if ok && has(a) {
		return a, nil
	}
	var able []string
	for _, name := range Architectures() {
		if has(architectures[name]) {
			able = append(able, name)
		}
	}
	if !ok {
		return a, fmt.Errorf("%w: model type %q is not known; %s runs with %s", ErrUnsupported, m.config.ModelType, task, strings.Join(able, ", "))
	}
	return a, fmt.Errorf("%w: a model of type %q cannot do %s, which runs with %s", ErrUnsupported, m.config.ModelType, task, strings.Join(able, ", "))
}
