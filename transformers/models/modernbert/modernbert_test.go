package modernbert_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/modernbert"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	bare := func(config json.RawMessage, w checkpoint.Weights) (*modernbert.Model, *nn.Head, error) {
		m, err := modernbert.New(config, w)
		return m, nil, err
	}
	for name, build := range map[string]parity.Build[*modernbert.Model]{
		"modernbert-model": bare, "modernbert-sequence": modernbert.NewSequenceClassifier, "modernbert-token": modernbert.NewTokenClassifier,
		"modernbert-answer": modernbert.NewQuestionAnswerer, "modernbert-mask": modernbert.NewMaskFiller,
	} {
		t.Run(name, func(t *testing.T) { parity.CheckEncoder(t, name, build) })
	}
}
