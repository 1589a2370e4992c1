package transformers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/chat"
)

// The examples run tiny models with random weights, which lie in testdata: put
// the id of one on a hub, such as "org/name", in their place.

func ExampleModel_TextClassification() {
	ctx := context.Background()
	m, err := transformers.Open(ctx, "testdata/sentiment", transformers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	p, err := m.TextClassification()
	if err != nil {
		log.Fatal(err)
	}
	labels, err := p.Run(ctx, "What a lovely day!", transformers.TextClassificationParameters{})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range labels {
		fmt.Printf("%s %.3f\n", l.Label, l.Score)
	}
	// Output:
	// negative 0.469
	// positive 0.295
	// neutral 0.236
}

func ExampleModel_FeatureExtraction() {
	ctx := context.Background()
	m, err := transformers.Open(ctx, "testdata/sentence", transformers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	p, err := m.FeatureExtraction()
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := p.Run(ctx, []string{"The cat sat on the mat.", "Water boils at one hundred degrees."}, transformers.FeatureExtractionParameters{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(vectors), "vectors of", len(vectors[0]), "numbers")
	// Output: 2 vectors of 16 numbers
}

func ExampleTextGenerationPipeline_Chat() {
	ctx := context.Background()
	m, err := transformers.Open(ctx, "testdata/chat", transformers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		log.Fatal(err)
	}
	o := p.Defaults()
	o.MaxNewTokens = 12
	out, err := p.Chat(ctx, chat.Input{AddGenerationPrompt: true, Messages: []chat.Message{
		{Role: "system", Content: chat.Text("Be brief.")},
		{Role: "user", Content: chat.Text("Where is the station?")},
	}}, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Details.GeneratedTokens, "tokens, ended by", out.Details.FinishReason)
	// Output: 12 tokens, ended by length
}

func ExampleTextGenerationPipeline_Run_jsonSchema() {
	ctx := context.Background()
	m, err := transformers.Open(ctx, "testdata/chat", transformers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		log.Fatal(err)
	}
	o := p.Defaults()
	o.MaxNewTokens = 40
	o.JSONSchema = []byte(`{"type": "object", "properties": {"sunny": {"const": true}}, "required": ["sunny"]}`)
	out, err := p.Run(ctx, "The weather", o)
	if err != nil {
		log.Fatal(err)
	}
	var weather struct{ Sunny bool }
	if err := json.Unmarshal([]byte(out.GeneratedText), &weather); err != nil {
		log.Fatal(err)
	}
	fmt.Println(weather.Sunny)
	// Output: true
}

func ExampleModel_ImageClassification() {
	ctx := context.Background()
	m, err := transformers.Open(ctx, "testdata/pictures", transformers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	p, err := m.ImageClassification()
	if err != nil {
		log.Fatal(err)
	}
	picture, err := os.Open("testdata/picture.jpg")
	if err != nil {
		log.Fatal(err)
	}
	defer picture.Close()
	labels, err := p.Run(ctx, picture, transformers.ImageClassificationParameters{TopK: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels[0].Label)
	// Output: sea
}
