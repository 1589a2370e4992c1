package mpnet_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/mpnet"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	bare := func(config json.RawMessage, w checkpoint.Weights) (*mpnet.Model, *nn.Head, error) {
		m, err := mpnet.New(config, w)
		return m, nil, err
	}
	for name, build := range map[string]parity.Build[*mpnet.Model]{
		"mpnet-model": bare, "mpnet-sequence": mpnet.NewSequenceClassifier, "mpnet-token": mpnet.NewTokenClassifier,
		"mpnet-answer": mpnet.NewQuestionAnswerer, "mpnet-mask": mpnet.NewMaskFiller,
	} {
		t.Run(name, func(t *testing.T) { parity.CheckEncoder(t, name, build) })
	}
}
