package jpeg

import "fmt"

// zigzag is the natural position of each coefficient in the order of the file.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// lookBits is the length of the codes that one look-up resolves.
const lookBits = 9

// huffman is a decoding table (ITU T.81, annex C and F.2.2.3).
type huffman struct {
	look    [1 << lookBits]uint16 // length<<8 | symbol; 0 for longer codes
	maxCode [17]int32             // largest code of each length, left-aligned to 16 bits, exclusive
	offset  [17]int32             // index of a length's first symbol minus its first code
	symbols []byte
}

func newHuffman(counts []byte, symbols []byte) (*huffman, error) {
	h := &huffman{symbols: symbols}
	code, k := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		h.offset[length] = k - code
		if code+n > 1<<length {
			return nil, fmt.Errorf("%w: Huffman table has too many codes", ErrFormat)
		}
		if length <= lookBits {
			for i := range n {
				first := (code + i) << (lookBits - length)
				for j := range int32(1) << (lookBits - length) {
					h.look[first+j] = uint16(length)<<8 | uint16(symbols[k+i])
				}
			}
		}
		code, k = code+n, k+n
		h.maxCode[length] = code << (16 - length)
		code <<= 1
	}
	return h, nil
}

func (d *decoder) huffmanTables(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 {
			return fmt.Errorf("%w: Huffman table ends early", ErrFormat)
		}
		class, id := s[0]>>4, s[0]&15
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if class > 1 || id > 3 || n > 256 || len(s) < 17+n {
			return fmt.Errorf("%w: Huffman table", ErrFormat)
		}
		h, err := newHuffman(s[1:17], s[17:17+n])
		if err != nil {
			return err
		}
		if class == 0 {
			d.dc[id] = h
		} else {
			d.ac[id] = h
		}
		s = s[17+n:]
	}
	return nil
}

// bits reads the entropy-coded bits of a scan.
type bits struct {
	data []byte
	at   int    // of the next byte that is not in acc
	acc  uint64 // the n low bits are valid
	n    int
	over int  // bits handed out beyond the end
	bad  bool // a code that is in no table
}

// fill makes at least 32 bits available: real ones up to the next marker,
// zeros after it, which over counts.
func (b *bits) fill() {
	for b.n <= 56 {
		var c byte
		switch {
		case b.at >= len(b.data):
			b.over += 8
		case b.data[b.at] != 0xFF:
			c = b.data[b.at]
			b.at++
		case b.at+1 < len(b.data) && b.data[b.at+1] == 0:
			c = 0xFF
			b.at += 2
		default: // a marker
			b.over += 8
		}
		b.acc = b.acc<<8 | uint64(c)
		b.n += 8
	}
}

// ended reports whether bits were used that the data does not have.
func (b *bits) ended() bool { return b.over > b.n }

// take is the next n ≤ 16 bits; fill was called for them.
func (b *bits) take(n int) int32 {
	b.n -= n
	return int32(b.acc>>b.n) & (1<<n - 1)
}

// extended is the next n ≤ 16 bits as a signed number (T.81, F.2.2.1).
func (b *bits) extended(n int) int32 {
	v := b.take(n)
	if v < 1<<n>>1 {
		v -= 1<<n - 1
	}
	return v
}

// symbol is the next symbol; afterwards at least 16 bits are available.
func (b *bits) symbol(h *huffman) byte {
	if b.n < 32 {
		b.fill()
	}
	if e := h.look[b.acc>>(b.n-lookBits)&(1<<lookBits-1)]; e != 0 {
		b.n -= int(e >> 8)
		return byte(e)
	}
	code := int32(b.acc>>(b.n-16)) & 0xFFFF
	for length := lookBits + 1; length <= 16; length++ {
		if code < h.maxCode[length] {
			b.n -= length
			return h.symbols[code>>(16-length)+h.offset[length]]
		}
	}
	b.bad = true
	return 0
}

// restart drops the bits up to the next restart marker and steps over it.
func (b *bits) restart(number int) error {
	if b.ended() {
		return fmt.Errorf("%w: scan ends early", ErrFormat)
	}
	b.acc, b.n, b.over = 0, 0, 0
	for b.at+1 < len(b.data) {
		if b.data[b.at] != 0xFF || b.data[b.at+1] == 0xFF || b.data[b.at+1] == 0 {
			b.at++
			continue
		}
		if b.data[b.at+1] != byte(0xD0+number&7) {
			break
		}
		b.at += 2
		return nil
	}
	return fmt.Errorf("%w: restart marker %d is missing", ErrFormat, number&7)
}
