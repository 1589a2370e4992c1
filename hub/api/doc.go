// Package api is the wire contract of the Hub: the shape of its URLs, the JSON
// it reads and writes, its headers and its error table. It holds no logic: a
// transport and a client both use it, so that they cannot disagree. Facts come
// from the public clients (huggingface_hub, @huggingface/hub, hf_xet).
package api
