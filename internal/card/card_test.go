package card_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/card"
)

// hubBlock is the public Hub's own expression, as its client quotes it.
var hubBlock = regexp.MustCompile(`^(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(\r\n|\n|$))`)

func TestSplitAgreesWithHubExpression(t *testing.T) {
	atoms := []string{"---", "---", "---\n", "\n", "\r\n", "\r", " ", "\t", "a: 1", "--", "----", "\n---", "\n---\n", "# T"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		var b strings.Builder
		for range r.IntN(9) {
			b.WriteString(atoms[r.IntN(len(atoms))])
		}
		src := b.String()
		front, body, ok := card.Split([]byte(src))
		m := hubBlock.FindStringSubmatch(src)
		if ok != (m != nil) {
			t.Fatalf("Split(%q) = %v, the Hub says %v", src, ok, m != nil)
		}
		if m != nil && (string(front) != m[2] || string(body) != src[len(m[0]):]) {
			t.Fatalf("Split(%q) = %q, %q; the Hub says %q, %q", src, front, body, m[2], src[len(m[0]):])
		}
		if m == nil && string(body) != src {
			t.Fatalf("Split(%q): body %q", src, body)
		}
	}
}

func TestParseValues(t *testing.T) {
	c, err := card.Parse([]byte(`---
a: 2024-01-02
b: 2024-01-02T03:04:05+02:00
language: no
e: 1e3
n: ~
i: 0x1F
v: 1.10
t: True
big: 12345678901234567890
inf: .inf
1: key
q: "2024-01-02"
emoji: "\ud83e\udd17"
base: &x {k: 1, l: 2}
use: {<<: *x, l: 3}
list: [a, 1, null]
---
# Body
`))
	if err != nil {
		t.Fatal(err)
	}
	want := card.Data{
		"a": "2024-01-02T00:00:00.000Z", "b": "2024-01-02T01:04:05.000Z", "language": "no", "e": 1000.0, "n": nil, "i": int64(31), "v": 1.1, "t": true,
		"big": 12345678901234567890.0, "inf": nil, "1": "key", "q": "2024-01-02", "emoji": "🤗",
		"base": map[string]any{"k": int64(1), "l": int64(2)}, "use": map[string]any{"k": int64(1), "l": int64(3)}, "list": []any{"a", int64(1), nil},
	}
	if diff := cmp.Diff(want, c.Data); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if string(c.Body) != "# Body\n" {
		t.Errorf("body %q", c.Body)
	}
}

func TestParseRefuses(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", i-1), 9), ","))
	}
	for name, tt := range map[string]struct {
		yaml, want string
		line       int
	}{
		"open bracket":    {"license: [", "did not find", 3},
		"syntax":          {"ok: 1\na: b: c", "mapping values", 3},
		"duplicate":       {"a: 1\nb: 2\na: 3", `duplicated mapping key "a"`, 4},
		"bomb":            {bomb, "more than 50000 values", 0},
		"cycle":           {"a: &a [*a]", "", 0},
		"depth":           {"a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested more", 2},
		"very deep":       {strings.Repeat("[", 100_000), "", 0},
		"size":            {"a: " + strings.Repeat("x", 300<<10), "more than the limit", 0},
		"complex key":     {"? [a, b]\n: c", "not a scalar", 2},
		"not a date":      {"a: !!timestamp x", "", 0},
		"tab indentation": {"a:\n\tb: 1", "", 3},
	} {
		c, err := card.Parse([]byte("---\n" + tt.yaml + "\n---\nbody"))
		var syntax *card.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(syntax.Message, tt.want) || (tt.line > 0 && syntax.Line != tt.line) {
			t.Errorf("%s: Parse = %v (line %d), want a SyntaxError with %q at %d", name, err, lineOf(syntax), tt.want, tt.line)
		}
		if string(c.Body) != "body" {
			t.Errorf("%s: body %q", name, c.Body)
		}
	}
	if _, err := card.Parse([]byte("---\n- a\n---\n")); !errors.Is(err, card.ErrNotMapping) {
		t.Errorf("a list: %v", err)
	}
}

