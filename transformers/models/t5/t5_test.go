package t5_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/t5"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"t5", "t5-gated"} {
		t.Run(name, func(t *testing.T) { parity.CheckSeq2Seq(t, name, t5.New) })
	}
}
