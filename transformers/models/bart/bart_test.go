package bart_test

import (
	"testing"

	"github.com/pantryhub/pantry/transformers/models/bart"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"bart"} {
		t.Run(name, func(t *testing.T) { parity.CheckSeq2Seq(t, name, bart.New) })
	}
}

func TestSequenceClassifier(t *testing.T) {
	parity.CheckEncoder(t, "bart-sequence", bart.NewSequenceClassifier)
}
