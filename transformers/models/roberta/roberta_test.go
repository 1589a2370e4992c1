package roberta_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/roberta"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	bare := func(config json.RawMessage, w checkpoint.Weights) (*roberta.Model, *nn.Head, error) {
		m, err := roberta.New(config, w)
		return m, nil, err
	}
	for name, build := range map[string]parity.Build[*roberta.Model]{
		"roberta-model": bare, "roberta-sequence": roberta.NewSequenceClassifier, "roberta-token": roberta.NewTokenClassifier,
		"roberta-answer": roberta.NewQuestionAnswerer, "roberta-mask": roberta.NewMaskFiller,
	} {
		t.Run(name, func(t *testing.T) { parity.CheckEncoder(t, name, build) })
	}
}