func lineOf(e *card.SyntaxError) int {
	if e == nil {
		return -1
	}
	return e.Line
}

// The first group are answers that the public endpoint gave.
func TestValidate(t *testing.T) {
	const missing = "empty or missing yaml metadata in repo card"
	long := strings.Repeat("x", 61)
	for _, tt := range []struct {
		name     string
		repo     hub.RepoType
		card     string
		errors   []string // each a substring of one message, in order
		warnings []string
	}{
		{"good", hub.Model, "---\nlicense: mit\n---\n", nil, nil},
		{"no front matter", hub.Model, "# hello", nil, []string{missing}},
		{"ragged fence", hub.Model, "---\nlicense: mit\n---oops", nil, []string{missing}},
		{"no line between fences", hub.Model, "---\n---\n", nil, []string{missing}},
		{"syntax", hub.Model, "---\nlicense: [\n---\n", []string{"Invalid YAML in README.md: "}, nil},
		{"scalar", hub.Model, "---\nhello\n---\n", []string{"The YAML metadata of your README.md is invalid."}, nil},
		{"empty block", hub.Model, "---\n\n---\n", []string{"The YAML metadata of your README.md is invalid."}, nil},
		{"list", hub.Model, "---\n- a\n- b\n---\n", []string{`"value" must be of type object`}, nil},
		{"unknown key", hub.Model, "---\nbogus_key: 1\n---\n", nil, nil},

		{"license", hub.Model, "---\nlicense: asdf\n---\n", []string{`"license" must be one of [apache-2.0, mit,`}, nil},
		{"license list", hub.Dataset, "---\nlicense: [mit, x]\n---\n", []string{`"license[1]" must be one of`}, nil},
		{"language", hub.Model, "---\nlanguage: [en, English, english, zho, multilingual, no]\n---\n", []string{`"language[1]" must only contain lowercase`, `"language[2]" with value "english" is not valid. It must be an ISO`}, nil},
		{"tags", hub.Model, "---\ntags: one\n---\n", []string{`"tags" must be an array`}, nil},
		{"tag items", hub.Model, "---\ntags: [a, 1]\n---\n", []string{`"tags[1]" must be a string`}, nil},
		{"base_model", hub.Model, "---\nbase_model: Kokoro 82M\n---\n", []string{`"base_model" with value "Kokoro 82M" is not valid. Use a model id from https://hf.co/models.`}, nil},
		{"base_model path", hub.Model, "---\nbase_model: /workspace/x\n---\n", []string{`"base_model" with value "/workspace/x" is not valid.`}, nil},
		{"relation", hub.Model, "---\nbase_model: a/b\nbase_model_relation: child\n---\n", []string{`"base_model_relation" must be one of [adapter, merge, quantized, finetune]`}, nil},
		{"datasets", hub.Model, "---\ndatasets: [a/b, c/d/e]\n---\n", []string{`"datasets[1]" with value "c/d/e" is not valid. Use a dataset id from https://hf.co/datasets.`}, nil},
		{"pipeline type", hub.Model, "---\npipeline_tag: [x]\n---\n", []string{`"pipeline_tag" must be a string`}, nil},
		{"pipeline word", hub.Model, "---\npipeline_tag: make-tea\n---\n", nil, []string{`The pipeline tag "make-tea" is not in the official list`}},
		{"metrics", hub.Model, "---\nmetrics: {a: b}\n---\n", []string{`"metrics" must be a string`}, nil},
		{"model-index", hub.Model, "---\nmodel-index:\n- results:\n  - task: {}\n    metrics:\n    - type: acc\n- name: x\n---\n", []string{
			`"model-index[0].name" is required`, `"model-index[0].results[0].task.type" is required`, `"model-index[0].results[0].metrics[0].value" is required`, `"model-index[1].results" is required`}, nil},
		{"model-index good", hub.Model, "---\nmodel-index:\n- name: m\n  results:\n  - task: {type: t}\n    dataset: {type: d, name: D}\n    metrics: [{type: acc, value: 1}]\n---\n", nil, nil},
		{"task_categories", hub.Dataset, "---\ntask_categories: [text-generation, make-tea]\ntask_ids: [x]\n---\n", nil, []string{`The task_categories "make-tea"`, `The task_ids "x"`}},
		{"size", hub.Dataset, "---\nsize_categories: huge\n---\n", []string{`"size_categories" must be one of [n<1K, 1K<n<10K`}, nil},
		{"configs", hub.Dataset, "---\nconfigs: [{data_files: x}]\n---\n", []string{`"configs[0].config_name" is required`}, nil},
		{"color", hub.Space, "---\nsdk: gradio\ncolorFrom: orange\n---\n", []string{`"colorFrom" must be one of [red, yellow, green, blue, indigo, purple, pink, gray]`}, nil},
		{"sdk", hub.Space, "---\nsdk: php\n---\n", []string{`"sdk" must be one of [gradio, streamlit, docker, static]`}, nil},
		{"short_description", hub.Space, "---\nshort_description: " + long + "\n---\n", []string{`"short_description" length must be less than or equal to 60 characters`}, nil},
		{"space version as number", hub.Space, "---\nsdk: gradio\nsdk_version: 5.1\n---\n", nil, nil},
	} {
		got := card.Validate(tt.repo, []byte(tt.card))
		checkMessages(t, tt.name+" errors", got.Errors, tt.errors)
		checkMessages(t, tt.name+" warnings", got.Warnings, tt.warnings)
	}
	if wire, err := json.Marshal(card.Validate(hub.Model, []byte("---\na: 1\n---\n"))); string(wire) != `{"errors":[],"warnings":[]}` || err != nil {
		t.Errorf("wire form %s, %v", wire, err)
	}
}

