package distilbert_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/distilbert"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	bare := func(config json.RawMessage, w checkpoint.Weights) (*distilbert.Model, *nn.Head, error) {
		m, err := distilbert.New(config, w)
		return m, nil, err
	}
	for name, build := range map[string]parity.Build[*distilbert.Model]{
		"distilbert-model": bare, "distilbert-sequence": distilbert.NewSequenceClassifier, "distilbert-token": distilbert.NewTokenClassifier,
		"distilbert-answer": distilbert.NewQuestionAnswerer, "distilbert-mask": distilbert.NewMaskFiller,
	} {
		t.Run(name, func(t *testing.T) { parity.CheckEncoder(t, name, build) })
	}
}
