package vit_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/vit"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"vit"} {
		t.Run(name, func(t *testing.T) { parity.CheckClassifier(t, name, vit.New) })
	}
}
