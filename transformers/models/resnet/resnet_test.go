package resnet_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/resnet"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"resnet", "resnet-basic"} {
		t.Run(name, func(t *testing.T) { parity.CheckClassifier(t, name, resnet.New) })
	}
}
