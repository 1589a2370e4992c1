package image_test

import (
	"fmt"
	"log"
	"os"

	"github.com/pantryhub/pantry/transformers/image"
)

// A picture on its way into a vision transformer.
func ExampleProcessor() {
	file, err := os.Open("testdata/files/orientation-6.jpg")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	picture, err := image.Open(file, image.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	// Read preprocessor_config.json, or processor_config.json, of the model.
	settings := []byte(`{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}`)
	processor, err := image.NewProcessor(image.Files{Preprocessor: settings}, image.Torchvision)
	if err != nil {
		log.Fatal(err)
	}
	pixels, err := processor.Process(picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(picture.Width, "×", picture.Height, "->", pixels.Shape())
	// Output: 13 × 19 -> [3 32 32]
}
