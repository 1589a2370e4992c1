package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"image/png"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// decodePNG reads the default image of a PNG file.
func decodePNG(data []byte, limits Limits) (*RGB, metadata, error) {
	chunks := pngChunks(data)
	header := chunks["IHDR"]
	if len(header) != 13 {
		return nil, metadata{}, fmt.Errorf("%w: PNG header", ErrFormat)
	}
	width, height := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[4:])
	if width > 1<<30 || height > 1<<30 {
		return nil, metadata{}, fmt.Errorf("%w: %d × %d pixels", ErrTooLarge, width, height)
	}
	if err := limits.check(int(width), int(height)); err != nil {
		return nil, metadata{}, err
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, metadata{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	img := newRGB(int(width), int(height))
	fillRGB(img.Pix, decoded, chunks["PLTE"], header[9] == 0)
	return img, metadata{exif: chunks["eXIf"], xmp: pngXMP(chunks["iTXt"])}, nil
}

// pngChunks are the payloads of the chunks that matter here by name: the
// first of a name, of iTXt the one with XMP. They may be cut off.
func pngChunks(data []byte) map[string][]byte {
	chunks := map[string][]byte{}
	rest := data[len(pngSignature):]
	for len(rest) >= 12 {
		n, name := int(binary.BigEndian.Uint32(rest)), string(rest[4:8])
		if n > len(rest)-12 {
			break
		}
		payload := rest[8 : 8+n]
		rest = rest[12+n:]
		switch name {
		case "IHDR", "PLTE", "eXIf":
		case "iTXt":
			if pngXMP(payload) == nil {
				continue
			}
		default:
			continue
		}
		if _, ok := chunks[name]; !ok {
			chunks[name] = payload
		}
	}
	return chunks
}

// pngXMP is the text of an uncompressed iTXt chunk of XMP, nil for others.
func pngXMP(chunk []byte) []byte {
	// Keyword, compression flag and method, language, translated keyword.
	text, ok := bytes.CutPrefix(chunk, []byte("XML:com.adobe.xmp\x00\x00\x00"))
	for range 2 {
		if ok {
			_, text, ok = bytes.Cut(text, []byte{0})
		}
	}
	if !ok {
		return nil
	}
	return text
}

// fillRGB converts what the standard decoder gives. A palette is the file's:
// the decoder stretches it for indices beyond it, to other colours than
// Pillow's.
func fillRGB(dst []byte, img stdimage.Image, palette []byte, grey bool) {
	b := img.Bounds()
	switch img := img.(type) {
	case *stdimage.Gray:
		eachRow(dst, b, img.Pix, img.Stride, 1, func(to, from []byte) { to[0], to[1], to[2] = from[0], from[0], from[0] })
	case *stdimage.Gray16:
		eachRow(dst, b, img.Pix, img.Stride, 2, clippedGrey)
	case *stdimage.Paletted:
		colours := paletteRGB(palette)
		eachRow(dst, b, img.Pix, img.Stride, 1, func(to, from []byte) { copy(to, colours[from[0]][:]) })
	case *stdimage.RGBA: // opaque
		eachRow(dst, b, img.Pix, img.Stride, 4, func(to, from []byte) { copy(to, from[:3]) })
	case *stdimage.NRGBA:
		eachRow(dst, b, img.Pix, img.Stride, 4, func(to, from []byte) { copy(to, from[:3]) })
	case *stdimage.RGBA64: // opaque
		eachRow(dst, b, img.Pix, img.Stride, 8, func(to, from []byte) { to[0], to[1], to[2] = from[0], from[2], from[4] })
	case *stdimage.NRGBA64:
		if grey { // with a transparent colour, which Pillow does not look at here
			eachRow(dst, b, img.Pix, img.Stride, 8, clippedGrey)
			return
		}
		eachRow(dst, b, img.Pix, img.Stride, 8, func(to, from []byte) { to[0], to[1], to[2] = from[0], from[2], from[4] })
	}
}

// clippedGrey is Pillow's conversion from 16-bit grey: values above 255 are
// white, however odd that is.
func clippedGrey(to, from []byte) {
	v := from[1]
	if from[0] > 0 {
		v = 255
	}
	to[0], to[1], to[2] = v, v, v
}

// eachRow converts every pixel of size bytes.
func eachRow(dst []byte, b stdimage.Rectangle, pix []byte, stride, size int, convert func(to, from []byte)) {
	w := b.Dx()
	for y := range b.Dy() {
		to, from := dst[y*w*3:][:w*3], pix[y*stride:][:w*size]
		for len(to) >= 3 && len(from) >= size {
			convert(to[:3], from[:size])
			to, from = to[3:], from[size:]
		}
	}
}

// paletteRGB is a palette of 256 colours; those that the file lacks are black.
func paletteRGB(palette []byte) *[256][3]byte {
	var colours [256][3]byte
	for i := range min(256, len(palette)/3) {
		copy(colours[i][:], palette[3*i:])
	}
	return &colours
}

// paletteOrGrey is paletteRGB for formats where Pillow takes a picture whose
// palette is a ramp, colour i being grey i, to be grey: then the colours that
// the file lacks continue the ramp.
func paletteOrGrey(palette []byte) *[256][3]byte {
	colours := paletteRGB(palette)
	for i := range colours {
		grey := [3]byte{byte(i), byte(i), byte(i)}
		if i < len(palette)/3 && colours[i] != grey {
			return paletteRGB(palette)
		}
		colours[i] = grey
	}
	return colours
}
