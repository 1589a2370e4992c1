package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// goldens reads what testdata/goldens.py wrote from Python's outputs.
func goldens[T any](t *testing.T, path string) T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Goldens T }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Goldens
}

// picture is the picture of the same name in goldens.py.
func picture(kind string, width, height int) *RGB {
	img := newRGB(width, height)
	for i := range img.Pix {
		x, y, c := i/3%width, i/3/width, i%3
		switch kind {
		case "gradient":
			v := [3]int{
				x * 255 / max(width-1, 1), y * 255 / max(height-1, 1), (x + y) * 255 / max(width+height-2, 1),
			}
			img.Pix[i] = byte(v[c])
		case "noise":
			n := uint32(i+1) * 2654435761
			n ^= n >> 15
			n *= 2246822519
			img.Pix[i] = byte(n >> 24)
		case "edges":
			img.Pix[i] = byte([3]int{(x/3 + y/5) % 2 * 255, x / 7 % 2 * 200, y / 4 % 3 * 120}[c])
		}
	}
	return img
}

func sha(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// TestResample compares every filter with Pillow, and with torchvision where
// that has it, over reductions, enlargements and both at once.
func TestResample(t *testing.T) {
	type golden struct {
		From, To    [2]int
		Resample    Resampling
		Pil         string
		Torchvision string
	}
	all := goldens[[]golden](t, "testdata/resample.json")
	if len(all) < 300 {
		t.Fatalf("%d goldens", len(all))
	}
	differ := 0
	for _, g := range all {
		for backend, want := range map[Backend]string{Pillow: g.Pil, Torchvision: g.Torchvision} {
			if want == "" {
				continue
			}
			var parts [][]byte
			for _, kind := range []string{"gradient", "noise", "edges"} {
				w := window{0, 0, g.To[0], g.To[1]}
				img, err := resample(picture(kind, g.From[0], g.From[1]), g.To[0], g.To[1], w, g.Resample, backend)
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, img.Pix)
			}
			if got := sha(parts...); got != want {
				t.Errorf("%s %v -> %v, resample %d: %s, want %s", backend, g.From, g.To, g.Resample, got, want)
			}
			if backend == Torchvision && g.Torchvision != g.Pil {
				differ++
			}
		}
	}
	if differ == 0 {
		t.Error("the backends never differ: the goldens do not tell them apart")
	}
}

// TestWindow: a window of a resized picture is that part of the whole.
func TestWindow(t *testing.T) {
	img := picture("noise", 61, 47)
	for r := Nearest; r <= Hamming; r++ {
		for _, backend := range []Backend{Pillow, Torchvision} {
			for _, size := range [][2]int{{40, 30}, {61, 30}, {40, 47}, {90, 80}, {61, 47}} {
				w, h := size[0], size[1]
				whole, err := resample(img, w, h, window{0, 0, w, h}, r, backend)
				if err != nil {
					t.Fatal(err)
				}
				part, err := resample(img, w, h, window{7, 5, w - 4, h - 9}, r, backend)
				if err != nil {
					t.Fatal(err)
				}
				for y := range part.Height {
					got, want := part.Pix[y*part.Width*3:][:part.Width*3], whole.Pix[((y+5)*w+7)*3:][:part.Width*3]
					if !bytes.Equal(got, want) {
						t.Fatalf("%s, resample %d to %v: row %d differs", backend, r, size, y)
					}
				}
			}
		}
	}
}

// TestProcessor compares whole processors with AutoImageProcessor, to the bit.
func TestProcessor(t *testing.T) {
	type golden struct {
		Name                    string
		Preprocessor, Processor json.RawMessage
		ModelType               string `json:"model_type"`
		Default                 Backend
		Results                 []struct {
			Backend Backend
			From    [2]int
			Shape   [3]int
			SHA256  string
			At      []int
			Samples []float32
		}
	}
	for _, g := range goldens[[]golden](t, "testdata/processors.json") {
		t.Run(g.Name, func(t *testing.T) {
			files := Files{ModelType: g.ModelType}
			if string(g.Preprocessor) != "null" {
				files.Preprocessor = g.Preprocessor
			}
			if string(g.Processor) != "null" {
				files.Processor = g.Processor
			}
			if p, err := NewProcessor(files, ""); err != nil || p.backend != g.Default {
				t.Fatalf("default backend: %v, want %q", err, g.Default)
			}
			for _, r := range g.Results {
				p, err := NewProcessor(files, r.Backend)
				if err != nil {
					t.Fatal(err)
				}
				var raw []byte
				var numbers []float32
				for _, kind := range []string{"noise", "edges"} {
					out, err := p.Process(picture(kind, r.From[0], r.From[1]))
					if err != nil {
						t.Fatalf("%v: %v", r.From, err)
					}
					if got := fmt.Sprint(out.Shape()); got != fmt.Sprint(r.Shape) {
						t.Fatalf("%s %v: shape %s, want %v", r.Backend, r.From, got, r.Shape)
					}
					numbers = append(numbers, out.Data...)
				}
				raw, err = binary.Append(nil, binary.LittleEndian, numbers)
				if err != nil {
					t.Fatal(err)
				}
				if got := sha(raw); got != r.SHA256 {
					t.Errorf("%s %v: other numbers; samples:", r.Backend, r.From)
					for i, at := range r.At {
						t.Errorf("  at %d: %v, want %v", at, numbers[at], r.Samples[i])
					}
				}
			}
		})
	}
}

// TestOpen compares every kind of file with transformers' load_image.
func TestOpen(t *testing.T) {
	type golden struct {
		Size   [2]int
		SHA256 string
	}
	all := goldens[map[string]golden](t, "testdata/files.json")
	if len(all) < 60 {
		t.Fatalf("%d goldens", len(all))
	}
	for name, want := range all {
		data, err := os.ReadFile(filepath.Join("testdata/files", name))
		if err != nil {
			t.Fatal(err)
		}
		img, err := Open(bytes.NewReader(data), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if size := [2]int{img.Width, img.Height}; size != want.Size || sha(img.Pix) != want.SHA256 {
			t.Errorf("%s: %v %s, want %v %s", name, size, sha(img.Pix), want.Size, want.SHA256)
		}
	}
}
