package card

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
)

// Limits on what one repository can add to the catalog.
const (
	maxLabels = 500 // labels
	maxLabel  = 200 // bytes of one
	maxPapers = 50  // arXiv ids
)

// Input is what Derive looks at.
type Input struct {
	Type     hub.RepoType
	Data     Data              // the card's metadata; nil without
	Body     []byte            // the card's text, searched for papers
	Files    []string          // every path in the repository
	Contents map[string][]byte // the files that Wanted names
	GGUF     *gguf.Summary     // of the repository's GGUF file, if any
	Region   string            // of storage, for the region label; "us" if empty

	parsed map[string]jsonObject
}

// Derived is what the hub says about a repository, in the spelling of repo
// info. Fields that do not apply to its type are empty.
type Derived struct {
	CardData Data     `json:"cardData,omitempty"`
	Tags     []string `json:"tags"`
	License  string   `json:"license,omitempty"` // not on the wire of repo info; for pages

	// Models.
	PipelineTag      string            `json:"pipeline_tag,omitempty"`
	LibraryName      string            `json:"library_name,omitempty"`
	MaskToken        string            `json:"mask_token,omitempty"`
	WidgetData       []any             `json:"widgetData,omitempty"`
	ModelIndex       any               `json:"model-index,omitempty"`
	Config           map[string]any    `json:"config,omitempty"`
	TransformersInfo *TransformersInfo `json:"transformersInfo,omitempty"`
	BaseModels       *BaseModels       `json:"baseModels,omitempty"`

	// Datasets.
	PrettyName       string `json:"pretty_name,omitempty"`
	PapersWithCodeID string `json:"paperswithcode_id,omitempty"`

	// Spaces.
	Title            string   `json:"title,omitempty"`
	SDK              string   `json:"sdk,omitempty"`
	SDKVersion       string   `json:"sdk_version,omitempty"`
	AppFile          string   `json:"app_file,omitempty"`
	Emoji            string   `json:"emoji,omitempty"`
	ColorFrom        string   `json:"colorFrom,omitempty"`
	ColorTo          string   `json:"colorTo,omitempty"`
	ShortDescription string   `json:"shortDescription,omitempty"`
	Pinned           bool     `json:"pinned,omitempty"`
	Models           []string `json:"models,omitempty"`
	Datasets         []string `json:"datasets,omitempty"`
}

// BaseModels are the models that a model was made from.
type BaseModels struct {
	Relation string      `json:"relation"`
	Models   []BaseModel `json:"models"`
}

// BaseModel names one of them.
type BaseModel struct {
	ID string `json:"id"`
}

// relations are the values of base_model_relation.
const relations = `adapter merge quantized finetune`

// Derive says what a repository is.
func Derive(in Input) Derived {
	in.parsed = map[string]jsonObject{}
	d := Derived{CardData: in.Data, License: first(in.Data.List("license"))}
	var l labels
	switch in.Type {
	case hub.Dataset:
		in.dataset(&d, &l)
	case hub.Space:
		in.space(&d, &l)
	default:
		in.model(&d, &l)
	}
	d.Tags = l.list
	if d.Tags == nil {
		d.Tags = []string{}
	}
	return d
}

// labels collects labels in order, without duplicates.
type labels struct {
	list []string
	seen map[string]bool
}

func (l *labels) add(tags ...string) {
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	for _, t := range tags {
		t = strings.TrimSpace(t)
		if t == "" || len(t) > maxLabel || l.seen[t] || len(l.list) == maxLabels {
			continue
		}
		l.seen[t] = true
		l.list = append(l.list, t)
	}
}

func (l *labels) addAll(prefix string, values []string) {
	for _, v := range values {
		l.add(prefix + v)
	}
}

func (in *Input) has(file string) bool { return slices.Contains(in.Files, file) }

func (in *Input) hasExt(ext string) bool {
	return slices.ContainsFunc(in.Files, func(f string) bool { return strings.HasSuffix(f, ext) })
}

// json is a file's object, parsed once; nil if it is absent or malformed.
func (in *Input) json(file string) jsonObject {
	o, ok := in.parsed[file]
	if !ok {
		o = parseObject(in.Contents[file])
		in.parsed[file] = o
	}
	return o
}

