package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/transformers/image/jpeg"
)

// What Open and Process return besides a result. Errors wrap one of these,
// except those of the reader.
var (
	// ErrFormat is data that is no picture, is damaged or ends early.
	ErrFormat = errors.New("image: invalid data")
	// ErrUnsupported is a picture of a kind that the package does not read.
	ErrUnsupported = errors.New("image: unsupported kind of picture")
	// ErrTooLarge is a picture beyond the limits.
	ErrTooLarge = errors.New("image: picture too large")
)

// RGB is a picture.
type RGB struct {
	Width, Height int
	// Pix holds (height, width, 3) samples.
	Pix []byte
}

func newRGB(width, height int) *RGB {
	return &RGB{Width: width, Height: height, Pix: make([]byte, width*height*3)}
}

// Limits bound what Open accepts. Zero values mean the defaults.
type Limits struct {
	// Bytes is the largest file, 128 MiB by default.
	Bytes int64
	// Pixels is the largest width × height. The default is 89,478,485, the
	// size above which Pillow warns of a decompression bomb: 256 MiB of RGB.
	Pixels int
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 128 << 20
	}
	if l.Pixels == 0 {
		l.Pixels = 1 << 30 / 4 / 3
	}
	return l
}

// check refuses a picture of no or too many pixels.
func (l Limits) check(width, height int) error {
	if width <= 0 || height <= 0 {
		return fmt.Errorf("%w: %d × %d pixels", ErrFormat, width, height)
	}
	if width > l.Pixels/height {
		return fmt.Errorf("%w: %d × %d pixels, at most %d allowed", ErrTooLarge, width, height, l.Pixels)
	}
	return nil
}

// Open reads a JPEG, PNG, GIF, WebP or BMP file and turns it upright.
func Open(r io.Reader, limits Limits) (*RGB, error) {
	limits = limits.withDefaults()
	data, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	if int64(len(data)) > limits.Bytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limits.Bytes)
	}
	img, meta, err := decode(data, limits)
	if err != nil {
		return nil, err
	}
	return img.oriented(meta.orientation()), nil
}

// decode chooses the decoder by the first bytes.
func decode(data []byte, limits Limits) (*RGB, metadata, error) {
	prefix := func(s string) bool { return bytes.HasPrefix(data, []byte(s)) }
	switch {
	case prefix("\xFF\xD8"):
		return decodeJPEG(data, limits)
	case prefix(pngSignature):
		return decodePNG(data, limits)
	case prefix("GIF87a"), prefix("GIF89a"):
		return decodeGIF(data, limits)
	case prefix("RIFF") && len(data) >= 12 && string(data[8:12]) == "WEBP":
		return decodeWebP(data, limits)
	case prefix("BM"):
		return decodeBMP(data, limits)
	}
	return nil, metadata{}, fmt.Errorf("%w: not a JPEG, PNG, GIF, WebP or BMP file", ErrFormat)
}

func decodeJPEG(data []byte, limits Limits) (*RGB, metadata, error) {
	p, err := jpeg.Decode(data, limits.Pixels)
	if err != nil {
		for ours, theirs := range map[error]error{ErrTooLarge: jpeg.ErrTooLarge, ErrUnsupported: jpeg.ErrUnsupported, ErrFormat: jpeg.ErrFormat} {
			if errors.Is(err, theirs) {
				return nil, metadata{}, fmt.Errorf("%w: %w", ours, err)
			}
		}
		return nil, metadata{}, err
	}
	var meta metadata
	for _, s := range p.APP1 {
		if exif, ok := bytes.CutPrefix(s, []byte("Exif\x00\x00")); ok {
			meta.exif = append(meta.exif, exif...)
		} else if xmp, ok := bytes.CutPrefix(s, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok {
			meta.xmp = xmp
		}
	}
	img := &RGB{Width: p.Width, Height: p.Height, Pix: p.Pix}
	switch p.Components {
	case 1:
		img.Pix = repeat(p.Pix)
	case 4:
		img.Pix = fromCMYK(p.Pix)
	}
	return img, meta, nil
}

// repeat makes RGB of grey.
func repeat(grey []byte) []byte {
	pix := make([]byte, len(grey)*3)
	for i, v := range grey {
		pix[3*i], pix[3*i+1], pix[3*i+2] = v, v, v
	}
	return pix
}

// fromCMYK makes RGB of inverted CMYK, which Adobe's programs store and
// Pillow takes all CMYK to be.
func fromCMYK(cmyk []byte) []byte {
	pix := make([]byte, len(cmyk)/4*3)
	for i := range len(cmyk) / 4 {
		k := int(cmyk[4*i+3]) // already 255 - black
		for c := range 3 {
			// k·ink/255, rounded, in Pillow's arithmetic.
			t := (255-int(cmyk[4*i+c]))*k + 128
			pix[3*i+c] = byte(max(0, k-(t>>8+t)>>8))
		}
	}
	return pix
}
