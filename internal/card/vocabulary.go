package card

// The lists below are the public Hub's vocabularies. Words are separated by
// white space.

// pipelineTags are the tasks of a pipeline_tag or task_categories field.
const pipelineTags = `
text-classification token-classification table-question-answering question-answering
zero-shot-classification translation summarization feature-extraction text-generation fill-mask
sentence-similarity text-to-speech text-to-audio automatic-speech-recognition audio-to-audio
audio-classification audio-text-to-text voice-activity-detection depth-estimation image-classification
object-detection image-segmentation text-to-image image-to-text image-to-image image-to-video
unconditional-image-generation video-classification reinforcement-learning robotics tabular-classification
tabular-regression tabular-to-text table-to-text multiple-choice text-ranking text-retrieval
time-series-forecasting text-to-video image-text-to-text image-text-to-image image-text-to-video
visual-question-answering document-question-answering zero-shot-image-classification graph-ml
mask-generation zero-shot-object-detection text-to-3d image-to-3d image-feature-extraction
video-text-to-text keypoint-detection visual-document-retrieval any-to-any video-to-video other
`

// taskIDs are the values of task_ids.
const taskIDs = `
acceptability-classification entity-linking-classification fact-checking intent-classification
language-identification multi-class-classification multi-label-classification
multi-input-text-classification natural-language-inference semantic-similarity-classification
sentiment-classification topic-classification semantic-similarity-scoring sentiment-scoring
sentiment-analysis hate-speech-detection text-scoring named-entity-recognition part-of-speech parsing
lemmatization word-sense-disambiguation coreference-resolution extractive-qa open-domain-qa closed-domain-qa
news-articles-summarization news-articles-headline-generation dialogue-modeling dialogue-generation
conversational language-modeling text-simplification explanation-generation abstractive-qa
open-domain-abstractive-qa open-book-qa closed-book-qa text2text-generation slot-filling
masked-language-modeling keyword-spotting speaker-identification audio-intent-classification
audio-emotion-recognition audio-language-identification multi-label-image-classification
multi-class-image-classification face-detection vehicle-detection instance-segmentation
semantic-segmentation panoptic-segmentation image-captioning image-inpainting image-colorization
super-resolution grasping task-planning tabular-multi-class-classification
tabular-multi-label-classification tabular-single-column-regression rdf-to-text multiple-choice-qa
multiple-choice-coreference-resolution document-retrieval utterance-retrieval entity-linking-retrieval
fact-checking-retrieval univariate-time-series-forecasting multivariate-time-series-forecasting
visual-question-answering document-question-answering pose-estimation
`

// libraries are the tags that name a library.
const libraries = `
acestep adapter-transformers allennlp aneforge anemoi araclip aviation-ner asteroid audiocraft audioseal
bagel-mot bboxmaskpose ben2 bertopic big_vision bionemo birder birefnet bm25s boltzgen cancertathomev2
cartesia_pytorch cartesia_mlx causilo ccpfn champ chatterbox chaossim chat_tts chexmix chronos-forecasting
clara clipscope cloud-agents collectorvision colipri cosyvoice cotracker colpali comet cortiq cosmos
cxr-foundation deepforest depth-anything-v2 depth-pro derm-foundation describe-anything dia-tts dia2
diff-interpretation-tuning diffree diffusers diffusionkit docking-at-home doctr edsnlp elm encoderfile
espnet eupe fairseq fastai fastprint fasttext fixer flair flexray flextab fme gaussianformer gemma.cpp
geometry-crafter gliformer gliner gliner2 glm-tts glyph-byt5 granite-library grok habibi-tts hallo
minimax-h3 mect hermes holomotion hezar htrflow hunyuan-dit hunyuan3d-2 hunyuanworld-voyager hy-worldplay
hy-world-2 image-matching-models imstoucan index-tts infinitetalk infinite-you intellifold ising-decoding
jev-style keras tf-keras keras-hub zeromodels kernels kimi-audio kittentts kronos k2 lyra-2.0 lagernvs laya
ltx lightning-ir litert litert-lm lerobot lightglue liveportrait longcat-video-avatar-1.5 llama-cpp-python
mini-omni2 mindspore magi-1 magenta-realtime magenta-realtime-2 mamba-ssm manas-1 mars5-tts matanyone memra
mesh-anything merlin medvae mflux microduck mitie ml-agents ml-sharp mlx mlx-image mlc-llm model2vec
mobilint montreal-forced-aligner moshi mtvcraft multimolecule nemo ninfer nobg nv-medtech open-oasis
open_clip openasr opendde openpeerllm open-sora outetts paddlenlp PaddleOCR peft perception-encoder
phantom-wan piper pocket-tts pruna-ai pxia pyannote-audio py-feat pythae quantumpeer qwen3_tts
recurrentgemma relik refiners renderformer reverb rkllm robo-orchard-lab routee-powertrain rwkv saelens
scail-2 sam2 sam-3d-body sam-3d-objects same sample-factory sap-rpt-1-oss sapiens sapiens2 seedvr
self-forcing sentence-transformers setfit shadow sklearn spacy span-marker speechbrain ssr-speech
stable-audio-3 stable-audio-tools monkeyocr diffusion-single-file seed-story skala soloaudio songbloom
stable-baselines3 stanza supertonic swarmformer synthefy-migas f5-tts genmo tencent-song-generation
tensorflowtts tensorrt tabpfn terratorch tic-clip timesfm timee-ts timm tirex tirex-2 torchgeo transformers
transformers.js trellis trellis2 tunejury ultralytics univa uni-3dar unity-sentis sana videoprism vfi-mamba
vismatch lvface voicecraft voxcpm vui vqweb vibevoice videox_fun wan2.2 wham whisperkit yolov10 yolov26
zonos 3dtopia-xl
`

// licenses are the values of the license field.
const licenses = `
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda
cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0
cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc
h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0
openmdw-1.1 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3
llama4 grok2-community gemma unknown other
`

// colors are the values of colorFrom and colorTo.
const colors = `red yellow green blue indigo purple pink gray`

// sdks are the values of a Space's sdk.
const sdks = `gradio streamlit docker static`

// sizes are the size_categories, smallest first.
const sizes = `
n<1K 1K<n<10K 10K<n<100K 100K<n<1M 1M<n<10M 10M<n<100M 100M<n<1B 1B<n<10B 10B<n<100B 100B<n<1T n>1T
`
