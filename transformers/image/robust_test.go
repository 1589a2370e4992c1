package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pngOf is a PNG file of the given size with hardly any data.
func pngOf(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 2, 0, 0, 0)
	data := append([]byte(pngSignature), 0, 0, 0, 13)
	data = append(data, header...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(header))
}

// TestRefused: what cannot be read, and what would eat the memory, is an
// error of the right kind.
func TestRefused(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata/files", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	patch := func(name string, at int, b ...byte) []byte {
		data := file(name)
		copy(data[at:], b)
		return data
	}
	half := func(name string) []byte {
		data := file(name)
		return data[:len(data)/2]
	}
	vp8 := bytes.Index(file("lossy-0.webp"), []byte{0x9D, 0x01, 0x2A}) + 3
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":           {nil, ErrFormat},
		"text":            {[]byte("<svg></svg>"), ErrFormat},
		"PNG bomb":        {pngOf(100_000, 100_000), ErrTooLarge},
		"wide PNG":        {pngOf(1<<31-1, 1), ErrTooLarge},
		"PNG header only": {pngOf(10, 10), ErrFormat},
		"PNG half":        {half("mode-RGB.png"), ErrFormat},
		"JPEG bomb":       {patch("grey.jpg", bytes.Index(file("grey.jpg"), []byte{0xFF, 0xC0})+5, 0xFF, 0xFF, 0xFF, 0xFF), ErrTooLarge},
		"JPEG half":       {half("grey.jpg"), ErrFormat},
		"GIF bomb":        {patch("palette.gif", 6, 0xFF, 0xFF, 0xFF, 0xFF), ErrTooLarge},
		"GIF half":        {half("palette.gif"), ErrFormat},
		"BMP bomb":        {patch("mode-RGB.bmp", 18, 0xFF, 0xFF, 0xFF, 0x7F), ErrTooLarge},
		"BMP half":        {half("mode-RGB.bmp"), ErrFormat},
		"BMP RLE":         {patch("mode-P.bmp", 30, 1), ErrUnsupported},
		"WebP bomb":       {patch("lossy-0.webp", vp8, 0xFF, 0x3F, 0xFF, 0x3F), ErrTooLarge},
		"WebP half":       {half("lossy-2.webp"), ErrFormat},
		"lossless bomb":   {patch("lossless-0.webp", 21, 0xFF, 0xFF, 0xFF, 0x0F), ErrTooLarge},
		"WebP canvas":     {patch("animation-offset.webp", 24, 3, 0, 0, 3, 0, 0), ErrFormat},
		"no WebP image":   {[]byte("RIFF\x04\x00\x00\x00WEBP"), ErrFormat},
	} {
		if _, err := Open(bytes.NewReader(c.data), Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Open(bytes.NewReader(file("mode-RGB.png")), Limits{Bytes: 100}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit of bytes: %v", err)
	}
	if _, err := Open(bytes.NewReader(file("mode-RGB.png")), Limits{Pixels: 19*13 - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit of pixels: %v", err)
	}
	if _, err := Open(bytes.NewReader(file("mode-RGB.png")), Limits{Pixels: 19 * 13}); err != nil {
		t.Errorf("at the limit of pixels: %v", err)
	}
}

// TestAbsurdProportions: lines of pixels neither hang nor eat the memory.
func TestAbsurdProportions(t *testing.T) {
	tall, wide := &RGB{Width: 1, Height: 20_000_000}, &RGB{Width: 20_000_000, Height: 1}
	tall.Pix = make([]byte, 60_000_000)
	wide.Pix = tall.Pix
	for _, config := range []string{
		`{"image_processor_type":"ViTImageProcessor"}`,
		`{"image_processor_type":"ViTImageProcessor","resample":0,"size":{"shortest_edge":8192}}`,
		`{"image_processor_type":"CLIPImageProcessor"}`,
		`{"image_processor_type":"CLIPImageProcessor","do_center_crop":false}`,
		`{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":20,"longest_edge":30}}`,
	} {
		for _, backend := range []Backend{Torchvision, Pillow} {
			p, err := NewProcessor(Files{Preprocessor: []byte(config)}, backend)
			if err != nil {
				t.Fatal(err)
			}
			for _, img := range []*RGB{tall, wide} {
				if _, err := p.Process(img); !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrFormat) {
					t.Errorf("%s %s: %v", backend, config, err)
				}
			}
		}
	}
}

// TestConfigRefused: settings that no picture can be processed with.
func TestConfigRefused(t *testing.T) {
	for config, want := range map[string]error{
		``:   ErrFormat,
		`[]`: ErrFormat,
		`{`:  ErrFormat,
		`{}`: ErrUnsupported,
		`{"image_processor_type":"DetrImageProcessor"}`:                                                ErrUnsupported,
		`{"image_processor_type":"ViTImageProcessor","size":{"height":0,"width":4}}`:                   ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","size":{"height":100000,"width":4}}`:              ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","size":{"max_pixels":5}}`:                         ErrUnsupported,
		`{"image_processor_type":"ViTImageProcessor","size":"big"}`:                                    ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","resample":9}`:                                    ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","image_std":[1,0,1]}`:                             ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","image_mean":[1,0]}`:                              ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","rescale_factor":0}`:                              ErrFormat,
		`{"image_processor_type":"ViTImageProcessor","do_pad":true}`:                                   ErrUnsupported,
		`{"image_processor_type":"CLIPImageProcessor","crop_size":{"shortest_edge":4}}`:                ErrFormat,
		`{"image_processor_type":"ConvNextImageProcessor","size":{"height":4,"width":4}}`:              ErrFormat,
		`{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":4},"crop_pct":1e-9}`: ErrFormat,
		`{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":4},"crop_pct":-1}`:   ErrFormat,
	} {
		if _, err := NewProcessor(Files{Preprocessor: []byte(config)}, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", config, err, want)
		}
	}
	_, err := NewProcessor(Files{Preprocessor: []byte(`{}`), ModelType: "detr"}, "")
	if err == nil || !strings.Contains(err.Error(), "CLIPImageProcessor") {
		t.Errorf("%v does not say what is supported", err)
	}
	if _, err := NewProcessor(Files{Preprocessor: []byte(`{}`), ModelType: "vit"}, "cuda"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("backend cuda: %v", err)
	}
}

