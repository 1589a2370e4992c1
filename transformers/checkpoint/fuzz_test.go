package checkpoint

import (
	"bytes"
	"context"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
)

// FuzzOnLoad: whatever a file of the cache holds, it is refused, or every row of
// its matrices can be read.
func FuzzOnLoad(f *testing.F) {
	numbers := make([]float32, 32*64)
	for i := range numbers {
		numbers[i] = float32(i % 17)
	}
	c := Checkpoint{Config: []byte(`{"model_type": "bert"}`), entries: map[string]entry{
		"a.weight": {matrix: kernel.MatrixOf(numbers, 32, 64), shape: []int{32, 64}},
		"b.weight": {matrix: kernel.MatrixOf(numbers, 64, 32), shape: []int{64, 32}},
	}}
	plan := c.planOnLoad(kernel.Q8_0)
	if len(plan) != 2 {
		f.Fatalf("%d tensors are planned", len(plan))
	}
	key := c.identity(plan)
	w := c.onLoadWriter(context.Background(), key, plan, LoadOptions{Type: kernel.Q8_0})
	defer w.pool.Close()
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded := c
		if loaded.useOnLoad(mapping{data: data}, key, plan) != nil {
			return
		}
		for _, p := range plan {
			m := loaded.quantised[p.name]
			row := make([]float32, m.Cols)
			for i := range m.Rows {
				m.Row(row, i)
			}
		}
	})
}
