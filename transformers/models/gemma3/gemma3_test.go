package gemma3_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/gemma3"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"gemma3"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, gemma3.New) })
	}
}
