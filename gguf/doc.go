// Package gguf reads and writes the GGUF checkpoint format of the ggml family:
// typed key/values (among them the vocabulary and the chat template), tensor
// descriptions, and the tensors' quantised blocks.
//
// ReadHeader reads everything but the tensors from anything that reads at an
// offset. Arrays, which may hold a vocabulary of a million strings, are
// stepped over and read only when asked for (Header.Strings and the like), so
// that describing a file costs little memory. An inference engine maps the
// file and slices it by Tensor.Offset and Size, which are checked against the
// file here: files are hostile until then. Every count and length is limited.
//
// Versions 2 and 3 are read, in both byte orders; Writer writes version 3. The
// package imports only the standard library.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package gguf
