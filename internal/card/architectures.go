package card

import "strings"

// TransformersInfo says how the transformers library loads a model.
type TransformersInfo struct {
	AutoModel   string `json:"auto_model"`
	CustomClass string `json:"custom_class,omitempty"`
	PipelineTag string `json:"pipeline_tag,omitempty"`
	Processor   string `json:"processor,omitempty"`
}

// head is what the end of an architecture's class name means.
type head struct {
	suffix, autoModel, task, processor string
}

// heads is searched in order; the first suffix that fits wins.
func heads() []head {
	const tok, img, feat, proc = "AutoTokenizer", "AutoImageProcessor", "AutoFeatureExtractor", "AutoProcessor"
	return []head{
		{"ForCausalLM", "AutoModelForCausalLM", "text-generation", tok},
		{"LMHeadModel", "AutoModelForCausalLM", "text-generation", tok},
		{"ForMaskedLM", "AutoModelForMaskedLM", "fill-mask", tok},
		{"ForSequenceClassification", "AutoModelForSequenceClassification", "text-classification", tok},
		{"ForTokenClassification", "AutoModelForTokenClassification", "token-classification", tok},
		{"ForTableQuestionAnswering", "AutoModelForTableQuestionAnswering", "table-question-answering", tok},
		{"ForDocumentQuestionAnswering", "AutoModelForDocumentQuestionAnswering", "document-question-answering", proc},
		{"ForVisualQuestionAnswering", "AutoModelForVisualQuestionAnswering", "visual-question-answering", proc},
		{"ForQuestionAnswering", "AutoModelForQuestionAnswering", "question-answering", tok},
		{"ForMultipleChoice", "AutoModelForMultipleChoice", "multiple-choice", tok},
		{"ForNextSentencePrediction", "AutoModelForNextSentencePrediction", "", tok},
		{"ForPreTraining", "AutoModelForPreTraining", "", tok},
		{"ForCTC", "AutoModelForCTC", "automatic-speech-recognition", proc},
		{"ForSpeechSeq2Seq", "AutoModelForSpeechSeq2Seq", "automatic-speech-recognition", proc},
		{"SpeechEncoderDecoderModel", "AutoModelForSpeechSeq2Seq", "automatic-speech-recognition", proc},
		{"ForAudioClassification", "AutoModelForAudioClassification", "audio-classification", feat},
		{"ForTextToWaveform", "AutoModelForTextToWaveform", "text-to-audio", tok},
		{"ForTextToSpeech", "AutoModelForTextToSpectrogram", "text-to-speech", proc},
		{"VitsModel", "AutoModelForTextToWaveform", "text-to-audio", tok},
		{"ForImageClassification", "AutoModelForImageClassification", "image-classification", img},
		{"ForZeroShotImageClassification", "AutoModelForZeroShotImageClassification", "zero-shot-image-classification", proc},
		{"ForZeroShotObjectDetection", "AutoModelForZeroShotObjectDetection", "zero-shot-object-detection", proc},
		{"ForObjectDetection", "AutoModelForObjectDetection", "object-detection", img},
		{"ForSemanticSegmentation", "AutoModelForSemanticSegmentation", "image-segmentation", img},
		{"ForInstanceSegmentation", "AutoModelForInstanceSegmentation", "image-segmentation", img},
		{"ForUniversalSegmentation", "AutoModelForUniversalSegmentation", "image-segmentation", img},
		{"ForImageSegmentation", "AutoModelForImageSegmentation", "image-segmentation", img},
		{"ForSegmentation", "AutoModelForImageSegmentation", "image-segmentation", img},
		{"ForDepthEstimation", "AutoModelForDepthEstimation", "depth-estimation", img},
		{"ForKeypointDetection", "AutoModelForKeypointDetection", "keypoint-detection", img},
		{"ForVideoClassification", "AutoModelForVideoClassification", "video-classification", img},
		{"ForMaskedImageModeling", "AutoModelForMaskedImageModeling", "", img},
		{"ForImageToImage", "AutoModelForImageToImage", "image-to-image", img},
		{"ForMaskGeneration", "AutoModelForMaskGeneration", "mask-generation", proc},
		{"SamModel", "AutoModelForMaskGeneration", "mask-generation", proc},
		{"VisionEncoderDecoderModel", "AutoModelForImageTextToText", "image-to-text", tok},
		{"VisionTextDualEncoderModel", "AutoModelForZeroShotImageClassification", "zero-shot-image-classification", proc},
		{"ForImageTextToText", "AutoModelForImageTextToText", "image-text-to-text", proc},
		{"ForTimeSeriesPrediction", "AutoModelForTimeSeriesPrediction", "time-series-forecasting", ""},
		{"ForPrediction", "AutoModel", "time-series-forecasting", ""},
		{"ForConditionalGeneration", "AutoModelForSeq2SeqLM", "", tok},
		{"MTModel", "AutoModelForSeq2SeqLM", "translation", tok},
		{"Model", "AutoModel", "feature-extraction", tok},
	}
}

// exception replaces what a suffix says for one kind of model.
type exception struct {
	modelType, suffix string // suffix "" fits every class
	head
}

