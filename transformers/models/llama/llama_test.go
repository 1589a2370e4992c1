package llama_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"llama", "llama-llama3", "llama-yarn", "llama-linear", "llama-dynamic"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, llama.New) })
	}
}
