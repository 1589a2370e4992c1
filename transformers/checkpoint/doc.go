// Package checkpoint opens a model on disk: a folder with config.json and
// safetensors weights (one file, or several with an index), or one GGUF file.
// Whatever the format, a network sees the same thing: the contents of
// config.json and tensors by the dotted names of the Python implementation,
// which Weights scopes and checks.
//
// Files are mapped, not read: opening is instant, weights are shared between
// processes, and a matrix keeps its format (see kernel.Matrix). Headers are
// untrusted and have passed packages safetensors and gguf before a byte of a
// tensor is looked at. PyTorch pickles are refused: they are programs.
//
// The package imports the formats, kernel and tensor; it knows no network.
package checkpoint
