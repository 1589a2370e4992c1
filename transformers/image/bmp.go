package image

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// bmpHeader is what the two headers of a BMP file say.
type bmpHeader struct {
	width, height int
	topDown       bool
	depth         int // bits of a pixel
	masks         [3]uint32
	palette       []byte // blue, green, red and perhaps a pad
	entry         int    // bytes of a palette entry
	pixels        []byte
}

// decodeBMP reads an uncompressed BMP file.
func decodeBMP(data []byte, limits Limits) (*RGB, metadata, error) {
	h, err := readBMPHeader(data)
	if err != nil {
		return nil, metadata{}, err
	}
	if err := limits.check(h.width, h.height); err != nil {
		return nil, metadata{}, err
	}
	stride := (h.width*h.depth + 31) / 32 * 4
	if len(h.pixels) < stride*h.height {
		return nil, metadata{}, fmt.Errorf("%w: BMP pixels end early", ErrFormat)
	}
	img := newRGB(h.width, h.height)
	convert := h.converter()
	for y := range h.height {
		from := y
		if !h.topDown {
			from = h.height - 1 - y
		}
		convert(img.Pix[y*h.width*3:][:h.width*3], h.pixels[from*stride:][:stride])
	}
	return img, metadata{}, nil
}

func readBMPHeader(data []byte) (*bmpHeader, error) {
	le := binary.LittleEndian
	bad := fmt.Errorf("%w: BMP header", ErrFormat)
	if len(data) < 18 {
		return nil, bad
	}
	offset, size := uint64(le.Uint32(data[10:])), uint64(le.Uint32(data[14:]))
	info := data[14:]
	if size != 12 && size < 40 || size > uint64(len(info)) {
		return nil, bad
	}
	h := &bmpHeader{entry: 4, masks: [3]uint32{0xFF0000, 0xFF00, 0xFF}}
	compression, colours := uint32(0), 0
	if size == 12 {
		h.entry = 3
		h.width, h.height = int(le.Uint16(info[4:])), int(le.Uint16(info[6:]))
		h.depth = int(le.Uint16(info[10:]))
	} else {
		h.width, h.height = int(int32(le.Uint32(info[4:]))), int(int32(le.Uint32(info[8:])))
		h.depth = int(le.Uint16(info[14:]))
		compression, colours = le.Uint32(info[16:]), int(le.Uint32(info[32:]))
	}
	if h.height < 0 {
		h.height, h.topDown = -h.height, true
	}
	if h.depth == 16 {
		h.masks = [3]uint32{0x7C00, 0x3E0, 0x1F}
	}
	at := size
	switch {
	case compression == 0:
	case compression == 3 && (h.depth == 16 || h.depth == 32) && len(info) >= 52:
		for i := range h.masks {
			h.masks[i] = le.Uint32(info[40+4*i:])
		}
		at = max(at, 52)
	default:
		return nil, fmt.Errorf("%w: BMP compression %d", ErrUnsupported, compression)
	}
	switch h.depth {
	case 1, 4, 8:
		if colours == 0 || colours > 256 {
			colours = 1 << h.depth
		}
		h.palette = info[at:min(uint64(len(info)), at+uint64(colours*h.entry))]
	case 16, 24, 32:
	default:
		return nil, fmt.Errorf("%w: BMP of %d bits", ErrUnsupported, h.depth)
	}
	if offset > uint64(len(data)) {
		return nil, bad
	}
	h.pixels = data[offset:]
	return h, nil
}

// converter is the function from a stored row to RGB.
func (h *bmpHeader) converter() func(to, from []byte) {
	if h.depth <= 8 {
		table := make([]byte, len(h.palette)/h.entry*3)
		for i := range len(table) / 3 {
			e := h.palette[i*h.entry:]
			table[3*i], table[3*i+1], table[3*i+2] = e[2], e[1], e[0]
		}
		colours := paletteOrGrey(table)
		return func(to, from []byte) {
			for x := range len(to) / 3 {
				bit := x * h.depth
				index := from[bit/8] >> (8 - h.depth - bit%8) & byte(1<<h.depth-1)
				copy(to[3*x:], colours[index][:])
			}
		}
	}
	size := h.depth / 8
	return func(to, from []byte) {
		for x := range len(to) / 3 {
			var v uint32
			for i := range size {
				v |= uint32(from[x*size+i]) << (8 * i)
			}
			for c, mask := range h.masks {
				to[3*x+c] = scaled(v, mask)
			}
		}
	}
}

// scaled is the field of v under the mask, stretched to 0 to 255.
func scaled(v, mask uint32) byte {
	width := bits.OnesCount32(mask)
	if width == 0 {
		return 0
	}
	field := v & mask >> bits.TrailingZeros32(mask)
	if width > 8 {
		return byte(field >> (width - 8))
	}
	return byte(field * 255 / (1<<width - 1))
}
