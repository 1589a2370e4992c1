package transformers

import (
	"slices"
	"strings"

	"github.com/pantryhub/pantry/tokenizers"
	"github.com/pantryhub/pantry/transformers/generate"
)

// writer turns the tokens of one sequence into text as they come, up to a stop
// string.
type writer struct {
	tokenizer *tokenizers.Tokenizer
	stream    *tokenizers.Stream
	stopper   *generate.Stopper // nil: no stop strings
	tell      func(TextGenerationStreamOutput)
	eos       generate.IDs
	keep      bool // tokens

	text   strings.Builder
	tokens []TextGenerationOutputToken
	err    error
}

func newWriter(t *tokenizers.Tokenizer, o TextGenerationParameters) *writer {
	w := &writer{tokenizer: t, stream: t.NewStream(true), tell: o.Stream, eos: o.EOSTokenID, keep: o.LogProbs || o.TopLogProbs > 0}
	if len(o.StopStrings) > 0 {
		w.stopper = generate.NewStopper(o.StopStrings)
	}
	return w
}

// add takes a token and reports whether the text ends.
func (w *writer) add(t generate.Token) (stop bool) {
	piece := ""
	if !w.eos.Contains(t.ID) {
		piece, w.err = w.stream.Add(t.ID)
	}
	raw := piece
	if w.stopper != nil {
		piece, stop = w.stopper.Push(piece)
	}
	w.text.WriteString(piece)
	if w.keep || w.tell != nil {
		token := TextGenerationOutputToken{ID: t.ID, Text: raw, LogProb: t.LogProb.LogProb, Special: w.eos.Contains(t.ID), Top: slices.Clone(t.Top)}
		if w.keep {
			w.tokens = append(w.tokens, token)
		}
		if w.tell != nil {
			w.tell(TextGenerationStreamOutput{Token: token, Text: piece})
		}
	}
	return stop || w.err != nil
}

// finish writes what was held back for a character or a stop string that did
// not come.
func (w *writer) finish() error {
	if w.err != nil {
		return w.err
	}
	rest, err := w.stream.Flush()
	if err != nil {
		return err
	}
	if w.stopper != nil {
		piece, _ := w.stopper.Push(rest)
		rest = piece + w.stopper.Flush()
	}
	w.text.WriteString(rest)
	if rest != "" && w.tell != nil {
		w.tell(TextGenerationStreamOutput{Text: rest})
	}
	return nil
}
