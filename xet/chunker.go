package xet

import "encoding/binary"

// Sizes of chunks in bytes. A chunk is cut where the content says so, at
// TargetChunk bytes on average, but not before MinChunk and at MaxChunk at the
// latest; the last chunk of a file may be shorter. Files written by older
// clients hold chunks under MinChunk elsewhere too.
const (
	TargetChunk = 64 << 10
	MinChunk    = TargetChunk / 8
	MaxChunk    = TargetChunk * 2
)

const (
	// window is how many bytes the rolling hash remembers: each step shifts it
	// left by one bit, so a byte has left after 64.
	window = 64

	// unhashed is how many bytes at the start of a chunk cannot influence any
	// boundary, because they have left the window when the first one is tested.
	unhashed = MinChunk - window - 1

	// A boundary is where the top 16 bits of the hash are zero, that is, where
	// it is below cutBelow.
	cutBelow = 1 << 48
)

// Chunker finds the ends of chunks in a stream. The result does not depend on
// how the stream is split into blocks. The zero value stands at the start of a
// file.
type Chunker struct {
	hash uint64
	size int // bytes of the current chunk seen so far
}

// Next looks for the end of the current chunk in b, the bytes that follow those
// of the previous call. If there is one, the chunk ends after b[:n], done is
// true, and the next call starts a new chunk; otherwise n is len(b). At the end
// of the file a chunk that has begun ends too.
func (c *Chunker) Next(b []byte) (n int, done bool) {
	limit := min(len(b), MaxChunk-c.size) // the chunk ends here at the latest
	i := min(max(unhashed-c.size, 0), limit)
	h := c.hash

	warm := min(max(MinChunk-1-c.size, i), limit)
	for _, v := range b[i:warm] {
		h = h<<1 + gear[v]
	}
	i = warm

	if end, hash := scanStripes(b[i:limit], h); end > 0 {
		*c = Chunker{}
		return i + end, true
	} else {
		h = hash
	}
	if c.size+limit == MaxChunk {
		*c = Chunker{}
		return limit, true
	}
	c.hash, c.size = h, c.size+limit
	return limit, false
}

// A lane is how many bytes of b one of the four hashes rolls over that are
// computed at the same time, because each alone waits for itself. A hash depends
// on the last 64 bytes only, so that it can begin anywhere.
const lane = 2 << 10

// scanStripes rolls h over b until a boundary and returns how many bytes that
// took, 0 if there is none. This is where the time goes.
func scanStripes(b []byte, h uint64) (end int, hash uint64) {
	i := 0
	for ; i+4*lane <= len(b); i += 4 * lane {
		stripe := b[i : i+4*lane]
		last, boundary := rollFour(stripe, h)
		if boundary {
			break
		}
		h = last
	}
	if end, h = scan(b[i:], h); end > 0 {
		end += i
	}
	return end, h
}

// rollFour rolls h over four lanes. It returns the hash at the end, or true if
// there is a boundary somewhere.
func rollFour(stripe []byte, h uint64) (last uint64, boundary bool) {
	a, b, c, d := stripe[:lane], stripe[lane:2*lane], stripe[2*lane:3*lane], stripe[3*lane:4*lane]
	hb, hc, hd := roll(a[lane-window:]), roll(b[lane-window:]), roll(c[lane-window:])
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	for i := range a {
		h = h<<1 + gear[a[i]]
		hb = hb<<1 + gear[b[i]]
		hc = hc<<1 + gear[c[i]]
		hd = hd<<1 + gear[d[i]]
		if h < cutBelow || hb < cutBelow || hc < cutBelow || hd < cutBelow {
			return 0, true
		}
	}
	return hd, false
}

// roll is the hash after the bytes of a window.
func roll(b []byte) (h uint64) {
	for _, v := range b {
		h = h<<1 + gear[v]
	}
	return h
}

// scan is scanStripes byte by byte, for a stripe that holds a boundary and for
// what is shorter than one. It takes bytes in pairs: h after the second one is
// 4h + (2·T[first] + T[second]), of which the bracket does not wait for h, so that
// the chain from pair to pair is two operations long, not four.
func scan(b []byte, h uint64) (end int, hash uint64) {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		first, second := gear[byte(v)], gear[byte(v>>8)]
		odd, even := h<<1+first, h<<2+(first<<1+second)
		if odd < cutBelow {
			return i + 1, odd
		}
		if even < cutBelow {
			return i + 2, even
		}
		first, second = gear[byte(v>>16)], gear[byte(v>>24)]
		odd, h = even<<1+first, even<<2+(first<<1+second)
		if odd < cutBelow {
			return i + 3, odd
		}
		if h < cutBelow {
			return i + 4, h
		}
		first, second = gear[byte(v>>32)], gear[byte(v>>40)]
		odd, even = h<<1+first, h<<2+(first<<1+second)
		if odd < cutBelow {
			return i + 5, odd
		}
		if even < cutBelow {
			return i + 6, even
		}
		first, second = gear[byte(v>>48)], gear[byte(v>>56)]
		odd, h = even<<1+first, even<<2+(first<<1+second)
		if odd < cutBelow {
			return i + 7, odd
		}
		if h < cutBelow {
			return i + 8, h
		}
	}
	for ; i < len(b); i++ {
		if h = h<<1 + gear[b[i]]; h < cutBelow {
			return i + 1, h
		}
	}
	return 0, h
}
