package image

import (
	"encoding/binary"
	"regexp"
)

// metadata is what a file says about itself besides its pixels.
type metadata struct {
	exif []byte // a TIFF structure
	xmp  []byte
}

var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)

// orientation is the Exif orientation, 1 to 8; 1, upright, if there is none.
// XMP is asked where Exif has none, as Pillow does.
func (m metadata) orientation() int {
	if o, ok := exifOrientation(m.exif); ok {
		return o
	}
	if match := xmpOrientation.FindSubmatch(m.xmp); match != nil {
		return int(match[1][0] - '0')
	}
	return 1
}

// exifOrientation reads tag 0x0112 of the first directory.
func exifOrientation(tiff []byte) (int, bool) {
	if len(tiff) < 8 {
		return 0, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0, false
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 0, false
	}
	n := int(order.Uint16(tiff[at:]))
	entries := tiff[at+2:]
	for i := 0; i < n && len(entries) >= 12; i++ {
		tag, kind, count, value := order.Uint16(entries), order.Uint16(entries[2:]), order.Uint32(entries[4:]), entries[8:12]
		entries = entries[12:]
		if tag != 0x0112 || count != 1 {
			continue
		}
		switch kind {
		case 1: // BYTE
			return int(value[0]), true
		case 3: // SHORT
			return int(order.Uint16(value)), true
		case 4: // LONG
			return int(order.Uint32(value)), true
		}
	}
	return 0, false
}

// oriented is the picture turned upright from the given Exif orientation.
func (img *RGB) oriented(orientation int) *RGB {
	w, h := img.Width, img.Height
	// The source pixel of (x, y) is start + x·dx + y·dy.
	var start, dx, dy int
	switch orientation {
	case 2: // mirrored left to right
		start, dx, dy = w-1, -1, w
	case 3: // upside down
		start, dx, dy = w*h-1, -1, -w
	case 4: // mirrored top to bottom
		start, dx, dy = (h-1)*w, 1, -w
	case 5: // transposed
		start, dx, dy = 0, w, 1
	case 6: // to be turned clockwise
		start, dx, dy = (h-1)*w, -w, 1
	case 7: // transposed along the other diagonal
		start, dx, dy = w*h-1, -w, -1
	case 8: // to be turned counterclockwise
		start, dx, dy = w-1, w, -1
	default:
		return img
	}
	out := &RGB{Width: w, Height: h, Pix: make([]byte, len(img.Pix))}
	if orientation >= 5 {
		out.Width, out.Height = h, w
	}
	i := 0
	for y := range out.Height {
		from := start + y*dy
		for range out.Width {
			copy(out.Pix[i:i+3], img.Pix[3*from:])
			i, from = i+3, from+dx
		}
	}
	return out
}
