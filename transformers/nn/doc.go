// Package nn has one of each part that networks are made of: linear layers,
// embeddings, norms, activations, rotary positions, attention with and without
// a KV cache, convolutions. An architecture (transformers/models) wires them;
// no architecture has its own copy of one.
//
// # Shapes
//
// Activations are (tokens, dim) tensors. Several sequences lie one behind the
// other without padding; where sequences matter (attention, pooling), their
// bounds are passed along. Weights are (out, in), as stored.
//
// # State
//
// A part is immutable after it is built and shared by all goroutines. What one
// running forward pass needs (threads, temporary tensors, packed panels) is a
// Workspace; what one sequence remembers between passes is a KV. After the
// first pass of a size, a forward pass allocates nothing.
//
// # Errors
//
// Parts are built from checkpoint.Weights, which remembers what is missing or
// mis-shaped; running a part cannot fail. A wrong shape between two parts is a
// bug of the architecture and panics.
package nn
