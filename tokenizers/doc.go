// Package tokenizers turns text into the token ids of a model, and ids into
// text, as the Rust library of the same name does, id for id and offset for
// offset.
//
// A Tokenizer is a chain: added tokens are cut out of the text, what is left
// is normalized, split into words by pre-tokenizers, split into tokens by a
// model (BPE, WordPiece, Unigram or WordLevel), and framed with special tokens
// by a post-processor; a chain of decoders goes the other way. FromJSON reads
// such a chain from a tokenizer.json, FromSentencePiece from a SentencePiece
// model, FromGGUF from the metadata of a GGUF file, and Open from whichever of
// those, or of the older files, lies in a folder.
//
// Invariants: a Tokenizer never changes after it was made and may be used from
// any number of goroutines. Text need not be valid UTF-8: a byte that is not
// part of a character counts as U+FFFD. Offsets are bytes of the text as it was
// given. Memory is bounded by a small multiple of the text's length. Files are
// untrusted: sizes and depths are limited, and regular expressions that are
// not known by heart have a time limit.
//
// The package knows formats only; it must not import the hub or transformers.
//
// Source: https://github.com/huggingface/tokenizers (behaviour of version
// 0.23), https://github.com/google/sentencepiece, and the pre-tokenizer names
// of llama.cpp.
package tokenizers
