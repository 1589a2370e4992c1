package gpt2_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/gpt2"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"gpt2"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, gpt2.New) })
	}
}
