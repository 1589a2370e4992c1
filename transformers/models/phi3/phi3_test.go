package phi3_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/phi3"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"phi3", "phi3-long"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, phi3.New) })
	}
}
