package web

import "strings"

// These lists say which plain labels a page shows in which facet. They are
// about looks only: a label that is missing here can still be filtered by.

var knownTasks = words(`
text-generation text-classification token-classification question-answering table-question-answering
zero-shot-classification translation summarization feature-extraction fill-mask sentence-similarity text-ranking
text-retrieval multiple-choice text-to-speech text-to-audio automatic-speech-recognition audio-to-audio
audio-classification audio-text-to-text voice-activity-detection depth-estimation image-classification
object-detection image-segmentation text-to-image image-to-text image-to-image image-to-video
unconditional-image-generation video-classification text-to-video video-to-video zero-shot-image-classification
mask-generation zero-shot-object-detection text-to-3d image-to-3d image-feature-extraction keypoint-detection
image-text-to-text image-text-to-image image-text-to-video video-text-to-text visual-question-answering
document-question-answering visual-document-retrieval any-to-any reinforcement-learning robotics
tabular-classification tabular-regression time-series-forecasting graph-ml
`)

var knownLibraries = words(`
transformers diffusers sentence-transformers safetensors gguf pytorch tf jax onnx openvino coreml mlx peft adapter-transformers
timm keras tf-keras keras-hub sklearn spacy flair fastai fasttext nemo speechbrain espnet pyannote-audio stanza
setfit span-marker gliner bertopic open_clip paddlenlp PaddleOCR stable-baselines3 ml-agents sample-factory lerobot
ultralytics transformers.js tensorrt llama-cpp-python mlc-llm model2vec sam2 litert litert-lm allennlp asteroid
`)

var knownSDKs = words(`gradio docker static streamlit`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// licenses are offered when a repository is made.
var licenses = []string{
	"apache-2.0", "mit", "bsd-3-clause", "mpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "unlicense", "cc0-1.0", "cc-by-4.0",
	"cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "odc-by", "openrail", "llama3.3", "llama4", "gemma", "other",
}
