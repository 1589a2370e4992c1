// Package parity checks an architecture against the reference: tiny
// checkpoints with random weights under testdata, made by the Python scripts
// beside it with PyTorch and transformers, and what they compute. It is for
// tests only.
package parity
