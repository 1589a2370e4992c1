// Package kernel computes the inner loops of inference on a CPU: products with
// weights in any storage type, attention over F16 caches, norms, activations and
// the pool of goroutines they run on.
//
// Every function has a portable form, which is its specification. It imports
// nothing of this module.
package kernel
