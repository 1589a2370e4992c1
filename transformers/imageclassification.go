package transformers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/image"
	"github.com/pantryhub/pantry/transformers/models/clip"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// imageClassifier scores a picture's labels.
type imageClassifier interface {
	Forward(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error)
}

// processor is the model's image processor.
func (m *Model) processor() (*image.Processor, error) {
	files := image.Files{ModelType: m.config.ModelType}
	for name, into := range map[string]*[]byte{"preprocessor_config.json": &files.Preprocessor, "processor_config.json": &files.Processor} {
		data, err := checkpoint.ReadLimited(m.dir, name, maxSidecar)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		*into = data
	}
	return image.NewProcessor(files, image.Torchvision)
}

// pixels decodes a picture and makes the network's input of it.
func pixels(p *image.Processor, picture io.Reader) (tensor.Tensor, error) {
	rgb, err := image.Open(picture, image.Limits{})
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	x, err := p.Process(rgb)
	if err != nil {
		return x, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return x, nil
}

// ImageClassificationParameters are the options of a classification.
type ImageClassificationParameters struct {
	FunctionToApply ClassificationOutputTransform `json:"function_to_apply,omitempty"`
	TopK            int                           `json:"top_k,omitempty"` // labels returned; 0: 5
}

// ImageClassificationOutputElement is one label of a picture.
type ImageClassificationOutputElement = ClassificationOutput

// ImageClassificationPipeline says what is in a picture.
type ImageClassificationPipeline struct {
	model     *Model
	processor *image.Processor
	network   imageClassifier
	labels    []string
}

// ImageClassification builds the pipeline. The error wraps ErrUnsupported if
// the model cannot do it.
func (m *Model) ImageClassification() (p *ImageClassificationPipeline, err error) {
	defer recovered(&err)
	release, err := m.hold()
	if err != nil {
		return nil, err
	}
	defer release()
	a, err := m.architecture("image-classification", func(a architecture) bool { return a.image != nil })
	if err != nil {
		return nil, err
	}
	p = &ImageClassificationPipeline{model: m}
	if p.network, err = a.image(m.checkpoint.Config, m.checkpoint.Weights()); err != nil {
		return nil, err
	}
	if p.processor, err = m.processor(); err != nil {
		return nil, fmt.Errorf("image-classification: %w", err)
	}
	p.labels = m.labels(max(len(m.config.ID2Label), 1))
	return p, nil
}

// Run classifies a picture (JPEG, PNG, WebP, GIF, BMP): labels by falling
// score.
func (p *ImageClassificationPipeline) Run(ctx context.Context, picture io.Reader, o ImageClassificationParameters) (out []ImageClassificationOutputElement, err error) {
	defer recovered(&err)
	apply, err := p.model.transform(o.FunctionToApply, len(p.labels))
	if err != nil {
		return nil, err
	}
	x, err := pixels(p.processor, picture)
	if err != nil {
		return nil, err
	}
	ws, done, err := p.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	logits, err := p.network.Forward(ws, x)
	if err := ws.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if err := numbers(logits.Data); err != nil {
		return nil, err
	}
	scores := slices.Clone(logits.Data)
	apply(scores)
	if o.TopK == 0 {
		o.TopK = 5
	}
	if len(p.labels) != len(scores) {
		return ranked(p.model.labels(len(scores)), scores, o.TopK), nil
	}
	return ranked(p.labels, scores, o.TopK), nil
}

// ZeroShotImageClassificationParameters are the labels and how to read them.
type ZeroShotImageClassificationParameters struct {
	CandidateLabels []string `json:"candidate_labels"`
	// HypothesisTemplate makes a sentence of a label, which stands for "{}".
	HypothesisTemplate string `json:"hypothesis_template,omitempty"` // "": "This is a photo of {}."
}

// ZeroShotImageClassificationOutputElement is a label and how well it fits.
type ZeroShotImageClassificationOutputElement = ClassificationOutput

// ZeroShotImageClassificationPipeline says which of any labels fit a picture.
type ZeroShotImageClassificationPipeline struct {
	model     *Model
	processor *image.Processor
	network   *clip.Model
}

// ZeroShotImageClassification builds the pipeline. The error wraps
// ErrUnsupported if the model cannot do it.
func (m *Model) ZeroShotImageClassification() (p *ZeroShotImageClassificationPipeline, err error) {
	defer recovered(&err)
	release, err := m.hold()
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := m.text(); err != nil {
		return nil, err
	}
	a, err := m.architecture("zero-shot-image-classification", func(a architecture) bool { return a.contrastive != nil })
	if err != nil {
		return nil, err
	}
	p = &ZeroShotImageClassificationPipeline{model: m}
	if p.network, err = a.contrastive(m.checkpoint.Config, m.checkpoint.Weights()); err != nil {
		return nil, err
	}
	if p.processor, err = m.processor(); err != nil {
		return nil, fmt.Errorf("zero-shot-image-classification: %w", err)
	}
	return p, nil
}

// Run scores the labels for a picture: by falling score.
func (p *ZeroShotImageClassificationPipeline) Run(ctx context.Context, picture io.Reader, o ZeroShotImageClassificationParameters) (out []ZeroShotImageClassificationOutputElement, err error) {
	defer recovered(&err)
	in, err := p.texts(o)
	if err != nil {
		return nil, err
	}
	x, err := pixels(p.processor, picture)
	if err != nil {
		return nil, err
	}
	ws, done, err := p.model.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	embedding, err := p.network.Image(ws, x)
	if err := ws.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	embedding = embedding.Clone()
	ws.Begin(ctx)
	texts := p.network.Texts(ws, in)
	if err := ws.Err(); err != nil {
		return nil, err
	}
	scores := make([]float32, texts.Rows())
	for i := range scores {
		scores[i] = p.network.LogitScale() * kernel.Dot(embedding.Data, texts.Row(i))
	}
	if err := numbers(scores); err != nil {
		return nil, err
	}
	kernel.Softmax(scores)
	return ranked(slices.Clone(o.CandidateLabels), scores, 0), nil
}

func (p *ZeroShotImageClassificationPipeline) texts(o ZeroShotImageClassificationParameters) (*nn.Input, error) {
	if len(o.CandidateLabels) == 0 {
		return nil, fmt.Errorf("%w: zero-shot-image-classification needs candidate_labels", ErrInput)
	}
	template := o.HypothesisTemplate
	if template == "" {
		template = "This is a photo of {}."
	}
	var text struct {
		TextConfig struct {
			MaxPosition int `json:"max_position_embeddings"`
		} `json:"text_config"`
	}
	text.TextConfig.MaxPosition = 77
	if err := json.Unmarshal(p.model.checkpoint.Config, &text); err != nil {
		return nil, err
	}
	t := p.model.tokenizer.WithPadding(nil).WithTruncation(&tokenizers.Truncation{MaxLength: text.TextConfig.MaxPosition})
	var in nn.Input
	for _, label := range o.CandidateLabels {
		e, err := t.Encode(strings.ReplaceAll(template, "{}", label), true)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInput, err)
		}
		in.Append(e.IDs, nil)
	}
	return &in, nil
}
