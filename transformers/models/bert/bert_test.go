package bert_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/bert"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	bare := func(config json.RawMessage, w checkpoint.Weights) (*bert.Model, *nn.Head, error) {
		m, err := bert.New(config, w)
		return m, nil, err
	}
	for name, build := range map[string]parity.Build[*bert.Model]{
		"bert-model": bare, "bert-sequence": bert.NewSequenceClassifier, "bert-token": bert.NewTokenClassifier,
		"bert-answer": bert.NewQuestionAnswerer, "bert-mask": bert.NewMaskFiller,
	} {
		t.Run(name, func(t *testing.T) { parity.CheckEncoder(t, name, build) })
	}
}
