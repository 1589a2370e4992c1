package qwen3_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/qwen3"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"qwen3"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, qwen3.New) })
	}
}
