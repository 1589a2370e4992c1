package qwen2_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/qwen2"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"qwen2", "qwen2-window"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, qwen2.New) })
	}
}
