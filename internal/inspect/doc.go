// Package inspect describes a model from the headers of its files: what
// network it is, how many parameters it has and how they are stored, what
// memory it needs, which tokenizer goes with it. Of the weights themselves
// nothing is read, so that a repository of many gigabytes can be described
// over the network (client.RemoteFS) as well as a folder on disk (os.DirFS).
//
// Files are hostile until packages safetensors and gguf have passed their
// headers; JSON files are read up to a limit, and fields of a wrong type count
// as absent. PyTorch pickles are named, never opened.
//
// The package imports the formats and the vocabulary.
package inspect
