// Package e2e runs the clients that people already have against the real
// pantry binary: huggingface_hub with hf_xet and the hf command, datasets,
// @huggingface/hub and curl.
//
// Each arm of the matrix (database and bucket, Xet on and off) starts one
// binary on an empty folder with two accounts, then runs the Python suite
// (e2e/python, pytest) and the JavaScript suite (e2e/js, node --test) against
// it. A client process is given HF_ENDPOINT, HF_HOME and HF_TOKEN and no other
// variable of the Hub's, save HF_HUB_DISABLE_XET in that arm.
//
// Every test names the rows that it backs in docs/compatibility.md (a public
// HfApi method, an exported JavaScript function, an hf command). The run fails
// when that page and the tests disagree; -update rewrites it.
//
// The clients are installed by script/clients. The package imports nothing of
// Pantry but test helpers: it knows the command line and the wire.
package e2e
