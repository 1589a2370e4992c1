package xet

import (
	"encoding/binary"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// The parts of the LZ4 frame format that Xet clients produce and read. The
// frames written here hold one independent block, no checksums and no content
// size, which every client's decoder reads. (Block checksums, in particular,
// make the JavaScript client return wrong bytes.)
const (
	frameMagic = 0x184D2204

	flagVersion         = 0x40
	flagVersionMask     = 0xC0
	flagIndependent     = 0x20
	flagBlockChecksum   = 0x10
	flagContentSize     = 0x08
	flagContentChecksum = 0x04
	flagReserved        = 0x02
	flagDict            = 0x01

	blockStored = 1 << 31 // in a block's size: its bytes are not compressed

	// frameOverhead is the header, the block's size and the end mark.
	frameOverhead = 7 + 4 + 4

	// lz4Window is how far back a match may reach, into earlier blocks of the
	// frame too when they are linked.
	lz4Window = 64 << 10
)

// frameHeader is magic, FLG, BD (blocks of up to 256 KiB) and the checksum of
// the last two.
var frameHeader = func() []byte {
	h := binary.LittleEndian.AppendUint32(nil, frameMagic)
	h = append(h, flagVersion|flagIndependent, 5<<4)
	return append(h, byte(xxh32(h[4:])>>8))
}()

// frameBlock is the part of dst where the block of a frame goes that must fit
// into dst: that decides how much compression is worth the trouble.
func frameBlock(dst []byte) []byte {
	if len(dst) < frameOverhead {
		return nil
	}
	return dst[frameOverhead-4 : len(dst)-4]
}

// closeFrame makes a frame of the block of n bytes in dst and returns its size.
func closeFrame(dst []byte, n int) int {
	head := copy(dst, frameHeader)
	binary.LittleEndian.PutUint32(dst[head:], uint32(n))
	binary.LittleEndian.PutUint32(dst[head+4+n:], 0)
	return head + 4 + n + 4
}

// decodeFrame inflates exactly one frame that fills dst and leaves nothing of
// src. Whatever checksums the frame carries are verified, because the clients
// that will read it verify them.
func decodeFrame(dst, src []byte) error {
	f, body, err := parseFrameHeader(src)
	if err != nil {
		return err
	}
	if f.hasSize && f.size != uint64(len(dst)) {
		return corruptf("LZ4 frame of %d bytes for a chunk of %d", f.size, len(dst))
	}
	done := 0
	for {
		if len(body) < 4 {
			return corruptf("LZ4 frame ends early")
		}
		word := binary.LittleEndian.Uint32(body)
		body = body[4:]
		if word == 0 {
			break
		}
		size := int(word &^ blockStored)
		if size > f.maxBlock || size > len(body) {
			return corruptf("LZ4 block of %d bytes", size)
		}
		block := body[:size]
		body = body[size:]
		n, err := f.decodeBlock(dst, done, block, word&blockStored != 0)
		if err != nil {
			return err
		}
		done += n
		if f.blockChecksum {
			if len(body) < 4 || binary.LittleEndian.Uint32(body) != xxh32(block) {
				return corruptf("LZ4 block checksum")
			}
			body = body[4:]
		}
	}
	if done != len(dst) {
		return corruptf("LZ4 frame inflates to %d bytes, want %d", done, len(dst))
	}
	if f.contentChecksum {
		if len(body) < 4 || binary.LittleEndian.Uint32(body) != xxh32(dst) {
			return corruptf("LZ4 content checksum")
		}
		body = body[4:]
	}
	if len(body) > 0 {
		return corruptf("%d bytes after an LZ4 frame", len(body))
	}
	return nil
}

// frame is what a frame header says.
type frame struct {
	linked, blockChecksum, contentChecksum, hasSize bool
	size                                            uint64
	maxBlock                                        int
}

func parseFrameHeader(src []byte) (frame, []byte, error) {
	if len(src) < 7 || binary.LittleEndian.Uint32(src) != frameMagic {
		return frame{}, nil, corruptf("not an LZ4 frame")
	}
	flags, blocks := src[4], src[5]
	if flags&flagVersionMask != flagVersion || flags&(flagReserved|flagDict) != 0 {
		return frame{}, nil, corruptf("LZ4 frame flags %#x", flags)
	}
	exponent := int(blocks >> 4 & 7)
	if exponent < 4 || blocks&0x8f != 0 {
		return frame{}, nil, corruptf("LZ4 block descriptor %#x", blocks)
	}
	f := frame{
		linked:          flags&flagIndependent == 0,
		blockChecksum:   flags&flagBlockChecksum != 0,
		contentChecksum: flags&flagContentChecksum != 0,
		hasSize:         flags&flagContentSize != 0,
		maxBlock:        1 << (8 + 2*exponent),
	}
	end := 6
	if f.hasSize {
		end += 8
		if len(src) <= end {
			return frame{}, nil, corruptf("LZ4 frame header of %d bytes", len(src))
		}
		f.size = binary.LittleEndian.Uint64(src[6:])
	}
	if src[end] != byte(xxh32(src[4:end])>>8) {
		return frame{}, nil, corruptf("LZ4 header checksum")
	}
	return f, src[end+1:], nil
}

// decodeBlock inflates one block behind the done bytes that dst already holds.
func (f frame) decodeBlock(dst []byte, done int, block []byte, stored bool) (int, error) {
	room := dst[done:]
	if len(room) > f.maxBlock {
		room = room[:f.maxBlock]
	}
	if stored {
		if len(block) > len(room) {
			return 0, corruptf("LZ4 frame inflates to over %d bytes", len(dst))
		}
		return copy(room, block), nil
	}
	var history []byte
	if f.linked {
		history = dst[max(0, done-lz4Window):done]
	}
	n, err := lz4.UncompressBlockWithDict(block, room, history)
	if err != nil {
		return 0, corruptf("LZ4 block: %v", err)
	}
	return n, nil
}

// xxh32 is the 32-bit xxHash of b with seed 0, the checksum of LZ4 frames.
func xxh32(b []byte) uint32 {
	const (
		p1 = 2654435761
		p2 = 2246822519
		p3 = 3266489917
		p4 = 668265263
		p5 = 374761393
	)
	h := uint32(len(b))
	if len(b) < 16 {
		h += p5
	} else {
		v := [4]uint32{(p1 + p2) & 0xffffffff, p2, 0, 1<<32 - p1}
		for ; len(b) >= 16; b = b[16:] {
			for i := range v {
				v[i] = bits.RotateLeft32(v[i]+binary.LittleEndian.Uint32(b[4*i:])*p2, 13) * p1
			}
		}
		h += bits.RotateLeft32(v[0], 1) + bits.RotateLeft32(v[1], 7) + bits.RotateLeft32(v[2], 12) + bits.RotateLeft32(v[3], 18)
	}
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*p3, 17) * p4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*p5, 11) * p1
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return h ^ h>>16
}
