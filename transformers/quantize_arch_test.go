package transformers

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// outputs runs the network of a tiny checkpoint over a few tokens, or over a
// picture.
func outputs(t *testing.T, c *checkpoint.Checkpoint) []float32 {
	t.Helper()
	w := c.Weights()
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := architectures[c.ModelType()]
	ids := []uint32{5, 9, 3, 17, 21, 8, 40, 33, 2, 11}
	ws := parity.Workspace(t)
	var in nn.Input
	in.Append(ids, make([]uint32, len(ids)))
	logits := func(d decoder, memory *nn.Memory) tensor.Tensor {
		kv := nn.NewExactKV(d.KVShape())
		b := nn.Batch{Segments: []nn.Segment{{KV: kv, Tokens: ids, AllLogits: true, Memory: memory}}}
		return d.Forward(ws, &b)
	}
	switch {
	case a.decoder != nil:
		d, err := a.decoder(c.Config, w)
		fail(err)
		return logits(d, nil).Data
	case a.seq2seq != nil:
		s, err := a.seq2seq(c.Config, w)
		fail(err)
		return logits(s, s.Encode(ws, &in)[0]).Data
	case a.encoder != nil:
		e, err := a.encoder(c.Config, w)
		fail(err)
		return e.Forward(ws, &in).Data
	case a.image != nil:
		i, err := a.image(c.Config, w)
		fail(err)
		y, err := i.Forward(ws, picture(t, c))
		fail(err)
		return y.Data
	}
	m, err := a.contrastive(c.Config, w)
	fail(err)
	both := m.Texts(ws, &in).Clone().Data
	y, err := m.Image(ws, picture(t, c))
	fail(err)
	return append(both, y.Data...)
}

// picture has the size that the network wants.
func picture(t *testing.T, c *checkpoint.Checkpoint) tensor.Tensor {
	t.Helper()
	type size struct {
		ImageSize int `json:"image_size"`
	}
	var config struct {
		size
		Vision size `json:"vision_config"`
	}
	if err := json.Unmarshal(c.Config, &config); err != nil {
		t.Fatal(err)
	}
	n := max(config.ImageSize, config.Vision.ImageSize)
	return parity.Pixels(n, n)
}

// TestQuantizeEveryArchitecture: of every architecture whose tiny checkpoint is
// wide enough for a block, the outputs in Q8_0 point where those in F32 do, but
// are not the same. Sums of 32 products average little of the rounding away;
// a wrong matrix gives no cosine of 0.9.
func TestQuantizeEveryArchitecture(t *testing.T) {
	dirs, err := filepath.Glob(parity.Dir("*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			exact, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer exact.Close()
			smaller, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer smaller.Close()
			if _, err := smaller.Quantize(t.Context(), checkpoint.LoadOptions{Type: kernel.Q8_0}); err != nil {
				t.Fatal(err)
			}
			if smaller.Bytes == exact.Bytes {
				t.Skip("no matrix is wide enough")
			}
			want, got := outputs(t, exact), outputs(t, smaller)
			var product, a, b float64
			for i, v := range want {
				product += float64(v) * float64(got[i])
				a += float64(v) * float64(v)
				b += float64(got[i]) * float64(got[i])
			}
			cosine := product / math.Sqrt(a*b)
			t.Logf("cosine %.6f, %d of %d bytes", cosine, smaller.Bytes, exact.Bytes)
			if !(cosine > 0.99) || cosine == 1 {
				t.Errorf("the cosine is %v", cosine)
			}
			seen[exact.ModelType()] = true
		})
	}
	same := map[string]string{"xlm-roberta": "roberta", "camembert": "roberta", "mt5": "t5"}
	for name := range architectures {
		narrow := name == "resnet" || name == "convnext" // convolutions, but for the head
		if same[name] == "" && !narrow && !seen[name] {
			t.Errorf("%s is not tested", name)
		}
	}
}
