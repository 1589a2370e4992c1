package gemma2_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/gemma2"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"gemma2", "gemma2-uncapped"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, gemma2.New) })
	}
}