// exceptions are the model types whose class names mislead.
func exceptions() []exception {
	const tok, img, feat, proc = "AutoTokenizer", "AutoImageProcessor", "AutoFeatureExtractor", "AutoProcessor"
	var out []exception
	add := func(types, suffix, auto, task, processor string) {
		for t := range strings.FieldsSeq(types) {
			out = append(out, exception{t, suffix, head{"", auto, task, processor}})
		}
	}
	add("whisper speech_to_text moonshine seamless_m4t_v2 granite_speech kyutai_speech_to_text", "ForConditionalGeneration", "AutoModelForSpeechSeq2Seq", "automatic-speech-recognition", proc)
	add("wav2vec2 wav2vec2-bert wav2vec2-conformer hubert wavlm unispeech unispeech-sat sew sew-d data2vec-audio whisper", "ForSequenceClassification", "AutoModelForAudioClassification", "audio-classification", feat)
	add("blip git blip-2 instructblip pix2struct kosmos-2", "", "AutoModelForImageTextToText", "image-to-text", proc)
	add("llava llava_next llava_onevision qwen2_vl qwen2_5_vl qwen3_vl qwen3_vl_moe qwen3_5 qwen3_5_moe paligemma gemma3 gemma3n gemma4 mllama idefics idefics2 idefics3 smolvlm internvl aya_vision mistral3 pixtral chameleon janus florence2 glm4v glm4v_moe llama4 kimi_vl deepseek_vl cohere2_vision lfm2_vl fuyu got_ocr2 ovis2", "ForConditionalGeneration", "AutoModelForImageTextToText", "image-text-to-text", proc)
	add("llava_next_video video_llava", "", "AutoModelForImageTextToText", "video-text-to-text", proc)
	add("qwen2_audio voxtral audio_flamingo3 ultravox", "", "AutoModelForSeq2SeqLM", "audio-text-to-text", proc)
	add("qwen2_5_omni qwen3_omni_moe", "", "AutoModelForTextToWaveform", "any-to-any", proc)
	add("m2m_100 marian nllb-moe fsmt", "", "AutoModelForSeq2SeqLM", "translation", tok)
	add("pegasus pegasus_x bigbird_pegasus led", "ForConditionalGeneration", "AutoModelForSeq2SeqLM", "summarization", tok)
	add("musicgen musicgen_melody bark", "", "AutoModelForTextToWaveform", "text-to-audio", proc)
	add("tapas", "ForQuestionAnswering", "AutoModelForTableQuestionAnswering", "table-question-answering", tok)
	add("layoutlm layoutlmv2 layoutlmv3 lilt", "ForQuestionAnswering", "AutoModelForDocumentQuestionAnswering", "document-question-answering", proc)
	add("vilt", "ForQuestionAnswering", "AutoModelForVisualQuestionAnswering", "visual-question-answering", proc)
	add("owlvit owlv2 grounding-dino omdet-turbo", "ForObjectDetection", "AutoModelForZeroShotObjectDetection", "zero-shot-object-detection", proc)
	add("clip siglip siglip2 chinese_clip align altclip", "Model", "AutoModelForZeroShotImageClassification", "zero-shot-image-classification", proc)
	add("vit deit swin swinv2 convnext convnextv2 dinov2 dinov2_with_registers dinov3_vit dinov3_convnext beit resnet vit_mae vit_msn hiera pvt poolformer", "Model", "AutoModel", "image-feature-extraction", img)
	add("wav2vec2 hubert wavlm data2vec-audio", "Model", "AutoModel", "feature-extraction", feat)
	add("swin2sr", "", "AutoModelForImageToImage", "image-to-image", img)
	return out
}

// transformersInfo says what a config.json's architecture is for; nil if it
// names none that is known.
func transformersInfo(cfg jsonObject) *TransformersInfo {
	classes := cfg.texts("architectures")
	if len(classes) == 0 {
		return customInfo(cfg, nil)
	}
	class := classes[0]
	var h *head
	for _, e := range exceptions() {
		if e.modelType == cfg.text("model_type") && strings.HasSuffix(class, e.suffix) {
			h = &e.head
			break
		}
	}
	if h == nil {
		for _, candidate := range heads() {
			if strings.HasSuffix(class, candidate.suffix) {
				h = &candidate
				break
			}
		}
	}
	if h == nil {
		return customInfo(cfg, nil)
	}
	return customInfo(cfg, &TransformersInfo{AutoModel: h.autoModel, PipelineTag: h.task, Processor: h.processor})
}

// customInfo adds the class that an auto_map points to: code in the repository.
func customInfo(cfg jsonObject, info *TransformersInfo) *TransformersInfo {
	autoMap := cfg.object("auto_map")
	if info != nil {
		info.CustomClass = autoMap.text(info.AutoModel)
	}
	if len(autoMap) == 0 || (info != nil && info.CustomClass != "") {
		return info
	}
	for _, auto := range sortedKeys(autoMap) {
		if !strings.HasPrefix(auto, "AutoModel") {
			continue
		}
		task := ""
		for _, h := range heads() {
			if h.autoModel == auto && auto != "AutoModel" {
				task = h.task
				break
			}
		}
		return &TransformersInfo{AutoModel: auto, CustomClass: autoMap.text(auto), PipelineTag: task}
	}
	return info
}
