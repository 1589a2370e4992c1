package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdimage "image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// riffChunks calls f for each chunk of a RIFF body until f says stop.
func riffChunks(body []byte, f func(name string, payload []byte) (stop bool)) {
	for len(body) >= 8 {
		name, n := string(body[:4]), uint64(binary.LittleEndian.Uint32(body[4:]))
		body = body[8:]
		payload := body[:min(n, uint64(len(body)))]
		if f(name, payload) {
			return
		}
		body = body[min(n+n%2, uint64(len(body))):]
	}
}

// webpFile is what the container of a WebP file says.
type webpFile struct {
	metadata
	canvas [2]int // width and height; zero in the simple format
	offset [2]int // of the first frame on the canvas
	name   string // of the chunk with the first frame's pixels
	frame  []byte
}

func readWebP(data []byte) webpFile {
	var f webpFile
	pixels := func(name string, payload []byte) bool {
		if name == "VP8 " || name == "VP8L" {
			f.name, f.frame = name, payload
		}
		return f.frame != nil
	}
	riffChunks(data[12:], func(name string, payload []byte) bool {
		switch {
		case name == "VP8X" && len(payload) >= 10 && f.frame == nil:
			f.canvas = [2]int{uint24(payload[4:]) + 1, uint24(payload[7:]) + 1}
		case name == "ANMF" && len(payload) >= 16 && f.frame == nil:
			f.offset = [2]int{2 * uint24(payload), 2 * uint24(payload[3:])}
			riffChunks(payload[16:], pixels)
		case name == "EXIF" && f.exif == nil:
			f.exif = bytes.TrimPrefix(payload, []byte("Exif\x00\x00"))
		case name == "XMP " && f.xmp == nil:
			f.xmp = payload
		case f.frame == nil:
			pixels(name, payload)
		}
		return false
	})
	return f
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// decodeWebP reads a WebP file, of an animation the first frame on its
// transparent, thus black, canvas.
func decodeWebP(data []byte, limits Limits) (*RGB, metadata, error) {
	f := readWebP(data)
	var img *RGB
	var err error
	switch f.name {
	case "VP8 ":
		img, err = decodeVP8(f.frame, limits)
	case "VP8L":
		img, err = decodeVP8L(f.frame, limits)
	default:
		err = fmt.Errorf("%w: WebP without an image", ErrFormat)
	}
	if err != nil {
		return nil, metadata{}, err
	}
	if f.canvas == [2]int{} || f.canvas == [2]int{img.Width, img.Height} {
		return img, f.metadata, nil
	}
	if err := limits.check(f.canvas[0], f.canvas[1]); err != nil {
		return nil, metadata{}, err
	}
	if f.offset[0]+img.Width > f.canvas[0] || f.offset[1]+img.Height > f.canvas[1] {
		return nil, metadata{}, fmt.Errorf("%w: WebP frame is outside its canvas", ErrFormat)
	}
	canvas := newRGB(f.canvas[0], f.canvas[1])
	for y := range img.Height {
		copy(canvas.Pix[((f.offset[1]+y)*canvas.Width+f.offset[0])*3:], img.Pix[y*img.Width*3:][:img.Width*3])
	}
	return canvas, f.metadata, nil
}

func decodeVP8L(data []byte, limits Limits) (*RGB, error) {
	config, err := vp8l.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := limits.check(config.Width, config.Height); err != nil {
		return nil, err
	}
	decoded, err := vp8l.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	img := newRGB(config.Width, config.Height)
	fillRGB(img.Pix, decoded, nil, false)
	return img, nil
}

func decodeVP8(data []byte, limits Limits) (*RGB, error) {
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(data), len(data))
	header, err := d.DecodeFrameHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	decoded, err := d.DecodeFrame()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return fromVP8(decoded, header.Width, header.Height), nil
}

// fromVP8 converts a VP8 frame, 4:2:0 with luminance 16 to 235, to RGB as
// libwebp does.
func fromVP8(f *stdimage.YCbCr, width, height int) *RGB {
	img := newRGB(width, height)
	us, vs := make([]byte, width), make([]byte, width)
	half, last := (width+1)/2, (height+1)/2-1
	for y := range height {
		near, far := y/2, min(y/2+1, last)
		if y%2 == 0 {
			far = max(y/2-1, 0)
		}
		widenVP8(us, f.Cb[near*f.CStride:][:half], f.Cb[far*f.CStride:][:half])
		widenVP8(vs, f.Cr[near*f.CStride:][:half], f.Cr[far*f.CStride:][:half])
		ys, row := f.Y[y*f.YStride:][:width], img.Pix[y*width*3:][:width*3]
		for x, v := range ys {
			luma, u, v := int(v)*19077>>8, int(us[x]), int(vs[x])
			row[3*x] = clipVP8(luma + v*26149>>8 - 14234)
			row[3*x+1] = clipVP8(luma - u*6419>>8 - v*13320>>8 + 8708)
			row[3*x+2] = clipVP8(luma + u*33050>>8 - 17685)
		}
	}
	return img
}

// clipVP8 drops the six fraction bits.
func clipVP8(v int) byte { return byte(min(max(v>>6, 0), 255)) }

// widenVP8 filters a row of chroma up to full size: each sample is made of
// the four around it with weights 9, 3, 3 and 1 of 16, in libwebp's rounding.
// near is the stored row closer to the wanted one.
func widenVP8(dst, near, far []byte) {
	edge := func(i int) byte { return byte((3*int(near[i]) + int(far[i]) + 2) >> 2) }
	dst[0] = edge(0)
	for x := 1; 2*x-1 < len(dst); x++ {
		if x == len(near) { // an even width ends between samples
			dst[2*x-1] = edge(x - 1)
			break
		}
		nl, nr, fl, fr := int(near[x-1]), int(near[x]), int(far[x-1]), int(far[x])
		dst[2*x-1] = byte(((nl+3*nr+3*fl+fr+8)>>3 + nl) >> 1)
		if 2*x < len(dst) {
			dst[2*x] = byte(((3*nl+nr+fl+3*fr+8)>>3 + nr) >> 1)
		}
	}
}
