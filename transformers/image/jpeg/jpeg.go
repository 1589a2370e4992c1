package jpeg

import (
	"bytes"
	"errors"
	"fmt"
)

// What Decode returns besides a picture. All wrap one of these.
var (
	// ErrFormat is data that is not a JPEG file, is damaged or ends early.
	ErrFormat = errors.New("jpeg: invalid data")
	// ErrUnsupported is a JPEG file of a kind that the package does not read.
	ErrUnsupported = errors.New("jpeg: unsupported kind of file")
	// ErrTooLarge is a picture of more pixels than the caller allows.
	ErrTooLarge = errors.New("jpeg: picture too large")
)

// maxScans bounds the passes over a progressive picture, each of which may
// cost a few bytes of data and a visit of every block.
const maxScans = 100

// Picture is a decoded file.
type Picture struct {
	Width, Height int
	// Components is the number of bytes per pixel: 1 grey, 3 RGB, 4 CMYK. The
	// CMYK values are those of the file: Adobe's programs store ink inverted.
	Components int
	// Pix holds (height, width, components) samples.
	Pix []byte
	// APP1 holds the payloads of the APP1 segments before the first scan, in
	// order: Exif and XMP. They share memory with the input.
	APP1 [][]byte
}

// component is one colour plane of a frame.
type component struct {
	id, h, v, quant int // v and h: sampling factors
	width, height   int // of the samples that mean something (libjpeg: downsampled)
	blocksX         int // blocks of a row, padded to whole MCUs
	blocksY         int
	coeffs          []int16 // (blocksY, blocksX, 64), natural order; only if there are several scans
	plane           []byte  // (blocksY·8, blocksX·8) samples
}

func (c *component) stride() int { return c.blocksX * 8 }

// row is a row of samples; rows beyond the edges repeat the outermost ones.
func (c *component) row(y int) []byte {
	y = min(max(y, 0), c.height-1)
	return c.plane[y*c.stride():][:c.width]
}

type decoder struct {
	data []byte
	at   int

	width, height int
	progressive   bool
	comps         []component
	maxH, maxV    int
	mcusX, mcusY  int

	quant    [4][64]uint16 // zigzag order
	hasQuant [4]bool
	dc, ac   [4]*huffman
	restart  int // MCUs between restart markers, 0 for none

	jfif, adobe    bool
	adobeTransform byte
	app1           [][]byte
	scans          int
	coded          []bool // components that had a scan
}

// Decode reads one picture of at most maxPixels pixels.
func Decode(data []byte, maxPixels int) (*Picture, error) {
	d := &decoder{data: data}
	if len(data) < 2 || data[0] != 0xFF || data[1] != 0xD8 {
		return nil, fmt.Errorf("%w: no start of image", ErrFormat)
	}
	d.at = 2
	for {
		marker, segment, err := d.next()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == 0xD9: // end of image
			return d.finish()
		case marker == 0xDA: // start of scan
			done, err := d.scan(segment)
			if err != nil {
				return nil, err
			}
			if done {
				return d.finish()
			}
		case marker == 0xC4:
			err = d.huffmanTables(segment)
		case marker == 0xDB:
			err = d.quantTables(segment)
		case marker == 0xDD:
			if len(segment) < 2 {
				return nil, fmt.Errorf("%w: short restart interval", ErrFormat)
			}
			d.restart = int(segment[0])<<8 | int(segment[1])
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC8 && marker != 0xCC:
			err = d.frame(marker, segment, maxPixels)
		default:
			d.app(marker, segment)
		}
		if err != nil {
			return nil, err
		}
	}
}

// next finds the next marker and its payload.
func (d *decoder) next() (marker byte, segment []byte, err error) {
	for {
		i := bytes.IndexByte(d.data[d.at:], 0xFF)
		if i < 0 {
			return 0, nil, fmt.Errorf("%w: no end of image", ErrFormat)
		}
		d.at += i
		for d.at < len(d.data) && d.data[d.at] == 0xFF {
			d.at++
		}
		if d.at == len(d.data) {
			return 0, nil, fmt.Errorf("%w: no end of image", ErrFormat)
		}
		marker = d.data[d.at]
		d.at++
		if marker != 0 && marker != 0x01 && (marker < 0xD0 || marker > 0xD8) {
			break
		}
	}
	if marker == 0xD9 {
		return marker, nil, nil
	}
	rest := d.data[d.at:]
	if len(rest) < 2 {
		return 0, nil, fmt.Errorf("%w: segment 0x%02X ends early", ErrFormat, marker)
	}
	n := int(rest[0])<<8 | int(rest[1])
	if n < 2 || n > len(rest) {
		return 0, nil, fmt.Errorf("%w: segment 0x%02X ends early", ErrFormat, marker)
	}
	d.at += n
	return marker, rest[2:n], nil
}

