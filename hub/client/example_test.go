package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pantryhub/pantry/hub/client"
)

// Download what a program needs of a model, with a bar on the terminal, into
// the cache that Python programs use too.
func ExampleClient_Snapshot() {
	c, err := client.New(client.Options{Progress: client.NewBar(os.Stderr, true)})
	if err != nil {
		log.Fatal(err)
	}
	model, err := client.ParseSource("ada/bert@v1")
	if err != nil {
		log.Fatal(err)
	}
	dir, err := c.Snapshot(context.Background(), model, client.Selection{Include: []string{"*.json", "*.safetensors"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dir)
}

// Read the first bytes of a large file without downloading it.
func ExampleClient_FS() {
	c, err := client.New(client.Options{Endpoint: "http://localhost:7272"})
	if err != nil {
		log.Fatal(err)
	}
	model, err := client.ParseSource("ada/bert")
	if err != nil {
		log.Fatal(err)
	}
	repo, err := c.FS(context.Background(), model)
	if err != nil {
		log.Fatal(err)
	}
	f, err := repo.Open("model.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var head [8]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		log.Fatal(err)
	}
	fmt.Println(head)
}
