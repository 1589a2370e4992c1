package image

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"fmt"
	"io"
)

// gifReader walks over the blocks of a GIF file.
type gifReader struct {
	rest []byte
}

// take is the next n bytes, or nil if there are fewer.
func (g *gifReader) take(n int) []byte {
	if len(g.rest) < n {
		g.rest = nil
		return nil
	}
	s := g.rest[:n]
	g.rest = g.rest[n:]
	return s
}

// subBlocks joins the data blocks up to their terminator. Blocks that end
// early are left out.
func (g *gifReader) subBlocks() []byte {
	var joined []byte
	for {
		n := g.take(1)
		if n == nil || n[0] == 0 {
			return joined
		}
		joined = append(joined, g.take(int(n[0]))...)
	}
}

// palette is a colour table if the flags announce one, else nil.
func (g *gifReader) palette(flags byte) []byte {
	if flags&0x80 == 0 {
		return nil
	}
	return g.take(3 << (flags&7 + 1))
}

// decodeGIF reads the first frame of a GIF file on its canvas. The canvas is
// of the transparent index where the frame has one, else of index 0.
func decodeGIF(data []byte, limits Limits) (*RGB, metadata, error) {
	fail := func(what string) (*RGB, metadata, error) {
		return nil, metadata{}, fmt.Errorf("%w: GIF %s", ErrFormat, what)
	}
	g := &gifReader{rest: data[6:]}
	screen := g.take(7)
	if screen == nil {
		return fail("header ends early")
	}
	width, height := int(binary.LittleEndian.Uint16(screen)), int(binary.LittleEndian.Uint16(screen[2:]))
	palette := g.palette(screen[4])
	background := byte(0)
	for {
		introducer := g.take(1)
		if introducer == nil || introducer[0] == ';' {
			return fail("has no image")
		}
		if introducer[0] == '!' {
			label := g.take(1)
			if block := g.subBlocks(); label != nil && label[0] == 0xF9 && len(block) >= 4 && block[0]&1 != 0 {
				background = block[3]
			}
			continue
		}
		if introducer[0] == ',' {
			break
		}
	}
	descriptor := g.take(9)
	if descriptor == nil {
		return fail("image descriptor ends early")
	}
	var box [4]int // left, top, width, height
	for i := range box {
		box[i] = int(binary.LittleEndian.Uint16(descriptor[2*i:]))
	}
	flags := descriptor[8]
	if local := g.palette(flags); local != nil {
		palette = local
	}
	width, height = max(width, box[0]+box[2]), max(height, box[1]+box[3])
	if err := limits.check(width, height); err != nil {
		return nil, metadata{}, err
	}
	litWidth := g.take(1)
	if litWidth == nil || litWidth[0] < 1 || litWidth[0] > 8 {
		return fail("code size")
	}
	compressed := lzw.NewReader(bytes.NewReader(g.subBlocks()), lzw.LSB, int(litWidth[0]))
	defer compressed.Close()
	pixels := make([]byte, box[2]*box[3])
	if _, err := io.ReadFull(compressed, pixels); err != nil {
		return fail("pixels: " + err.Error())
	}

	colours := paletteOrGrey(palette)
	img := newRGB(width, height)
	for i := 0; i < len(img.Pix); i += 3 {
		copy(img.Pix[i:], colours[background][:])
	}
	for i, y := range gifRows(box[3], flags&0x40 != 0) {
		row := img.Pix[((box[1]+y)*width+box[0])*3:]
		for x, index := range pixels[i*box[2]:][:box[2]] {
			copy(row[3*x:], colours[index][:])
		}
	}
	return img, metadata{}, nil
}

// gifRows is the order in which the file stores the rows of an image.
func gifRows(height int, interlaced bool) []int {
	rows := make([]int, 0, height)
	passes := [][2]int{{0, 1}}
	if interlaced {
		passes = [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	for _, pass := range passes {
		for y := pass[0]; y < height; y += pass[1] {
			rows = append(rows, y)
		}
	}
	return rows
}
