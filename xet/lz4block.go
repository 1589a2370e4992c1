package xet

import (
	"encoding/binary"
	"math/bits"
)

// The LZ4 block format.
const (
	lz4MinMatch = 4
	lz4Short    = 15 // lengths from here on do not fit into the token
)

// How this encoder looks for matches. At each step it looks up lz4Lanes
// positions at once, and the next step begins behind the first match that it
// finds. The assembly does the same (gen/lz4.go).
const (
	lz4Lanes    = 4
	lz4HashBits = 13
	lz4SkipLog  = 3  // 1<<lz4SkipLog futile steps make the way to the next longer by lz4Lanes
	lz4Stride   = 6  // the way to the next at first; a match that begins between steps is followed back
	lz4Margin   = 48 // no step begins in the last bytes of a block
	lz4Tail     = 16 // and what is compared at once ends before these
	lz4Slack    = 40 // dst has room for so much more than a sequence needs
	lz4First    = 8  // the first step begins here

	// A hash of five bytes finds most of what four would, and more that is long.
	lz4HashPrime = 889523592379 << 24 & (1<<64 - 1)

	// Entries count from a base, which moves by lz4Slide when they are about to
	// overflow.
	lz4Slide = 32 << 10
)

// lz4Table finds earlier positions by a hash of the bytes there. It has to stay in
// the first-level cache.
type lz4Table [1 << lz4HashBits]uint16

// lz4Stream is a block that is being compressed. It may stop after any step.
type lz4Stream struct {
	dst, src []byte
	base     int // where entries of the table count from
	pos      int // where the next step begins
	anchor   int // the first byte of src that is not written yet
	n        int // bytes of dst written, -1 if it does not fit
	skip     int // futile steps since the last match
	table    lz4Table

	thorough bool // look everywhere
}

// start begins to compress src into dst.
func (s *lz4Stream) start(dst, src []byte) {
	s.dst, s.src = dst, src
	s.base, s.pos, s.anchor, s.n, s.skip, s.thorough = 0, lz4First, 0, 0, 0, false
	clear(s.table[:])
}

// done reports whether there are no more steps to run.
func (s *lz4Stream) done() bool { return s.n < 0 || s.pos > len(s.src)-lz4Margin }

// finish ends the block and returns its size, or 0 if it does not fit, which it
// may also not do for want of a few bytes that it would not have needed.
func (s *lz4Stream) finish() int {
	defer func() { s.dst, s.src = nil, nil }()
	if s.n < 0 {
		return 0
	}
	rest := s.src[s.anchor:]
	if s.n+1+len(rest)/255+1+len(rest) > len(s.dst) {
		return 0
	}
	return putLiterals(s.dst, s.n, rest)
}

// runPortable runs the stream to its end. Of the positions of a step the first
// that matches counts. A match is followed up to where it ends, and back as far
// as there are literals.
func (s *lz4Stream) runPortable() {
	for !s.done() {
		if s.pos+lz4Lanes-1-s.base >= 1<<16 {
			s.slide()
			continue
		}
		pos, match := s.probe()
		if match < 0 && s.thorough {
			s.pos += lz4Lanes
			continue
		}
		if match < 0 {
			s.skip++
			s.pos += lz4Stride + s.skip>>lz4SkipLog*lz4Lanes
			continue
		}
		more := commonLen(s.src, match+lz4MinMatch, pos+lz4MinMatch)
		if match >= 8 {
			differ := load64(s.src, pos-8) ^ load64(s.src, match-8)
			back := min(bits.LeadingZeros64(differ)>>3, pos-s.anchor)
			pos, match, more = pos-back, match-back, more+back
		}
		s.put(pos, pos-match, more)
		if s.n < 0 {
			return
		}
		s.pos = pos + lz4MinMatch + more
		s.anchor, s.skip = s.pos, 0
	}
}

// probe looks up the positions of a step and remembers them. It returns the
// first that matches, and with what, -1 if none does.
func (s *lz4Stream) probe() (pos, match int) {
	next, now := s.src[s.pos:][:lz4Lanes+7], s.pos-s.base
	window := s.src[s.base:]
	match = -1
	for k := range lz4Lanes {
		v := binary.LittleEndian.Uint64(next[k : k+8])
		hashed := v
		if s.thorough {
			hashed <<= 8 // four bytes: where little matches, the short count
		}
		entry := &s.table[lz4Hash(hashed)]
		candidate := int(*entry)
		*entry = uint16(now + k)
		if load32(window, candidate) == uint32(v) && match < 0 {
			match, pos = s.base+candidate, s.pos+k
		}
	}
	return pos, match
}

// put writes a sequence: the literals up to pos, then a match of lz4MinMatch+more
// bytes.
func (s *lz4Stream) put(pos, distance, more int) {
	literals := s.src[s.anchor:pos]
	room := lz4Slack
	if len(literals) >= lz4Short || more >= lz4Short {
		room += len(literals) + len(literals)>>7 + more>>7
	}
	if s.n+room > len(s.dst) {
		s.n = -1
		return
	}
	token := &s.dst[s.n]
	s.n = putLiterals(s.dst, s.n, literals)
	binary.LittleEndian.PutUint16(s.dst[s.n:], uint16(distance))
	s.n += 2
	*token |= byte(min(more, lz4Short))
	if more >= lz4Short {
		s.n = putCount(s.dst, s.n, more-lz4Short)
	}
}

// slide moves the base. Entries before it become entries of it, which are no
// worse than others that do not match.
func (s *lz4Stream) slide() {
	for i, entry := range s.table {
		s.table[i] = max(entry, lz4Slide) - lz4Slide
	}
	s.base += lz4Slide
}

func lz4Hash(v uint64) uint64 { return v * lz4HashPrime >> (64 - lz4HashBits) }

func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// commonLen counts the equal bytes from a and b on; a < b. The last ones of src
// never count.
func commonLen(src []byte, a, b int) int {
	start := b
	for b <= len(src)-lz4Tail {
		if x := load64(src, a) ^ load64(src, b); x != 0 {
			return b - start + bits.TrailingZeros64(x)>>3
		}
		a, b = a+8, b+8
	}
	return b - start
}

// putLiterals writes a token with the length of the literals, and the literals.
// It returns the new end of dst, which must have room.
func putLiterals(dst []byte, n int, literals []byte) int {
	if len(literals) < lz4Short {
		dst[n] = byte(len(literals) << 4)
		n++
	} else {
		dst[n] = lz4Short << 4
		n = putCount(dst, n+1, len(literals)-lz4Short)
	}
	return n + copy(dst[n:], literals)
}

// putCount writes what a length has beyond 15: bytes that add up to it, all but
// the last 255.
func putCount(dst []byte, n, v int) int {
	for ; v >= 255; v -= 255 {
		dst[n] = 255
		n++
	}
	dst[n] = byte(v)
	return n + 1
}
