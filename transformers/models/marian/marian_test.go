package marian_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/marian"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"marian", "marian-apart"} {
		t.Run(name, func(t *testing.T) { parity.CheckSeq2Seq(t, name, marian.New) })
	}
}
