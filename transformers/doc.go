// Package transformers runs models from Hugging Face checkpoints on the CPU:
// open one by its folder or its id on a hub, ask for the pipeline of a task,
// and call it.
//
//	m, err := transformers.Open(ctx, "org/name", transformers.Options{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	p, err := m.TextClassification()
//	if err != nil {
//		return err
//	}
//	labels, err := p.Run(ctx, "What a lovely day", transformers.TextClassificationParameters{})
//
// A Model holds the weights, mapped from disk, and the tokenizer; a pipeline
// holds the network of its task. Both are safe for use by any number of
// goroutines, which share the weights and the threads. A call stops when its
// context ends.
//
// Pipelines, their inputs, parameters and outputs have the names and fields of
// Hugging Face's inference schemas, so that what is learned there holds here.
// Which architecture runs which task is a table (see Architectures); an
// architecture is a package under models, made of the parts in nn.
//
// Errors of a file (missing tensor, wrong shape, broken tokenizer) and of an
// input (too long, not an image) are returned; no call panics.
package transformers