// TestOriented: turning by one orientation and back gives the picture.
func TestOriented(t *testing.T) {
	img := picture("noise", 7, 4)
	for orientation, back := range []int{1, 1, 2, 3, 4, 5, 8, 7, 6, 9} {
		turned := img.oriented(orientation)
		again := turned.oriented(back)
		if again.Width != 7 || again.Height != 4 || !slices.Equal(again.Pix, img.Pix) {
			t.Errorf("orientation %d and back: another picture", orientation)
		}
		if orientation > 1 && orientation < 9 && slices.Equal(turned.Pix, img.Pix) {
			t.Errorf("orientation %d changed nothing", orientation)
		}
	}
}

func FuzzOpen(f *testing.F) {
	names, err := filepath.Glob("testdata/files/*")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Open(bytes.NewReader(data), Limits{Pixels: 1 << 14})
		if err == nil && (len(img.Pix) != img.Width*img.Height*3 || img.Width*img.Height > 1<<14) {
			t.Errorf("%d × %d pixels of %d bytes", img.Width, img.Height, len(img.Pix))
		}
	})
}

func FuzzProcessor(f *testing.F) {
	f.Add([]byte(`{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":4},"crop_size":{"height":3,"width":5}}`), []byte(nil), uint8(3), uint8(7))
	f.Add([]byte(`{"feature_extractor_type":"ConvNextFeatureExtractor","size":22,"crop_pct":0.9}`), []byte(`{}`), uint8(30), uint8(1))
	f.Add([]byte(nil), []byte(`{"image_processor":{"image_processor_type":"ViTImageProcessorFast","size":[7,9],"resample":0}}`), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, preprocessor, processor []byte, width, height uint8) {
		p, err := NewProcessor(Files{Preprocessor: preprocessor, Processor: processor, ModelType: "vit"}, Pillow)
		if err != nil || max(p.config.Size.Height, p.config.Size.Width, p.config.Size.ShortestEdge, p.config.CropSize.Height, p.config.CropSize.Width) > 64 {
			return
		}
		out, err := p.Process(picture("noise", int(width), int(height)))
		if err == nil && len(out.Data) != 3*out.Dim(1)*out.Dim(2) {
			t.Errorf("shape %v with %d numbers", out.Shape(), len(out.Data))
		}
	})
}

// BenchmarkProcess is the way of a picture of 640 × 480 pixels into a model.
func BenchmarkProcess(b *testing.B) {
	img := picture("gradient", 640, 480)
	for _, backend := range []Backend{Torchvision, Pillow} {
		for _, class := range []string{"ViTImageProcessor", "CLIPImageProcessor"} {
			p, err := NewProcessor(Files{Preprocessor: []byte(`{"image_processor_type":"` + class + `"}`)}, backend)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(string(backend)+"/"+class, func(b *testing.B) {
				for b.Loop() {
					if _, err := p.Process(img); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