func checkMessages(t *testing.T, name string, got []card.Message, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %q", name, got, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i].Message, want[i]) {
			t.Errorf("%s: %q, want %q", name, got[i].Message, want[i])
		}
	}
}

func derive(t *testing.T, repo hub.RepoType, readme string, contents map[string]string, files ...string) card.Derived {
	t.Helper()
	c, err := card.Parse([]byte(readme))
	if err != nil {
		t.Fatal(err)
	}
	in := card.Input{Type: repo, Data: c.Data, Body: c.Body, Files: files, Contents: map[string][]byte{}}
	for name, text := range contents {
		in.Files = append(in.Files, name)
		in.Contents[name] = []byte(text)
	}
	if got := len(card.Wanted(in.Files)); got < len(contents) {
		t.Errorf("Wanted names %d of %d files", got, len(contents))
	}
	return card.Derive(in)
}

// The label lists are those of the public repositories named, less what only
// the public service adds (endpoints_compatible and the like).
func TestModels(t *testing.T) {
	const bert = `{"architectures":["BertForMaskedLM"],"model_type":"bert"}`
	for _, tt := range []struct {
		name     string
		readme   string
		contents map[string]string
		files    []string
		tags     string
		pipeline string
		library  string
	}{
		{
			"google-bert/bert-base-uncased",
			"---\nlanguage: en\ntags:\n- exbert\nlicense: apache-2.0\ndatasets:\n- bookcorpus\n- wikipedia\n---\n[paper](https://arxiv.org/abs/1810.04805)",
			map[string]string{"config.json": bert, "tokenizer_config.json": `{"do_lower_case":true}`},
			[]string{"pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "coreml/fill-mask/x.mlpackage/m", "model.onnx", "model.safetensors"},
			"transformers pytorch tf jax rust coreml onnx safetensors bert fill-mask exbert en dataset:bookcorpus dataset:wikipedia arxiv:1810.04805 license:apache-2.0 region:us",
			"fill-mask", "transformers",
		},
		{
			"custom code, fp8",
			"---\nlicense: mit\nlibrary_name: transformers\n---\n",
			map[string]string{
				"config.json":         `{"architectures":["MiniMaxM2ForCausalLM"],"model_type":"minimax_m2","auto_map":{"AutoModelForCausalLM":"modeling_minimax_m2.MiniMaxM2ForCausalLM"},"quantization_config":{"quant_method":"fp8"}}`,
				"chat_template.jinja": "{{ messages }}",
			},
			[]string{"model-00001-of-00002.safetensors"},
			"transformers safetensors minimax_m2 text-generation conversational custom_code license:mit 8-bit fp8 region:us",
			"text-generation", "transformers",
		},
		{
			"gguf",
			"---\nlicense: gemma\nbase_model:\n- google/gemma-3-1b-it\n---\n", nil, []string{"m-Q4_K_M.gguf"},
			"gguf base_model:google/gemma-3-1b-it base_model:quantized:google/gemma-3-1b-it license:gemma region:us", "", "gguf",
		},
		{
			"peft", "---\nbase_model: a/b\nlibrary_name: peft\n---\n",
			map[string]string{"adapter_config.json": `{"peft_type":"LORA","task_type":"CAUSAL_LM","base_model_name_or_path":"a/b"}`}, []string{"adapter_model.safetensors"},
			"peft safetensors text-generation base_model:a/b base_model:adapter:a/b region:us", "text-generation", "peft",
		},
		{
			"sentence-transformers", "---\nbase_model: a/b\n---\n", map[string]string{"config.json": `{"architectures":["BertModel"],"model_type":"bert"}`}, []string{"modules.json", "model.safetensors"},
			"sentence-transformers safetensors bert sentence-similarity base_model:a/b base_model:finetune:a/b region:us", "sentence-similarity", "sentence-transformers",
		},
		{
			"diffusers", "", map[string]string{"model_index.json": `{"_class_name":"StableDiffusionXLPipeline"}`}, []string{"unet/diffusion_pytorch_model.safetensors"},
			"diffusers safetensors text-to-image region:us", "text-to-image", "diffusers",
		},
		{"merge", "---\nbase_model: [a/b, c/d]\ntags: [mergekit]\n---\n", nil, nil, "mergekit base_model:a/b base_model:c/d base_model:merge:a/b base_model:merge:c/d region:us", "", ""},
		{"explicit relation", "---\nbase_model: a/b\nbase_model_relation: quantized\n---\n", nil, nil, "base_model:a/b base_model:quantized:a/b region:us", "", ""},
		{"library and task from tags", "---\ntags: [spacy, token-classification, x]\n---\n", nil, nil, "spacy token-classification x region:us", "token-classification", "spacy"},
		{"results", "---\nmodel-index:\n- name: m\n  results: []\n---\n", nil, nil, "model-index eval-results region:us", "", ""},
		{"whisper", "", map[string]string{"config.json": `{"architectures":["WhisperForConditionalGeneration"],"model_type":"whisper"}`}, []string{"runs/events.out.tfevents.1"},
			"transformers tensorboard whisper automatic-speech-recognition region:us", "automatic-speech-recognition", "transformers"},
		{"bare", "# hi\narXiv:2106.09685, see https://huggingface.co/papers/2305.14314 and https://arxiv.org/pdf/2106.09685v2", nil, nil, "arxiv:2106.09685 arxiv:2305.14314 region:us", "", ""},
		{"broken config", "", map[string]string{"config.json": `{"architectures":`}, nil, "region:us", "", ""},
		{"odd types", "---\nlanguage: {a: en}\ntags: [1, [x, [y]], {z: q}]\nlibrary_name: [a]\npipeline_tag: {a: b}\nbase_model: 5\nlicense: {x: mit}\n---\n", map[string]string{"config.json": `{"architectures":"x","model_type":7,"auto_map":[],"quantization_config":"no"}`}, nil,
			"1 x q en base_model:5 base_model:finetune:5 license:mit region:us", "", ""},
	} {
		d := derive(t, hub.Model, tt.readme, tt.contents, tt.files...)
		if got := strings.Join(d.Tags, " "); got != tt.tags {
			t.Errorf("%s: tags\n got %s\nwant %s", tt.name, got, tt.tags)
		}
		if d.PipelineTag != tt.pipeline || d.LibraryName != tt.library {
			t.Errorf("%s: pipeline_tag %q, library_name %q; want %q, %q", tt.name, d.PipelineTag, d.LibraryName, tt.pipeline, tt.library)
		}
	}
}

func TestModelFieldsOnTheWire(t *testing.T) {
	d := derive(t, hub.Model, "---\nlicense: mit\nwidget:\n- text: a [MASK]\n- plain\nbase_model: a/b\n---\n", map[string]string{
		"config.json":           `{"architectures":["KimiForCausalLM"],"model_type":"kimi","auto_map":{"AutoModelForCausalLM":"modeling_kimi.KimiForCausalLM"},"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128},"hidden_size":4}`,
		"tokenizer_config.json": `{"bos_token":"<s>","eos_token":{"__type":"AddedToken","content":"</s>"},"pad_token":null,"chat_template":"{{ x }}","model_max_length":5}`,
	})
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cardData":{"base_model":"a/b","license":"mit","widget":[{"text":"a [MASK]"},"plain"]},` +
		`"tags":["transformers","kimi","text-generation","conversational","custom_code","base_model:a/b","base_model:quantized:a/b","license:mit","4-bit","gptq","region:us"],"license":"mit",` +
		`"pipeline_tag":"text-generation","library_name":"transformers","widgetData":[{"text":"a [MASK]"},{"text":"plain"}],` +
		`"config":{"architectures":["KimiForCausalLM"],"auto_map":{"AutoModelForCausalLM":"modeling_kimi.KimiForCausalLM"},"model_type":"kimi","quantization_config":{"bits":4,"quant_method":"gptq"},` +
		`"tokenizer_config":{"bos_token":"\u003cs\u003e","chat_template":"{{ x }}","eos_token":{"__type":"AddedToken","content":"\u003c/s\u003e"}}},` +
		`"transformersInfo":{"auto_model":"AutoModelForCausalLM","custom_class":"modeling_kimi.KimiForCausalLM","pipeline_tag":"text-generation","processor":"AutoTokenizer"},` +
		`"baseModels":{"relation":"quantized","models":[{"id":"a/b"}]}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTransformersInfo(t *testing.T) {
	for config, want := range map[string]card.TransformersInfo{
		`{"architectures":["LlamaForCausalLM"],"model_type":"llama"}`:                           {AutoModel: "AutoModelForCausalLM", PipelineTag: "text-generation", Processor: "AutoTokenizer"},
		`{"architectures":["GPT2LMHeadModel"],"model_type":"gpt2"}`:                             {AutoModel: "AutoModelForCausalLM", PipelineTag: "text-generation", Processor: "AutoTokenizer"},
		`{"architectures":["T5ForConditionalGeneration"],"model_type":"t5"}`:                    {AutoModel: "AutoModelForSeq2SeqLM", Processor: "AutoTokenizer"},
		`{"architectures":["Qwen2_5_VLForConditionalGeneration"],"model_type":"qwen2_5_vl"}`:    {AutoModel: "AutoModelForImageTextToText", PipelineTag: "image-text-to-text", Processor: "AutoProcessor"},
		`{"architectures":["BertForSequenceClassification"],"model_type":"bert"}`:               {AutoModel: "AutoModelForSequenceClassification", PipelineTag: "text-classification", Processor: "AutoTokenizer"},
		`{"architectures":["Wav2Vec2ForSequenceClassification"],"model_type":"wav2vec2"}`:       {AutoModel: "AutoModelForAudioClassification", PipelineTag: "audio-classification", Processor: "AutoFeatureExtractor"},
		`{"architectures":["Wav2Vec2ForCTC"],"model_type":"wav2vec2"}`:                          {AutoModel: "AutoModelForCTC", PipelineTag: "automatic-speech-recognition", Processor: "AutoProcessor"},
		`{"architectures":["ViTForImageClassification"],"model_type":"vit"}`:                    {AutoModel: "AutoModelForImageClassification", PipelineTag: "image-classification", Processor: "AutoImageProcessor"},
		`{"architectures":["CLIPModel"],"model_type":"clip"}`:                                   {AutoModel: "AutoModelForZeroShotImageClassification", PipelineTag: "zero-shot-image-classification", Processor: "AutoProcessor"},
		`{"architectures":["BertModel"],"model_type":"bert"}`:                                   {AutoModel: "AutoModel", PipelineTag: "feature-extraction", Processor: "AutoTokenizer"},
		`{"architectures":["MarianMTModel"],"model_type":"marian"}`:                             {AutoModel: "AutoModelForSeq2SeqLM", PipelineTag: "translation", Processor: "AutoTokenizer"},
		`{"architectures":["XNet"],"model_type":"x","auto_map":{"AutoModelForMaskedLM":"m.X"}}`: {AutoModel: "AutoModelForMaskedLM", CustomClass: "m.X", PipelineTag: "fill-mask"},
	} {
		d := derive(t, hub.Model, "", map[string]string{"config.json": config})
		if d.TransformersInfo == nil || *d.TransformersInfo != want {
			t.Errorf("%s: %+v, want %+v", config, d.TransformersInfo, want)
		}
	}
}

func TestMaskToken(t *testing.T) {
	for name, contents := range map[string]map[string]string{
		"string":  {"config.json": `{"architectures":["XForMaskedLM"]}`, "tokenizer_config.json": `{"mask_token":"[M]"}`},
		"object":  {"config.json": `{"architectures":["XForMaskedLM"]}`, "tokenizer_config.json": `{"mask_token":{"content":"[M]"}}`},
		"special": {"config.json": `{"architectures":["XForMaskedLM"]}`, "special_tokens_map.json": `{"mask_token":"[M]"}`},
	} {
		if got := derive(t, hub.Model, "", contents).MaskToken; got != "[M]" {
			t.Errorf("%s: mask_token %q", name, got)
		}
	}
}

func TestGGUFChat(t *testing.T) {
	d := card.Derive(card.Input{Type: hub.Model, Files: []string{"a.gguf"}, GGUF: &gguf.Summary{ChatTemplate: "x"}})
	if got := strings.Join(d.Tags, " "); got != "gguf text-generation conversational region:us" {
		t.Errorf("tags %s", got)
	}
}

func TestDatasets(t *testing.T) {
	for _, tt := range []struct {
		name, readme string
		files        []string
		tags         string
	}{
		{
			"squad",
			"---\npretty_name: SQuAD\nannotations_creators:\n- crowdsourced\nlanguage_creators:\n- crowdsourced\n- found\nlanguage:\n- en\nlicense:\n- cc-by-sa-4.0\nmultilinguality:\n- monolingual\nsize_categories:\n- 10K<n<100K\nsource_datasets:\n- extended|wikipedia\ntask_categories:\n- question-answering\ntask_ids:\n- extractive-qa\ndataset_info:\n  features:\n  - name: id\n    dtype: string\n  - name: answers\n    sequence:\n    - name: text\n      dtype: string\n    - name: answer_start\n      dtype: int32\n---\nhttps://arxiv.org/abs/1606.05250",
			[]string{"README.md", ".gitattributes", "plain_text/train-00000-of-00001.parquet"},
			"task_categories:question-answering task_ids:extractive-qa annotations_creators:crowdsourced language_creators:crowdsourced language_creators:found multilinguality:monolingual source_datasets:extended|wikipedia language:en license:cc-by-sa-4.0 size_categories:10K<n<100K format:parquet modality:text library:datasets arxiv:1606.05250 region:us",
		},
		{"size from info", "---\ndataset_info:\n- splits: [{num_examples: 900}, {num_examples: 100}]\n- splits: [{num_examples: 1}]\ntags: [synthetic]\n---\n", []string{"a.jsonl.gz"}, "size_categories:1K<n<10K format:json library:datasets region:us synthetic"},
		{"images", "", []string{"train/a.png", "train/b.JPG", "metadata.csv"}, "format:imagefolder modality:image library:datasets region:us"},
		{"tie", "", []string{"a.csv", "b.parquet"}, "format:parquet library:datasets region:us"},
		{"huge", "---\ndataset_info: {splits: [{num_examples: 5000000000000}]}\n---\n", nil, "size_categories:n>1T region:us"},
		{"nothing", "", []string{"README.md", "dataset_infos.json"}, "region:us"},
		{"by configuration", "---\nlanguage: {a: [en], b: [de, en]}\n---\n", nil, "language:en language:de region:us"},
	} {
		d := derive(t, hub.Dataset, tt.readme, nil, tt.files...)
		if got := strings.Join(d.Tags, " "); got != tt.tags {
			t.Errorf("%s: tags\n got %s\nwant %s", tt.name, got, tt.tags)
		}
	}
}

func TestSpaces(t *testing.T) {
	d := derive(t, hub.Space, "---\ntitle: Hi\nemoji: 🐠\ncolorFrom: red\ncolorTo: blue\nsdk: gradio\nsdk_version: 5.1\napp_file: app.py\npinned: true\nshort_description: does things\nmodels: [a/b, '../x']\ndatasets: c/d\ntags: [mcp-server]\nlicense: mit\n---\n", nil)
	d.CardData = nil
	want := card.Derived{
		Tags: []string{"gradio", "mcp-server", "region:us"}, License: "mit", Title: "Hi", SDK: "gradio", SDKVersion: "5.1", AppFile: "app.py", Emoji: "🐠", ColorFrom: "red", ColorTo: "blue",
		ShortDescription: "does things", Pinned: true, Models: []string{"a/b"}, Datasets: []string{"c/d"},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestLabelsAreLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString("---\ntags:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "- t%d\n", i)
	}
	b.WriteString("- " + strings.Repeat("x", 1000) + "\n---\n")
	if n := len(derive(t, hub.Model, b.String(), nil).Tags); n != 500 {
		t.Errorf("%d labels, want 500", n)
	}
}

func BenchmarkParse(b *testing.B) {
	var s strings.Builder
	s.WriteString("---\nlicense: mit\nmodel-index:\n- name: x\n  results:\n")
	for range 40 {
		s.WriteString("  - task: {type: text-generation, name: Text}\n    dataset: {type: d, name: D}\n    metrics:\n    - type: acc\n      value: 12.5\n")
	}
	s.WriteString("---\n# Body\n")
	src := []byte(s.String())
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := card.Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzCard(f *testing.F) {
	f.Add([]byte("---\nlicense: mit\ntags: [a, b]\nbase_model: a/b\n---\n# T\narxiv:1234.56789"), []byte(`{"architectures":["BertForMaskedLM"],"model_type":"bert","auto_map":{}}`))
	f.Add([]byte("---\na: &a [1]\nb: {<<: *a}\nd: 2024-01-02\n---"), []byte(`{"quantization_config":{"bits":4}}`))
	f.Add([]byte("---\ndataset_info: {features: [{dtype: string}], splits: [{num_examples: 3}]}\nmodel-index: [{name: x, results: [{}]}]\n---\n"), []byte(`[]`))
	f.Fuzz(func(t *testing.T, readme, config []byte) {
		c, err := card.Parse(readme)
		if !bytes.HasSuffix(readme, c.Body) {
			t.Fatalf("body %q is not the end of %q", c.Body, readme)
		}
		for _, repo := range hub.RepoTypes {
			report := card.Validate(repo, readme)
			if err != nil && len(report.Errors) == 0 {
				t.Fatalf("Parse says %v, Validate finds nothing", err)
			}
			d := card.Derive(card.Input{Type: repo, Data: c.Data, Body: c.Body, Files: []string{"config.json"}, Contents: map[string][]byte{"config.json": config, "tokenizer_config.json": config, "adapter_config.json": config}})
			if _, err := json.Marshal(d); err != nil {
				t.Fatalf("not JSON: %v", err)
			}
		}
	})
}
