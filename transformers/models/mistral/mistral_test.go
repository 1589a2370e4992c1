package mistral_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/mistral"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"mistral"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, mistral.New) })
	}
}
