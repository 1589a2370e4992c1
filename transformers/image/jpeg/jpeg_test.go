package jpeg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

const pixels = 1 << 20

// TestDecode compares with libjpeg-turbo by way of Pillow, byte for byte.
// ../testdata/goldens.py writes the files.
func TestDecode(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Goldens map[string]struct {
			Size       [2]int
			Components int
			SHA256     string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Goldens) < 40 {
		t.Fatalf("%d goldens", len(file.Goldens))
	}
	for name, want := range file.Goldens {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(data, pixels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sum := sha256.Sum256(p.Pix)
		got := fmt.Sprint(p.Width, p.Height, p.Components, hex.EncodeToString(sum[:16]))
		if want := fmt.Sprint(want.Size[0], want.Size[1], want.Components, want.SHA256); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestRefused: what cannot be decoded says why.
func TestRefused(t *testing.T) {
	whole, err := os.ReadFile("testdata/37x91-2.jpg")
	if err != nil {
		t.Fatal(err)
	}
	progressive, err := os.ReadFile("testdata/37x91-2-progressive.jpg")
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Index(whole, []byte{0xFF, 0xC0})
	patch := func(at int, b ...byte) []byte {
		data := bytes.Clone(whole)
		copy(data[at:], b)
		return data
	}
	scan := bytes.Index(whole, []byte{0xFF, 0xDA})
	tables := bytes.Index(whole, []byte{0xFF, 0xC4})
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":            {nil, ErrFormat},
		"not a JPEG":       {[]byte("GIF89a"), ErrFormat},
		"no frame":         {[]byte{0xFF, 0xD8, 0xFF, 0xD9}, ErrFormat},
		"half":             {whole[:scan+(len(whole)-scan)/2], ErrFormat},
		"half progressive": {progressive[:len(progressive)/2], ErrFormat},
		"no end marker":    {progressive[:len(progressive)-2], ErrFormat},
		"arithmetic":       {patch(frame+1, 0xC9), ErrUnsupported},
		"lossless":         {patch(frame+1, 0xC3), ErrUnsupported},
		"12 bits":          {patch(frame+4, 12), ErrUnsupported},
		"no width":         {patch(frame+7, 0, 0), ErrFormat},
		"no height":        {patch(frame+5, 0, 0), ErrFormat},
		"bomb":             {patch(frame+5, 0xFF, 0xFF, 0xFF, 0xFF), ErrTooLarge},
		"little data":      {patch(frame+5, 4, 0, 4, 0), ErrFormat},
		"no tables":        {append(bytes.Clone(whole[:tables]), whole[scan:]...), ErrFormat},
		"other component":  {patch(scan+5, 77), ErrFormat},
		"3:2 sampling":     {patch(frame+11, 0x32, 0, 2, 0x21), ErrUnsupported},
	} {
		if _, err := Decode(c.data, pixels); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A sequential file is complete without its end marker.
	if _, err := Decode(whole[:len(whole)-2], pixels); err != nil {
		t.Errorf("without end of image: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 4096 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, 1<<16)
		if err == nil && len(p.Pix) != p.Width*p.Height*p.Components {
			t.Errorf("%d × %d × %d: %d bytes", p.Width, p.Height, p.Components, len(p.Pix))
		}
	})
}

// BenchmarkDecode is beside the standard library, whose pixels are others.
func BenchmarkDecode(b *testing.B) {
	data, err := os.ReadFile("testdata/640x480.jpg")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("this", func(b *testing.B) {
		b.SetBytes(640 * 480 * 3)
		for b.Loop() {
			if _, err := Decode(data, pixels); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("standard library", func(b *testing.B) {
		b.SetBytes(640 * 480 * 3)
		for b.Loop() {
			if _, err := stdjpeg.Decode(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