func (in *Input) region() string {
	if in.Region == "" {
		return "region:us"
	}
	return "region:" + in.Region
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (in *Input) model(d *Derived, l *labels) {
	cardTags := in.Data.List("tags")
	cfg := in.json("config.json")
	d.Config = in.config()
	d.LibraryName = in.library(cardTags)
	if d.LibraryName != "diffusers" {
		d.TransformersInfo = transformersInfo(cfg)
	}
	d.PipelineTag = in.pipelineTag(d, cardTags)
	if d.PipelineTag == "fill-mask" {
		d.MaskToken = in.maskToken()
	}
	d.WidgetData = widgets(in.Data["widget"])
	d.ModelIndex = in.Data["model-index"]
	d.BaseModels = in.baseModels(d.LibraryName, cardTags)
	d.Datasets = in.Data.List("datasets")

	l.add(d.LibraryName)
	l.add(in.formats()...)
	l.add(cfg.text("model_type"), d.PipelineTag)
	l.add(cardTags...)
	if in.chatTemplate() && (d.PipelineTag == "text-generation" || d.PipelineTag == "image-text-to-text") {
		l.add("conversational")
	}
	if cfg.object("auto_map") != nil {
		l.add("custom_code")
	}
	if in.Data["co2_eq_emissions"] != nil {
		l.add("co2_eq_emissions")
	}
	l.add(in.Data.List("language")...)
	l.addAll("dataset:", d.Datasets)
	l.addAll("arxiv:", papers(in.Body))
	if b := d.BaseModels; b != nil {
		for _, m := range b.Models {
			l.add("base_model:" + m.ID)
		}
		for _, m := range b.Models {
			l.add("base_model:" + b.Relation + ":" + m.ID)
		}
	}
	l.addAll("license:", in.Data.List("license"))
	if len(itemsOf(d.ModelIndex)) > 0 {
		l.add("model-index", "eval-results")
	}
	l.add(in.quantizationTags()...)
	l.add(in.region())
}

// library is the card's library_name, or what tags and files show.
func (in *Input) library(tags []string) string {
	if s := in.Data.Text("library_name"); s != "" {
		return s
	}
	for _, t := range tags {
		if oneOf(libraries, t) {
			return t
		}
	}
	cfg := in.json("config.json")
	switch {
	case in.has("adapter_config.json"):
		if in.json("adapter_config.json")["model_name"] != nil {
			return "adapter-transformers"
		}
		return "peft"
	case in.has("modules.json") || in.has("config_sentence_transformers.json"):
		return "sentence-transformers"
	case in.has("model_index.json") || in.diffusersClass() != "":
		return "diffusers"
	case in.has("open_clip_config.json"):
		return "open_clip"
	case in.has("gliner_config.json"):
		return "gliner"
	case in.has("mlc-chat-config.json"):
		return "mlc-llm"
	case cfg.text("model_type") != "" || len(cfg.texts("architectures")) > 0:
		return "transformers"
	case in.has("hyperparams.yaml"):
		return "speechbrain"
	case in.has("sklearn_model.joblib"):
		return "sklearn"
	case in.hasExt(".nemo"):
		return "nemo"
	case in.hasExt(".keras"):
		return "keras"
	case in.has("saved_model.pb"):
		return "tf-keras"
	case in.hasExt(".gguf"):
		return "gguf"
	}
	return ""
}

// pipelineTag is the card's, or what architecture, tags and library show.
func (in *Input) pipelineTag(d *Derived, tags []string) string {
	if s := in.Data.Text("pipeline_tag"); s != "" {
		return s
	}
	if d.LibraryName == "sentence-transformers" {
		return "sentence-similarity"
	}
	for _, t := range tags {
		if t != "other" && oneOf(pipelineTags, t) {
			return t
		}
	}
	if d.TransformersInfo != nil && d.TransformersInfo.PipelineTag != "" {
		return d.TransformersInfo.PipelineTag
	}
	if class := in.diffusersClass(); class != "" {
		return diffusersTask(class)
	}
	if task := in.json("adapter_config.json").text("task_type"); task == "CAUSAL_LM" {
		return "text-generation"
	}
	if in.GGUF != nil && in.GGUF.ChatTemplate != "" {
		return "text-generation"
	}
	return ""
}

// diffusersTask is the task of a diffusers pipeline class.
func diffusersTask(class string) string {
	switch {
	case !strings.HasSuffix(class, "Pipeline"):
		return ""
	case strings.Contains(class, "ImageToVideo"), strings.Contains(class, "Img2Vid"), class == "StableVideoDiffusionPipeline":
		return "image-to-video"
	case strings.Contains(class, "Video"), strings.Contains(class, "AnimateDiff"), strings.HasPrefix(class, "Wan"), strings.HasPrefix(class, "Mochi"), strings.HasPrefix(class, "LTX"):
		return "text-to-video"
	case strings.Contains(class, "Audio"), strings.Contains(class, "MusicLDM"):
		return "text-to-audio"
	case strings.Contains(class, "Img2Img"), strings.Contains(class, "Inpaint"), strings.Contains(class, "Upscale"), strings.Contains(class, "Edit"), strings.Contains(class, "Kontext"), strings.Contains(class, "InstructPix2Pix"):
		return "image-to-image"
	case strings.HasPrefix(class, "DDPM"), strings.HasPrefix(class, "DDIM"), strings.HasPrefix(class, "PNDM"), strings.HasPrefix(class, "LDMPipeline"), strings.HasPrefix(class, "ScoreSdeVe"), strings.HasPrefix(class, "Consistency"):
		return "unconditional-image-generation"
	case strings.Contains(class, "ShapE"):
		return "text-to-3d"
	}
	return "text-to-image"
}

// formats are the labels of the files' formats and frameworks.
func (in *Input) formats() []string {
	var found [len(formatRules)]bool
	for _, f := range in.Files {
		base := path.Base(f)
		for i, rule := range formatRules {
			found[i] = found[i] || rule.match(f, base)
		}
	}
	var out []string
	for i, rule := range formatRules {
		if found[i] {
			out = append(out, rule.label)
		}
	}
	return out
}

// formatRule gives a label to a file; rules stand in the order of labels.
type formatRule struct {
	label            string
	base             string // the name of the file
	prefix, suffix   string // of the name
	folder, contains string // of the path
}

var formatRules = [...]formatRule{
	{label: "pytorch", prefix: "pytorch_model", suffix: ".bin"},
	{label: "tf", base: "tf_model.h5"},
	{label: "jax", base: "flax_model.msgpack"},
	{label: "rust", base: "rust_model.ot"},
	{label: "coreml", suffix: ".mlmodel"},
	{label: "coreml", folder: "coreml/"},
	{label: "coreml", contains: ".mlpackage/"},
	{label: "onnx", suffix: ".onnx"},
	{label: "tflite", suffix: ".tflite"},
	{label: "openvino", base: "openvino_model.xml"},
	{label: "tensorboard", contains: "tfevents"},
	{label: "safetensors", suffix: ".safetensors"},
	{label: "gguf", suffix: ".gguf"},
	{label: "joblib", suffix: ".joblib"},
	{label: "nemo", suffix: ".nemo"},
	{label: "keras", suffix: ".keras"},
}

func (r *formatRule) match(file, base string) bool {
	if r.base != "" {
		return base == r.base
	}
	return strings.HasPrefix(base, r.prefix) && strings.HasSuffix(base, r.suffix) && strings.HasPrefix(file, r.folder) && strings.Contains(file, r.contains)
}

// widgets are the card's examples; a bare string is text.
func widgets(v any) []any {
	var out []any
	for _, item := range itemsOf(v) {
		switch item := item.(type) {
		case string:
			out = append(out, map[string]any{"text": item})
		case map[string]any:
			out = append(out, item)
		}
	}
	return out
}

// baseModels reads base_model, and guesses the relation if the card is silent.
func (in *Input) baseModels(library string, tags []string) *BaseModels {
	b := &BaseModels{Relation: in.Data.Text("base_model_relation")}
	for _, id := range in.Data.List("base_model") {
		if repoReference.MatchString(id) {
			b.Models = append(b.Models, BaseModel{ID: id})
		}
	}
	if len(b.Models) == 0 {
		return nil
	}
	if !oneOf(relations, b.Relation) {
		b.Relation = in.relation(library, tags, len(b.Models))
	}
	return b
}

func (in *Input) relation(library string, tags []string, bases int) string {
	tagged := func(list string) bool {
		return slices.ContainsFunc(tags, func(t string) bool { return oneOf(list, strings.ToLower(t)) })
	}
	switch {
	case library == "peft" || library == "adapter-transformers" || in.has("adapter_config.json") || tagged("lora adapter"):
		return "adapter"
	case tagged("merge mergekit lazymergekit") || in.has("mergekit_config.yml"):
		return "merge"
	case in.hasExt(".gguf") || in.json("config.json").object("quantization_config") != nil || in.json("config.json").object("quantization") != nil ||
		tagged("gguf gptq awq exl2 exl3 quantized bitsandbytes 4-bit 8-bit mlx"):
		return "quantized"
	case bases > 1:
		return "merge"
	}
	return "finetune"
}

var paper = regexp.MustCompile(`(?i)(?:arxiv\.org/(?:abs|pdf|html)/|(?:huggingface\.co|hf\.co)/papers/|\barxiv:\s?)(\d{4}\.\d{4,5})(?:\D|$)`)

// papers finds arXiv ids in a card's text, in order.
func papers(body []byte) []string {
	var out []string
	for _, m := range paper.FindAllSubmatch(body, 10*maxPapers) {
		if id := string(m[1]); !slices.Contains(out, id) && len(out) < maxPapers {
			out = append(out, id)
		}
	}
	return out
}
