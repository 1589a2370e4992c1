package convnext_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/convnext"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"convnext"} {
		t.Run(name, func(t *testing.T) { parity.CheckClassifier(t, name, convnext.New) })
	}
}
