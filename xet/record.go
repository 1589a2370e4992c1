package xet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Scheme says how the bytes of one chunk are compressed in a xorb.
type Scheme uint8

// The schemes of the wire format.
const (
	Stored  Scheme = 0 // as they are
	LZ4     Scheme = 1 // one LZ4 frame
	BG4LZ4  Scheme = 2 // bytes regrouped by position modulo 4, then one LZ4 frame
	schemes        = 3
)

// HeaderSize is the size of the header that precedes each chunk in a xorb.
const HeaderSize = 8

// maxPayload is the largest compressed chunk that clients accept.
const maxPayload = 2 * MaxChunk

// ErrCorrupt is wrapped by every error about bytes that do not follow the
// format or do not hash to the name they should have.
var ErrCorrupt = errors.New("xet: corrupt data")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// Header precedes the payload of a chunk in a xorb.
type Header struct {
	Payload int // size of the compressed bytes that follow
	Raw     int // size of the chunk
	Scheme  Scheme
}

// Append appends the wire form.
func (h Header) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Payload)<<8) // version 0, then 24 bits
	return binary.LittleEndian.AppendUint32(dst, uint32(h.Raw)<<8|uint32(h.Scheme))
}

// ParseHeader parses the first HeaderSize bytes of b.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, corruptf("chunk header of %d bytes", len(b))
	}
	first, second := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	h := Header{Payload: int(first >> 8), Raw: int(second >> 8), Scheme: Scheme(second)}
	switch {
	case byte(first) != 0:
		return Header{}, corruptf("chunk header version %d", byte(first))
	case h.Scheme >= schemes:
		return Header{}, corruptf("compression scheme %d", h.Scheme)
	case h.Raw == 0 || h.Raw > MaxChunk:
		return Header{}, corruptf("chunk of %d bytes", h.Raw)
	case h.Payload == 0 || h.Payload > maxPayload:
		return Header{}, corruptf("compressed chunk of %d bytes", h.Payload)
	case h.Scheme == Stored && h.Payload != h.Raw:
		return Header{}, corruptf("stored chunk of %d bytes in %d", h.Raw, h.Payload)
	}
	return h, nil
}

// Decoder inflates chunks. It keeps scratch space and so serves one goroutine at
// a time; the zero value is ready for use.
type Decoder struct{ lanes, chunk []byte }

// Decode inflates a payload into dst, which must have the size of the chunk.
func (d *Decoder) Decode(dst, payload []byte, scheme Scheme) error {
	switch scheme {
	case Stored:
		if len(payload) != len(dst) {
			return corruptf("stored chunk of %d bytes in %d", len(dst), len(payload))
		}
		copy(dst, payload)
		return nil
	case LZ4:
		return decodeFrame(dst, payload)
	case BG4LZ4:
		d.lanes = grow(d.lanes, len(dst))
		if err := decodeFrame(d.lanes, payload); err != nil {
			return err
		}
		ungroup4(dst, d.lanes)
		return nil
	}
	return corruptf("compression scheme %d", scheme)
}

// grow returns a slice of n bytes, b's array if it is large enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, max(n, MaxChunk))
	}
	return b[:n]
}

// lanesOf cuts b into its four lanes, of which the first ones may have a byte more.
func lanesOf(b []byte) (l0, l1, l2, l3 []byte) {
	n := len(b)
	l0, b = b[:(n+3)/4], b[(n+3)/4:]
	l1, b = b[:(n+2)/4], b[(n+2)/4:]
	return l0, l1, b[:(n+1)/4], b[(n+1)/4:]
}

// group4 moves the bytes at positions 0, 4, 8 … to the front of dst, then those
// at 1, 5, 9 … and so on: bytes of equal significance of 32-bit numbers, or of
// pairs of 16-bit ones, come to lie together, where LZ4 sees them.
func group4(dst, src []byte) {
	n := len(src) / 4
	l0, l1, l2, l3 := lanesOf(dst)
	i := groupBlocks(l0, l1, l2, l3, src)
	for ; i+8 <= n; i += 8 {
		s := src[4*i : 4*i+32]
		p0, p1 := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
		p2, p3 := binary.LittleEndian.Uint64(s[16:]), binary.LittleEndian.Uint64(s[24:])
		// Quads 0 and 4, 1 and 5, 2 and 6, 3 and 7.
		a, b, c, d := transpose(p0&low32|p2<<32, p0>>32|p2&^low32, p1&low32|p3<<32, p1>>32|p3&^low32)
		binary.LittleEndian.PutUint64(l0[i:], a)
		binary.LittleEndian.PutUint64(l1[i:], b)
		binary.LittleEndian.PutUint64(l2[i:], c)
		binary.LittleEndian.PutUint64(l3[i:], d)
	}
	for ; i < n; i++ {
		l0[i], l1[i], l2[i], l3[i] = src[4*i], src[4*i+1], src[4*i+2], src[4*i+3]
	}
	for k, tail := range src[4*n:] {
		[4][]byte{l0, l1, l2, l3}[k][n] = tail
	}
}

const low32 = 1<<32 - 1

// transpose takes quads of bytes by pairs, 0 and 4, 1 and 5, 2 and 6, 3 and 7,
// and returns their four lanes. It is its own inverse: both steps are, and their
// order does not matter.
func transpose(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a, b = swap8(a, b)
	c, d = swap8(c, d)
	a, c = swap16(a, c)
	b, d = swap16(b, d)
	return a, b, c, d
}

// swap8 swaps the odd bytes of x with the even bytes of y.
func swap8(x, y uint64) (uint64, uint64) {
	t := (x>>8 ^ y) & 0x00ff00ff00ff00ff
	return x ^ t<<8, y ^ t
}

// swap16 does the same with halves of quads.
func swap16(x, y uint64) (uint64, uint64) {
	t := (x>>16 ^ y) & 0x0000ffff0000ffff
	return x ^ t<<16, y ^ t
}

// ungroup4 is the inverse of group4.
func ungroup4(dst, src []byte) {
	n := len(src) / 4
	l0, l1, l2, l3 := lanesOf(src)
	i := ungroupBlocks(l0, l1, l2, l3, dst)
	for ; i+8 <= n; i += 8 {
		d := dst[4*i : 4*i+32]
		a, b := binary.LittleEndian.Uint64(l0[i:]), binary.LittleEndian.Uint64(l1[i:])
		c, e := binary.LittleEndian.Uint64(l2[i:]), binary.LittleEndian.Uint64(l3[i:])
		a, b, c, e = transpose(a, b, c, e)
		binary.LittleEndian.PutUint64(d, a&low32|b<<32)
		binary.LittleEndian.PutUint64(d[8:], c&low32|e<<32)
		binary.LittleEndian.PutUint64(d[16:], a>>32|b&^low32)
		binary.LittleEndian.PutUint64(d[24:], c>>32|e&^low32)
	}
	for ; i < n; i++ {
		dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = l0[i], l1[i], l2[i], l3[i]
	}
	for k := range dst[4*n:] {
		dst[4*n+k] = [4][]byte{l0, l1, l2, l3}[k][n]
	}
}
