package transformers_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/chat"
)

// TestSampling draws many first tokens of a text, with each way to sample, and
// compares how often each comes with how likely it is in transformers.
func TestSampling(t *testing.T) {
	var cases []struct {
		Prompt        string
		Parameters    json.RawMessage
		Probabilities map[string]float64
	}
	data, err := os.ReadFile("testdata/continuation/sampling.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	p, err := open(t, "testdata/continuation").TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	const draws, batch = 8 << 10, 1 << 10
	for _, c := range cases {
		o := p.Defaults()
		if err := json.Unmarshal(c.Parameters, &o); err != nil {
			t.Fatal(err)
		}
		o.DoSample, o.MaxNewTokens, o.NumReturnSequences, o.LogProbs = true, 1, batch, true
		counts := map[string]float64{}
		for seed := range int64(draws / batch) {
			o.Seed = &seed
			out, err := p.RunBatch(t.Context(), []string{c.Prompt}, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range out {
				counts[strconv.Itoa(int(one.Details.Tokens[0].ID))]++
			}
		}
		distance, expected := 0.0, 0.0
		for id, likely := range c.Probabilities {
			distance += math.Abs(counts[id]/draws-likely) / 2
			expected += math.Sqrt(likely * (1 - likely) / (2 * math.Pi * draws)) // of a sample's distance in each place
		}
		for id, n := range counts {
			if c.Probabilities[id] == 0 {
				t.Errorf("%s: token %s comes %v times; it must not", c.Parameters, id, n)
			}
		}
		if distance > 1.5*expected {
			t.Errorf("%s: the draws are %.4f away from the distribution of %d tokens, where %.4f is to be expected", c.Parameters, distance, len(c.Probabilities), expected)
		}
	}
}

// TestReturnSequences: several texts for each prompt, in order, and the same
// for the same seed.
func TestReturnSequences(t *testing.T) {
	p, err := open(t, "testdata/chat").TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	o := p.Defaults()
	seed := int64(3)
	o.Seed, o.DoSample, o.MaxNewTokens, o.NumReturnSequences, o.ReturnFullText = &seed, true, 6, 3, true
	prompts := []string{"What a", "The river was low"}
	texts := func() (out []string) {
		all, err := p.RunBatch(t.Context(), prompts, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, one := range all {
			if prompt := prompts[i/3]; len(one.GeneratedText) <= len(prompt) || one.GeneratedText[:len(prompt)] != prompt {
				t.Errorf("text %d of %q is %q", i, prompt, one.GeneratedText)
			}
			out = append(out, one.GeneratedText)
		}
		return out
	}
	first := texts()
	if again := texts(); !slices.Equal(first, again) {
		t.Errorf("%q, then %q", first, again)
	}
	if slices.Sort(first); len(slices.Compact(first)) != 6 {
		t.Errorf("texts are alike: %q", first)
	}
	talk := chat.Input{AddGenerationPrompt: true, Messages: []chat.Message{{Role: "user", Content: chat.Text("Where?")}}}
	if all, err := p.ChatBatch(t.Context(), []chat.Input{talk}, o); err != nil || len(all) != 3 {
		t.Errorf("%d answers, %v; want 3", len(all), err)
	}
	if _, err := p.Chat(t.Context(), talk, o); !errors.Is(err, transformers.ErrInput) {
		t.Errorf("three answers as one: %v", err)
	}
	o.Stream = func(transformers.TextGenerationStreamOutput) {}
	if _, err := p.RunBatch(t.Context(), prompts[:1], o); !errors.Is(err, transformers.ErrInput) {
		t.Errorf("three answers streamed: %v", err)
	}
}

// TestSharedPrefix: pipelines of one model remember prompts together.
func TestSharedPrefix(t *testing.T) {
	m := open(t, "testdata/chat")
	var reused []int
	for range 2 {
		p, err := m.TextGeneration()
		if err != nil {
			t.Fatal(err)
		}
		o := p.Defaults()
		o.MaxNewTokens = 2
		out, err := p.Run(t.Context(), "The river was low that summer", o)
		if err != nil {
			t.Fatal(err)
		}
		reused = append(reused, out.Details.PromptTokens-out.Details.ReusedTokens)
	}
	if reused[0] < 2 || reused[1] != 1 {
		t.Errorf("two pipelines run %v tokens of one prompt; want all, then the last", reused)
	}
}
