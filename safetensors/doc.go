// Package safetensors reads the safetensors checkpoint format: eight bytes
// with the length of a JSON header, the header (name -> dtype, shape, byte
// range), and the tensors' bytes, back to back.
//
// ReadHeader reads only the header, from anything that reads at an offset, so
// a hub can describe a 100 GB checkpoint after a few kilobytes and an
// inference engine can map the file and slice it by Tensor.Offset and Size.
// Both trust the result without further checks, which is why it is strict: a
// Header exists only if every byte of the data section belongs to exactly one
// tensor and every size agrees with its shape and dtype, as the reference
// implementation demands. Files are hostile until they have passed.
//
// The package imports only the standard library.
//
// Format: https://huggingface.co/docs/safetensors
package safetensors
