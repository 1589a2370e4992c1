package xet

import (
	"encoding/binary"
	"math/bits"
)

// The LZ4 block format, and how this encoder looks for matches.
const (
	lz4MinMatch  = 4
	lz4LastMatch = 12 // no match begins in the last bytes of a block
	lz4Literals  = 5  // nor covers these
	lz4HashBits  = 14
	lz4SkipLog   = 6 // so many failures make the step to the next try longer by one
)

// lz4Table finds earlier positions by a hash of the bytes there.
type lz4Table [1 << lz4HashBits]uint32

// lz4Hash says how many bytes a match must at least have to be found: those
// that are left when a word of eight is shifted.
type lz4Hash struct {
	shift int
	prime uint64
}

// Regrouped numbers have few different bytes and short matches: with five bytes
// bfloat16 weights shrink to 85 %, with six to 88 %. Text is the other way
// round: 46 % and 42 %.
var (
	hash5 = lz4Hash{shift: 24, prime: 889523592379}
	hash6 = lz4Hash{shift: 16, prime: 227718039650203}
)

func (h lz4Hash) of(v uint64) uint64 { return (v << (h.shift & 63)) * h.prime >> (64 - lz4HashBits) }

func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// compressBlock compresses src into dst as one LZ4 block and returns its size,
// or 0 if it does not fit: a sequence of (literals, match) pairs, greedily the
// nearest match that the table knows, then literals to the end.
func compressBlock(dst, src []byte, table *lz4Table, hash lz4Hash) int {
	clear(table[:])
	n := 0              // bytes of dst written
	anchor, pos := 0, 0 // the first byte of src not written yet; the one looked at
	limit := len(src) - lz4LastMatch
	for pos <= limit {
		match, found := 0, false
		for tries := 1 << lz4SkipLog; pos <= limit; tries++ {
			v := load64(src, pos)
			h := hash.of(v)
			match = int(table[h])
			table[h] = uint32(pos)
			if uint32(v) == load32(src, match) && uint(pos-match-1) < lz4Window-1 {
				found = true
				break
			}
			pos += tries >> lz4SkipLog
		}
		if !found {
			break
		}
		for pos > anchor && match > 0 && src[pos-1] == src[match-1] {
			pos--
			match--
		}
		length := commonLen(src, match+lz4MinMatch, pos+lz4MinMatch)
		literals := src[anchor:pos]
		if n+len(literals)+len(literals)/255+length/255+5 > len(dst) {
			return 0
		}
		token := n
		n = putLiterals(dst, n, literals)
		binary.LittleEndian.PutUint16(dst[n:], uint16(pos-match))
		n += 2
		if length < 15 {
			dst[token] |= byte(length)
		} else {
			dst[token] |= 15
			n = putCount(dst, n, length-15)
		}
		pos += lz4MinMatch + length
		anchor = pos
		if pos <= limit {
			table[hash.of(load64(src, pos-2))] = uint32(pos - 2)
		}
	}
	rest := src[anchor:]
	if n+1+len(rest)/255+1+len(rest) > len(dst) {
		return 0
	}
	return putLiterals(dst, n, rest)
}

// commonLen counts the equal bytes from a and b on; a < b. The last bytes of src
// never count.
func commonLen(src []byte, a, b int) int {
	start, end := b, len(src)-lz4Literals
	for b+8 <= end {
		if x := load64(src, a) ^ load64(src, b); x != 0 {
			return b - start + bits.TrailingZeros64(x)>>3
		}
		a, b = a+8, b+8
	}
	for b < end && src[a] == src[b] {
		a, b = a+1, b+1
	}
	return b - start
}

// putLiterals writes a token with the length of the literals, and the literals.
// It returns the new end of dst, which must have room.
func putLiterals(dst []byte, n int, literals []byte) int {
	if len(literals) < 15 {
		dst[n] = byte(len(literals) << 4)
		n++
		if len(literals) <= 8 && cap(literals) >= 8 && n+8 <= len(dst) {
			binary.LittleEndian.PutUint64(dst[n:], binary.LittleEndian.Uint64(literals[:8]))
			return n + len(literals)
		}
	} else {
		dst[n] = 15 << 4
		n = putCount(dst, n+1, len(literals)-15)
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