// app reads the application segments that decide on colours, and keeps APP1.
func (d *decoder) app(marker byte, segment []byte) {
	switch {
	case marker == 0xE0 && len(segment) >= 14 && bytes.HasPrefix(segment, []byte("JFIF\x00")):
		d.jfif = true
	case marker == 0xEE && len(segment) >= 12 && bytes.HasPrefix(segment, []byte("Adobe")):
		d.adobe, d.adobeTransform = true, segment[11]
	case marker == 0xE1 && d.scans == 0:
		d.app1 = append(d.app1, segment)
	}
}

func (d *decoder) quantTables(s []byte) error {
	for len(s) > 0 {
		precision, id := s[0]>>4, s[0]&15
		n := 64 * (1 + int(precision&1))
		if precision > 1 || id > 3 || len(s) < 1+n {
			return fmt.Errorf("%w: quantisation table", ErrFormat)
		}
		for i := range 64 {
			if precision == 0 {
				d.quant[id][i] = uint16(s[1+i])
			} else {
				d.quant[id][i] = uint16(s[1+2*i])<<8 | uint16(s[2+2*i])
			}
		}
		d.hasQuant[id] = true
		s = s[1+n:]
	}
	return nil
}

var unsupportedFrames = map[byte]string{
	0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "lossless hierarchical",
	0xC9: "arithmetic coding", 0xCA: "arithmetic coding", 0xCB: "arithmetic coding",
	0xCD: "arithmetic coding", 0xCE: "arithmetic coding", 0xCF: "arithmetic coding",
}

// frame reads the frame header: what the picture is like.
func (d *decoder) frame(marker byte, s []byte, maxPixels int) error {
	if kind, ok := unsupportedFrames[marker]; ok {
		return fmt.Errorf("%w: %s", ErrUnsupported, kind)
	}
	if d.comps != nil {
		return fmt.Errorf("%w: two frames", ErrFormat)
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return fmt.Errorf("%w: frame header", ErrFormat)
	}
	if s[0] != 8 {
		return fmt.Errorf("%w: %d bits", ErrUnsupported, s[0])
	}
	d.progressive = marker == 0xC2
	d.height, d.width = int(s[1])<<8|int(s[2]), int(s[3])<<8|int(s[4])
	if d.width == 0 || d.height == 0 {
		return fmt.Errorf("%w: %d × %d pixels", ErrFormat, d.width, d.height)
	}
	if d.width*d.height > maxPixels {
		return fmt.Errorf("%w: %d × %d pixels, at most %d allowed", ErrTooLarge, d.width, d.height, maxPixels)
	}
	n := int(s[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("%w: %d components", ErrUnsupported, n)
	}
	d.comps, d.coded = make([]component, n), make([]bool, n)
	for i := range d.comps {
		c := &d.comps[i]
		c.id, c.h, c.v, c.quant = int(s[6+3*i]), int(s[7+3*i]>>4), int(s[7+3*i]&15), int(s[8+3*i])
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return fmt.Errorf("%w: component %d", ErrFormat, i)
		}
		for _, before := range d.comps[:i] {
			if before.id == c.id {
				return fmt.Errorf("%w: component %d twice", ErrFormat, c.id)
			}
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	d.mcusX, d.mcusY = ceilDiv(d.width, 8*d.maxH), ceilDiv(d.height, 8*d.maxV)
	for i := range d.comps {
		c := &d.comps[i]
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return fmt.Errorf("%w: fractional sampling", ErrUnsupported)
		}
		c.width, c.height = ceilDiv(d.width*c.h, d.maxH), ceilDiv(d.height*c.v, d.maxV)
		c.blocksX, c.blocksY = d.mcusX*c.h, d.mcusY*c.v
	}
	return nil
}

// finish turns coefficients and planes into pixels.
func (d *decoder) finish() (*Picture, error) {
	for i, coded := range d.coded {
		if !coded {
			return nil, fmt.Errorf("%w: component %d has no scan", ErrFormat, i)
		}
	}
	if d.scans == 0 {
		return nil, fmt.Errorf("%w: no scan", ErrFormat)
	}
	for i := range d.comps {
		c := &d.comps[i]
		if c.coeffs == nil {
			continue
		}
		q, err := d.dequant(c)
		if err != nil {
			return nil, err
		}
		c.plane = make([]byte, len(c.coeffs))
		for by := range c.blocksY {
			for bx := range c.blocksX {
				block := (*[64]int16)(c.coeffs[(by*c.blocksX+bx)*64:])
				idct(c.plane[by*8*c.stride()+bx*8:], c.stride(), block, q)
			}
		}
		c.coeffs = nil
	}
	return &Picture{
		Width: d.width, Height: d.height, Components: len(d.comps),
		Pix: d.pixels(), APP1: d.app1,
	}, nil
}

// dequant is a component's quantisation table in natural order.
func (d *decoder) dequant(c *component) (*[64]int32, error) {
	if !d.hasQuant[c.quant] {
		return nil, fmt.Errorf("%w: no quantisation table %d", ErrFormat, c.quant)
	}
	var q [64]int32
	for i, z := range zigzag {
		q[z] = int32(d.quant[c.quant][i])
	}
	return &q, nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
